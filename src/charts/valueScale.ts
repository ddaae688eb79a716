import { extent } from 'd3';
import type { LayerTrace } from '../base/trace';
import type { Ramp } from './palette';
import { mapOf, neuronCount, type ChannelChoice, type TraceArray } from './layerViews';

/** Which values a colour scale shows; a diverging scale has a `centre`. */
export interface ValueDomain {
  /** The shown range; values beyond it take the colour of its end. */
  low: number;
  high: number;
  centre: number | undefined;
  /** The exact range of the data. */
  minimum: number;
  maximum: number;
}

/** The share of a side's values that may lie beyond the shown range. */
const tailShare = 0.005;
const histogramBins = 4096;
/** More values than this are sampled: the quantile's error stays far below what a colour shows. */
const sampledValues = 1_000_000;

/**
 * A diverging domain that leaves out the outermost 0.5% of each side, so that one outlier does not take the contrast from the rest.
 * Sides count for themselves: where few values lie above the centre, those few must still be seen to.
 */
export function robustDomain(values: Float32Array, centre: number): ValueDomain {
  let minimum = Infinity;
  let maximum = -Infinity;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  if (!(minimum <= maximum)) return { low: centre, high: centre, centre, minimum: centre, maximum: centre };
  if (minimum === maximum) return centred({ minimum, maximum }, centre);

  const bins = new Uint32Array(histogramBins);
  const toBin = histogramBins / (maximum - minimum);
  // An odd stride visits all channels of a layer whose channel count is a power of two.
  const stride = Math.max(1, Math.floor(values.length / sampledValues)) | 1;
  for (let at = 0; at < values.length; at += stride) {
    const bin = Math.min(Math.floor(((values[at] ?? 0) - minimum) * toBin), histogramBins - 1);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const sides = Math.min(Math.max(Math.floor((centre - minimum) * toBin) + 1, 0), histogramBins);
  const below = bins.subarray(0, sides);
  const above = bins.subarray(sides).reverse();
  const lowBin = binsToSpare(below);
  const highBin = binsToSpare(above);
  return {
    low: Math.min(centre, minimum + lowBin / toBin),
    high: Math.max(centre, maximum - highBin / toBin),
    centre,
    minimum,
    maximum,
  };
}

/** How many bins from the first on hold no more than the share that may be left out; none where a sample missed the side. */
function binsToSpare(bins: Uint32Array): number {
  const count = bins.reduce((sum, bin) => sum + bin, 0);
  if (count === 0) return 0;
  const spared = Math.floor(count * tailShare);
  let bin = 0;
  for (let passed = bins[0] ?? 0; passed <= spared; passed += bins[bin] ?? 0) bin++;
  return bin;
}

/** What a layer's maps are centred on: the threshold, or 0 where neurons emit values and nothing is compared with it. */
export function centreOf(trace: LayerTrace): number {
  return trace.emits === 'spikes' ? trace.threshold : 0;
}

const domainsOfTraces = new WeakMap<LayerTrace, Map<string, ValueDomain>>();

/**
 * One domain for all steps of a layer, so that colours of two steps compare. All single channels share one as well; the channels'
 * mean and maximum have their own, since a mean spans far less than what it is a mean of. Remembered with the trace.
 */
export function layerDomain(trace: LayerTrace, array: TraceArray, choice: ChannelChoice): ValueDomain {
  const domains = domainsOfTraces.get(trace) ?? new Map<string, ValueDomain>();
  domainsOfTraces.set(trace, domains);
  const key = `${array} ${typeof choice === 'number' ? 'channel' : choice}`;
  const known = domains.get(key);
  if (known) return known;
  const values = typeof choice === 'number' ? trace[array] : mapsOfAllSteps(trace, array, choice);
  const domain = robustDomain(values, array === 'membrane' ? centreOf(trace) : 0);
  domains.set(key, domain);
  return domain;
}

function mapsOfAllSteps(trace: LayerTrace, array: TraceArray, choice: ChannelChoice): Float32Array {
  const cells = neuronCount(trace) / trace.channels;
  const values = new Float32Array(trace.steps * cells);
  for (let step = 0; step < trace.steps; step++) values.set(mapOf(trace, array, choice, step), step * cells);
  return values;
}

/** Which ramp shows a domain. */
export function rampOf(domain: ValueDomain): Ramp {
  return domain.centre === undefined ? 'sequential' : 'diverging';
}

/** A diverging domain of the whole range that shows its centre even where all values lie on one side. */
export function centred({ minimum, maximum }: Pick<ValueDomain, 'minimum' | 'maximum'>, centre: number): ValueDomain {
  return { low: Math.min(minimum, centre), high: Math.max(maximum, centre), centre, minimum, maximum };
}

/** A sequential domain of rates or counts from 0 on. */
export function fromZero(maximum: number): ValueDomain {
  return { low: 0, high: maximum, centre: undefined, minimum: 0, maximum };
}

/**
 * Membranes often reach much further below the threshold than above it, and what is above is what matters: the shorter side's colours
 * may change this many times as fast as the longer one's, but no faster, so that a hair above the centre does not look like a lot.
 */
const steepestSide = 3;

/** Position of a value on its ramp in [0, 1], linear on each side: 0.5 is the centre of a diverging domain. */
export function rampPosition(domain: ValueDomain, value: number): number {
  const { low, high, centre } = domain;
  const shown = Math.min(Math.max(value, low), high);
  if (centre === undefined) return high > low ? (shown - low) / (high - low) : 0;
  const longest = Math.max(high - centre, centre - low);
  const reach = Math.max(shown > centre ? high - centre : centre - low, longest / steepestSide);
  return reach > 0 ? 0.5 + (shown - centre) / (2 * reach) : 0.5;
}

/** `[cells, 4]` bytes of RGBA, opaque, by a table of `[256, 3]`. */
export function colourise(values: Float32Array, domain: ValueDomain, table: Uint8ClampedArray): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(values.length * 4);
  const lastEntry = table.length / 3 - 1;
  for (let cell = 0; cell < values.length; cell++) {
    const entry = Math.round(rampPosition(domain, values[cell] ?? 0) * lastEntry) * 3;
    pixels[cell * 4] = table[entry] ?? 0;
    pixels[cell * 4 + 1] = table[entry + 1] ?? 0;
    pixels[cell * 4 + 2] = table[entry + 2] ?? 0;
    pixels[cell * 4 + 3] = 255;
  }
  return pixels;
}

/** The exact range of a few values, `[0, 0]` for none. */
export function exactRange(values: Iterable<number>): [number, number] {
  const [minimum, maximum] = extent(values);
  return minimum === undefined || maximum === undefined ? [0, 0] : [minimum, maximum];
}
