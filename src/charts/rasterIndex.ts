import { AppError } from '../base/errors';
import type { LayerTrace } from '../base/trace';
import { neuronCount } from './layerViews';

/** Which steps each neuron spiked in: bit t of `masks[neuron]` is step t. */
export interface SpikeMasks {
  steps: number;
  masks: Uint32Array;
  firedNeurons: number;
  spikes: number;
  /** Spikes of all neurons, one entry per step. */
  spikesPerStep: Uint32Array;
}

const maximumSteps = 32;

const masksOfTraces = new WeakMap<LayerTrace, SpikeMasks>();

/**
 * Packs the spikes of a layer, 4 bytes a neuron; remembered for as long as the trace lives. One pass in memory order.
 * @throws AppError `internal` for more than 32 steps, which no run has (16 at most).
 */
export function spikeMasks(trace: LayerTrace): SpikeMasks {
  const known = masksOfTraces.get(trace);
  if (known) return known;
  const { steps, emitted } = trace;
  if (steps > maximumSteps) {
    throw new AppError('internal', `A raster of ${steps} steps was asked for; it holds ${maximumSteps}.`, `Run with ${maximumSteps} steps or fewer.`);
  }
  const neurons = neuronCount(trace);
  const masks = new Uint32Array(neurons);
  const spikesPerStep = new Uint32Array(steps);
  for (let step = 0; step < steps; step++) {
    const bit = 1 << step;
    const first = step * neurons;
    let count = 0;
    for (let neuron = 0; neuron < neurons; neuron++) {
      if (emitted[first + neuron] !== 0) {
        masks[neuron] = (masks[neuron] ?? 0) | bit;
        count++;
      }
    }
    spikesPerStep[step] = count;
  }
  let firedNeurons = 0;
  for (let neuron = 0; neuron < neurons; neuron++) if (masks[neuron] !== 0) firedNeurons++;
  const result = { steps, masks, firedNeurons, spikes: spikesPerStep.reduce((sum, count) => sum + count, 0), spikesPerStep };
  masksOfTraces.set(trace, result);
  return result;
}

/** `rate`: most spikes first, earlier first spike first among equals. `place`: by row, column, channel. `channel`: by channel, row, column. */
export type RasterOrder = 'rate' | 'place' | 'channel';

/** Which neuron each row of the raster shows. */
export function orderNeurons(
  { masks, steps, firedNeurons }: SpikeMasks,
  channels: number,
  order: RasterOrder,
  hideSilent: boolean,
): Uint32Array {
  const rows = new Uint32Array(hideSilent ? firedNeurons : masks.length);
  if (order === 'rate') {
    // A counting sort: its buckets are the ranks, so that two million neurons take two passes.
    const ranks = (steps + 1) * (steps + 1);
    const starts = new Uint32Array(ranks + 1);
    const rankOf = (mask: number): number => (steps - popCount(mask)) * (steps + 1) + (mask === 0 ? steps : lowestBit(mask));
    for (const mask of masks) if (!hideSilent || mask !== 0) starts[rankOf(mask) + 1] = (starts[rankOf(mask) + 1] ?? 0) + 1;
    for (let rank = 0; rank < ranks; rank++) starts[rank + 1] = (starts[rank + 1] ?? 0) + (starts[rank] ?? 0);
    for (let neuron = 0; neuron < masks.length; neuron++) {
      const mask = masks[neuron] ?? 0;
      if (hideSilent && mask === 0) continue;
      const rank = rankOf(mask);
      const at = starts[rank] ?? 0;
      starts[rank] = at + 1;
      rows[at] = neuron;
    }
    return rows;
  }
  let at = 0;
  const outer = order === 'channel' ? channels : 1;
  const stride = order === 'channel' ? channels : 1;
  for (let start = 0; start < outer; start++) {
    for (let neuron = start; neuron < masks.length; neuron += stride) {
      if (hideSilent && masks[neuron] === 0) continue;
      rows[at++] = neuron;
    }
  }
  return rows;
}

function popCount(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** Rows `first` up to but not including `last`. */
export interface RowRange {
  first: number;
  last: number;
}

/**
 * The share of neurons that spiked, for each band of rows and each step: `[bands, steps]`, 0 to 1.
 * Its cost follows the shown neurons and their spikes.
 */
export function bandRates({ masks, steps }: SpikeMasks, rows: Uint32Array, { first, last }: RowRange, bands: number): Float32Array {
  const rates = new Float32Array(bands * steps);
  const shown = last - first;
  for (let band = 0; band < bands; band++) {
    const start = first + Math.floor((band * shown) / bands);
    const end = first + Math.floor(((band + 1) * shown) / bands);
    for (let row = start; row < end; row++) {
      let mask = masks[rows[row] ?? 0] ?? 0;
      while (mask !== 0) {
        const at = band * steps + lowestBit(mask);
        rates[at] = (rates[at] ?? 0) + 1;
        mask &= mask - 1;
      }
    }
    for (let step = 0; step < steps; step++) {
      const at = band * steps + step;
      rates[at] = (rates[at] ?? 0) / Math.max(end - start, 1);
    }
  }
  return rates;
}

/**
 * The row that stands for `count` rows from `first` on when they share a pixel: the first that spiked in this step, else the first.
 */
export function representativeRow({ masks }: SpikeMasks, rows: Uint32Array, first: number, count: number, step: number): number {
  for (let row = first; row < Math.min(first + count, rows.length); row++) {
    if (((masks[rows[row] ?? 0] ?? 0) >>> step) & 1) return row;
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
