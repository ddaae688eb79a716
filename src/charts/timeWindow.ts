import { format } from 'd3';
import { formatShort } from './format';

/** From (included) to (excluded), in microseconds. */
export type TimeWindow = readonly [fromUs: number, toUs: number];

/** Events counted in equal bins, one after the other. */
export interface RateBins {
  /** Where the first bin begins on the recording's clock. */
  startUs: number;
  widthUs: number;
  on: ArrayLike<number>;
  off: ArrayLike<number>;
}

export const shortestWindowUs = 100;

/** The time that bins cover. */
export function extentOf({ startUs, widthUs, on }: RateBins): TimeWindow {
  return [startUs, startUs + on.length * widthUs];
}

/** Moves a window into the extent and keeps its width where the extent is long enough. Whole microseconds. */
export function clampWindow([fromUs, toUs]: TimeWindow, extent: TimeWindow): TimeWindow {
  const width = Math.round(Math.min(Math.max(toUs - fromUs, shortestWindowUs), Math.max(extent[1] - extent[0], 1)));
  const from = Math.round(Math.max(extent[0], Math.min(fromUs, extent[1] - width)));
  return [from, from + width];
}

export function moveWindow([fromUs, toUs]: TimeWindow, byUs: number, extent: TimeWindow): TimeWindow {
  return clampWindow([fromUs + byUs, toUs + byUs], extent);
}

/** The window with the middle at a time. */
export function centreWindow([fromUs, toUs]: TimeWindow, atUs: number, extent: TimeWindow): TimeWindow {
  return moveWindow([fromUs, toUs], atUs - (fromUs + toUs) / 2, extent);
}

/** Makes a window wider or narrower around its middle. */
export function resizeWindow([fromUs, toUs]: TimeWindow, factor: number, extent: TimeWindow): TimeWindow {
  const half = (Math.max(toUs - fromUs, shortestWindowUs) * factor) / 2;
  const middle = (fromUs + toUs) / 2;
  return clampWindow([middle - half, middle + half], extent);
}

export const widen = 1.25;

/**
 * Where a key takes a window; undefined for keys that do nothing to it. Arrows move by a tenth of its width, with Shift (and Page Up
 * and Page Down) by its width; Home and End jump; + and - make it wider and narrower.
 */
export function windowOnKey(key: string, shift: boolean, window: TimeWindow, extent: TimeWindow): TimeWindow | undefined {
  const width = window[1] - window[0];
  const stride = shift ? width : Math.max(1, width / 10);
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return moveWindow(window, -stride, extent);
    case 'ArrowRight':
    case 'ArrowUp':
      return moveWindow(window, stride, extent);
    case 'PageDown':
      return moveWindow(window, -width, extent);
    case 'PageUp':
      return moveWindow(window, width, extent);
    case 'Home':
      return clampWindow([extent[0], extent[0] + width], extent);
    case 'End':
      return clampWindow([extent[1] - width, extent[1]], extent);
    case '+':
    case '=':
      return resizeWindow(window, widen, extent);
    case '-':
    case '_':
      return resizeWindow(window, 1 / widen, extent);
    default:
      return undefined;
  }
}

/** What a brush has drawn. One that is moved as a whole keeps its width exactly, whatever its edges were rounded to. */
export function brushedWindow(brushed: TimeWindow, isMove: boolean, before: TimeWindow, extent: TimeWindow): TimeWindow {
  return isMove ? moveWindow(before, brushed[0] - before[0], extent) : clampWindow(brushed, extent);
}

/** Bins put together so that there are at most `most` of them; a last one may be cut short by the end. */
export function fewerBins(bins: RateBins, most: number): RateBins {
  const each = Math.max(1, Math.ceil(bins.on.length / Math.max(most, 1)));
  if (each === 1) return bins;
  const count = Math.ceil(bins.on.length / each);
  const sum = (of: ArrayLike<number>): Float64Array => {
    const sums = new Float64Array(count);
    for (let bin = 0; bin < of.length; bin++) sums[Math.floor(bin / each)] = (sums[Math.floor(bin / each)] ?? 0) + (of[bin] ?? 0);
    return sums;
  };
  return { startUs: bins.startUs, widthUs: bins.widthUs * each, on: sum(bins.on), off: sum(bins.off) };
}

export interface RateColumn {
  fromUs: number;
  toUs: number;
  on: number;
  off: number;
}

/** Bins put together into at most `most` columns, in events per second; the last column may be shorter than the others. */
export function rateColumns(bins: RateBins, most: number): RateColumn[] {
  const fewer = fewerBins(bins, most);
  const endUs = extentOf(bins)[1];
  return Array.from({ length: fewer.on.length }, (_, column) => {
    const fromUs = fewer.startUs + column * fewer.widthUs;
    const toUs = Math.min(fromUs + fewer.widthUs, endUs);
    const perSecond = 1e6 / (toUs - fromUs);
    return { fromUs, toUs, on: (fewer.on[column] ?? 0) * perSecond, off: (fewer.off[column] ?? 0) * perSecond };
  });
}

/** Events in a window, as far as bins tell: those of a bin that the window cuts are counted by the share inside. */
export function eventsWithin(bins: RateBins, [fromUs, toUs]: TimeWindow): number {
  const first = Math.max(0, Math.floor((fromUs - bins.startUs) / bins.widthUs));
  const last = Math.min(bins.on.length - 1, Math.ceil((toUs - bins.startUs) / bins.widthUs) - 1);
  let events = 0;
  for (let bin = first; bin <= last; bin++) {
    const start = bins.startUs + bin * bins.widthUs;
    const share = (Math.min(toUs, start + bins.widthUs) - Math.max(fromUs, start)) / bins.widthUs;
    events += ((bins.on[bin] ?? 0) + (bins.off[bin] ?? 0)) * share;
  }
  return Math.round(events);
}

export interface TimeUnit {
  name: 's' | 'ms' | 'µs';
  us: number;
}

/** The unit in which a stretch of time reads best. */
export function unitFor(lengthUs: number): TimeUnit {
  if (lengthUs >= 1e6) return { name: 's', us: 1e6 };
  return lengthUs >= 1e3 ? { name: 'ms', us: 1e3 } : { name: 'µs', us: 1 };
}

/** "1.200–1.250 s", with as many decimals as the length of the window needs. */
export function formatWindow([fromUs, toUs]: TimeWindow, unit: TimeUnit): string {
  const length = Math.max(toUs - fromUs, 1) / unit.us;
  const most = Math.log10(unit.us);
  const decimals = Math.min(most, Math.max(0, Math.ceil(-Math.log10(length)) + 1));
  const number = format(`.${decimals}f`);
  return `${number(fromUs / unit.us)}–${number(toUs / unit.us)} ${unit.name}`;
}

/** "50 ms", "1.25 s". */
export function formatDuration(lengthUs: number): string {
  const unit = unitFor(lengthUs);
  return `${formatShort(lengthUs / unit.us)} ${unit.name}`;
}

/** Events per second: "247k/s", "1.5M/s". */
export function formatEventRate(perSecond: number): string {
  return `${perSecond < 1 ? formatShort(perSecond) : format('.3~s')(perSecond)}/s`;
}

/** Sorted positions at least `apart` from each other: the first of each crowd. */
export function thinOut(positions: readonly number[], apart: number): number[] {
  const kept: number[] = [];
  for (const position of [...positions].sort((a, b) => a - b)) {
    const last = kept.at(-1);
    if (last === undefined || position - last >= apart) kept.push(position);
  }
  return kept;
}
