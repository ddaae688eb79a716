import { useCallback, useMemo } from 'react';
import { rgb } from 'd3';
import type { Size } from '../base/geometry';
import type { LayerTrace } from '../base/trace';
import { CellMap, drawCells, useCursor } from './CellMap';
import { formatCount, formatExact, formatRate, formatShort } from './format';
import { clampIndex, mapOf, spikeCountMap } from './layerViews';
import { LegendScale } from './LegendScale';
import { channelOf, channelText, type LayerMapProps } from './MembraneMap';
import { rampTable, spikeColour, type Ink } from './palette';
import type { Placement } from './placement';
import { TableDetails } from './TableDetails';
import { colourise, exactRange, fromZero, layerDomain, rampOf } from './valueScale';
import './charts.css';

/**
 * What a layer's neurons emit in one step. One channel: a filled square is a spike, a small hollow one none. All channels: how many
 * of them spiked in each cell. Neurons that emit values have a signed map of those.
 */
export function SpikeMap(props: LayerMapProps) {
  const { trace } = props;
  if (trace.emits === 'values') return <ValueMap {...props} />;
  return typeof props.channel === 'number' ? <SingleChannel {...props} channel={props.channel} /> : <SpikeCounts {...props} />;
}

function SingleChannel({ trace, theme, cursor: given, selected, lit, onHoverCell, onSelectCell, ...wanted }: LayerMapProps & { channel: number }) {
  const step = clampIndex(wanted.step, trace.steps);
  const channel = clampIndex(wanted.channel, trace.channels);
  const grid = useMemo(() => ({ width: trace.width, height: trace.height }), [trace]);
  const spikes = useMemo(() => mapOf(trace, 'emitted', channel, step), [trace, channel, step]);
  const paint = useCallback(
    (context: CanvasRenderingContext2D, placement: Placement, ink: Ink) => drawSpikes(context, spikes, grid, placement, spikeColour(theme), ink),
    [spikes, grid, theme],
  );
  const { cursor, onCursor } = useCursor(given, onHoverCell);
  const fired = spikeTotal(spikes);
  const shown = cursor ?? selected;
  const facts = `${formatCount(fired)} of ${formatCount(spikes.length)} neurons spike (${formatRate(fired / spikes.length)})`;
  return (
    <div className="chart">
      <CellMap
        grid={grid}
        label={`Spikes, channel ${channel}, step ${step + 1} of ${trace.steps}: ${facts}.`}
        paint={paint}
        cursor={cursor}
        selected={selected}
        lit={lit}
        onCursor={onCursor}
        onSelect={onSelectCell}
      />
      <div className="chart-legend chart-spike-key">
        <span>Spikes, channel {channel}</span>
        <span>
          <svg width="12" height="12" aria-hidden="true">
            <rect x="1" y="1" width="10" height="10" fill={spikeColour(theme)} />
          </svg>
          spike
        </span>
        <span>
          <svg width="12" height="12" aria-hidden="true">
            <rect x="4" y="4" width="4" height="4" fill="none" className="chart-silent" />
          </svg>
          none
        </span>
      </div>
      <output className="chart-readout">
        {shown ? `x ${shown.x}, y ${shown.y}: ${spikes[shown.y * grid.width + shown.x] ? 'spike' : 'no spike'}` : facts}
      </output>
      <SpikesPerStep trace={trace} spikesOf={(each) => spikeTotal(mapOf(trace, 'emitted', channel, each))} neurons={spikes.length} />
    </div>
  );
}

function SpikeCounts({ trace, theme, cursor: given, selected, lit, onHoverCell, onSelectCell, ...wanted }: LayerMapProps) {
  const step = clampIndex(wanted.step, trace.steps);
  const grid = useMemo(() => ({ width: trace.width, height: trace.height }), [trace]);
  const domain = useMemo(() => {
    const maxima = Array.from({ length: trace.steps }, (_, each) => exactRange(spikeCountMap(trace, each))[1]);
    return fromZero(Math.max(1, ...maxima));
  }, [trace]);
  const counts = useMemo(() => spikeCountMap(trace, step), [trace, step]);
  const paint = useCallback(
    (context: CanvasRenderingContext2D, placement: Placement) =>
      drawCells(context, colourise(counts, domain, rampTable('sequential', theme)), grid, placement),
    [counts, domain, theme, grid],
  );
  const { cursor, onCursor } = useCursor(given, onHoverCell);
  const fired = spikeTotal(counts);
  const neurons = counts.length * trace.channels;
  const shown = cursor ?? selected;
  const count = shown && counts[shown.y * grid.width + shown.x];
  const facts = `${formatCount(fired)} of ${formatCount(neurons)} neurons spike (${formatRate(fired / neurons)})`;
  return (
    <div className="chart">
      <CellMap
        grid={grid}
        label={`Spikes of all ${formatCount(trace.channels)} channels, step ${step + 1} of ${trace.steps}: ${facts}.`}
        paint={paint}
        cursor={cursor}
        selected={selected}
        lit={lit}
        onCursor={onCursor}
        onSelect={onSelectCell}
      />
      <LegendScale domain={domain} theme={theme} title={`Channels that spike, of ${formatCount(trace.channels)}`} marked={count} />
      <output className="chart-readout">
        {shown && count !== undefined ? `x ${shown.x}, y ${shown.y}: ${formatCount(count)} of ${formatCount(trace.channels)} channels spike` : facts}
      </output>
      <SpikesPerStep trace={trace} spikesOf={(each) => spikeTotal(spikeCountMap(trace, each))} neurons={neurons} />
    </div>
  );
}

function ValueMap({ trace, theme, cursor: given, selected, lit, onHoverCell, onSelectCell, ...wanted }: LayerMapProps) {
  const step = clampIndex(wanted.step, trace.steps);
  const channel = channelOf(trace, wanted.channel);
  const grid = useMemo(() => ({ width: trace.width, height: trace.height }), [trace]);
  const values = useMemo(() => mapOf(trace, 'emitted', channel, step), [trace, channel, step]);
  const signed = layerDomain(trace, 'emitted', channel);
  // ReLU emits nothing below 0: half of a diverging scale would stay unused.
  const domain = useMemo(() => (signed.minimum >= 0 ? { ...signed, low: 0, centre: undefined } : signed), [signed]);
  const paint = useCallback(
    (context: CanvasRenderingContext2D, placement: Placement) =>
      drawCells(context, colourise(values, domain, rampTable(rampOf(domain), theme)), grid, placement),
    [values, domain, theme, grid],
  );
  const { cursor, onCursor } = useCursor(given, onHoverCell);
  const [minimum, maximum] = exactRange(values);
  const shown = cursor ?? selected;
  const value = shown && values[shown.y * grid.width + shown.x];
  const title = `Emitted value, ${channelText(channel, trace.channels)}`;
  const facts = `from ${formatShort(minimum)} to ${formatShort(maximum)}; values, not spikes`;
  return (
    <div className="chart">
      <CellMap
        grid={grid}
        label={`${title}, step ${step + 1} of ${trace.steps}: ${grid.width} by ${grid.height} cells ${facts}.`}
        paint={paint}
        cursor={cursor}
        selected={selected}
        lit={lit}
        onCursor={onCursor}
        onSelect={onSelectCell}
      />
      <LegendScale domain={domain} theme={theme} title={title} centreName="zero" marked={value} />
      <output className="chart-readout">{shown && value !== undefined ? `x ${shown.x}, y ${shown.y}: ${formatExact(value)}` : facts}</output>
      <TableDetails
        summary="Values of every step"
        columns={['Step', 'Lowest', 'Highest']}
        rows={() =>
          Array.from({ length: trace.steps }, (_, each) => {
            const [lowest, highest] = exactRange(mapOf(trace, 'emitted', channel, each));
            return [String(each + 1), formatExact(lowest), formatExact(highest)];
          })
        }
      />
    </div>
  );
}

function SpikesPerStep({ trace, spikesOf, neurons }: { trace: LayerTrace; spikesOf: (step: number) => number; neurons: number }) {
  return (
    <TableDetails
      summary="Spikes of every step"
      columns={['Step', 'Spikes', 'Firing rate']}
      rows={() =>
        Array.from({ length: trace.steps }, (_, each) => {
          const spikes = spikesOf(each);
          return [String(each + 1), formatCount(spikes), formatRate(spikes / neurons)];
        })
      }
    />
  );
}

function spikeTotal(counts: Float32Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Shapes need room; smaller cells are plain coloured pixels. */
const shapesFromPx = 5;

function drawSpikes(
  context: CanvasRenderingContext2D,
  spikes: Float32Array,
  grid: Size,
  placement: Placement,
  colour: string,
  ink: Ink,
): void {
  const { x, y, scale } = placement;
  if (scale < shapesFromPx) {
    drawCells(context, spikePixels(spikes, colour), grid, placement);
    return;
  }
  const inset = Math.max(0.5, scale * 0.08);
  const hollow = Math.min(4, scale * 0.25);
  context.lineWidth = 1;
  context.strokeStyle = ink.muted;
  context.fillStyle = colour;
  const silentOpacity = 0.45;
  for (let row = 0, cell = 0; row < grid.height; row++) {
    for (let column = 0; column < grid.width; column++, cell++) {
      const left = x + column * scale;
      const top = y + row * scale;
      context.globalAlpha = spikes[cell] ? 1 : silentOpacity;
      if (spikes[cell]) context.fillRect(left + inset, top + inset, scale - 2 * inset, scale - 2 * inset);
      else context.strokeRect(left + (scale - hollow) / 2, top + (scale - hollow) / 2, hollow, hollow);
    }
  }
  context.globalAlpha = 1;
}

/** `[cells, 4]` bytes of RGBA: the spike colour where there is one, else transparent. */
function spikePixels(spikes: Float32Array, colour: string): Uint8ClampedArray<ArrayBuffer> {
  const { r, g, b } = rgb(colour);
  const pixels = new Uint8ClampedArray(spikes.length * 4);
  spikes.forEach((spike, cell) => {
    if (spike) pixels.set([r, g, b, 255], cell * 4);
  });
  return pixels;
}
