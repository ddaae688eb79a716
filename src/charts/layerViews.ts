import type { LayerTrace } from '../base/trace';

/** A place on a layer's map, in cells from the top left. */
export interface Cell {
  x: number;
  y: number;
}

export interface NeuronPlace extends Cell {
  channel: number;
}

/** One channel, or all channels of a cell combined. */
export type ChannelChoice = number | 'mean' | 'max';

export type TraceArray = 'membrane' | 'emitted';

type LayerShape = Pick<LayerTrace, 'height' | 'width' | 'channels'>;

/** Neurons of a layer in one step. */
export function neuronCount({ height, width, channels }: LayerShape): number {
  return height * width * channels;
}

/** The number of a neuron within its layer: `(y * width + x) * channels + channel`. */
export function neuronIndex({ width, channels }: LayerShape, { x, y, channel }: NeuronPlace): number {
  return (y * width + x) * channels + channel;
}

/** The inverse of {@link neuronIndex}. */
export function neuronPlace({ width, channels }: LayerShape, index: number): NeuronPlace {
  const cell = Math.floor(index / channels);
  return { x: cell % width, y: Math.floor(cell / width), channel: index % channels };
}

/** A step, cell or channel from elsewhere (an address, another layer) that this layer may not have. */
export function clampIndex(index: number, count: number): number {
  return Math.min(Math.max(Math.round(index), 0), Math.max(count - 1, 0));
}

/** One step of one channel, or of the channels' mean or maximum: `[height, width]`. */
export function mapOf(trace: LayerTrace, array: TraceArray, choice: ChannelChoice, step: number): Float32Array {
  const { height, width, channels } = trace;
  const values = trace[array];
  const cells = height * width;
  const map = new Float32Array(cells);
  const first = step * cells * channels;
  if (typeof choice === 'number') {
    for (let cell = 0; cell < cells; cell++) map[cell] = values[first + cell * channels + choice] ?? 0;
    return map;
  }
  for (let cell = 0; cell < cells; cell++) {
    let sum = 0;
    let highest = -Infinity;
    const start = first + cell * channels;
    for (let channel = 0; channel < channels; channel++) {
      const value = values[start + channel] ?? 0;
      sum += value;
      if (value > highest) highest = value;
    }
    map[cell] = choice === 'mean' ? sum / channels : highest;
  }
  return map;
}

/** How many channels of each cell spiked in one step: `[height, width]`. */
export function spikeCountMap(trace: LayerTrace, step: number): Float32Array {
  const map = mapOf(trace, 'emitted', 'mean', step);
  for (let cell = 0; cell < map.length; cell++) map[cell] = Math.round((map[cell] ?? 0) * trace.channels);
  return map;
}

/** What one neuron did, one entry per step. */
export interface NeuronSeries {
  membrane: number[];
  emitted: number[];
}

export function neuronSeries(trace: LayerTrace, place: NeuronPlace): NeuronSeries {
  const stride = neuronCount(trace);
  const index = neuronIndex(trace, place);
  const read = (values: Float32Array): number[] => Array.from({ length: trace.steps }, (_, step) => values[step * stride + index] ?? 0);
  return { membrane: read(trace.membrane), emitted: read(trace.emitted) };
}

/** Means over cells and steps, one entry per channel. For a spiking layer the mean emission is the firing rate. */
export interface ChannelMeans {
  membrane: Float64Array;
  emitted: Float64Array;
}

const channelMeansOfTraces = new WeakMap<LayerTrace, ChannelMeans>();

/** One pass over both arrays; remembered for as long as the trace lives. */
export function channelMeans(trace: LayerTrace): ChannelMeans {
  const known = channelMeansOfTraces.get(trace);
  if (known) return known;
  const means = { membrane: columnMeans(trace.membrane, trace.channels), emitted: columnMeans(trace.emitted, trace.channels) };
  channelMeansOfTraces.set(trace, means);
  return means;
}

function columnMeans(values: Float32Array, columns: number): Float64Array {
  const means = new Float64Array(columns);
  const rows = Math.floor(values.length / columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) means[column] = (means[column] ?? 0) + (values[at] ?? 0);
  }
  for (let column = 0; column < columns; column++) means[column] = (means[column] ?? 0) / Math.max(rows, 1);
  return means;
}

/** Small pictures of all channels: channel c takes `rows * columns` means, row by row, from `c * rows * columns` on. */
export interface Thumbs {
  rows: number;
  columns: number;
  values: Float32Array;
}

/**
 * Every channel's map shrunk to at most `side` cells on its longer side (area means).
 * @param step 0-based, or undefined for the mean over all steps.
 */
export function channelThumbs(trace: LayerTrace, array: TraceArray, step: number | undefined, side: number): Thumbs {
  const { height, width, channels } = trace;
  const shrink = Math.max(1, Math.max(height, width) / side);
  const rows = Math.max(1, Math.round(height / shrink));
  const columns = Math.max(1, Math.round(width / shrink));
  const sums = new Float32Array(channels * rows * columns);
  const counts = new Uint32Array(rows * columns);
  const steps = step === undefined ? Array.from({ length: trace.steps }, (_, index) => index) : [step];
  const source = trace[array];
  for (const shown of steps) {
    let at = shown * neuronCount(trace);
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * rows) / height);
      for (let x = 0; x < width; x++) {
        const bin = row * columns + Math.floor((x * columns) / width);
        counts[bin] = (counts[bin] ?? 0) + 1;
        for (let target = bin; target < sums.length; target += rows * columns, at++) {
          sums[target] = (sums[target] ?? 0) + (source[at] ?? 0);
        }
      }
    }
  }
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] ?? 0) / Math.max(counts[at % (rows * columns)] ?? 1, 1);
  return { rows, columns, values: sums };
}
