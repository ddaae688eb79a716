import type { Pieces } from './pieces';

/** Spikes of one window: bit t of a neuron's number is set where it spiked in step t. */
export interface RasterWindow {
  steps: number;
  masks: Uint32Array;
}

/** What a raster shows: windows of the same neurons one after the other, a column for each of their steps. */
export interface RasterSource {
  windows: readonly (RasterWindow & { firstColumn: number })[];
  columns: number;
  neurons: number;
  /** Spikes of each neuron over all columns, and the column of its first one (`columns` for none). */
  counts: Uint16Array;
  firsts: Uint16Array;
  firedNeurons: number;
  spikes: number;
  spikesPerColumn: Uint32Array;
}

/** So many neurons are looked at in one piece. */
const pieceNeurons = 20_000;

/** One pass over the windows; its cost follows neurons and spikes. */
export function* rasterOf(windows: readonly RasterWindow[]): Pieces<RasterSource> {
  const columns = windows.reduce((sum, { steps }) => sum + steps, 0);
  const neurons = windows[0]?.masks.length ?? 0;
  const counts = new Uint16Array(neurons);
  const firsts = new Uint16Array(neurons).fill(columns);
  const spikesPerColumn = new Uint32Array(columns);
  const placed: (RasterWindow & { firstColumn: number })[] = [];
  let firstColumn = 0;
  for (const window of windows) {
    const { masks } = window;
    for (let neuron = 0; neuron < neurons; neuron++) {
      if (neuron % pieceNeurons === pieceNeurons - 1) yield;
      let mask = masks[neuron] ?? 0;
      if (mask === 0) continue;
      if (counts[neuron] === 0) firsts[neuron] = firstColumn + lowestBit(mask);
      let count = counts[neuron] ?? 0;
      for (; mask !== 0; mask &= mask - 1) {
        count++;
        const column = firstColumn + lowestBit(mask);
        spikesPerColumn[column] = (spikesPerColumn[column] ?? 0) + 1;
      }
      counts[neuron] = count;
    }
    placed.push({ ...window, firstColumn });
    firstColumn += window.steps;
    yield;
  }
  let firedNeurons = 0;
  for (const count of counts) if (count > 0) firedNeurons++;
  return { windows: placed, columns, neurons, counts, firsts, firedNeurons, spikes: spikesPerColumn.reduce((sum, each) => sum + each, 0), spikesPerColumn };
}

/** `rate`: most spikes first, earlier first spike first among equals. `place`: by row, column, channel. `channel`: by channel, row, column. */
export type RasterOrder = 'rate' | 'place' | 'channel';

/** Which neuron each row of the raster shows. */
export function* orderNeurons({ counts, firsts, columns, neurons, firedNeurons }: RasterSource, channels: number, order: RasterOrder, hideSilent: boolean): Pieces<Uint32Array> {
  const rows = new Uint32Array(hideSilent ? firedNeurons : neurons);
  if (order === 'rate') {
    // A counting sort: its buckets are the ranks, so that two million neurons take two passes.
    const ranks = (columns + 1) * (columns + 1);
    const starts = new Uint32Array(ranks + 1);
    const rankOf = (neuron: number): number => (columns - (counts[neuron] ?? 0)) * (columns + 1) + (firsts[neuron] ?? columns);
    for (let neuron = 0; neuron < neurons; neuron++) {
      if (neuron % pieceNeurons === pieceNeurons - 1) yield;
      if (!hideSilent || counts[neuron] !== 0) starts[rankOf(neuron) + 1] = (starts[rankOf(neuron) + 1] ?? 0) + 1;
    }
    for (let rank = 0; rank < ranks; rank++) starts[rank + 1] = (starts[rank + 1] ?? 0) + (starts[rank] ?? 0);
    for (let neuron = 0; neuron < neurons; neuron++) {
      if (neuron % pieceNeurons === pieceNeurons - 1) yield;
      if (hideSilent && counts[neuron] === 0) continue;
      const rank = rankOf(neuron);
      const at = starts[rank] ?? 0;
      starts[rank] = at + 1;
      rows[at] = neuron;
    }
    return rows;
  }
  let at = 0;
  const stride = order === 'channel' ? channels : 1;
  for (let start = 0; start < stride; start++) {
    for (let neuron = start; neuron < neurons; neuron += stride) {
      if (hideSilent && counts[neuron] === 0) continue;
      rows[at++] = neuron;
      if (at % pieceNeurons === 0) yield;
    }
  }
  return rows;
}

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** Rows or columns `first` up to but not including `last`. */
export interface RowRange {
  first: number;
  last: number;
}

/**
 * The share of neurons that spiked, for each band of rows and each shown column: `[bands, columns]`, 0 to 1.
 * Its cost follows the shown neurons and their spikes.
 * @param counted leaves the others' spikes out
 */
export function* bandRates(
  source: RasterSource,
  rows: Uint32Array,
  { first, last }: RowRange,
  bands: number,
  columns: RowRange = { first: 0, last: source.columns },
  counted: (neuron: number) => boolean = () => true,
): Pieces<Float32Array> {
  const width = columns.last - columns.first;
  const rates = new Float32Array(bands * width);
  const shown = last - first;
  const startOf = (band: number): number => first + Math.floor((band * shown) / bands);
  const windows = source.windows.filter(({ firstColumn, steps }) => firstColumn < columns.last && firstColumn + steps > columns.first);
  // Neurons that add to nothing are left out once and for all; of the others the band is kept.
  const active: number[] = [];
  const activeBands: number[] = [];
  for (let band = 0; band < bands; band++) {
    for (let row = startOf(band); row < startOf(band + 1); row++) {
      if ((row - first) % pieceNeurons === pieceNeurons - 1) yield;
      const neuron = rows[row] ?? 0;
      if (source.counts[neuron] === 0 || !counted(neuron)) continue;
      active.push(neuron);
      activeBands.push(band);
    }
  }
  // Window after window: each one's masks then stay in the processor's cache.
  for (const { masks, firstColumn } of windows) {
    for (let at = 0; at < active.length; at++) {
      if (at % pieceNeurons === pieceNeurons - 1) yield;
      const start = (activeBands[at] ?? 0) * width;
      for (let mask = masks[active[at] ?? 0] ?? 0; mask !== 0; mask &= mask - 1) {
        const column = firstColumn + lowestBit(mask) - columns.first;
        if (column < 0 || column >= width) continue;
        rates[start + column] = (rates[start + column] ?? 0) + 1;
      }
    }
    yield;
  }
  for (let band = 0; band < bands; band++) {
    const neurons = Math.max(startOf(band + 1) - startOf(band), 1);
    for (let at = band * width; at < (band + 1) * width; at++) rates[at] = (rates[at] ?? 0) / neurons;
  }
  return rates;
}

export function firedIn({ windows }: RasterSource, neuron: number, column: number): boolean {
  const window = windows.find(({ firstColumn, steps }) => column >= firstColumn && column < firstColumn + steps);
  return window !== undefined && (((window.masks[neuron] ?? 0) >>> (column - window.firstColumn)) & 1) === 1;
}

/**
 * The row that stands for `count` rows from `first` on when they share a pixel: the first that spiked in this column, else the first.
 */
export function representativeRow(source: RasterSource, rows: Uint32Array, first: number, count: number, column: number): number {
  for (let row = first; row < Math.min(first + count, rows.length); row++) {
    if (firedIn(source, rows[row] ?? 0, column)) return row;
  }
  return first;
}

/** Fewer rows cannot be zoomed to: each is several pixels high by then. */
const fewestRows = 8;

/** A range of `factor` times the length about `centre` (a row), within `0..count`. */
export function zoomRange({ first, last }: RowRange, factor: number, centre: number, count: number): RowRange {
  const length = Math.min(count, Math.max(Math.min(fewestRows, count), Math.round((last - first) * factor)));
  const share = last > first ? (centre - first) / (last - first) : 0.5;
  const start = Math.min(Math.max(0, Math.round(centre - share * length)), count - length);
  return { first: start, last: start + length };
}

/** A range as another layer or order may still hold it, within `0..count`; everything where nothing is left of it. */
export function clampRange(range: RowRange | undefined, count: number): RowRange {
  if (!range || range.first >= count || range.last <= range.first) return { first: 0, last: count };
  return { first: Math.max(0, range.first), last: Math.min(count, range.last) };
}
