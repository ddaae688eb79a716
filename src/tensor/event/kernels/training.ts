/**
 * The kernels of training on the CPU, in AssemblyScript (src/cli/kernels.ts compiles them to a program of their own).
 *
 * Features are float32 `[frames, height, width, stride]`: frames are steps times images, steps first; stride is the channels
 * rounded up to a multiple of 4, and what lies beyond the channels is 0. What a convolution reads comes with lists: per
 * pixel the ascending channels that are not silent (`u16[capacity]`) and how many (`u32`). The same lists make all three
 * products sparse: the forward pass and the weights' gradient visit inputs that spiked, the inputs' gradient visits neurons
 * whose surrogate derivative is not 0. Strides and sizes that end in `Bytes` are in bytes.
 */
import { append } from './lists';
import { blockOf } from './blocks';
import { tabulateInputs, tableBytesOf, taps, writeTaps } from './taps';

export { initialise } from './lists';
export { packTransposed, sumDense } from './dense';

// Lists

/**
 * Lists the channels of every pixel. Cost: one read of every value; per 8 channels one table lookup.
 * @param mode 0: above `threshold`; 1: nearer to `threshold` than `width`; 2: all
 * @param listBytes room for the channels rounded up to a multiple of 8, and 8 more
 */
export function listChannels(
  source: usize, places: i32, channels: i32, pixelBytes: usize, mode: i32, threshold: f32, width: f32,
  lists: usize, listBytes: usize, counts: usize,
): void {
  const thresholds = f32x4.splat(threshold);
  const widths = f32x4.splat(width);
  for (let place = 0; place < places; place++) {
    const row = source + <usize>place * pixelBytes;
    const list = lists + <usize>place * listBytes;
    let end = list;
    for (let channel = 0; channel < channels; channel += 8) {
      const left = channels - channel;
      const real = left >= 8 ? 255 : (1 << left) - 1;
      let mask = real;
      if (mode != 2) {
        let a = v128.load(row + (<usize>channel << 2));
        // The second half of the last eight may belong to the next pixel: its bits are dropped.
        let b = v128.load(row + (<usize>channel << 2), 16);
        if (mode == 1) {
          a = f32x4.lt(f32x4.abs(f32x4.sub(a, thresholds)), widths);
          b = f32x4.lt(f32x4.abs(f32x4.sub(b, thresholds)), widths);
        } else {
          a = f32x4.gt(a, thresholds);
          b = f32x4.gt(b, thresholds);
        }
        mask &= i16x8.bitmask(i16x8.narrow_i32x4_s(a, b));
      }
      if (mask != 0) end = append(mask, channel, end);
    }
    store<u32>(counts + (<usize>place << 2), <u32>((end - list) >> 1));
  }
}

/** @returns the sum of `length` counts */
export function sumCounts(counts: usize, length: i32): f64 {
  let sum: f64 = 0;
  for (let index = 0; index < length; index++) sum += <f64>load<u32>(counts + (<usize>index << 2));
  return sum;
}

// Sums of rows: what the forward pass (rows of weights) and the weights' gradient (rows of gradients) are made of. With
// `values` every row is multiplied by its value; without, all are 1. Exported so that each keeps the registers for itself.

export function sum16(entry: usize, end: usize, values: usize, base: usize, shift: usize, initial: usize, target: usize): void {
  let a0 = v128.load(initial);
  let a1 = v128.load(initial, 16);
  let a2 = v128.load(initial, 32);
  let a3 = v128.load(initial, 48);
  if (values == 0) {
    for (; entry < end; entry += 4) {
      const row = base + (<usize>load<u32>(entry) << shift);
      a0 = f32x4.add(a0, v128.load(row));
      a1 = f32x4.add(a1, v128.load(row, 16));
      a2 = f32x4.add(a2, v128.load(row, 32));
      a3 = f32x4.add(a3, v128.load(row, 48));
    }
  } else {
    for (; entry < end; entry += 4, values += 4) {
      const row = base + (<usize>load<u32>(entry) << shift);
      const value = v128.load32_splat(values);
      a0 = f32x4.add(a0, f32x4.mul(value, v128.load(row)));
      a1 = f32x4.add(a1, f32x4.mul(value, v128.load(row, 16)));
      a2 = f32x4.add(a2, f32x4.mul(value, v128.load(row, 32)));
      a3 = f32x4.add(a3, f32x4.mul(value, v128.load(row, 48)));
    }
  }
  v128.store(target, a0);
  v128.store(target, a1, 16);
  v128.store(target, a2, 32);
  v128.store(target, a3, 48);
}

export function sum4(entry: usize, end: usize, values: usize, base: usize, shift: usize, initial: usize, target: usize): void {
  let a0 = v128.load(initial);
  if (values == 0) {
    for (; entry < end; entry += 4) {
      const row = base + (<usize>load<u32>(entry) << shift);
      a0 = f32x4.add(a0, v128.load(row));
    }
  } else {
    for (; entry < end; entry += 4, values += 4) {
      const row = base + (<usize>load<u32>(entry) << shift);
      const value = v128.load32_splat(values);
      a0 = f32x4.add(a0, f32x4.mul(value, v128.load(row)));
    }
  }
  v128.store(target, a0);
}

// Convolutions

/** `[taps, inputs, outputs]` with whole rows of `outputBytes` to blocks of output channels, each `[taps, inputs, block]`. */
export function packBlocks(source: usize, rows: i32, outputs: i32, target: usize): void {
  const rowBytes = <usize>outputs << 2;
  for (let output = 0; output < outputs; ) {
    const block = blockOf(outputs - output);
    let from = source + (<usize>output << 2);
    for (let row = 0; row < rows; row++) {
      memory.copy(target, from, <usize>block << 2);
      target += <usize>block << 2;
      from += rowBytes;
    }
    output += block;
  }
}

/** Writes row numbers for a list, eight at a time: what is written too much is written over. @returns the end of those that are meant */
// @ts-ignore: decorator
@inline
function appendRows(list: usize, count: u32, firstRow: u32, end: usize): usize {
  const firsts = i32x4.splat(firstRow);
  const listEnd = end + (<usize>count << 2);
  for (let at = end; at < listEnd; at += 32, list += 16) {
    const channels = v128.load(list);
    v128.store(at, i32x4.add(firsts, i32x4.extend_low_i16x8_u(channels)));
    v128.store(at, i32x4.add(firsts, i32x4.extend_high_i16x8_u(channels)), 16);
  }
  return listEnd;
}

/** The same, and the values that the rows are multiplied by `valueOffset` behind them. */
// @ts-ignore: decorator
@inline
function appendRowsAndValues(list: usize, count: u32, firstRow: u32, values: usize, end: usize, valueOffset: usize): usize {
  for (let index: u32 = 0; index < count; index++, end += 4) {
    const channel = <u32>load<u16>(list + (<usize>index << 1));
    store<u32>(end, firstRow + channel);
    store<f32>(end + valueOffset, load<f32>(values + (<usize>channel << 2)));
  }
  return end;
}

/**
 * The forward convolution: for every output pixel the weight rows of what is on the lists around it. Cost per listed input, tap
 * and 16 outputs: 4 vector loads and additions (and multiplications where inputs have values).
 * @param values 0 where listed inputs are spikes, else the features that the lists belong to
 * @param weights from `packBlocks`
 * @param initial `[outputs]`, what every sum starts with
 * @param rows scratch for `rowsCapacity` row numbers and, behind them, as many values; without values there must be room for 8 more numbers
 * @param starts scratch for `chunkPixels + 1` addresses
 */
export function convolve(
  lists: usize, listBytes: usize, counts: usize, values: usize, valueBytes: usize,
  frames: i32, inputHeight: i32, inputWidth: i32, inputs: i32, kernel: i32, stride: i32, padding: i32, height: i32, width: i32,
  weights: usize, initial: usize, outputs: i32, target: usize,
  rows: usize, rowsCapacity: i32, starts: usize, chunkPixels: i32,
): void {
  const total = frames * height * width;
  const rowsPerPixel = kernel * kernel * inputs;
  const valueRows = rows + (<usize>rowsCapacity << 2);
  const lastStart = rows + (<usize>(rowsCapacity - rowsPerPixel) << 2);
  const targetBytes = <usize>outputs << 2;
  let place = 0;
  let frameStart = 0;
  let y = 0;
  let x = 0;
  while (place < total) {
    // Gather.
    const first = place;
    let end = rows;
    let pixel = 0;
    store<u32>(starts, <u32>rows);
    while (place < total && pixel < chunkPixels && end <= lastStart) {
      const top = y * stride - padding;
      const left = x * stride - padding;
      const firstColumn = max(0, -left);
      const columnsEnd = min(kernel, inputWidth - left);
      for (let ky = max(0, -top); ky < min(kernel, inputHeight - top); ky++) {
        for (let kx = firstColumn; kx < columnsEnd; kx++) {
          const input = <usize>(frameStart + (top + ky) * inputWidth + left + kx);
          const count = load<u32>(counts + (input << 2));
          const list = lists + input * listBytes;
          const firstRow = <u32>((ky * kernel + kx) * inputs);
          if (values == 0) end = appendRows(list, count, firstRow, end);
          else end = appendRowsAndValues(list, count, firstRow, values + input * valueBytes, end, valueRows - rows);
        }
      }
      if (++x == width) {
        x = 0;
        if (++y == height) {
          y = 0;
          frameStart += inputHeight * inputWidth;
        }
      }
      pixel++;
      place++;
      store<u32>(starts + (<usize>pixel << 2), <u32>end);
    }
    // Add.
    let blockWeights = weights;
    for (let output = 0; output < outputs; ) {
      const block = blockOf(outputs - output);
      const outputBytes = <usize>output << 2;
      let to = target + <usize>first * targetBytes + outputBytes;
      for (let index = 0; index < pixel; index++) {
        const row: usize = load<u32>(starts + (<usize>index << 2));
        const rowsEnd: usize = load<u32>(starts + (<usize>index << 2), 4);
        const rowValues = values == 0 ? 0 : row + (valueRows - rows);
        if (block == 16) sum16(row, rowsEnd, rowValues, blockWeights, 6, initial + outputBytes, to);
        else sum4(row, rowsEnd, rowValues, blockWeights, 4, initial + outputBytes, to);
        to += targetBytes;
      }
      blockWeights += <usize>rowsPerPixel * <usize>block << 2;
      output += block;
    }
  }
}

// @ts-ignore: decorator
@inline
function horizontal(a: v128): f32 {
  return (
    f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3))
  );
}

/** The sums of the lanes of four vectors. */
// @ts-ignore: decorator
@inline
function sumsOfLanes(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 1, 4, 5), v128.shuffle<f32>(a, b, 2, 3, 6, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 1, 4, 5), v128.shuffle<f32>(c, d, 2, 3, 6, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
}

/** Adds to up to four channels of a pixel their products with the gradients around it; where there are fewer, the last one is summed again. */
export function dot4(tapsEnd: usize, outputBytes: usize, list: usize, last: i32, to: usize): void {
  const c0 = <usize>load<u16>(list);
  const c1 = <usize>load<u16>(list + (<usize>min(1, last) << 1));
  const c2 = <usize>load<u16>(list + (<usize>min(2, last) << 1));
  const c3 = <usize>load<u16>(list + (<usize>min(3, last) << 1));
  const row0 = c0 * outputBytes;
  const row1 = c1 * outputBytes;
  const row2 = c2 * outputBytes;
  const row3 = c3 * outputBytes;
  let a0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  for (let tap = taps; tap < tapsEnd; tap += 8) {
    let gradient: usize = load<u32>(tap);
    const weights: usize = load<u32>(tap, 4);
    let w0 = weights + row0;
    let w1 = weights + row1;
    let w2 = weights + row2;
    let w3 = weights + row3;
    const end = gradient + outputBytes;
    for (; gradient + 32 <= end; gradient += 32, w0 += 32, w1 += 32, w2 += 32, w3 += 32) {
      const g0 = v128.load(gradient);
      a0 = f32x4.add(a0, f32x4.mul(g0, v128.load(w0)));
      a1 = f32x4.add(a1, f32x4.mul(g0, v128.load(w1)));
      a2 = f32x4.add(a2, f32x4.mul(g0, v128.load(w2)));
      a3 = f32x4.add(a3, f32x4.mul(g0, v128.load(w3)));
      const g1 = v128.load(gradient, 16);
      a0 = f32x4.add(a0, f32x4.mul(g1, v128.load(w0, 16)));
      a1 = f32x4.add(a1, f32x4.mul(g1, v128.load(w1, 16)));
      a2 = f32x4.add(a2, f32x4.mul(g1, v128.load(w2, 16)));
      a3 = f32x4.add(a3, f32x4.mul(g1, v128.load(w3, 16)));
    }
    for (; gradient < end; gradient += 16, w0 += 16, w1 += 16, w2 += 16, w3 += 16) {
      const g = v128.load(gradient);
      a0 = f32x4.add(a0, f32x4.mul(g, v128.load(w0)));
      a1 = f32x4.add(a1, f32x4.mul(g, v128.load(w1)));
      a2 = f32x4.add(a2, f32x4.mul(g, v128.load(w2)));
      a3 = f32x4.add(a3, f32x4.mul(g, v128.load(w3)));
    }
  }
  const sums = sumsOfLanes(a0, a1, a2, a3);
  add1(to + (c0 << 2), f32x4.extract_lane(sums, 0));
  if (last > 0) add1(to + (c1 << 2), f32x4.extract_lane(sums, 1));
  if (last > 1) add1(to + (c2 << 2), f32x4.extract_lane(sums, 2));
  if (last > 2) add1(to + (c3 << 2), f32x4.extract_lane(sums, 3));
}

// @ts-ignore: decorator
@inline
function add1(at: usize, value: f32): void {
  store<f32>(at, load<f32>(at) + value);
}

function dot1(tapsEnd: usize, outputBytes: usize, row: usize): f32 {
  let a = f32x4.splat(0);
  for (let tap = taps; tap < tapsEnd; tap += 8) {
    let gradient: usize = load<u32>(tap);
    let w = <usize>load<u32>(tap, 4) + row;
    const end = gradient + outputBytes;
    for (; gradient < end; gradient += 16, w += 16) a = f32x4.add(a, f32x4.mul(v128.load(gradient), v128.load(w)));
  }
  return horizontal(a);
}

/**
 * Adds the gradient of a convolution's input, only where the lists name it. Cost per listed input and tap: one multiply-add for each
 * output channel, with 5 vector loads for 4 inputs. Inputs are taken `blockChannels` at a time, so that their weights
 * stay in the second-level cache for all pixels.
 * @param weights `[taps, inputs, outputBytes]`
 * @param cursors scratch, `u32` for each input pixel, and behind them 1 + 2 kernel for each row and column of the input
 */
export function addInputGradient(
  gradient: usize, frames: i32, height: i32, width: i32, outputBytes: usize,
  weights: usize, kernel: i32, stride: i32, padding: i32,
  lists: usize, listBytes: usize, counts: usize, inputHeight: i32, inputWidth: i32, inputs: i32,
  target: usize, targetBytes: usize, cursors: usize, blockChannels: i32,
): void {
  const places = frames * inputHeight * inputWidth;
  memory.fill(cursors, 0, <usize>places << 2);
  const frameBytes = <usize>(height * width) * outputBytes;
  const tapBytes = <usize>inputs * outputBytes;
  const tableBytes = tableBytesOf(kernel);
  const rowTaps = cursors + (<usize>places << 2);
  const columnTaps = rowTaps + <usize>inputHeight * tableBytes;
  tabulateInputs(inputHeight, height, kernel, stride, padding, <usize>width * outputBytes, <usize>kernel * tapBytes, rowTaps);
  tabulateInputs(inputWidth, width, kernel, stride, padding, outputBytes, tapBytes, columnTaps);
  for (let blockEnd = blockChannels; blockEnd < inputs + blockChannels; blockEnd += blockChannels) {
    let place = 0;
    for (let frame = 0; frame < frames; frame++) {
      for (let y = 0; y < inputHeight; y++) {
        for (let x = 0; x < inputWidth; x++, place++) {
          const cursor = cursors + (<usize>place << 2);
          const first = load<u32>(cursor);
          const count = load<u32>(counts + (<usize>place << 2));
          if (first == count) continue;
          const list = lists + <usize>place * listBytes;
          let last = first;
          while (last < count && <i32>load<u16>(list + (<usize>last << 1)) < blockEnd) last++;
          if (first == last) continue;
          store<u32>(cursor, last);
          const end = writeTaps(gradient + <usize>frame * frameBytes, weights, rowTaps + <usize>y * tableBytes, columnTaps + <usize>x * tableBytes);
          const to = target + <usize>place * targetBytes;
          for (let at = first; at < last; at += 4) dot4(end, outputBytes, list + (<usize>at << 1), <i32>(last - at) - 1, to);
        }
      }
    }
  }
}

/**
 * Adds the gradient of a convolution's weights from the output rows that belong to input rows `firstRow` to `lastRow` of some frames. The lists
 * are turned round, into the pixels of each channel, and for each tap and channel the gradients of those pixels are summed in
 * registers. Cost per listed input, tap and 16 outputs: 4 vector loads and additions (and multiplications with values).
 * @param border zero pixels around the copied gradients: the largest distance of a tap, in output pixels
 * @param surrounded scratch, `[frames, output rows, width + 2 border, outputs]`
 * @param starts scratch, `u32[stride * stride * inputs + 1]`
 * @param entries scratch, a `u32` and, where there are values, an `f32` for each listed input, `entriesCapacity` of them
 * @param target `[taps, inputs, outputs]`
 */
export function addWeightGradient(
  lists: usize, listBytes: usize, counts: usize, values: usize, valueBytes: usize,
  firstFrame: i32, frames: i32, inputHeight: i32, inputWidth: i32, inputs: i32, firstRow: i32, lastRow: i32,
  kernel: i32, stride: i32, padding: i32, gradient: usize, height: i32, width: i32, outputs: i32,
  border: i32, surrounded: usize, starts: usize, entries: usize, entriesCapacity: i32, target: usize,
): void {
  const outputBytes = <usize>outputs << 2;
  // The band of output rows, with its border.
  const bandTop = firstRow / stride - border;
  const bandRows = (lastRow - 1) / stride + border + 1 - bandTop;
  const bandWidth = width + 2 * border + 1;
  const rowBytes = <usize>bandWidth * outputBytes;
  memory.fill(surrounded, 0, <usize>(frames * bandRows) * rowBytes);
  for (let frame = 0; frame < frames; frame++) {
    for (let row = max(0, bandTop); row < min(height, bandTop + bandRows); row++) {
      memory.copy(
        surrounded + <usize>(frame * bandRows + row - bandTop) * rowBytes + <usize>border * outputBytes,
        gradient + <usize>(((firstFrame + frame) * height + row) * width) * outputBytes,
        <usize>width * outputBytes,
      );
    }
  }
  // How many pixels each channel has, by the pixel's place relative to the stride.
  const keys = stride * stride * inputs;
  memory.fill(starts, 0, <usize>(keys + 1) << 2);
  for (let frame = 0; frame < frames; frame++) {
    for (let y = firstRow; y < lastRow; y++) {
      let place = <usize>(((firstFrame + frame) * inputHeight + y) * inputWidth);
      const rowKey = (y % stride) * stride;
      for (let x = 0, phase = 0; x < inputWidth; x++, place++) {
        const keyStarts = starts + (<usize>((rowKey + phase) * inputs) << 2);
        if (++phase == stride) phase = 0;
        let list = lists + place * listBytes;
        const listEnd = list + (<usize>load<u32>(counts + (place << 2)) << 1);
        for (; list < listEnd; list += 2) {
          const at = keyStarts + (<usize>load<u16>(list) << 2);
          store<u32>(at, load<u32>(at) + 4);
        }
      }
    }
  }
  let sum = <u32>entries;
  for (let key = 0; key <= keys; key++) {
    const at = starts + (<usize>key << 2);
    const count = load<u32>(at);
    store<u32>(at, sum);
    sum += count;
  }
  // The pixels; every start moves to its end, which is where the next one began.
  const valueEntries = <usize>entriesCapacity << 2;
  for (let frame = 0; frame < frames; frame++) {
    for (let y = firstRow; y < lastRow; y++) {
      let place = <usize>(((firstFrame + frame) * inputHeight + y) * inputWidth);
      const rowKey = (y % stride) * stride;
      // In vectors of 16 bytes, as the sums of rows count.
      let entry = <u32>((<usize>((frame * bandRows + y / stride - bandTop) * bandWidth + border) * outputBytes) >> 4);
      for (let x = 0, phase = 0; x < inputWidth; x++, place++) {
        const keyStarts = starts + (<usize>((rowKey + phase) * inputs) << 2);
        let list = lists + place * listBytes;
        const listEnd = list + (<usize>load<u32>(counts + (place << 2)) << 1);
        for (; list < listEnd; list += 2) {
          const channel = <usize>load<u16>(list);
          const at = keyStarts + (channel << 2);
          const to: usize = load<u32>(at);
          store<u32>(to, entry);
          if (values != 0) store<f32>(to + valueEntries, load<f32>(values + place * valueBytes + (channel << 2)));
          store<u32>(at, <u32>(to + 4));
        }
        if (++phase == stride) {
          phase = 0;
          entry += <u32>(outputBytes >> 4);
        }
      }
    }
  }
  // The sums.
  for (let output = 0; output < outputs; ) {
    const block = blockOf(outputs - output);
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        const cy = (ky + padding * (stride - 1)) % stride;
        const cx = (kx + padding * (stride - 1)) % stride;
        const dy = (cy + padding - ky) / stride;
        const dx = (cx + padding - kx) / stride;
        const base = surrounded + <usize>(output << 2) + (dy * bandWidth + dx) * <i32>outputBytes;
        const key = (cy * stride + cx) * inputs;
        let to = target + <usize>((ky * kernel + kx) * inputs) * outputBytes + (<usize>output << 2);
        let start: usize = key == 0 ? entries : load<u32>(starts + (<usize>(key - 1) << 2));
        for (let channel = 0; channel < inputs; channel++, to += outputBytes) {
          const end: usize = load<u32>(starts + (<usize>(key + channel) << 2));
          if (start != end) {
            const rowValues = values == 0 ? 0 : start + valueEntries;
            if (block == 16) sum16(start, end, rowValues, base, 4, to, to);
            else sum4(start, end, rowValues, base, 4, to, to);
          }
          start = end;
        }
      }
    }
    output += block;
  }
}

// Neurons. `values` counts the neurons of a step and is a multiple of 4.

/** The LIF neuron's membranes at all steps; it spiked where they are above the threshold. `sourceStepBytes` 0: the same at every step. */
export function integrate(
  source: usize, sourceStepBytes: usize, values: i32, steps: i32, decay: f32, threshold: f32, softReset: i32, membrane: usize,
): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
  const stepBytes = <usize>values << 2;
  for (let at: usize = 0; at < stepBytes; at += 16) {
    let v = f32x4.splat(0);
    let x = source + at;
    let to = membrane + at;
    for (let step = 0; step < steps; step++) {
      v = f32x4.add(v, v128.load(x));
      v128.store(to, v);
      const fired = f32x4.gt(v, thresholds);
      v = f32x4.mul(softReset == 0 ? v128.andnot(v, fired) : f32x4.sub(v, v128.and(fired, thresholds)), decays);
      x += sourceStepBytes;
      to += stepBytes;
    }
  }
}

/** ds/dv by the kind of surrogate: 0 rectangular, 1 arctangent, 2 sigmoid, 3 triangular; src/base/surrogate.ts has the formulas. */
// @ts-ignore: decorator
@inline
function surrogate(kind: i32, u: v128, width: f32): v128 {
  const ones = f32x4.splat(1);
  if (kind == 0) return v128.and(f32x4.lt(f32x4.abs(u), f32x4.splat(width)), f32x4.splat(1 / (2 * width)));
  if (kind == 1) {
    const scaled = f32x4.mul(u, f32x4.splat(<f32>(Math.PI / 2) * width));
    return f32x4.div(f32x4.splat(width / 2), f32x4.add(ones, f32x4.mul(scaled, scaled)));
  }
  if (kind == 3) {
    const left = f32x4.sub(ones, f32x4.mul(f32x4.abs(u), f32x4.splat(1 / width)));
    return f32x4.mul(f32x4.max(left, f32x4.splat(0)), f32x4.splat(1 / width));
  }
  return f32x4(
    bell(f32x4.extract_lane(u, 0), width), bell(f32x4.extract_lane(u, 1), width),
    bell(f32x4.extract_lane(u, 2), width), bell(f32x4.extract_lane(u, 3), width),
  );
}

function bell(u: f32, slope: f32): f32 {
  const s = 1 / (1 + Math.exp(-<f64>(slope * u)));
  return <f32>(<f64>slope * s * (1 - s));
}

/**
 * Backwards through the LIF neuron: `gv[t] = (gs[t] + penalty) * surrogate(v[t]) + decay * (1 - s[t]) * gv[t+1]` (soft reset: without
 * the factor), added to the input's gradient. `targetStepBytes` 0: one input for all steps.
 */
export function addIntegrateGradient(
  membrane: usize, gradient: usize, penalty: f32, values: i32, steps: i32, decay: f32, threshold: f32, softReset: i32, kind: i32, width: f32,
  target: usize, targetStepBytes: usize,
): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
  const penalties = f32x4.splat(penalty);
  const stepBytes = <usize>values << 2;
  for (let at: usize = 0; at < stepBytes; at += 16) {
    let carried = f32x4.splat(0);
    for (let step = steps - 1; step >= 0; step--) {
      const v = v128.load(membrane + at + <usize>step * stepBytes);
      const gs = f32x4.add(v128.load(gradient + at + <usize>step * stepBytes), penalties);
      const kept = f32x4.mul(carried, decays);
      const left = softReset == 0 ? v128.andnot(kept, f32x4.gt(v, thresholds)) : kept;
      carried = f32x4.add(f32x4.mul(gs, surrogate(kind, f32x4.sub(v, thresholds), width)), left);
      const to = target + at + <usize>step * targetStepBytes;
      v128.store(to, f32x4.add(v128.load(to), carried));
    }
  }
}

/** SiLU in place of spikes, and its membranes: `s = v * sigmoid(v)`, `v = decay * s * (1 - s) + x` with the s of the step before. */
export function integrateSilu(source: usize, sourceStepBytes: usize, values: i32, steps: i32, decay: f32, membrane: usize, emitted: usize): void {
  const stepBytes = <usize>values << 2;
  for (let at: usize = 0; at < stepBytes; at += 4) {
    let s: f32 = 0;
    for (let step = 0; step < steps; step++) {
      const v = decay * s * (1 - s) + load<f32>(source + at + <usize>step * sourceStepBytes);
      s = <f32>(<f64>v / (1 + Math.exp(-<f64>v)));
      store<f32>(membrane + at + <usize>step * stepBytes, v);
      store<f32>(emitted + at + <usize>step * stepBytes, s);
    }
  }
}

/** Backwards through it. The reset's `1 - s` carries no gradient, and what is carried on is the emitted value. */
export function addSiluGradient(
  membrane: usize, emitted: usize, gradient: usize, values: i32, steps: i32, decay: f32, target: usize, targetStepBytes: usize,
): void {
  const stepBytes = <usize>values << 2;
  for (let at: usize = 0; at < stepBytes; at += 4) {
    let carried: f32 = 0;
    for (let step = steps - 1; step >= 0; step--) {
      const offset = at + <usize>step * stepBytes;
      const v = <f64>load<f32>(membrane + offset);
      const s = load<f32>(emitted + offset);
      const sigmoid = 1 / (1 + Math.exp(-v));
      const gs = load<f32>(gradient + offset) + decay * (1 - s) * carried;
      carried = gs * <f32>(sigmoid * (1 + v * (1 - sigmoid)));
      add1(target + at + <usize>step * targetStepBytes, carried);
    }
  }
}

export function relu(source: usize, values: i32, target: usize): void {
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) v128.store(target + at, f32x4.pmax(v128.load(source + at), zero));
}

/** Adds the gradient where the rectified value was above 0. */
export function addReluGradient(emitted: usize, gradient: usize, values: i32, target: usize): void {
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) {
    const passed = v128.and(v128.load(gradient + at), f32x4.gt(v128.load(emitted + at), zero));
    v128.store(target + at, f32x4.add(v128.load(target + at), passed));
  }
}

// Batch norm. `places` are all pixels of all frames, a pixel has `bytes`; per-channel arrays are float32, sums float64.

/** Pixels whose float32 sums are added up before they go into the float64 ones. */
const partialPlaces = 64;

/**
 * Adds the distances from `origin`, by channel, and their squares to `sums` and `squares`. An origin within the values keeps the variance exact
 * that follows from them, however far from 0 the values lie.
 */
export function sumChannels(source: usize, places: i32, bytes: usize, origin: usize, sums: usize, squares: usize): void {
  for (let first = 0; first < places; first += partialPlaces) {
    const start = source + <usize>first * bytes;
    const end = source + <usize>min(places, first + partialPlaces) * bytes;
    for (let channel: usize = 0; channel < bytes; channel += 16) {
      const from = v128.load(origin + channel);
      let sum = f32x4.splat(0);
      let square = f32x4.splat(0);
      for (let at = start + channel; at < end; at += bytes) {
        const x = f32x4.sub(v128.load(at), from);
        sum = f32x4.add(sum, x);
        square = f32x4.add(square, f32x4.mul(x, x));
      }
      addLanes(sums + (channel << 1), sum);
      addLanes(squares + (channel << 1), square);
    }
  }
}

// @ts-ignore: decorator
@inline
function addLanes(to: usize, lanes: v128): void {
  v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(lanes)));
  const high = v128.shuffle<i64>(lanes, lanes, 1, 1);
  v128.store(to, f64x2.add(v128.load(to, 16), f64x2.promote_low_f32x4(high)), 16);
}

/** `scale * x + shift` by channel. */
export function affine(source: usize, places: i32, bytes: usize, scale: usize, shift: usize, target: usize): void {
  for (let place = 0; place < places; place++) {
    for (let channel: usize = 0; channel < bytes; channel += 16) {
      v128.store(target + channel, f32x4.add(f32x4.mul(v128.load(source + channel), v128.load(scale + channel)), v128.load(shift + channel)));
    }
    source += bytes;
    target += bytes;
  }
}

/** Adds, by channel, the sums of the gradient and of the gradient times the normalised input `(x - mean) * inverse`. */
export function sumNormGradients(
  gradient: usize, source: usize, places: i32, bytes: usize, mean: usize, inverse: usize, sums: usize, products: usize,
): void {
  for (let first = 0; first < places; first += partialPlaces) {
    const start = <usize>first * bytes;
    const end = <usize>min(places, first + partialPlaces) * bytes;
    for (let channel: usize = 0; channel < bytes; channel += 16) {
      const means = v128.load(mean + channel);
      let sum = f32x4.splat(0);
      let product = f32x4.splat(0);
      for (let at = start + channel; at < end; at += bytes) {
        const g = v128.load(gradient + at);
        sum = f32x4.add(sum, g);
        product = f32x4.add(product, f32x4.mul(g, f32x4.sub(v128.load(source + at), means)));
      }
      addLanes(sums + (channel << 1), sum);
      addLanes(products + (channel << 1), f32x4.mul(product, v128.load(inverse + channel)));
    }
  }
}

/** `factor * g - (x - mean) * slope - offset` by channel, in place of the gradient. */
export function normGradient(
  gradient: usize, source: usize, places: i32, bytes: usize, mean: usize, factor: usize, slope: usize, offset: usize,
): void {
  for (let place = 0; place < places; place++) {
    for (let channel: usize = 0; channel < bytes; channel += 16) {
      const centred = f32x4.sub(v128.load(source + channel), v128.load(mean + channel));
      const scaled = f32x4.mul(v128.load(gradient + channel), v128.load(factor + channel));
      const rest = f32x4.add(f32x4.mul(centred, v128.load(slope + channel)), v128.load(offset + channel));
      v128.store(gradient + channel, f32x4.sub(scaled, rest));
    }
    source += bytes;
    gradient += bytes;
  }
}

// The rest

/** `target = factor * source` over `pixels` of `bytes`, within wider pixels on either side. */
export function copyScaled(
  source: usize, sourceBytes: usize, pixels: i32, bytes: usize, factor: f32, target: usize, targetBytes: usize,
): void {
  const factors = f32x4.splat(factor);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let at: usize = 0; at < bytes; at += 16) v128.store(target + at, f32x4.mul(v128.load(source + at), factors));
    source += sourceBytes;
    target += targetBytes;
  }
}

/** `target += factor * source`, likewise. */
export function addScaled(
  source: usize, sourceBytes: usize, pixels: i32, bytes: usize, factor: f32, target: usize, targetBytes: usize,
): void {
  const factors = f32x4.splat(factor);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(target + at, f32x4.add(v128.load(target + at), f32x4.mul(v128.load(source + at), factors)));
    }
    source += sourceBytes;
    target += targetBytes;
  }
}

/** Windows of `size` without overlap; a rest at the right and below is dropped. */
export function maxPool(source: usize, frames: i32, height: i32, width: i32, size: i32, bytes: usize, target: usize): void {
  const high = height / size;
  const wide = width / size;
  for (let frame = 0; frame < frames; frame++) {
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < wide; x++, target += bytes) {
        const from = source + <usize>((frame * height + y * size) * width + x * size) * bytes;
        for (let at: usize = 0; at < bytes; at += 16) {
          let largest = v128.load(from + at);
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) {
              largest = f32x4.pmax(largest, v128.load(from + at + <usize>(dy * width + dx) * bytes));
            }
          }
          v128.store(target + at, largest);
        }
      }
    }
  }
}

/** The gradient goes to the first of the largest values of a window, as PyTorch's does. */
export function addMaxPoolGradient(source: usize, gradient: usize, frames: i32, height: i32, width: i32, size: i32, bytes: usize, target: usize): void {
  const high = height / size;
  const wide = width / size;
  for (let frame = 0; frame < frames; frame++) {
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < wide; x++, gradient += bytes) {
        const corner = <usize>((frame * height + y * size) * width + x * size) * bytes;
        for (let at: usize = 0; at < bytes; at += 16) {
          const first = source + corner + at;
          let largest = v128.load(first);
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) largest = f32x4.pmax(largest, v128.load(first + <usize>(dy * width + dx) * bytes));
          }
          let open = v128.load(gradient + at);
          for (let dy = 0; dy < size; dy++) {
            for (let dx = 0; dx < size; dx++) {
              const offset = <usize>(dy * width + dx) * bytes;
              const here = f32x4.eq(v128.load(first + offset), largest);
              const to = target + corner + at + offset;
              v128.store(to, f32x4.add(v128.load(to), v128.and(open, here)));
              open = v128.andnot(open, here);
            }
          }
        }
      }
    }
  }
}

/** Nearest neighbour, twice as high and wide. */
export function upsample(source: usize, frames: i32, height: i32, width: i32, bytes: usize, target: usize): void {
  for (let row = 0; row < frames * height * 2; row++) {
    for (let x = 0; x < width * 2; x++, target += bytes) {
      memory.copy(target, source + <usize>((row >> 1) * width + (x >> 1)) * bytes, bytes);
    }
  }
}

/** `height` and `width` are the smaller ones, those of the target. */
export function addUpsampleGradient(gradient: usize, frames: i32, height: i32, width: i32, bytes: usize, target: usize): void {
  for (let row = 0; row < frames * height * 2; row++) {
    for (let x = 0; x < width * 2; x++, gradient += bytes) {
      const to = target + <usize>((row >> 1) * width + (x >> 1)) * bytes;
      for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(gradient + at)));
    }
  }
}
