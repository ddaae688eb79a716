import { useMemo, useRef, type KeyboardEvent } from 'react';
import { axisBottom, axisLeft, scaleLinear } from 'd3';
import type { LayerTrace } from '../base/trace';
import { AxisGroup } from './AxisGroup';
import { formatExact, formatShort } from './format';
import { clampIndex, neuronSeries, type NeuronPlace } from './layerViews';
import { membraneCourse, potentialDomain, type Stretch } from './neuronGeometry';
import { spikeColour, type Theme } from './palette';
import { moveInList } from './placement';
import { useSize } from './useCanvas';
import './charts.css';

export interface NeuronTraceProps {
  trace: LayerTrace;
  /** A place that this layer does not have shows its nearest one. */
  neuron: NeuronPlace;
  /** 0-based. */
  step: number;
  onSelectStep?: (step: number) => void;
  theme: Theme;
}

const height = 190;
const margin = { top: 18, right: 60, bottom: 34, left: 44 };

/**
 * The membrane potential of one neuron over the steps, with its threshold, spikes and resets, and the exact numbers as a table.
 * Arrow keys on the chart go from step to step.
 */
export function NeuronTrace({ trace, neuron, step: wantedStep, onSelectStep, theme }: NeuronTraceProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const { steps, threshold, emits } = trace;
  const spiking = emits === 'spikes';
  const step = clampIndex(wantedStep, steps);
  const x = clampIndex(neuron.x, trace.width);
  const y = clampIndex(neuron.y, trace.height);
  const channel = clampIndex(neuron.channel, trace.channels);
  const series = useMemo(() => neuronSeries(trace, { x, y, channel }), [trace, x, y, channel]);
  const course = useMemo(() => membraneCourse(series, emits), [series, emits]);

  const acrossSteps = useMemo(
    () => scaleLinear([-0.5, steps - 0.5], [margin.left, Math.max(width - margin.right, margin.left + 1)]),
    [steps, width],
  );
  const potentials = useMemo(() => {
    const values = spiking ? series.membrane : [...series.membrane, ...series.emitted];
    return scaleLinear(potentialDomain(values, spiking ? threshold : undefined), [height - margin.bottom, margin.top]);
  }, [series, spiking, threshold]);
  const stepAxis = useMemo(
    () =>
      axisBottom(acrossSteps)
        .tickValues(Array.from({ length: steps }, (_, each) => each))
        .tickFormat((each) => String(Number(each) + 1))
        .tickSize(4),
    [acrossSteps, steps],
  );
  const potentialAxis = useMemo(() => axisLeft(potentials).ticks(5).tickSize(4), [potentials]);

  const spikeSteps = series.emitted.flatMap((emitted, each) => (spiking && emitted !== 0 ? [each + 1] : []));
  const name = `Neuron x ${x}, y ${y}, channel ${channel}`;
  const potentialsText = series.membrane.map((potential) => formatShort(potential)).join(', ');
  const label = spiking
    ? `${name}: membrane potential ${potentialsText} over ${steps} steps; threshold ${formatShort(threshold)}; ${spikeSteps.length === 0 ? 'no spikes' : `spikes at step ${spikeSteps.join(', ')}`}.`
    : `${name}: value ${potentialsText} over ${steps} steps; it emits ${series.emitted.map((value) => formatShort(value)).join(', ')}.`;
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, step, steps);
    if (next === undefined || !onSelectStep) return;
    onSelectStep(next);
    event.preventDefault();
  };
  const line = ({ from, to }: Stretch) => ({
    x1: acrossSteps(from.step),
    y1: potentials(from.potential),
    x2: acrossSteps(to.step),
    y2: potentials(to.potential),
  });
  const bandWidth = acrossSteps(1) - acrossSteps(0);
  const colour = spikeColour(theme);
  return (
    <div className="chart">
      <div className="chart-title">{name}</div>
      <div ref={frame} className="chart-neuron">
        {width > 0 && (
          <svg width={width} height={height} role="img" aria-label={label} tabIndex={onSelectStep ? 0 : undefined} onKeyDown={onKeyDown}>
            <rect x={acrossSteps(step - 0.5)} y={margin.top} width={bandWidth} height={height - margin.top - margin.bottom} className="chart-step-band" />
            <line x1={margin.left} x2={width - margin.right} y1={potentials(0)} y2={potentials(0)} className="chart-zero" />
            {spiking && (
              <>
                <line x1={margin.left} x2={width - margin.right} y1={potentials(threshold)} y2={potentials(threshold)} stroke={colour} className="chart-threshold" />
                <text x={width - margin.right + 5} y={potentials(threshold) - 2} className="chart-label">
                  threshold
                </text>
                <text x={width - margin.right + 5} y={potentials(threshold) + 11} className="chart-number">
                  {formatShort(threshold)}
                </text>
              </>
            )}
            {course.charges.map((stretch) => (
              <line key={stretch.from.step} {...line(stretch)} className="chart-charge" />
            ))}
            {course.resets.map((stretch) => (
              <g key={stretch.from.step}>
                <line {...line(stretch)} stroke={colour} className="chart-reset" />
                <circle cx={acrossSteps(stretch.to.step)} cy={potentials(0)} r={2.5} fill={colour} />
              </g>
            ))}
            {!spiking &&
              series.emitted.map((value, each) => (
                <rect key={each} x={acrossSteps(each) - 4} y={potentials(value) - 4} width={8} height={8} stroke={colour} className="chart-emitted" />
              ))}
            {series.membrane.map((potential, each) =>
              spiking && series.emitted[each] !== 0 ? (
                <path
                  key={each}
                  d={`M${acrossSteps(each)},${potentials(potential) - 7} l6,7 l-6,7 l-6,-7 Z`}
                  fill={colour}
                  className="chart-spike"
                />
              ) : (
                <circle key={each} cx={acrossSteps(each)} cy={potentials(potential)} r={3.5} className="chart-potential" />
              ),
            )}
            <AxisGroup axis={stepAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={potentialAxis} x={margin.left} y={0} />
            <text x={(margin.left + width - margin.right) / 2} y={height - 4} textAnchor="middle" className="chart-label">
              time step
            </text>
            <text x={4} y={11} className="chart-label">
              {spiking ? 'membrane v(t)' : 'value'}
            </text>
            {onSelectStep &&
              series.membrane.map((_, each) => (
                <rect
                  key={each}
                  x={acrossSteps(each - 0.5)}
                  y={margin.top}
                  width={bandWidth}
                  height={height - margin.top}
                  className="chart-hit"
                  onClick={() => onSelectStep(each)}
                />
              ))}
          </svg>
        )}
      </div>
      <div className="chart-key">
        {spiking ? (
          <>
            <span>
              <svg width="12" height="14" aria-hidden="true">
                <path d="M6,1 l5,6 l-5,6 l-5,-6 Z" fill={colour} />
              </svg>
              spike
            </span>
            <span>
              <svg width="12" height="14" aria-hidden="true">
                <line x1="6" x2="6" y1="0" y2="14" stroke={colour} className="chart-reset" />
              </svg>
              reset to 0
            </span>
          </>
        ) : (
          <span>
            <svg width="12" height="14" aria-hidden="true">
              <rect x="2" y="3" width="8" height="8" stroke={colour} className="chart-emitted" />
            </svg>
            emitted value
          </span>
        )}
      </div>
      <table className="chart-neuron-table" data-testid="neuron-table">
        <caption className="chart-hidden">{name}, every step</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">{spiking ? 'v(t)' : 'Value'}</th>
            <th scope="col">{spiking ? 'Spike' : 'Emitted'}</th>
          </tr>
        </thead>
        <tbody>
          {series.membrane.map((potential, each) => {
            const emitted = series.emitted[each] ?? 0;
            return (
              <tr key={each} aria-current={each === step ? 'step' : undefined} onClick={onSelectStep && (() => onSelectStep(each))}>
                <th scope="row">{each + 1}</th>
                <td>{formatExact(potential)}</td>
                <td>{spiking ? (emitted !== 0 ? <strong>yes</strong> : 'no') : formatExact(emitted)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
