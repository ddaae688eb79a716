import type { Size } from '../base/geometry';
import { rampTable, type Theme } from './palette';
import { centred, exactRange, type ValueDomain } from './valueScale';

/** Maps of what raised a score (above 0) and what lowered it (below 0). */

/** Sums a `[height, width, channels]` step of `[steps, ...]` over its channels. */
export function channelSums(values: Float32Array, step: number, { width, height }: Size, channels: number): Float32Array {
  const sums = new Float32Array(width * height);
  const first = step * sums.length * channels;
  for (let cell = 0; cell < sums.length; cell++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += values[first + cell * channels + channel] ?? 0;
    sums[cell] = sum;
  }
  return sums;
}

/** The outermost values of a map are few: beyond this share of them the colour no longer deepens. */
const shownShare = 0.995;

/** As far to one side as to the other, so that a colour's depth means the same for both signs. */
export function signedDomain(values: Float32Array): ValueDomain {
  const [minimum, maximum] = exactRange(values);
  const magnitudes = values.map(Math.abs).sort();
  const reach = magnitudes[Math.floor((magnitudes.length - 1) * shownShare)] || Math.max(-minimum, maximum);
  return reach > 0 ? { low: -reach, high: reach, centre: 0, minimum, maximum } : centred({ minimum, maximum }, 0);
}

/** So much of the picture is washed out, so that the map's colours are told from its own. */
const wash = 0.6;
const washColours: Record<Theme, readonly [number, number, number]> = { light: [255, 255, 255], dark: [21, 26, 34] };

/** A map as colours to lay over a picture: the larger the value, the less of the picture is left. */
export function veilOf(values: Float32Array, { width, height }: Size, domain: ValueDomain, theme: Theme): OffscreenCanvas {
  const table = rampTable('diverging', theme);
  const pixels = new Uint8ClampedArray(values.length * 4);
  const reach = Math.max(domain.high, -domain.low, 1e-12);
  values.forEach((value, at) => {
    const depth = Math.min(Math.abs(value) / reach, 1);
    const entry = Math.round((0.5 + Math.sign(value) * (0.3 + 0.2 * depth)) * 255) * 3;
    // The root lifts what is faint, of which there is most.
    const share = Math.sqrt(depth);
    const alpha = wash + (1 - wash) * share;
    for (let c = 0; c < 3; c++) pixels[at * 4 + c] = share * (table[entry + c] ?? 0) + (1 - share) * (washColours[theme][c] ?? 0);
    pixels[at * 4 + 3] = 255 * alpha;
  });
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** Covers the pixels that led to nothing, so that those that did stand out. @param values 1 where a pixel led to it */
export function tracedVeil({ width, height, values }: Size & { values: Uint8Array }): OffscreenCanvas {
  const pixels = new Uint8ClampedArray(values.length * 4);
  values.forEach((mark, at) => {
    if (mark === 0) pixels.set([20, 24, 31, 175], at * 4);
  });
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}
