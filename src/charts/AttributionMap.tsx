import { useCallback, useMemo } from 'react';
import type { Size } from '../base/geometry';
import { channelSums, signedDomain } from './attributionView';
import { CellMap, drawCells, useCursor } from './CellMap';
import { formatShort } from './format';
import { clampIndex, type Cell } from './layerViews';
import { LegendScale } from './LegendScale';
import type { CellMapInteraction } from './MembraneMap';
import { rampTable, type Theme } from './palette';
import type { Placement } from './placement';
import { TableDetails } from './TableDetails';
import { colourise, exactRange } from './valueScale';
import './charts.css';

export interface AttributionMapProps extends CellMapInteraction {
  /** `[steps, height, width, channels]`: each neuron's part in the score. */
  values: Float32Array;
  steps: number;
  height: number;
  width: number;
  channels: number;
  /** 0-based. */
  step: number;
  theme: Theme;
}

/** Which cells of a layer raised a score at a step, and which lowered it: the sums over their channels. */
export function AttributionMap({ values, steps, height, width, channels, step: wantedStep, theme, cursor: given, selected, onHoverCell, onSelectCell }: AttributionMapProps) {
  const step = clampIndex(wantedStep, steps);
  const grid: Size = useMemo(() => ({ width, height }), [width, height]);
  const maps = useMemo(() => Array.from({ length: steps }, (_, each) => channelSums(values, each, grid, channels)), [values, steps, grid, channels]);
  // One scale for all steps, so that they compare.
  const domain = useMemo(() => signedDomain(Float32Array.from(maps.flatMap((map) => [...map]))), [maps]);
  const map = useMemo(() => maps[step] ?? new Float32Array(), [maps, step]);
  const paint = useCallback(
    (context: CanvasRenderingContext2D, placement: Placement) => drawCells(context, colourise(map, domain, rampTable('diverging', theme)), grid, placement),
    [map, domain, theme, grid],
  );
  const { cursor, onCursor } = useCursor(given, onHoverCell);
  const [minimum, maximum] = exactRange(map);
  const shown: Cell | undefined = cursor ?? selected;
  const value = shown && map[shown.y * width + shown.x];
  const total = map.reduce((sum, each) => sum + each, 0);
  const facts = `from ${formatShort(minimum)} to ${formatShort(maximum)}, together ${formatShort(total)}`;
  return (
    <div className="chart">
      <CellMap
        grid={grid}
        label={`Parts of ${width} by ${height} cells in the score, step ${step + 1} of ${steps}: ${facts}.`}
        paint={paint}
        cursor={cursor}
        selected={selected}
        onCursor={onCursor}
        onSelect={onSelectCell}
      />
      <LegendScale domain={domain} theme={theme} title="Gradient × spike, all channels" centreName="no part" marked={value} />
      <output className="chart-readout">{shown && value !== undefined ? `x ${shown.x}, y ${shown.y}: ${formatShort(value)}` : facts}</output>
      <TableDetails
        summary="Strongest cells of this step"
        columns={['Cell', 'Gradient × spike']}
        rows={() =>
          [...map.keys()]
            .sort((a, b) => Math.abs(map[b] ?? 0) - Math.abs(map[a] ?? 0))
            .slice(0, 20)
            .map((cell) => [`x ${cell % width}, y ${Math.floor(cell / width)}`, formatShort(map[cell] ?? 0)])
        }
      />
    </div>
  );
}
