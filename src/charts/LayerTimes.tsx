import { useMemo, useRef, useState } from 'react';
import { axisTop, max, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatLarge, formatRate, formatShort, shorten } from './format';
import { networkColour, type Theme } from './palette';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import './charts.css';

export interface LayerTime {
  name: string;
  reads: 'spikes' | 'values';
  /** Multiply-adds for one step. */
  operations: number;
  /** At the trained threshold, and at the one that is looked at; rates are of what the layer reads, null for real values. */
  trained: { ms: number; rate: number | null };
  chosen: { ms: number; rate: number | null };
}

const rowHeight = 22;
const top = 24;
const numbers = 150;
const charPx = 6.4;

/** What every convolution takes at two thresholds, beside the firing rate of what it reads. */
export function LayerTimes({ layers, theme }: { layers: readonly LayerTime[]; theme: Theme }) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [pointed, setPointed] = useState<number>();
  const labels = Math.min((max(layers, ({ name }) => name.length) ?? 0) * charPx + 12, width * 0.4);
  const bars = Math.max(width - labels - numbers, 20);
  const highest = max(layers, ({ trained, chosen }) => Math.max(trained.ms, chosen.ms)) ?? 1;
  const scale = useMemo(() => scaleLinear([0, Math.max(highest, 1e-9)], [0, bars]), [highest, bars]);
  const axis = useMemo(() => axisTop(scale).ticks(bars > 200 ? 4 : 2, '.3~g').tickSize(4), [scale, bars]);
  const chosen = pointed === undefined ? undefined : layers[pointed];
  return (
    <div className="chart">
      <div className="chart-key">
        <span>
          <svg width="18" height="10" aria-hidden="true">
            <rect width="18" height="9" fill={networkColour(theme, 'snn')} />
          </svg>
          at the chosen threshold
        </span>
        <span>
          <svg width="18" height="10" aria-hidden="true">
            <rect x="0.5" y="0.5" width="17" height="8" fill="none" stroke={networkColour(theme, 'ann')} />
          </svg>
          at the trained one
        </span>
      </div>
      <div ref={frame}>
        {width > 0 && (
          <svg
            width={width}
            height={top + layers.length * rowHeight + 4}
            role="img"
            aria-label={`Milliseconds of ${layers.length} convolutions at the chosen threshold and at the trained one. The table below holds the same numbers.`}
          >
            <AxisGroup axis={axis} x={labels} y={top - 4} />
            {layers.map((layer, row) => {
              const y = top + row * rowHeight;
              return (
                <g key={layer.name} onPointerEnter={() => setPointed(row)} onPointerLeave={() => setPointed(undefined)}>
                  <rect x={0.5} y={y} width={width - 1} height={rowHeight - 1} rx={3} className={`chart-row-ground${row === pointed ? ' chart-row-pointed' : ''}`} />
                  <text x={4} y={y + rowHeight / 2} dominantBaseline="central" className="chart-row-label">
                    {shorten(layer.name, Math.floor(labels / charPx) - 1)}
                  </text>
                  <rect x={labels} y={y + 3} width={Math.max(scale(layer.chosen.ms), 0.5)} height={8} fill={networkColour(theme, 'snn')} />
                  <rect x={labels + 0.5} y={y + 12.5} width={Math.max(scale(layer.trained.ms), 0.5)} height={6} fill="none" stroke={networkColour(theme, 'ann')} />
                  <text x={width - 4} y={y + rowHeight / 2} textAnchor="end" dominantBaseline="central" className="chart-number">
                    {formatShort(layer.chosen.ms)} ms, {rateText(layer.chosen.rate)}
                  </text>
                </g>
              );
            })}
          </svg>
        )}
      </div>
      <output className="chart-readout">
        {chosen
          ? `${chosen.name}: ${formatShort(chosen.chosen.ms)} ms at ${rateText(chosen.chosen.rate)}; trained ${formatShort(chosen.trained.ms)} ms at ${rateText(chosen.trained.rate)}`
          : 'The rate is that of the neurons that the layer reads; layers that read real values take the same time at any'}
      </output>
      <TableDetails
        summary="Table: milliseconds of every layer"
        columns={['Layer', 'Multiply-adds a step', 'Rate, trained', 'ms, trained', 'Rate, chosen', 'ms, chosen']}
        rows={() =>
          layers.map(({ name, operations, trained, chosen: now }) => [
            name,
            formatLarge(operations),
            rateText(trained.rate),
            formatShort(trained.ms),
            rateText(now.rate),
            formatShort(now.ms),
          ])
        }
      />
    </div>
  );
}

function rateText(rate: number | null): string {
  return rate === null ? 'real values' : formatRate(rate);
}
