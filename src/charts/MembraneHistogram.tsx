import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { axisBottom, axisLeft, max, scaleLinear } from 'd3';
import { stepHistogram } from '../base/stepHistogram';
import type { LayerTrace } from '../base/trace';
import { AxisGroup } from './AxisGroup';
import { formatExact, formatRate, formatShort } from './format';
import { clampIndex } from './layerViews';
import { rampColour, spikeColour, type Theme } from './palette';
import { moveInList } from './placement';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import { centreOf, layerDomain } from './valueScale';
import './charts.css';

export interface MembraneHistogramProps {
  trace: LayerTrace;
  /** 0-based. */
  step: number;
  onSelectStep?: (step: number) => void;
  theme: Theme;
}

const rowHeight = 44;
const margin = { top: 16, right: 54, bottom: 34, left: 44 };
const bins = 60;

/**
 * How a layer's membrane potentials are spread at every step, one row of bars for each, with the threshold through all of them: what is
 * right of it fires. Arrow keys go from step to step.
 */
export function MembraneHistogram({ trace, step: wantedStep, onSelectStep, theme }: MembraneHistogramProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const { steps } = trace;
  const step = clampIndex(wantedStep, steps);
  const spiking = trace.emits === 'spikes';
  const threshold = centreOf(trace);
  const domain = layerDomain(trace, 'membrane', 0);
  const histogram = useMemo(() => stepHistogram(trace.membrane, steps, { low: domain.low, high: domain.high }, bins, threshold), [trace, steps, domain, threshold]);
  const highest = useMemo(() => Math.max(max(histogram.shares.flatMap((row) => [...row])) ?? 0, 1e-9), [histogram]);
  const [bin, setBin] = useState<number>();

  const height = margin.top + steps * rowHeight + margin.bottom;
  const across = useMemo(() => scaleLinear([histogram.low, histogram.high], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [histogram, width]);
  const potentialAxis = useMemo(() => axisBottom(across).ticks(6).tickSize(4), [across]);
  const shareAxis = useMemo(() => axisLeft(scaleLinear([0, highest], [rowHeight - 8, 0])).tickValues([0, highest]).tickFormat((share) => formatRate(Number(share))).tickSize(3), [highest]);
  const above = useMemo(() => histogram.shares.map((row) => shareAbove(row, histogram, threshold)), [histogram, threshold]);
  const binWidth = (histogram.high - histogram.low) / bins;
  const barWidth = Math.max(across(histogram.low + binWidth) - across(histogram.low), 0);
  const edgeName = spiking ? 'threshold' : 'zero';
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, step, steps);
    if (next === undefined || !onSelectStep) return;
    onSelectStep(next);
    event.preventDefault();
  };
  const binText = (index: number): string => `${formatShort(histogram.low + index * binWidth)} to ${formatShort(histogram.low + (index + 1) * binWidth)}`;
  return (
    <div className="chart">
      <div ref={frame} className="chart-histogram">
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={`Membrane potentials of ${steps} steps between ${formatShort(domain.minimum)} and ${formatShort(domain.maximum)}. Above the ${edgeName} ${formatShort(threshold)}: ${above.map((share, each) => `step ${each + 1} ${formatRate(share)}`).join(', ')}.`}
            tabIndex={onSelectStep ? 0 : undefined}
            onKeyDown={onKeyDown}
            onPointerLeave={() => setBin(undefined)}
          >
            {histogram.shares.map((row, each) => {
              const bottom = margin.top + (each + 1) * rowHeight;
              return (
                <g
                  key={each}
                  className="chart-hit-row"
                  onClick={() => onSelectStep?.(each)}
                  onPointerMove={(event) => {
                    const { left } = event.currentTarget.ownerSVGElement?.getBoundingClientRect() ?? { left: 0 };
                    const index = Math.floor((across.invert(event.clientX - left) - histogram.low) / binWidth);
                    setBin(index >= 0 && index < bins ? index : undefined);
                  }}
                >
                  <rect x={0} y={bottom - rowHeight} width={width} height={rowHeight} className={each === step ? 'chart-step-band' : 'chart-row-ground'} />
                  {Array.from(row, (share, index) => (
                    <rect
                      key={index}
                      x={across(histogram.low + index * binWidth) + 0.5}
                      y={bottom - (share / highest) * (rowHeight - 8)}
                      width={Math.max(barWidth - 1, 0.5)}
                      height={(share / highest) * (rowHeight - 8)}
                      fill={spiking && histogram.low + (index + 0.5) * binWidth > threshold ? spikeColour(theme) : rampColour('diverging', theme, 0.22)}
                    />
                  ))}
                  <line x1={margin.left} x2={width - margin.right} y1={bottom} y2={bottom} className="chart-zero" />
                  <text x={6} y={bottom - rowHeight / 2 + 10} className={each === step ? 'chart-label chart-label-current' : 'chart-label'}>
                    {each + 1}
                  </text>
                  <text x={width - 4} y={bottom - rowHeight / 2 + 10} textAnchor="end" className="chart-number">
                    {formatRate(above[each] ?? 0)}
                  </text>
                </g>
              );
            })}
            <AxisGroup axis={shareAxis} x={margin.left} y={margin.top + 8} />
            <line x1={across(threshold)} x2={across(threshold)} y1={margin.top} y2={margin.top + steps * rowHeight} stroke={spiking ? spikeColour(theme) : 'currentColor'} className="chart-threshold" />
            <text x={4} y={11} className="chart-label">
              step
            </text>
            <text x={across(threshold)} y={11} textAnchor="middle" className="chart-label">
              {edgeName} {formatShort(threshold)}
            </text>
            <text x={width - 4} y={11} textAnchor="end" className="chart-label">
              above
            </text>
            <AxisGroup axis={potentialAxis} x={0} y={margin.top + steps * rowHeight} />
            <text x={(margin.left + width - margin.right) / 2} y={height - 4} textAnchor="middle" className="chart-label">
              membrane potential before the reset
            </text>
          </svg>
        )}
      </div>
      <output className="chart-readout">
        {bin === undefined
          ? `step ${step + 1}: ${formatRate(above[step] ?? 0)} of the neurons above the ${edgeName}`
          : `${binText(bin)}: ${formatRate(histogram.shares[step]?.[bin] ?? 0)} at step ${step + 1}`}
      </output>
      <TableDetails
        summary="Shares of every step"
        columns={['Potential', ...Array.from({ length: steps }, (_, each) => `Step ${each + 1}`)]}
        rows={() => Array.from({ length: bins }, (_, index) => [binText(index), ...histogram.shares.map((row) => formatExact(row[index] ?? 0))])}
      />
    </div>
  );
}

function shareAbove(row: Float64Array, { low, high, bins: count }: { low: number; high: number; bins: number }, threshold: number): number {
  const first = Math.round((threshold - low) / ((high - low) / count));
  return row.subarray(Math.max(first, 0)).reduce((sum, share) => sum + share, 0);
}
