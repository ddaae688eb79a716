import { useMemo, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { axisBottom, axisLeft, extent, scaleLinear, type ScaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatExact, formatShort } from './format';
import { passedSteps } from './learnGeometry';
import { membraneCourse, potentialDomain, type Stretch } from './neuronGeometry';
import { spikeColour, type Theme } from './palette';
import { TableDetails } from './TableDetails';
import { pointIn, useSize } from './useCanvas';
import './charts.css';

export interface NeuronLaboratoryProps {
  /** All one value a step. */
  current: readonly number[];
  membrane: readonly number[];
  spikes: readonly number[];
  surrogate: readonly number[];
  gradient: readonly number[];
  threshold: number;
  /** What the reset leaves of a membrane that spiked. */
  afterSpike: (potential: number) => number;
  /** What the gradient is of: "spike count". */
  lossName: string;
  /** Currents that can be drawn. */
  currentRange: readonly [low: number, high: number];
  /** 0-based. */
  step: number;
  onSelectStep: (step: number) => void;
  onDraw: (step: number, value: number) => void;
  theme: Theme;
}

const margin = { left: 48, right: 12 };
const rowHeights = { current: 120, membrane: 170, gradient: 120 };
const inset = { top: 18, bottom: 8 };
const axisHeight = 34;
const keyStep = 0.05;

/**
 * One neuron over its steps, in three rows with one time axis: the current, drawn with the pointer or the arrow keys; the membrane with
 * threshold, spikes and resets; and the gradient with respect to the current. The same as a table below.
 */
export function NeuronLaboratory(props: NeuronLaboratoryProps) {
  const { current, membrane, spikes, surrogate, gradient, lossName, step } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const steps = current.length;
  const acrossSteps = useMemo(() => scaleLinear([-0.5, steps - 0.5], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [steps, width]);
  const row = { ...props, width, acrossSteps };
  return (
    <div className="chart">
      <div ref={frame} className="chart-laboratory">
        {width > 0 && (
          <>
            <CurrentRow {...row} />
            <MembraneRow {...row} />
            <GradientRow {...row} />
          </>
        )}
      </div>
      <p className="chart-caption chart-aside" aria-live="polite">
        Step {step + 1}: current {formatShort(current[step] ?? 0)}, membrane {formatShort(membrane[step] ?? 0)}, {spikes[step] === 1 ? 'a spike' : 'no spike'}; gradient of
        the {lossName} {formatShort(gradient[step] ?? 0)}
      </p>
      <TableDetails
        summary="Table of every step"
        columns={['Step', 'Current x', 'Membrane v', 'Spike', 'Surrogate ds/dv', 'Gradient dL/dx']}
        rows={() =>
          current.map((value, each) => [
            String(each + 1),
            formatExact(value),
            formatExact(membrane[each] ?? 0),
            spikes[each] === 1 ? 'yes' : 'no',
            formatExact(surrogate[each] ?? 0),
            formatExact(gradient[each] ?? 0),
          ])
        }
      />
    </div>
  );
}

interface RowProps extends NeuronLaboratoryProps {
  width: number;
  acrossSteps: ScaleLinear<number, number>;
}

function CurrentRow({ current, currentRange, step, onSelectStep, onDraw, width, acrossSteps }: RowProps) {
  const height = rowHeights.current;
  const last = useRef<{ step: number; value: number }>(undefined);
  const [low, high] = currentRange;
  const values = useMemo(() => scaleLinear([low, high], [height - inset.bottom, inset.top]), [low, high, height]);
  const axis = useMemo(() => axisLeft(values).ticks(4).tickSize(4), [values]);
  const placeOf = (event: PointerEvent<SVGSVGElement>): { step: number; value: number } => {
    const { x, y } = pointIn(event.currentTarget, event);
    return { step: Math.min(Math.max(Math.round(acrossSteps.invert(x)), 0), current.length - 1), value: values.invert(y) };
  };
  const drawTo = (event: PointerEvent<SVGSVGElement>): void => {
    const place = placeOf(event);
    for (const passed of passedSteps(last.current ?? place, place)) onDraw(passed.step, passed.value);
    onSelectStep(place.step);
    last.current = place;
  };
  const stop = (): void => {
    last.current = undefined;
  };
  const value = current[step] ?? 0;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const by = event.shiftKey ? keyStep * 5 : keyStep;
    const keys: Record<string, () => void> = {
      ArrowLeft: () => onSelectStep(Math.max(0, step - 1)),
      ArrowRight: () => onSelectStep(Math.min(current.length - 1, step + 1)),
      Home: () => onSelectStep(0),
      End: () => onSelectStep(current.length - 1),
      ArrowUp: () => onDraw(step, value + by),
      ArrowDown: () => onDraw(step, value - by),
      Delete: () => onDraw(step, 0),
    };
    const act = keys[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  };
  const bar = Math.max(2, (acrossSteps(1) - acrossSteps(0)) * 0.7);
  return (
    <svg
      width={width}
      height={height}
      className="chart-draw"
      tabIndex={0}
      role="slider"
      aria-orientation="vertical"
      aria-label="Current: left and right choose a step, up and down change it; or draw with the pointer"
      aria-valuemin={low}
      aria-valuemax={high}
      aria-valuenow={value}
      aria-valuetext={`step ${step + 1}: ${formatShort(value)}`}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drawTo(event);
      }}
      onPointerMove={(event) => {
        if (last.current) drawTo(event);
      }}
      onPointerUp={stop}
      onPointerCancel={stop}
    >
      <rect x={margin.left} y={inset.top} width={width - margin.left - margin.right} height={height - inset.top - inset.bottom} className="chart-draw-ground" />
      <StepBand acrossSteps={acrossSteps} step={step} height={height} />
      {current.map((each, index) => (
        <rect
          key={index}
          x={acrossSteps(index) - bar / 2}
          width={bar}
          y={Math.min(values(each), values(0))}
          height={Math.abs(values(each) - values(0))}
          className="chart-current"
        />
      ))}
      <line x1={margin.left} x2={width - margin.right} y1={values(0)} y2={values(0)} className="chart-zero" />
      <AxisGroup axis={axis} x={margin.left} y={0} />
      <text x={4} y={11} className="chart-label">
        current x(t): draw it
      </text>
    </svg>
  );
}

function MembraneRow({ membrane, spikes, threshold, afterSpike, step, onSelectStep, width, acrossSteps, theme }: RowProps) {
  const height = rowHeights.membrane;
  const potentials = useMemo(() => scaleLinear(potentialDomain([...membrane], threshold), [height - inset.bottom, inset.top]), [membrane, threshold, height]);
  const axis = useMemo(() => axisLeft(potentials).ticks(5).tickSize(4), [potentials]);
  const course = membraneCourse({ membrane: [...membrane], emitted: [...spikes] }, 'spikes', afterSpike);
  const line = ({ from, to }: Stretch) => ({ x1: acrossSteps(from.step), y1: potentials(from.potential), x2: acrossSteps(to.step), y2: potentials(to.potential) });
  const colour = spikeColour(theme);
  const spikeSteps = spikes.flatMap((spike, each) => (spike === 1 ? [each + 1] : []));
  const label = `Membrane potential over ${membrane.length} steps, threshold ${formatShort(threshold)}; ${spikeSteps.length === 0 ? 'no spikes' : `${spikeSteps.length} spikes, at step ${spikeSteps.join(', ')}`}.`;
  return (
    <svg width={width} height={height} role="img" aria-label={label}>
      <StepBand acrossSteps={acrossSteps} step={step} height={height} />
      <line x1={margin.left} x2={width - margin.right} y1={potentials(0)} y2={potentials(0)} className="chart-zero" />
      <line x1={margin.left} x2={width - margin.right} y1={potentials(threshold)} y2={potentials(threshold)} stroke={colour} className="chart-threshold" />
      {course.charges.map((stretch) => (
        <line key={stretch.from.step} {...line(stretch)} className="chart-charge" />
      ))}
      {course.resets.map((stretch) => (
        <line key={stretch.from.step} {...line(stretch)} stroke={colour} className="chart-reset" />
      ))}
      {membrane.map((potential, each) =>
        spikes[each] === 1 ? (
          <path key={each} d={`M${acrossSteps(each)},${potentials(potential) - 6} l5,6 l-5,6 l-5,-6 Z`} fill={colour} className="chart-spike" />
        ) : (
          <circle key={each} cx={acrossSteps(each)} cy={potentials(potential)} r={2.5} className="chart-potential" />
        ),
      )}
      <AxisGroup axis={axis} x={margin.left} y={0} />
      <text x={4} y={11} className="chart-label">
        membrane v(t); dashed: threshold {formatShort(threshold)}; diamonds: spikes
      </text>
      <StepHits acrossSteps={acrossSteps} steps={membrane.length} height={height} onSelectStep={onSelectStep} />
    </svg>
  );
}

function GradientRow({ gradient, lossName, step, onSelectStep, width, acrossSteps }: RowProps) {
  const height = rowHeights.gradient;
  const values = useMemo(() => {
    const [low = 0, high = 0] = extent([...gradient, 0]);
    return scaleLinear(low === high ? [-1, 1] : [low, high], [height - inset.bottom, inset.top]).nice(4);
  }, [gradient, height]);
  const valueAxis = useMemo(() => axisLeft(values).ticks(4).tickSize(4), [values]);
  const stepAxis = useMemo(() => {
    const every = Math.ceil(gradient.length / Math.max(1, width / 34));
    return axisBottom(acrossSteps)
      .tickValues(gradient.map((_, each) => each).filter((each) => each % every === 0))
      .tickFormat((each) => String(Number(each) + 1))
      .tickSize(4);
  }, [acrossSteps, gradient, width]);
  const bar = Math.max(2, (acrossSteps(1) - acrossSteps(0)) * 0.7);
  const learning = gradient.filter((value) => value !== 0).length;
  return (
    <svg
      width={width}
      height={height + axisHeight}
      role="img"
      aria-label={`Gradient of the ${lossName} with respect to the current: not zero at ${learning} of ${gradient.length} steps; the table has the numbers.`}
    >
      <StepBand acrossSteps={acrossSteps} step={step} height={height} />
      {gradient.map((each, index) => (
        <rect
          key={index}
          x={acrossSteps(index) - bar / 2}
          width={bar}
          y={Math.min(values(each), values(0))}
          height={Math.abs(values(each) - values(0))}
          className="chart-gradient-bar"
        />
      ))}
      <line x1={margin.left} x2={width - margin.right} y1={values(0)} y2={values(0)} className="chart-zero" />
      <AxisGroup axis={valueAxis} x={margin.left} y={0} />
      <AxisGroup axis={stepAxis} x={0} y={height} />
      <text x={4} y={11} className="chart-label">
        dL/dx(t): how the {lossName} changes with the current
      </text>
      <text x={(margin.left + width - margin.right) / 2} y={height + axisHeight - 3} textAnchor="middle" className="chart-label">
        time step
      </text>
      <StepHits acrossSteps={acrossSteps} steps={gradient.length} height={height} onSelectStep={onSelectStep} />
    </svg>
  );
}

function StepBand({ acrossSteps, step, height }: { acrossSteps: ScaleLinear<number, number>; step: number; height: number }) {
  return <rect x={acrossSteps(step - 0.5)} y={inset.top} width={acrossSteps(1) - acrossSteps(0)} height={height - inset.top} className="chart-step-band" />;
}

function StepHits({ acrossSteps, steps, height, onSelectStep }: { acrossSteps: ScaleLinear<number, number>; steps: number; height: number; onSelectStep: (step: number) => void }) {
  return Array.from({ length: steps }, (_, each) => (
    <rect
      key={each}
      x={acrossSteps(each - 0.5)}
      y={inset.top}
      width={acrossSteps(1) - acrossSteps(0)}
      height={height - inset.top}
      className="chart-hit"
      onClick={() => onSelectStep(each)}
    />
  ));
}
