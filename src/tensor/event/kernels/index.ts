/**
 * The kernels of the event-driven engine, in AssemblyScript: compiled to WASM SIMD by the build (src/cli/kernels.ts).
 *
 * Real-valued features are float32 `[steps, height, width, stride]`, stride the channels rounded up to a multiple of 4;
 * what lies beyond the channels is never read as a value. Spikes are, per step and pixel, an ascending list of the channels that fired
 * (`u16[capacity]`) and its length (`u32`). A neuron that fires at every step is not on the lists of the steps but on one
 * list for all of them, which stands behind the last step's: in trained networks on still pictures these are most spikes. Addresses and strides that end in `Bytes` are in bytes.
 *
 * Every sum starts with the bias and adds in the order kernel row, kernel column, channel, in float32 and without fused
 * multiply-adds, so that results are the same on every machine.
 */
import { append } from './lists';

export { initialise } from './lists';

/** Whether neurons fired, step by step, for at most 256 steps: 16 neurons in the bits of an `i32`. */
const masks: usize = memory.data(256 * 4);

// Neurons

// @ts-ignore: decorator
@inline
function appendMask(mask: i32, channel: i32, list: usize, count: usize): void {
  if (mask == 0) return;
  let end = list + (<usize>load<u32>(count) << 1);
  end = append(mask & 255, channel, end);
  end = append(mask >> 8, channel + 8, end);
  store<u32>(count, <u32>((end - list) >> 1));
}

/** Puts what up to 16 neurons did, which lies in `masks`, on the lists of one pixel. */
function listSpikes(
  always: i32, steps: i32, channel: i32, pixel: i32, pixels: i32, lists: usize, listBytes: usize, counts: usize,
): void {
  let place = <usize>pixel;
  for (let step = 0; step < steps; step++) {
    appendMask(load<i32>(masks + (<usize>step << 2)) & ~always, channel, lists + place * listBytes, counts + (place << 2));
    place += <usize>pixels;
  }
  appendMask(always, channel, lists + place * listBytes, counts + (place << 2));
}

/** What a spike with soft reset leaves of membranes; others stay as they are. */
// @ts-ignore: decorator
@inline
function lessThreshold(v: v128, fired: v128, thresholds: v128): v128 {
  return f32x4.sub(v, v128.and(fired, thresholds));
}

/**
 * The LIF neuron over all steps for the channels of one part of a signal. Membranes stay in registers, 16 channels at a
 * time. Cost per neuron: T reads (one for a still input), T writes where membranes are wanted, T multiply-adds; per 8
 * channels and step with a spike one table lookup.
 * @param stepBytes 0 where the source is the same at every step
 * @param membrane 0, or where `[steps, pixels, membranePixelBytes]` goes
 * @param firstChannel of the part; 0 starts the lists, others append
 */
export function leakyIntegrateAndFire(
  source: usize, stepBytes: usize, pixelBytes: usize, pixels: i32, steps: i32, channels: i32,
  decay: f32, threshold: f32, softReset: i32,
  membrane: usize, membranePixelBytes: usize,
  lists: usize, listBytes: usize, counts: usize, firstChannel: i32,
): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
  const membraneStepBytes = <usize>pixels * membranePixelBytes;
  if (firstChannel == 0) memory.fill(counts, 0, <usize>(pixels * (steps + 1)) << 2);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const pixelSource = source + <usize>pixel * pixelBytes;
    let channel = 0;
    for (; channel + 16 <= channels; channel += 16) {
      let x = pixelSource + (<usize>channel << 2);
      let v = membrane + <usize>pixel * membranePixelBytes + (<usize>(firstChannel + channel) << 2);
      let always = steps > 1 ? -1 : 0;
      let ever = 0;
      let v0 = f32x4.splat(0);
      let v1 = f32x4.splat(0);
      let v2 = f32x4.splat(0);
      let v3 = f32x4.splat(0);
      for (let step = 0; step < steps; step++) {
        v0 = f32x4.add(v0, v128.load(x));
        v1 = f32x4.add(v1, v128.load(x, 16));
        v2 = f32x4.add(v2, v128.load(x, 32));
        v3 = f32x4.add(v3, v128.load(x, 48));
        const s0 = f32x4.gt(v0, thresholds);
        const s1 = f32x4.gt(v1, thresholds);
        const s2 = f32x4.gt(v2, thresholds);
        const s3 = f32x4.gt(v3, thresholds);
        if (membrane != 0) {
          v128.store(v, v0);
          v128.store(v, v1, 16);
          v128.store(v, v2, 32);
          v128.store(v, v3, 48);
          v += membraneStepBytes;
        }
        const mask = i8x16.bitmask(
          i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3)),
        );
        store<i32>(masks + (<usize>step << 2), mask);
        always &= mask;
        ever |= mask;
        if (softReset == 0) {
          v0 = v128.andnot(v0, s0);
          v1 = v128.andnot(v1, s1);
          v2 = v128.andnot(v2, s2);
          v3 = v128.andnot(v3, s3);
        } else {
          v0 = lessThreshold(v0, s0, thresholds);
          v1 = lessThreshold(v1, s1, thresholds);
          v2 = lessThreshold(v2, s2, thresholds);
          v3 = lessThreshold(v3, s3, thresholds);
        }
        v0 = f32x4.mul(v0, decays);
        v1 = f32x4.mul(v1, decays);
        v2 = f32x4.mul(v2, decays);
        v3 = f32x4.mul(v3, decays);
        x += stepBytes;
      }
      if (ever != 0) listSpikes(always, steps, firstChannel + channel, pixel, pixels, lists, listBytes, counts);
    }
    for (; channel < channels; channel += 4) {
      let x = pixelSource + (<usize>channel << 2);
      let v = membrane + <usize>pixel * membranePixelBytes + (<usize>(firstChannel + channel) << 2);
      let always = steps > 1 ? -1 : 0;
      let ever = 0;
      // What is beyond the channels never fires, whatever the threshold.
      const real = channels - channel < 4 ? (1 << (channels - channel)) - 1 : 15;
      let v0 = f32x4.splat(0);
      for (let step = 0; step < steps; step++) {
        v0 = f32x4.add(v0, v128.load(x));
        const s0 = f32x4.gt(v0, thresholds);
        if (membrane != 0) {
          v128.store(v, v0);
          v += membraneStepBytes;
        }
        const mask = i32x4.bitmask(s0) & real;
        store<i32>(masks + (<usize>step << 2), mask);
        always &= mask;
        ever |= mask;
        v0 = f32x4.mul(softReset == 0 ? v128.andnot(v0, s0) : lessThreshold(v0, s0, thresholds), decays);
        x += stepBytes;
      }
      if (ever != 0) listSpikes(always, steps, firstChannel + channel, pixel, pixels, lists, listBytes, counts);
    }
  }
}

/**
 * The integrate-and-fire neuron with reset by subtraction over all steps, for the channels of one part of a signal. Cost per
 * neuron: T reads (one for a still input) and T additions, and per spike a subtraction; per 8 channels and step with a
 * spike one table lookup.
 * @param stepBytes 0 where the source is the same at every step
 * @param thresholds of the part's channels, readable up to a multiple of 4
 * @param burst how often a neuron may fire at one step
 * @param membrane `[pixels, membranePixelBytes]` of the part: read before the first step and written after the last
 * @param firstChannel of the part; 0 starts the lists, others append. A neuron that fires n times is on a list n times.
 */
export function integrateAndFire(
  source: usize, stepBytes: usize, pixelBytes: usize, pixels: i32, steps: i32, channels: i32,
  thresholds: usize, burst: i32,
  membrane: usize, membranePixelBytes: usize,
  lists: usize, listBytes: usize, counts: usize, firstChannel: i32,
): void {
  if (firstChannel == 0) memory.fill(counts, 0, <usize>(pixels * (steps + 1)) << 2);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const pixelSource = source + <usize>pixel * pixelBytes;
    const pixelMembrane = membrane + <usize>pixel * membranePixelBytes;
    let channel = 0;
    for (; channel + 16 <= channels; channel += 16) {
      const offset = <usize>channel << 2;
      let x = pixelSource + offset;
      const v = pixelMembrane + offset;
      const t0 = v128.load(thresholds + offset);
      const t1 = v128.load(thresholds + offset, 16);
      const t2 = v128.load(thresholds + offset, 32);
      const t3 = v128.load(thresholds + offset, 48);
      let v0 = v128.load(v);
      let v1 = v128.load(v, 16);
      let v2 = v128.load(v, 32);
      let v3 = v128.load(v, 48);
      let always = steps > 1 ? -1 : 0;
      let ever = 0;
      for (let step = 0; step < steps; step++) {
        v0 = f32x4.add(v0, v128.load(x));
        v1 = f32x4.add(v1, v128.load(x, 16));
        v2 = f32x4.add(v2, v128.load(x, 32));
        v3 = f32x4.add(v3, v128.load(x, 48));
        for (let spike = 0; spike < burst; spike++) {
          const s0 = f32x4.ge(v0, t0);
          const s1 = f32x4.ge(v1, t1);
          const s2 = f32x4.ge(v2, t2);
          const s3 = f32x4.ge(v3, t3);
          const mask = i8x16.bitmask(
            i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3)),
          );
          if (spike == 0) {
            store<i32>(masks + (<usize>step << 2), mask);
            always &= mask;
            ever |= mask;
          } else {
            const place = <usize>(step * pixels + pixel);
            appendMask(mask, firstChannel + channel, lists + place * listBytes, counts + (place << 2));
          }
          if (mask == 0) break;
          v0 = f32x4.sub(v0, v128.and(t0, s0));
          v1 = f32x4.sub(v1, v128.and(t1, s1));
          v2 = f32x4.sub(v2, v128.and(t2, s2));
          v3 = f32x4.sub(v3, v128.and(t3, s3));
        }
        x += stepBytes;
      }
      v128.store(v, v0);
      v128.store(v, v1, 16);
      v128.store(v, v2, 32);
      v128.store(v, v3, 48);
      if (ever != 0) listSpikes(always, steps, firstChannel + channel, pixel, pixels, lists, listBytes, counts);
    }
    for (; channel < channels; channel += 4) {
      const offset = <usize>channel << 2;
      let x = pixelSource + offset;
      const t0 = v128.load(thresholds + offset);
      let v0 = v128.load(pixelMembrane + offset);
      let always = steps > 1 ? -1 : 0;
      let ever = 0;
      // What is beyond the channels never fires.
      const real = channels - channel < 4 ? (1 << (channels - channel)) - 1 : 15;
      for (let step = 0; step < steps; step++) {
        v0 = f32x4.add(v0, v128.load(x));
        for (let spike = 0; spike < burst; spike++) {
          const s0 = f32x4.ge(v0, t0);
          const mask = i32x4.bitmask(s0) & real;
          if (spike == 0) {
            store<i32>(masks + (<usize>step << 2), mask);
            always &= mask;
            ever |= mask;
          } else {
            const place = <usize>(step * pixels + pixel);
            appendMask(mask, firstChannel + channel, lists + place * listBytes, counts + (place << 2));
          }
          if (mask == 0) break;
          v0 = f32x4.sub(v0, v128.and(t0, s0));
        }
        x += stepBytes;
      }
      v128.store(pixelMembrane + offset, v0);
      if (ever != 0) listSpikes(always, steps, firstChannel + channel, pixel, pixels, lists, listBytes, counts);
    }
  }
}

/** @returns the sum of `length` counts */
export function sumCounts(counts: usize, length: i32): i32 {
  let sum = 0;
  for (let index = 0; index < length; index++) sum += load<i32>(counts + (<usize>index << 2));
  return sum;
}

/** Adds a one for everything on the lists, into `[places, channels]` without padding. */
export function spread(lists: usize, listBytes: usize, counts: usize, places: i32, channels: i32, target: usize): void {
  for (let place = 0; place < places; place++) {
    const count = load<u32>(counts + (<usize>place << 2));
    const list = lists + <usize>place * listBytes;
    const row = target + (<usize>place * <usize>channels << 2);
    for (let index: u32 = 0; index < count; index++) {
      const value = row + (<usize>load<u16>(list + (<usize>index << 1)) << 2);
      store<f32>(value, load<f32>(value) + 1);
    }
  }
}

/** SiLU in place of spikes: `s = v * sigmoid(v)` with `v = decay * s * (1 - s) + x` of the step before. `values` a multiple of 4. */
export function leakySilu(source: usize, stepBytes: usize, values: i32, steps: i32, decay: f32, target: usize): void {
  const targetStepBytes = <usize>values << 2;
  for (let value = 0; value < values; value++) {
    let x = source + (<usize>value << 2);
    let y = target + (<usize>value << 2);
    let emitted: f32 = 0;
    for (let step = 0; step < steps; step++) {
      const v = decay * emitted * (1 - emitted) + load<f32>(x);
      emitted = <f32>(<f64>v / (1 + Math.exp(-<f64>v)));
      store<f32>(y, emitted);
      x += stepBytes;
      y += targetStepBytes;
    }
  }
}

// Convolutions of spikes

/** Finishes four output channels of a pixel. */
// @ts-ignore: decorator
@inline
function emit(first: bool, sum: v128, target: usize, addend: usize): void {
  // The first pixel of a pooling window writes, the others compare with what is there.
  if (!first) sum = f32x4.pmax(sum, v128.load(target));
  if (addend != 0) sum = f32x4.add(sum, v128.load(addend));
  v128.store(target, sum);
}

/**
 * Adds the weight rows of the channels that fired around one output pixel, 32 output channels at a time.
 * Exported, as the ones below, so that it stays a function with the registers for itself.
 */
export function add32(row: usize, end: usize, weights: usize, bias: usize, first: bool, target: usize, addend: usize): void {
  let a0 = v128.load(bias);
  let a1 = v128.load(bias, 16);
  let a2 = v128.load(bias, 32);
  let a3 = v128.load(bias, 48);
  let a4 = v128.load(bias, 64);
  let a5 = v128.load(bias, 80);
  let a6 = v128.load(bias, 96);
  let a7 = v128.load(bias, 112);
  for (; row < end; row += 4) {
    const w = weights + (<usize>load<u32>(row) << 7);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
    a2 = f32x4.add(a2, v128.load(w, 32));
    a3 = f32x4.add(a3, v128.load(w, 48));
    a4 = f32x4.add(a4, v128.load(w, 64));
    a5 = f32x4.add(a5, v128.load(w, 80));
    a6 = f32x4.add(a6, v128.load(w, 96));
    a7 = f32x4.add(a7, v128.load(w, 112));
  }
  emit(first, a0, target, addend);
  emit(first, a1, target + 16, addend == 0 ? 0 : addend + 16);
  emit(first, a2, target + 32, addend == 0 ? 0 : addend + 32);
  emit(first, a3, target + 48, addend == 0 ? 0 : addend + 48);
  emit(first, a4, target + 64, addend == 0 ? 0 : addend + 64);
  emit(first, a5, target + 80, addend == 0 ? 0 : addend + 80);
  emit(first, a6, target + 96, addend == 0 ? 0 : addend + 96);
  emit(first, a7, target + 112, addend == 0 ? 0 : addend + 112);
}

/** The last one of the four vectors is left out where it is beyond the channels. */
export function add16(row: usize, end: usize, weights: usize, bias: usize, first: bool, target: usize, addend: usize, vectors: i32): void {
  let a0 = v128.load(bias);
  let a1 = v128.load(bias, 16);
  let a2 = v128.load(bias, 32);
  let a3 = v128.load(bias, 48);
  for (; row < end; row += 4) {
    const w = weights + (<usize>load<u32>(row) << 6);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
    a2 = f32x4.add(a2, v128.load(w, 32));
    a3 = f32x4.add(a3, v128.load(w, 48));
  }
  emit(first, a0, target, addend);
  emit(first, a1, target + 16, addend == 0 ? 0 : addend + 16);
  emit(first, a2, target + 32, addend == 0 ? 0 : addend + 32);
  if (vectors > 3) emit(first, a3, target + 48, addend == 0 ? 0 : addend + 48);
}

export function add8(row: usize, end: usize, weights: usize, bias: usize, first: bool, target: usize, addend: usize, vectors: i32): void {
  let a0 = v128.load(bias);
  let a1 = v128.load(bias, 16);
  for (; row < end; row += 4) {
    const w = weights + (<usize>load<u32>(row) << 5);
    a0 = f32x4.add(a0, v128.load(w));
    a1 = f32x4.add(a1, v128.load(w, 16));
  }
  emit(first, a0, target, addend);
  if (vectors > 1) emit(first, a1, target + 16, addend == 0 ? 0 : addend + 16);
}

/** Turns 8 channels of a list into numbers of weight rows. */
// @ts-ignore: decorator
@inline
function copyRows(list: usize, to: usize, firstRow: v128): void {
  const channels = v128.load(list);
  v128.store(to, i32x4.add(i32x4.extend_low_i16x8_u(channels), firstRow));
  v128.store(to, i32x4.add(i32x4.extend_high_i16x8_u(channels), firstRow), 16);
}

/**
 * A convolution of spikes, or a convolution with max pooling behind it. Its cost follows the spikes: for every spike under
 * the kernel and 32 output channels, 8 vector loads and 8 vector additions.
 *
 * Pixels are taken in chunks. First the numbers of the weight rows under the kernel of each pixel are gathered into
 * one list (a copy of the pixel lists, 8 spikes at a time); then every block of output channels walks these lists.
 * @param weights blocks of 32, then 16, then 8 output channels, each `[kernel row, kernel column, input channel, block]`
 * @param outputs number of output channels, rounded up to a multiple of 4
 * @param height and width of the convolution's output, before pooling
 * @param pool side of the pooling window, 1 for none
 * @param start what the sums start with: the bias (`startPixelBytes` 0), or a sum for every pixel
 * @param separate 1 to write all pixels of a window one after the other instead of their maximum; `start` is read in this order
 * @param addend 0, or features added to the result; `addendStepBytes` 0 where they are the same at every step
 * @param rows scratch for `rowsCapacity` numbers and 16 more; `starts` for `chunkPixels + 1`
 */
export function spikingConvolution(
  lists: usize, listBytes: usize, counts: usize, steps: i32, inputHeight: i32, inputWidth: i32, inputChannels: i32,
  kernel: i32, stride: i32, padding: i32, height: i32, width: i32, pool: i32,
  weights: usize, start: usize, startPixelBytes: usize, outputs: i32, target: usize, targetPixelBytes: usize, separate: i32,
  addend: usize, addendStepBytes: usize, addendPixelBytes: usize,
  rows: usize, rowsCapacity: i32, starts: usize, chunkPixels: i32,
): void {
  const windowsHigh = height / pool;
  const windowsWide = width / pool;
  const windows = windowsHigh * windowsWide;
  const windowPixels = pool * pool;
  const total = steps * windows;
  const rowsPerPixel = kernel * kernel * inputChannels;
  const rowsPerWindow = rowsPerPixel * windowPixels;
  let windowX = 0;
  let windowY = 0;
  let stepPlace = 0;
  let first = 0;
  while (first < total) {
    // Gather.
    let window = first;
    let end = rows;
    let pixel = 0;
    const lastStart = rows + (<usize>(rowsCapacity - rowsPerWindow) << 2);
    store<u32>(starts, <u32>rows);
    while (window < total && end <= lastStart && pixel + windowPixels <= chunkPixels) {
      for (let dy = 0; dy < pool; dy++) {
        for (let dx = 0; dx < pool; dx++) {
          const top = (windowY * pool + dy) * stride - padding;
          const left = (windowX * pool + dx) * stride - padding;
          for (let ky = max(0, -top); ky < min(kernel, inputHeight - top); ky++) {
            for (let kx = max(0, -left); kx < min(kernel, inputWidth - left); kx++) {
              const inputPlace = <usize>(stepPlace + (top + ky) * inputWidth + left + kx);
              const count = load<u32>(counts + (inputPlace << 2));
              const list = lists + inputPlace * listBytes;
              const firstRow = i32x4.splat((ky * kernel + kx) * inputChannels);
              if (count == 0) continue;
              // The first 16 without asking how many there are: a wrong guess of the processor would cost more.
              copyRows(list, end, firstRow);
              copyRows(list + 16, end + 32, firstRow);
              for (let index: u32 = 16; index < count; index += 16) {
                copyRows(list + (<usize>index << 1), end + (<usize>index << 2), firstRow);
                copyRows(list + (<usize>index << 1) + 16, end + (<usize>index << 2) + 32, firstRow);
              }
              end += <usize>count << 2;
            }
          }
          pixel++;
          store<u32>(starts + (<usize>pixel << 2), <u32>end);
        }
      }
      window++;
      if (++windowX == windowsWide) {
        windowX = 0;
        if (++windowY == windowsHigh) {
          windowY = 0;
          stepPlace += inputHeight * inputWidth;
        }
      }
    }
    // Add.
    let blockWeights = weights;
    let output = 0;
    while (output < outputs) {
      const left = outputs - output;
      const block = left >= 32 ? 32 : left > 8 ? 16 : 8;
      const outputBytes = <usize>output << 2;
      let inWindow = 0;
      let at = target + <usize>(separate != 0 ? first * windowPixels : first) * targetPixelBytes + outputBytes;
      let step = first / windows;
      let windowPlace = first - step * windows;
      for (let index = 0; index < pixel; index++) {
        const row: usize = load<u32>(starts + (<usize>index << 2));
        const rowsEnd: usize = load<u32>(starts + (<usize>index << 2), 4);
        const isFirst = inWindow == 0 || separate != 0;
        const sums = start + <usize>(windowPlace * windowPixels + inWindow) * startPixelBytes + outputBytes;
        let added: usize = 0;
        if (addend != 0) {
          added = addend + <usize>step * addendStepBytes + <usize>windowPlace * addendPixelBytes + outputBytes;
        }
        if (block == 32) add32(row, rowsEnd, blockWeights, sums, isFirst, at, added);
        else if (block == 16) add16(row, rowsEnd, blockWeights, sums, isFirst, at, added, left >> 2);
        else add8(row, rowsEnd, blockWeights, sums, isFirst, at, added, left >> 2);
        if (separate != 0) at += targetPixelBytes;
        if (++inWindow == windowPixels) {
          inWindow = 0;
          if (separate == 0) at += targetPixelBytes;
          if (++windowPlace == windows) {
            windowPlace = 0;
            step++;
          }
        }
      }
      blockWeights += <usize>rowsPerPixel * <usize>block << 2;
      output += block;
    }
    first = window;
  }
}

// Convolutions of real values

/** Copies features into `[steps, height + 2 padding, width + 2 padding, channels]` with zeros around, without padded channels. */
export function surround(
  source: usize, steps: i32, height: i32, width: i32, channels: i32, pixelBytes: usize, padding: i32, target: usize,
): void {
  const rowBytes = <usize>(width + 2 * padding) * <usize>channels << 2;
  const channelBytes = <usize>channels << 2;
  memory.fill(target, 0, <usize>steps * <usize>(height + 2 * padding) * rowBytes);
  for (let step = 0; step < steps; step++) {
    for (let y = 0; y < height; y++) {
      let from = source + <usize>((step * height + y) * width) * pixelBytes;
      let to = target + <usize>(step * (height + 2 * padding) + y + padding) * rowBytes + <usize>padding * channelBytes;
      if (channelBytes == pixelBytes) memory.copy(to, from, <usize>width * pixelBytes);
      else {
        for (let x = 0; x < width; x++) {
          for (let channel: usize = 0; channel < channelBytes; channel += 4) store<f32>(to + channel, load<f32>(from + channel));
          from += pixelBytes;
          to += channelBytes;
        }
      }
    }
  }
}

/**
 * A convolution of real values without padding: 4 pixels by 8 output channels stay in registers. Cost per kernel row
 * element: 2 vector loads of weights, 4 splats of inputs, 8 multiplications and 8 additions for 32 multiply-adds.
 * @param weights blocks of 8 output channels, each `[kernel rows, run, 8]`
 * @param run number of values that a kernel row covers, next to each other in memory
 * @param outputs number of output channels, rounded up to a multiple of 4
 * @param places scratch for `chunkPixels` addresses; `chunkPixels` is a multiple of 4
 */
export function denseConvolution(
  source: usize, stepBytes: usize, rowBytes: usize, pixelBytes: usize, steps: i32,
  kernelRows: i32, run: i32, stride: i32, height: i32, width: i32,
  weights: usize, bias: usize, outputs: i32, target: usize, targetPixelBytes: usize,
  places: usize, chunkPixels: i32,
): void {
  const total = steps * height * width;
  const runBytes = <usize>run << 2;
  for (let first = 0; first < total; first += chunkPixels) {
    const pixels = min(chunkPixels, total - first);
    for (let index = 0; index < pixels; index++) {
      const place = first + index;
      const row = place / width;
      const step = row / height;
      const y = row - step * height;
      const x = place - row * width;
      store<u32>(
        places + (<usize>index << 2),
        <u32>(source + <usize>step * stepBytes + <usize>(y * stride) * rowBytes + <usize>(x * stride) * pixelBytes),
      );
    }
    let blockWeights = weights;
    for (let output = 0; output < outputs; output += 8) {
      const wide = outputs - output >= 8;
      const bias0 = v128.load(bias + (<usize>output << 2));
      const bias1 = v128.load(bias + (<usize>output << 2), 16);
      for (let index = 0; index < pixels; index += 4) {
        // At the end some pixels stand in for those that are not there.
        const last = pixels - 1;
        let p0: usize = load<u32>(places + (<usize>index << 2));
        let p1: usize = load<u32>(places + (<usize>min(index + 1, last) << 2));
        let p2: usize = load<u32>(places + (<usize>min(index + 2, last) << 2));
        let p3: usize = load<u32>(places + (<usize>min(index + 3, last) << 2));
        let a00 = bias0;
        let a01 = bias1;
        let a10 = bias0;
        let a11 = bias1;
        let a20 = bias0;
        let a21 = bias1;
        let a30 = bias0;
        let a31 = bias1;
        let w = blockWeights;
        for (let kernelRow = 0; kernelRow < kernelRows; kernelRow++) {
          for (let offset: usize = 0; offset < runBytes; offset += 4) {
            const w0 = v128.load(w);
            const w1 = v128.load(w, 16);
            w += 32;
            const x0 = v128.load32_splat(p0 + offset);
            a00 = f32x4.add(a00, f32x4.mul(x0, w0));
            a01 = f32x4.add(a01, f32x4.mul(x0, w1));
            const x1 = v128.load32_splat(p1 + offset);
            a10 = f32x4.add(a10, f32x4.mul(x1, w0));
            a11 = f32x4.add(a11, f32x4.mul(x1, w1));
            const x2 = v128.load32_splat(p2 + offset);
            a20 = f32x4.add(a20, f32x4.mul(x2, w0));
            a21 = f32x4.add(a21, f32x4.mul(x2, w1));
            const x3 = v128.load32_splat(p3 + offset);
            a30 = f32x4.add(a30, f32x4.mul(x3, w0));
            a31 = f32x4.add(a31, f32x4.mul(x3, w1));
          }
          p0 += rowBytes;
          p1 += rowBytes;
          p2 += rowBytes;
          p3 += rowBytes;
        }
        let to = target + <usize>(first + index) * targetPixelBytes + (<usize>output << 2);
        v128.store(to, a00);
        if (wide) v128.store(to, a01, 16);
        if (index + 1 > last) continue;
        to += targetPixelBytes;
        v128.store(to, a10);
        if (wide) v128.store(to, a11, 16);
        if (index + 2 > last) continue;
        to += targetPixelBytes;
        v128.store(to, a20);
        if (wide) v128.store(to, a21, 16);
        if (index + 3 > last) continue;
        to += targetPixelBytes;
        v128.store(to, a30);
        if (wide) v128.store(to, a31, 16);
      }
      blockWeights += <usize>kernelRows * runBytes << 3;
    }
  }
}

// Element by element. Values come in multiples of 4.

export function relu(source: usize, values: i32, target: usize): void {
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) v128.store(target + at, f32x4.pmax(v128.load(source + at), zero));
}

export function add(a: usize, b: usize, values: i32, target: usize): void {
  for (let at: usize = 0; at < <usize>values << 2; at += 16) {
    v128.store(target + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
}

/** Copies `bytes` of every pixel; with `bytes` a channel count that is no multiple of 4 values, only those. */
export function copyChannels(source: usize, sourcePixelBytes: usize, pixels: i32, bytes: usize, target: usize, targetPixelBytes: usize): void {
  for (let pixel = 0; pixel < pixels; pixel++) {
    const from = source + <usize>pixel * sourcePixelBytes;
    const to = target + <usize>pixel * targetPixelBytes;
    let at: usize = 0;
    for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
    for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
  }
}

/** Windows of `size`, into the channels of wider pixels. `bytes` of a pixel is a multiple of 16. */
export function maxPool(
  source: usize, sourcePixelBytes: usize, steps: i32, height: i32, width: i32, size: i32, bytes: usize, target: usize, targetPixelBytes: usize,
): void {
  const high = height / size;
  const wide = width / size;
  for (let step = 0; step < steps; step++) {
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < wide; x++) {
        const from = source + <usize>((step * height + y * size) * width + x * size) * sourcePixelBytes;
        const to = target + <usize>((step * high + y) * wide + x) * targetPixelBytes;
        for (let at: usize = 0; at < bytes; at += 16) {
          let largest = v128.load(from + at);
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) {
              largest = f32x4.pmax(largest, v128.load(from + at + <usize>(dy * width + dx) * sourcePixelBytes));
            }
          }
          v128.store(to + at, largest);
        }
      }
    }
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
