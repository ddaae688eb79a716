/** Element by element. Values come in multiples of 4. */

export function relu(source: usize, values: i32, target: usize): void {
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) v128.store(target + at, f32x4.pmax(v128.load(source + at), zero));
}

export function add(a: usize, b: usize, values: i32, target: usize): void {
  for (let at: usize = 0; at < <usize>values << 2; at += 16) {
    v128.store(target + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
}

/** Copies `bytes` of the pixels from `first` to before `last`; with `bytes` a channel count that is no multiple of 4 values, only those. */
export function copyChannels(
  first: i32, last: i32, source: usize, sourcePixelBytes: usize, bytes: usize, target: usize, targetPixelBytes: usize,
): void {
  for (let pixel = first; pixel < last; pixel++) {
    const from = source + <usize>pixel * sourcePixelBytes;
    const to = target + <usize>pixel * targetPixelBytes;
    let at: usize = 0;
    for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
    for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
  }
}

/**
 * Windows of `size`, into the channels of wider pixels. `bytes` of a pixel is a multiple of 16.
 * @param first and last row of windows, of all steps, the latter not included
 */
export function maxPool(
  first: i32, last: i32, source: usize, sourcePixelBytes: usize, height: i32, width: i32, size: i32, bytes: usize, target: usize, targetPixelBytes: usize,
): void {
  const high = height / size;
  const wide = width / size;
  const rowBytes = <usize>width * sourcePixelBytes;
  target += <usize>(first * wide) * targetPixelBytes;
  for (let row = first; row < last; row++) {
    const step = row / high;
    let from = source + <usize>(step * height + (row - step * high) * size) * rowBytes;
    for (let x = 0; x < wide; x++) {
      if (size == 2) largestOf4(from, sourcePixelBytes, rowBytes, bytes, target);
      else largestOf(from, sourcePixelBytes, rowBytes, size, bytes, target);
      from += <usize>size * sourcePixelBytes;
      target += targetPixelBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function largestOf4(from: usize, pixelBytes: usize, rowBytes: usize, bytes: usize, target: usize): void {
  const below = from + rowBytes;
  for (let at: usize = 0; at < bytes; at += 16) {
    const upper = f32x4.pmax(v128.load(from + at), v128.load(from + at + pixelBytes));
    const lower = f32x4.pmax(v128.load(below + at), v128.load(below + at + pixelBytes));
    v128.store(target + at, f32x4.pmax(upper, lower));
  }
}

function largestOf(from: usize, pixelBytes: usize, rowBytes: usize, size: i32, bytes: usize, target: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    let largest = v128.load(from + at);
    for (let dy = 0; dy < size; dy++) {
      for (let dx = 0; dx < size; dx++) {
        largest = f32x4.pmax(largest, v128.load(from + at + <usize>dy * rowBytes + <usize>dx * pixelBytes));
      }
    }
    v128.store(target + at, largest);
  }
}

/**
 * Max pooling of sums over time: per step, the largest of every window's sums, less what it was before the step. Cost per
 * value and step: two reads, an addition and a write.
 * @param stepBytes 0 where the source is the same at every step
 * @param sums `[height, width, sumsPixelBytes]`, of the channels of the source: the step's input is added to them
 */
export function maxPoolOfSums(
  source: usize, stepBytes: usize, sourcePixelBytes: usize, steps: i32, height: i32, width: i32, size: i32, bytes: usize,
  sums: usize, sumsPixelBytes: usize, target: usize, targetPixelBytes: usize,
): void {
  const high = height / size;
  const wide = width / size;
  for (let step = 0; step < steps; step++) {
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < wide; x++) {
        const to = target + <usize>((step * high + y) * wide + x) * targetPixelBytes;
        for (let at: usize = 0; at < bytes; at += 16) {
          let before = f32x4.splat(-Infinity);
          let after = before;
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) {
              const place = <usize>((y * size + dy) * width + x * size + dx);
              const sum = sums + place * sumsPixelBytes + at;
              const earlier = v128.load(sum);
              const now = f32x4.add(earlier, v128.load(source + place * sourcePixelBytes + at));
              v128.store(sum, now);
              before = f32x4.pmax(before, earlier);
              after = f32x4.pmax(after, now);
            }
          }
          v128.store(to + at, f32x4.sub(after, before));
        }
      }
    }
    source += stepBytes;
  }
}

/** Nearest neighbour, twice as high and wide. */
export function upsample(
  source: usize, sourcePixelBytes: usize, steps: i32, height: i32, width: i32, bytes: usize, target: usize, targetPixelBytes: usize,
): void {
  for (let row = 0; row < steps * height * 2; row++) {
    for (let x = 0; x < width * 2; x++) {
      const from = source + <usize>((row >> 1) * width + (x >> 1)) * sourcePixelBytes;
      const to = target + <usize>(row * width * 2 + x) * targetPixelBytes;
      for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, v128.load(from + at));
    }
  }
}

/**
 * Means over the steps 0..t. With `all` 0 only the last one is written.
 * @param stepBytes 0 where the source is the same at every step
 */
export function runningMean(source: usize, stepBytes: usize, values: i32, steps: i32, all: i32, target: usize): void {
  const targetStepBytes = <usize>values << 2;
  for (let at: usize = 0; at < targetStepBytes; at += 16) {
    let sum = f32x4.splat(0);
    let to = target + at;
    for (let step = 0; step < steps; step++) {
      sum = f32x4.add(sum, v128.load(source + at + <usize>step * stepBytes));
      if (all != 0 || step == steps - 1) {
        v128.store(to, f32x4.div(sum, f32x4.splat(<f32>(step + 1))));
        to += targetStepBytes;
      }
    }
  }
}
