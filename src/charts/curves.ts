/** Curves of a run: what is drawn of thousands of steps. */

/** Values at places that rise; null where there is none. */
export type CurveValues = readonly (number | null)[];

/**
 * At most `most` points: each is the mean of a run of neighbours.
 * @param values one for each place
 */
export function thinned(places: readonly number[], values: CurveValues, most: number): { place: number; value: number }[] {
  const width = Math.max(1, Math.ceil(places.length / most));
  const points: { place: number; value: number }[] = [];
  for (let first = 0; first < places.length; first += width) {
    let sum = 0;
    let count = 0;
    let place = 0;
    for (let index = first; index < Math.min(first + width, places.length); index++) {
      const value = values[index] ?? null;
      if (value === null || !Number.isFinite(value)) continue;
      sum += value;
      place += places[index] ?? 0;
      count++;
    }
    if (count > 0) points.push({ place: place / count, value: sum / count });
  }
  return points;
}

/** The mean of each value and those before it, at most `window` of them; null stays. */
export function smoothed(values: CurveValues, window: number): (number | null)[] {
  let sum = 0;
  const recent: number[] = [];
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    recent.push(value);
    sum += value;
    if (recent.length > window) sum -= recent.shift() ?? 0;
    return sum / recent.length;
  });
}

/** The index of the place that is nearest; places rise. */
export function nearestPlace(places: readonly number[], wanted: number): number | undefined {
  let low = 0;
  let high = places.length - 1;
  if (high < 0) return undefined;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) < wanted) low = middle;
    else high = middle;
  }
  return Math.abs((places[low] ?? 0) - wanted) <= Math.abs((places[high] ?? 0) - wanted) ? low : high;
}

/**
 * Rates of every layer over a run, as columns: each is the mean of a run of neighbours.
 * @param rates by step, by layer; null where a layer does not spike
 * @returns by column, by layer
 */
export function rateColumns(rates: readonly (readonly (number | null)[])[], most: number): (number | null)[][] {
  const layers = rates[0]?.length ?? 0;
  const places = rates.map((_, index) => index);
  const byLayer = Array.from({ length: layers }, (_, layer) => thinned(places, rates.map((row) => row[layer] ?? null), most));
  const columns = Math.ceil(rates.length / Math.max(1, Math.ceil(rates.length / most)));
  return Array.from({ length: columns }, (_, column) => byLayer.map((points) => points[column]?.value ?? null));
}
