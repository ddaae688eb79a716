import { scaleLinear, scaleLog, type ScaleContinuousNumeric } from 'd3';
import type { NetworkName } from './palette';

export interface ConvergencePoint {
  steps: number;
  /** 0 to 1; null where there is nothing to compare with. */
  agreement: number | null;
  /** All spikes up to this step. */
  spikes: number;
  /** Null where it was not estimated. */
  energyPj: number | null;
}

export interface ConvergenceSeries {
  network: Exclude<NetworkName, 'ann'>;
  name: string;
  /** Rising in steps. */
  points: readonly ConvergencePoint[];
}

export type Measure = 'agreement' | 'spikes' | 'energyPj';

/** Powers of 4, which fit below each other on a phone, and the end. */
export function stepTicks(maximumSteps: number): number[] {
  const powers = [1, 4, 16, 64, 256, 1024];
  return powers.filter((power) => power <= maximumSteps);
}

/** Agreement on a scale from 0 to 1, spikes and energy on a logarithmic one that holds every value (and the ANN's). */
export function measureScale(measure: Measure, series: readonly ConvergenceSeries[], others: readonly number[], height: number): ScaleContinuousNumeric<number, number> {
  if (measure === 'agreement') return scaleLinear([0, 1], [height, 0]);
  const values = [...series.flatMap(({ points }) => points.map((point) => point[measure])), ...others].filter((value) => value !== null && value > 0) as number[];
  if (values.length === 0) return scaleLog([1, 10], [height, 0]);
  const decade = (value: number, round: (exponent: number) => number): number => 10 ** round(Math.log10(value));
  const low = decade(Math.min(...values), Math.floor);
  const high = decade(Math.max(...values), Math.ceil);
  return scaleLog([low, high > low ? high : low * 10], [height, 0]);
}

/** The path of a measure, broken where it is not known. */
export function seriesPath(points: readonly ConvergencePoint[], measure: Measure, x: (steps: number) => number, y: (value: number) => number): string {
  let path = '';
  let pen = 'M';
  for (const point of points) {
    const value = point[measure];
    if (value === null || (measure !== 'agreement' && value <= 0)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${x(point.steps).toFixed(1)},${y(value).toFixed(1)}`;
    pen = 'L';
  }
  return path;
}
