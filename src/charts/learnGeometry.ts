/** Arithmetic behind the charts of the laboratories. */

/** Values at the steps that a pointer passed on its way from one step to another, both included, evenly in between. */
export function passedSteps(from: { step: number; value: number }, to: { step: number; value: number }): { step: number; value: number }[] {
  const count = Math.abs(to.step - from.step);
  if (count === 0) return [to];
  return Array.from({ length: count + 1 }, (_, index) => ({
    step: from.step + Math.sign(to.step - from.step) * index,
    value: from.value + ((to.value - from.value) * index) / count,
  }));
}

export interface Range {
  low: number;
  high: number;
}

/** Smaller shares of a gradient are drawn here: a logarithm needs a number above 0, and nobody tells 1e-30 from nothing. */
export const smallestShare = 1e-30;

/**
 * Geometric mean and extremes of several profiles at each place; profiles must be equally long.
 * @returns empty where there are no profiles
 */
export function profileStatistics(profiles: readonly (readonly number[])[]): (Range & { mean: number })[] {
  return (profiles[0] ?? []).map((_, place) => {
    const values = profiles.map((profile) => Math.max(profile[place] ?? smallestShare, smallestShare));
    const mean = Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
    return { low: Math.min(...values), high: Math.max(...values), mean };
  });
}

/** Powers of ten around all values, at least a decade on each side of 1. */
export function decadesAround(values: readonly number[]): Range {
  const logarithms = values.map((value) => Math.log10(Math.max(value, smallestShare)));
  return { low: 10 ** Math.min(-1, Math.floor(Math.min(...logarithms, 0))), high: 10 ** Math.max(1, Math.ceil(Math.max(...logarithms, 0))) };
}

export interface Bin extends Range {
  count: number;
}

/** Bins of equal width from 0 to the largest value or 2, whichever is more, so that spectra around 1 look alike. @param values not negative */
export function histogram(values: readonly number[], bins: number): Bin[] {
  const top = Math.max(2, ...values);
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor((value / top) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count, bin) => ({ low: (bin * top) / bins, high: ((bin + 1) * top) / bins, count }));
}
