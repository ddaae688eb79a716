import { useMemo, useRef } from 'react';
import { axisBottom, axisLeft, max, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatCount, formatShort } from './format';
import { histogram } from './learnGeometry';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import './charts.css';

export interface SpectrumHistogramProps {
  /** Whose they are: "EMS block 4". */
  name: string;
  singularValues: readonly number[];
}

const height = 200;
const margin = { top: 18, right: 12, bottom: 34, left: 44 };
const bins = 40;

/** How the singular values of a Jacobian are spread; around 1 they neither stretch nor shrink a gradient. */
export function SpectrumHistogram({ name, singularValues }: SpectrumHistogramProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const counted = useMemo(() => histogram(singularValues, bins), [singularValues]);
  const across = useMemo(() => scaleLinear([0, counted.at(-1)?.high ?? 1], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [counted, width]);
  const up = useMemo(() => scaleLinear([0, max(counted, ({ count }) => count) ?? 1], [height - margin.bottom, margin.top]).nice(4), [counted]);
  const acrossAxis = useMemo(() => axisBottom(across).ticks(6).tickSize(4), [across]);
  const upAxis = useMemo(() => axisLeft(up).ticks(4).tickSize(4), [up]);
  return (
    <div className="chart">
      <div ref={frame} className="chart-spectrum">
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={`Singular values of ${name}: ${formatCount(singularValues.length)} between ${formatShort(Math.min(...singularValues))} and ${formatShort(Math.max(...singularValues))}.`}
          >
            {counted.map(({ low, high, count }) => (
              <rect key={low} x={across(low) + 0.5} width={Math.max(1, across(high) - across(low) - 1)} y={up(count)} height={up(0) - up(count)} className="chart-bin" />
            ))}
            <line x1={across(1)} x2={across(1)} y1={margin.top} y2={height - margin.bottom} className="chart-unity" />
            <text x={across(1) + 4} y={margin.top + 9} className="chart-number">
              1
            </text>
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={4} y={11} className="chart-label">
              how many
            </text>
            <text x={(margin.left + width - margin.right) / 2} y={height - 3} textAnchor="middle" className="chart-label">
              singular value of J
            </text>
          </svg>
        )}
      </div>
      <TableDetails
        summary="Table of singular values"
        columns={['From', 'To', 'How many']}
        rows={() => counted.filter(({ count }) => count > 0).map(({ low, high, count }) => [formatShort(low), formatShort(high), formatCount(count)])}
      />
    </div>
  );
}
