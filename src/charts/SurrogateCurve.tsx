import { useMemo, useRef } from 'react';
import { axisBottom, axisLeft, line, max, range, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatShort } from './format';
import { spikeColour, type Theme } from './palette';
import { useSize } from './useCanvas';
import './charts.css';

export interface SurrogateCurveProps {
  name: string;
  /** ds/dv and the soft spike, of u = v − threshold. */
  derivative: (u: number) => number;
  softSpike: (u: number) => number;
  /** Where the neuron's membranes lay, as u. */
  visited: readonly number[];
  /** Index into `visited`. */
  step: number;
  theme: Theme;
}

const height = 170;
const margin = { top: 18, right: 12, bottom: 34, left: 40 };
const reach = 1.5;
const samples = range(-reach, reach + 1e-9, 0.01);

/** The derivative that training takes for the spike's, the soft step it belongs to, and where the membranes of all steps lay on it. */
export function SurrogateCurve({ name, derivative, softSpike, visited, step, theme }: SurrogateCurveProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const across = useMemo(() => scaleLinear([-reach, reach], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [width]);
  const top = Math.max(1, max(samples, derivative) ?? 1);
  const up = useMemo(() => scaleLinear([0, top * 1.08], [height - margin.bottom, margin.top]), [top]);
  const acrossAxis = useMemo(() => axisBottom(across).ticks(5).tickSize(4), [across]);
  const upAxis = useMemo(() => axisLeft(up).ticks(4).tickSize(4), [up]);
  const path = (of: (u: number) => number): string => line<number>((u) => across(u), (u) => up(of(u)))(samples) ?? '';
  const inside = visited.filter((u) => derivative(u) > 0).length;
  const colour = spikeColour(theme);
  return (
    <div className="chart">
      <div ref={frame} className="chart-surrogate">
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={`The ${name} surrogate around the threshold, ${formatShort(derivative(0))} at its highest; ${inside} of ${visited.length} membranes lie where it is not zero.`}
          >
            <line x1={across(0)} x2={across(0)} y1={margin.top} y2={height - margin.bottom} stroke={colour} className="chart-threshold" />
            <path d={path(softSpike)} className="chart-soft-spike" />
            <path d={path(derivative)} className="chart-curve" />
            {visited.map((u, each) =>
              Math.abs(u) <= reach ? (
                <circle key={each} cx={across(u)} cy={up(derivative(u))} r={each === step ? 5 : 2.5} className={each === step ? 'chart-visited-now' : 'chart-visited'} />
              ) : null,
            )}
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={4} y={11} className="chart-label">
              ds/dv; dotted: the soft spike
            </text>
            <text x={(margin.left + width - margin.right) / 2} y={height - 3} textAnchor="middle" className="chart-label">
              v − threshold
            </text>
          </svg>
        )}
      </div>
    </div>
  );
}
