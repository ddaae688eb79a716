import { useMemo, useRef, useState } from 'react';
import { axisTop, max, min, scaleLog } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatShort, shorten } from './format';
import { networkColour, type Theme } from './palette';
import { useSize } from './useCanvas';
import './charts.css';

export interface RaceChartRow {
  name: string;
  network: 'snn' | 'ann';
  median: number;
  least: number;
  most: number;
}

const lineHeight = 22;
/** Below this width names stand above what they name, and leave it the whole line. */
const narrowWidth = 480;
const top = 24;
const numbers = 70;
const charPx = 6.4;

/** Medians and spreads on a logarithmic scale: some take a hundred times longer. The page's table holds the same numbers. */
export function RaceChart({ rows, theme }: { rows: readonly RaceChartRow[]; theme: Theme }) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [pointed, setPointed] = useState<number>();
  const isNarrow = width < narrowWidth;
  const rowHeight = isNarrow ? 2 * lineHeight : lineHeight;
  const labels = isNarrow ? 8 : Math.min((max(rows, ({ name }) => name.length) ?? 0) * charPx + 12, width * 0.5);
  const scale = useMemo(() => {
    const [least = 1, most = 10] = [min(rows, (row) => row.least), max(rows, (row) => row.most)];
    return scaleLog([least / 1.2, most * 1.2], [labels, Math.max(width - numbers, labels + 1)]);
  }, [rows, labels, width]);
  const axis = useMemo(() => axisTop(scale).ticks(Math.max(2, (width - labels - numbers) / 110), '.3~g').tickSize(4), [scale, width, labels]);
  const chosen = pointed === undefined ? undefined : rows[pointed];
  return (
    <div className="chart">
      <div ref={frame}>
        {width > 0 && (
          <svg
            width={width}
            height={top + rows.length * rowHeight + 4}
            role="img"
            aria-label={`Milliseconds of ${rows.length} contestants, medians and spreads. The table holds the same numbers.`}
          >
            <AxisGroup axis={axis} x={0} y={top - 4} />
            {rows.map(({ name, network, median, least, most }, row) => {
              const y = top + (row + 1) * rowHeight - lineHeight / 2;
              const colour = networkColour(theme, network);
              return (
                <g key={row} onPointerEnter={() => setPointed(row)} onPointerLeave={() => setPointed(undefined)}>
                  <rect x={0.5} y={top + row * rowHeight} width={width - 1} height={rowHeight - 1} rx={3} className={`chart-row-ground${row === pointed ? ' chart-row-pointed' : ''}`} />
                  <text x={4} y={isNarrow ? y - lineHeight : y} dominantBaseline="central" className="chart-row-label">
                    {shorten(name, Math.floor((isNarrow ? width : labels) / charPx) - 1)}
                  </text>
                  <line x1={scale(least)} x2={scale(most)} y1={y} y2={y} stroke={colour} strokeWidth={2} />
                  {network === 'snn' ? (
                    <circle cx={scale(median)} cy={y} r={5} fill={colour} />
                  ) : (
                    <rect x={scale(median) - 4.5} y={y - 4.5} width={9} height={9} fill={colour} />
                  )}
                  <text x={width - 4} y={y} textAnchor="end" dominantBaseline="central" className="chart-number">
                    {formatShort(median)} ms
                  </text>
                </g>
              );
            })}
          </svg>
        )}
      </div>
      <output className="chart-readout chart-readout-long">
        {chosen ? `${chosen.name}: ${formatShort(chosen.median)} ms (${formatShort(chosen.least)} to ${formatShort(chosen.most)})` : 'Disc: SNN, square: ANN twin; the line goes from the least to the most. Logarithmic scale.'}
      </output>
    </div>
  );
}
