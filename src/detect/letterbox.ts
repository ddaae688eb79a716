import type { Box, Size } from '../base/geometry';
import type { Picture } from '../base/picture';

/** Grey that fills what the picture leaves free (YOLOv5's, which EMS-YOLO is trained with). */
const paddingGrey = 114;

/** The network's sides must be multiples of its largest stride. */
export const sideMultiple = 32;

/** Where the scaled picture lies on the network's input. */
export interface LetterboxPlacement {
  /** Sides of the network's input in pixels. */
  input: Size;
  /** Sides of the scaled picture on it. */
  scaled: Size;
  /** Padding in pixels; an odd pixel is at the right and below. */
  left: number;
  top: number;
  original: Size;
}

/**
 * Scales to fit into `input` and centres. A picture that has exactly that size is left as it is.
 * (Specification, section 6: sides rounded to whole pixels, an odd pixel of padding right and below.)
 */
export function placeInto({ width, height }: Size, input: Size): LetterboxPlacement {
  // Only the sides: the size handed in may be a whole picture.
  const original = { width, height };
  const scale = Math.min(input.width / width, input.height / height);
  const scaled = {
    width: Math.max(1, Math.round(original.width * scale)),
    height: Math.max(1, Math.round(original.height * scale)),
  };
  return {
    input,
    scaled,
    left: Math.floor((input.width - scaled.width) / 2),
    top: Math.floor((input.height - scaled.height) / 2),
    original,
  };
}

/** Fills all of `input`, whatever that does to the aspect (the rule for Gen1's event pictures). */
export function stretchInto({ width, height }: Size, input: Size): LetterboxPlacement {
  return { input, scaled: input, left: 0, top: 0, original: { width, height } };
}

/** The network's input for a picture: `[1, input.height, input.width, 3]`, RGB in [0, 1]. */
export function letterbox(picture: Picture, { input, scaled, left, top }: LetterboxPlacement): Float32Array {
  const pixels = resize(picture, scaled);
  const values = new Float32Array(input.width * input.height * 3).fill(paddingGrey / 255);
  const rowLength = scaled.width * 3;
  for (let y = 0; y < scaled.height; y++) {
    const target = ((y + top) * input.width + left) * 3;
    for (let x = 0; x < rowLength; x++) values[target + x] = (pixels[y * rowLength + x] ?? 0) / 255;
  }
  return values;
}

/** OpenCV's weights are multiples of 1/2048. */
const weightBits = 11;

/**
 * Bilinear with half-pixel centres, rounded to whole values as OpenCV's `INTER_LINEAR` rounds (decision 0011): what the
 * released networks were trained and measured on. Exact arithmetic changes mAP by up to 0.003.
 * @returns `[size.height, size.width, 3]`
 */
function resize({ width, height, data }: Picture, size: Size): Uint8Array {
  const columns = samples(width, size.width);
  const rows = samples(height, size.height);
  const pixels = new Uint8Array(size.width * size.height * 3);
  const one = 1 << weightBits;
  let target = 0;
  for (const { low: upper, high: lower, weight: down } of rows) {
    const lowerWeight = Math.round(down * one);
    const upperWeight = Math.round((1 - down) * one);
    for (const { low, high, weight: right } of columns) {
      const rightWeight = low === high ? 0 : Math.round(right * one);
      const leftWeight = low === high ? one : Math.round((1 - right) * one);
      for (let channel = 0; channel < 3; channel++) {
        const across = (row: number): number => (data[(row * width + low) * 3 + channel] ?? 0) * leftWeight + (data[(row * width + high) * 3 + channel] ?? 0) * rightWeight;
        const above = (upperWeight * (across(upper) >> 4)) >> 16;
        const below = (lowerWeight * (across(lower) >> 4)) >> 16;
        pixels[target++] = (above + below + 2) >> 2;
      }
    }
  }
  return pixels;
}

/**
 * Scales three interleaved channels to where `placement` says and fills the rest: `[input.height, input.width, 3]`.
 * Bilinear with half-pixel centres, edges repeated, no smoothing before shrinking.
 * @param source its values are divided by `unit`
 */
export function resample(
  source: Size & { data: Uint8Array | Float32Array; unit: number },
  placement: LetterboxPlacement,
  fill: readonly [number, number, number],
): Float32Array {
  const { input, scaled, left, top } = placement;
  const values = new Float32Array(input.width * input.height * 3);
  if (scaled.width < input.width || scaled.height < input.height) {
    for (let index = 0; index < values.length; index += 3) values.set(fill, index);
  }
  const columns = samples(source.width, scaled.width);
  const rows = samples(source.height, scaled.height);
  const { data, unit } = source;
  for (let y = 0; y < scaled.height; y++) {
    const row = rows[y] ?? unreachable();
    let target = ((y + top) * input.width + left) * 3;
    for (let x = 0; x < scaled.width; x++) {
      const column = columns[x] ?? unreachable();
      const a = (row.low * source.width + column.low) * 3;
      const b = (row.low * source.width + column.high) * 3;
      const c = (row.high * source.width + column.low) * 3;
      const d = (row.high * source.width + column.high) * 3;
      for (let channel = 0; channel < 3; channel++) {
        const above = mix(data[a + channel] ?? 0, data[b + channel] ?? 0, column.weight);
        const below = mix(data[c + channel] ?? 0, data[d + channel] ?? 0, column.weight);
        values[target++] = mix(above, below, row.weight) / unit;
      }
    }
  }
  return values;
}

/** The two source pixels and the share of the second, for each target pixel along one side. */
function samples(source: number, target: number): { low: number; high: number; weight: number }[] {
  return Array.from({ length: target }, (_, index) => {
    const position = ((index + 0.5) * source) / target - 0.5;
    const low = Math.floor(position);
    return {
      low: Math.min(Math.max(low, 0), source - 1),
      high: Math.min(Math.max(low + 1, 0), source - 1),
      weight: position - low,
    };
  });
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function unreachable(): never {
  throw new RangeError('A sample outside the scaled picture was asked for.');
}

/** A box on the network's input as a box on the original picture, clipped to it. */
export function toOriginal(box: Box, { scaled, left, top, original }: LetterboxPlacement): Box {
  const scaleX = original.width / scaled.width;
  const scaleY = original.height / scaled.height;
  return [
    clamp((box[0] - left) * scaleX, original.width),
    clamp((box[1] - top) * scaleY, original.height),
    clamp((box[2] - left) * scaleX, original.width),
    clamp((box[3] - top) * scaleY, original.height),
  ];
}

function clamp(value: number, upper: number): number {
  return Math.min(Math.max(value, 0), upper);
}
