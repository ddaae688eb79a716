import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { axisTop, max, mean, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatRate, shorten } from './format';
import { clampIndex } from './layerViews';
import { LegendScale } from './LegendScale';
import { inkOnRamp, rampColour, type Theme } from './palette';
import { moveInList } from './placement';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import { fromZero, rampPosition } from './valueScale';
import './charts.css';

export interface LayerRates {
  /** The layer's number in the network. */
  index: number;
  label: string;
  /** Spikes per neuron in each step, 0 to 1; null for a layer whose neurons emit values. */
  rates: readonly number[] | null;
}

export interface RateBarsProps {
  layers: readonly LayerRates[];
  /** 0-based. */
  step: number;
  /** A layer's `index`. */
  selected?: number | undefined;
  onSelectLayer?: (index: number) => void;
  theme: Theme;
}

const rowHeight = 18;
const top = 38;
const gap = 10;
const charPx = 6.4;

/**
 * The firing rate of every layer: a bar for its mean over the steps, and a strip with a cell for each step. Arrow keys walk the
 * layers, Enter selects.
 */
export function RateBars({ layers, step: wantedStep, selected, onSelectLayer, theme }: RateBarsProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [cursor, setCursor] = useState<number>();
  const steps = Math.max(1, ...layers.map(({ rates }) => rates?.length ?? 0));
  const step = clampIndex(wantedStep, steps);
  const highest = useMemo(() => Math.max(max(layers.flatMap(({ rates }) => rates ?? [])) ?? 0, 1e-6), [layers]);
  const domain = useMemo(() => fromZero(highest), [highest]);
  const layout = useMemo(() => {
    const longest = max(layers, ({ label }) => label.length) ?? 0;
    const labels = Math.min(longest * charPx + 8, width * 0.38);
    const cell = Math.min(22, Math.max(6, (width * 0.3) / steps));
    const strip = cell * steps;
    return { labels, cell, strip, bars: Math.max(width - labels - strip - gap - 48, 20) };
  }, [layers, width, steps]);
  const rateScale = useMemo(() => scaleLinear([0, highest], [0, layout.bars]), [highest, layout.bars]);
  const axis = useMemo(
    () =>
      axisTop(rateScale)
        .ticks(layout.bars > 160 ? 4 : 2, '.0%')
        .tickSize(4),
    [rateScale, layout.bars],
  );

  const means = layers.map(({ rates }) => (rates ? (mean(rates) ?? 0) : undefined));
  const rows = layers.length;
  const onKeyDown = (event: KeyboardEvent): void => {
    const selectedRow = layers.findIndex(({ index }) => index === selected);
    const next = moveInList(event.key, cursor ?? (selectedRow < 0 ? undefined : selectedRow), rows);
    const chosen = cursor === undefined ? undefined : layers[cursor];
    if (next !== undefined) setCursor(next);
    else if (event.key === 'Enter' && chosen) onSelectLayer?.(chosen.index);
    else return;
    event.preventDefault();
  };
  const pointed = cursor === undefined ? layers.find(({ index }) => index === selected) : layers[cursor];
  const spikingMeans = means.filter((rate) => rate !== undefined);
  const label = `Firing rates of ${spikingMeans.length} layers over ${steps} steps, from ${formatRate(Math.min(...spikingMeans, highest))} to ${formatRate(Math.max(0, ...spikingMeans))} on average.`;
  const stripLeft = layout.labels + layout.bars + 48 + gap;
  return (
    <div className="chart">
      <div ref={frame} className="chart-rates">
        {width > 0 && (
          <svg
            width={width}
            height={top + rows * rowHeight + 4}
            role="img"
            aria-label={label}
            tabIndex={onSelectLayer ? 0 : undefined}
            onKeyDown={onKeyDown}
            onBlur={() => setCursor(undefined)}
          >
            <text x={layout.labels} y={11} className="chart-label">
              mean firing rate
            </text>
            <text x={stripLeft} y={11} className="chart-label">
              per step
            </text>
            <AxisGroup axis={axis} x={layout.labels} y={top - 3} />
            {Array.from({ length: steps }, (_, each) => (
              <text
                key={each}
                x={stripLeft + (each + 0.5) * layout.cell}
                y={top - 8}
                textAnchor="middle"
                className={each === step ? 'chart-label chart-label-current' : 'chart-label'}
              >
                {layout.cell >= 14 || each === step ? each + 1 : ''}
              </text>
            ))}
            {layers.map((layer, row) => {
              const y = top + row * rowHeight;
              const average = means[row];
              return (
                <g key={layer.index} className="chart-rate-row" onPointerEnter={() => setCursor(row)} onPointerLeave={() => setCursor(undefined)} onClick={() => onSelectLayer?.(layer.index)}>
                  <rect
                    x={0.5}
                    y={y + 0.5}
                    width={width - 1}
                    height={rowHeight - 1}
                    rx={3}
                    className={`chart-row-ground${layer.index === selected ? ' chart-row-selected' : ''}${row === cursor ? ' chart-row-pointed' : ''}`}
                  />
                  <text x={6} y={y + rowHeight / 2} dominantBaseline="central" className="chart-row-label">
                    {shorten(layer.label, Math.floor((layout.labels - 8) / charPx))}
                  </text>
                  {layer.rates && average !== undefined ? (
                    <>
                      <rect x={layout.labels} y={y + 4} width={Math.max(rateScale(average), 0.5)} height={rowHeight - 8} fill={rampColour('sequential', theme, 0.6)} />
                      <line
                        x1={layout.labels + rateScale(layer.rates[step] ?? 0)}
                        x2={layout.labels + rateScale(layer.rates[step] ?? 0)}
                        y1={y + 2}
                        y2={y + rowHeight - 2}
                        className="chart-rate-now"
                      />
                      <text x={layout.labels + layout.bars + 46} y={y + rowHeight / 2} textAnchor="end" dominantBaseline="central" className="chart-number">
                        {formatRate(average)}
                      </text>
                      {layer.rates.map((rate, each) => (
                        <rect
                          key={each}
                          x={stripLeft + each * layout.cell + 0.5}
                          y={y + 2}
                          width={layout.cell - 1}
                          height={rowHeight - 4}
                          fill={rampColour('sequential', theme, rampPosition(domain, rate))}
                          className={each === step ? 'chart-cell-now' : undefined}
                          stroke={each === step ? inkOnRamp('sequential', theme, rampPosition(domain, rate)) : undefined}
                        />
                      ))}
                    </>
                  ) : (
                    <text x={layout.labels} y={y + rowHeight / 2} dominantBaseline="central" className="chart-label">
                      emits values
                    </text>
                  )}
                </g>
              );
            })}
          </svg>
        )}
      </div>
      <LegendScale domain={domain} theme={theme} title="Firing rate (spikes per neuron and step)" format={formatRate} marked={pointed?.rates?.[step]} />
      <output className="chart-readout">
        {pointed
          ? `${pointed.label}: ${pointed.rates ? pointed.rates.map((rate, each) => `step ${each + 1} ${formatRate(rate)}`).join(', ') : 'emits values'}`
          : `The line in a bar is step ${step + 1}`}
      </output>
      <TableDetails
        summary="Rates of every layer"
        columns={['Layer', 'Mean', ...Array.from({ length: steps }, (_, each) => `Step ${each + 1}`)]}
        rows={() =>
          layers.map(({ label: name, rates }, row) => [
            name,
            ...(rates ? [formatRate(means[row] ?? 0), ...rates.map(formatRate)] : ['emits values']),
          ])
        }
      />
    </div>
  );
}
