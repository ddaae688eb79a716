import { useCallback, useMemo } from 'react';
import type { CellRange } from '../base/reach';
import type { LayerTrace } from '../base/trace';
import { CellMap, drawCells, useCursor } from './CellMap';
import { formatCount, formatExact, formatShort } from './format';
import { clampIndex, mapOf, type Cell, type ChannelChoice } from './layerViews';
import { LegendScale } from './LegendScale';
import { rampTable, type Theme } from './palette';
import type { Placement } from './placement';
import { TableDetails } from './TableDetails';
import { centreOf, colourise, exactRange, layerDomain } from './valueScale';
import './charts.css';

export interface CellMapInteraction {
  /** The cell under the pointer in another view of the same layer. */
  cursor?: Cell | undefined;
  selected?: Cell | undefined;
  /** Cells that lead to what is pointed at elsewhere. */
  lit?: CellRange | undefined;
  onHoverCell?: (cell: Cell | undefined) => void;
  onSelectCell?: (cell: Cell) => void;
}

export interface LayerMapProps extends CellMapInteraction {
  trace: LayerTrace;
  /** 0-based; a step or channel that this layer does not have shows its nearest one. */
  step: number;
  channel: ChannelChoice;
  theme: Theme;
}

/** "channel 3", "mean of 64 channels". */
export function channelText(choice: ChannelChoice, channels: number): string {
  return typeof choice === 'number' ? `channel ${choice}` : `${choice === 'mean' ? 'mean' : 'maximum'} of ${formatCount(channels)} channels`;
}

/** The choice as this layer can show it. */
export function channelOf(trace: LayerTrace, choice: ChannelChoice): ChannelChoice {
  return typeof choice === 'number' ? clampIndex(choice, trace.channels) : choice;
}

/**
 * Membrane potentials (before the reset) of one step as a heat map. Colours are centred on the threshold, and every step of the layer
 * has the same scale: a cell in orange is above the threshold.
 */
export function MembraneMap({ trace, theme, cursor: given, selected, lit, onHoverCell, onSelectCell, ...wanted }: LayerMapProps) {
  const step = clampIndex(wanted.step, trace.steps);
  const channel = channelOf(trace, wanted.channel);
  const grid = useMemo(() => ({ width: trace.width, height: trace.height }), [trace]);
  const domain = layerDomain(trace, 'membrane', channel);
  const values = useMemo(() => mapOf(trace, 'membrane', channel, step), [trace, channel, step]);
  const paint = useCallback(
    (context: CanvasRenderingContext2D, placement: Placement) =>
      drawCells(context, colourise(values, domain, rampTable('diverging', theme)), grid, placement),
    [values, domain, theme, grid],
  );
  const { cursor, onCursor } = useCursor(given, onHoverCell);
  const centre = centreOf(trace);
  const spiking = trace.emits === 'spikes';
  const centreName = spiking ? 'threshold' : 'zero';
  const [minimum, maximum] = exactRange(values);
  const above = countAbove(values, centre);
  const shown = cursor ?? selected;
  const value = shown && values[shown.y * grid.width + shown.x];
  const title = `${spiking ? 'Membrane potential' : 'Value before activation'}, ${channelText(channel, trace.channels)}`;
  return (
    <div className="chart">
      <CellMap
        grid={grid}
        label={`${title}, step ${step + 1} of ${trace.steps}: ${grid.width} by ${grid.height} cells from ${formatShort(minimum)} to ${formatShort(maximum)}; ${formatCount(above)} above ${centreName} ${formatShort(centre)}.`}
        paint={paint}
        cursor={cursor}
        selected={selected}
        lit={lit}
        onCursor={onCursor}
        onSelect={onSelectCell}
      />
      <LegendScale domain={domain} theme={theme} title={title} centreName={centreName} marked={value} />
      <output className="chart-readout">
        {shown && value !== undefined
          ? `x ${shown.x}, y ${shown.y}: v = ${formatExact(value)}${value > centre ? `, above ${centreName}` : ''}`
          : `${formatCount(above)} of ${formatCount(values.length)} cells above ${centreName}`}
      </output>
      <TableDetails
        summary="Potentials of every step"
        columns={['Step', 'Lowest', 'Highest', `Above ${centreName}`]}
        rows={() =>
          Array.from({ length: trace.steps }, (_, each) => {
            const map = mapOf(trace, 'membrane', channel, each);
            const [lowest, highest] = exactRange(map);
            return [String(each + 1), formatExact(lowest), formatExact(highest), formatCount(countAbove(map, centre))];
          })
        }
      />
    </div>
  );
}

function countAbove(values: Float32Array, threshold: number): number {
  let count = 0;
  for (const value of values) if (value > threshold) count++;
  return count;
}
