import { useMemo, useRef, useState } from 'react';
import { axisTop, max, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatEnergy, shorten } from './format';
import { networkColour, type Theme } from './palette';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import './charts.css';

export interface LayerEnergyBar {
  name: string;
  /** `AC`: its input is spikes; `MAC`: real values. */
  operation: 'AC' | 'MAC' | '';
  /** Null where firing rates were not measured. */
  snnPj: number | null;
  annPj: number;
  /** Where each step was measured. */
  perStepPj: readonly number[] | undefined;
}

export interface EnergyBarsProps {
  layers: readonly LayerEnergyBar[];
  /** "SNN" or "converted SNN". */
  name: string;
  network: 'snn' | 'converted';
  steps: number;
  theme: Theme;
}

const rowHeight = 22;
const top = 24;
const numbers = 132;
const charPx = 6.4;

/** What every layer takes: the spiking network's bar above the ANN's, on one scale. */
export function EnergyBars({ layers, name, network, steps, theme }: EnergyBarsProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [pointed, setPointed] = useState<number>();
  const labels = Math.min((max(layers, (layer) => layer.name.length) ?? 0) * charPx + 44, width * 0.4);
  const bars = Math.max(width - labels - numbers, 20);
  const highest = max(layers, ({ snnPj, annPj }) => Math.max(snnPj ?? 0, annPj)) ?? 1;
  const scale = useMemo(() => scaleLinear([0, Math.max(highest, 1e-9)], [0, bars]), [highest, bars]);
  const axis = useMemo(() => axisTop(scale).ticks(bars > 200 ? 4 : bars > 120 ? 2 : 1).tickFormat((value) => formatEnergy(Number(value))).tickSize(4), [scale, bars]);
  const chosen = pointed === undefined ? undefined : layers[pointed];
  return (
    <div className="chart">
      <div className="chart-key">
        <span>
          <svg width="18" height="10" aria-hidden="true">
            <rect width="18" height="9" fill={networkColour(theme, network)} />
          </svg>
          {name}, {steps} {steps === 1 ? 'step' : 'steps'}
        </span>
        <span>
          <svg width="18" height="10" aria-hidden="true">
            <rect x="0.5" y="0.5" width="17" height="8" fill="none" stroke={networkColour(theme, 'ann')} />
          </svg>
          ANN, one pass
        </span>
      </div>
      <div ref={frame}>
        {width > 0 && (
          <svg
            width={width}
            height={top + layers.length * rowHeight + 4}
            role="img"
            aria-label={`Energy of ${layers.length} layers, ${name} against ANN. The table below holds the same numbers.`}
          >
            <AxisGroup axis={axis} x={labels} y={top - 4} />
            {layers.map((layer, row) => {
              const y = top + row * rowHeight;
              return (
                <g key={layer.name} onPointerEnter={() => setPointed(row)} onPointerLeave={() => setPointed(undefined)}>
                  <rect x={0.5} y={y} width={width - 1} height={rowHeight - 1} rx={3} className={`chart-row-ground${row === pointed ? ' chart-row-pointed' : ''}`} />
                  <text x={4} y={y + rowHeight / 2} dominantBaseline="central" className="chart-row-label">
                    {shorten(layer.name, Math.floor((labels - 44) / charPx))}
                  </text>
                  <text x={labels - 6} y={y + rowHeight / 2} dominantBaseline="central" textAnchor="end" className="chart-label">
                    {layer.operation}
                  </text>
                  {layer.snnPj !== null && (
                    <rect x={labels} y={y + 3} width={Math.max(scale(layer.snnPj), 0.5)} height={8} fill={networkColour(theme, network)} />
                  )}
                  <rect x={labels + 0.5} y={y + 12.5} width={Math.max(scale(layer.annPj), 0.5)} height={6} fill="none" stroke={networkColour(theme, 'ann')} />
                  <text x={width - 4} y={y + rowHeight / 2} textAnchor="end" dominantBaseline="central" className="chart-number">
                    {layer.snnPj === null ? '–' : formatEnergy(layer.snnPj)} / {formatEnergy(layer.annPj)}
                  </text>
                </g>
              );
            })}
          </svg>
        )}
      </div>
      <output className="chart-readout">
        {chosen
          ? `${chosen.name}: ${chosen.snnPj === null ? 'not measured' : formatEnergy(chosen.snnPj)}, ANN ${formatEnergy(chosen.annPj)}${chosen.perStepPj ? `; steps ${chosen.perStepPj.map(formatEnergy).join(', ')}` : ''}`
          : 'AC: the layer reads spikes; MAC: it reads real values'}
      </output>
      <TableDetails
        summary="Energy of every layer"
        columns={['Layer', 'Operation', name, 'ANN', ...Array.from({ length: Math.min(steps, 16) }, (_, step) => `Step ${step + 1}`)]}
        rows={() =>
          layers.map((layer) => [
            layer.name,
            layer.operation,
            layer.snnPj === null ? 'not measured' : formatEnergy(layer.snnPj),
            formatEnergy(layer.annPj),
            ...(layer.perStepPj ?? []).map(formatEnergy),
          ])
        }
      />
    </div>
  );
}
