import type { Size } from '../base/geometry';
import { formatRate } from './format';
import { rampEntry, rampTable, type Theme } from './palette';

/**
 * One picture of events, `[height, width]`: the polarity of each pixel's last event (−1 OFF, 0 none, 1 ON), or a time surface whose
 * sign is that polarity and whose magnitude, at most 1, says how fresh the event is.
 */
export type EventPixels = { kind: 'polarity'; last: Int8Array } | { kind: 'surface'; value: Float32Array };

/** How a network's input slice writes "no event": 127 of 255. */
export const noEventLevel = 127 / 255;

/** −1 to 1 in the pixels' order. */
export function signedPixels(pixels: EventPixels): Int8Array | Float32Array {
  return pixels.kind === 'polarity' ? pixels.last : pixels.value;
}

/** `[cells, 4]` bytes of RGBA for values from −1 (OFF) to 1 (ON). */
export function eventColours(signed: ArrayLike<number>, theme: Theme): Uint8ClampedArray<ArrayBuffer> {
  const table = rampTable('events', theme);
  const colours = new Uint8ClampedArray(signed.length * 4);
  for (let cell = 0; cell < signed.length; cell++) {
    const entry = rampEntry(0.5 + (signed[cell] ?? 0) / 2) * 3;
    colours[cell * 4] = table[entry] ?? 0;
    colours[cell * 4 + 1] = table[entry + 1] ?? 0;
    colours[cell * 4 + 2] = table[entry + 2] ?? 0;
    colours[cell * 4 + 3] = 255;
  }
  return colours;
}

/** A network's input in [0, 1] as values from −1 (0, OFF) over 0 ({@link noEventLevel}) to 1 (1, ON). */
export function signedSlice(values: Float32Array): Float32Array {
  return values.map((value) => (value - noEventLevel) / (value < noEventLevel ? noEventLevel : 1 - noEventLevel));
}

/** Differences of float32 arithmetic, and what shrinking a picture smears, are no event. */
const faintest = 0.005;

/** How many values from −1 to 1 are OFF and how many ON. */
export function countPolarities(signed: ArrayLike<number>): { on: number; off: number } {
  let on = 0;
  let off = 0;
  for (let cell = 0; cell < signed.length; cell++) {
    const value = signed[cell] ?? 0;
    if (value > faintest) on++;
    else if (value < -faintest) off++;
  }
  return { on, off };
}

/** "ON", "OFF, freshness 37.0%", "no event". */
export function describeEventPixel(pixels: EventPixels, cell: number): string {
  const value = signedPixels(pixels)[cell] ?? 0;
  if (value === 0) return 'no event';
  const polarity = value > 0 ? 'ON' : 'OFF';
  return pixels.kind === 'polarity' ? polarity : `${polarity}, freshness ${formatRate(Math.abs(value))}`;
}

/**
 * Values from −1 to 1 on fewer pixels: each takes the strongest of those that it stands for. A mean would let single events fade
 * away. A side that is not to become shorter stays as it is.
 * @returns `[height, width]` of `size`, which is at least one pixel and at most the grid.
 */
export function shrinkEvents<A extends Int8Array | Float32Array>(signed: A, grid: Size, wanted: Size): { signed: A; size: Size } {
  const side = (length: number, to: number): number => Math.max(1, Math.min(length, Math.round(to)));
  const size = { width: side(grid.width, wanted.width), height: side(grid.height, wanted.height) };
  if (size.width === grid.width && size.height === grid.height) return { signed, size };
  const shrunk = signed.slice(0, size.width * size.height).fill(0) as A;
  for (let y = 0, cell = 0; y < grid.height; y++) {
    const row = Math.floor((y * size.height) / grid.height) * size.width;
    for (let x = 0; x < grid.width; x++, cell++) {
      const value = signed[cell] ?? 0;
      const at = row + Math.floor((x * size.width) / grid.width);
      if (Math.abs(value) > Math.abs(shrunk[at] ?? 0)) shrunk[at] = value;
    }
  }
  return { signed: shrunk, size };
}
