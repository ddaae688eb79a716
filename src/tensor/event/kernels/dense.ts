/** Sums of training in which nothing is left out: real-valued inputs, and gradients of inputs most of which let them pass. */
import { blockOf } from './blocks';
import { tabulateInputs, tabulateOutputs, tableBytesOf, taps, writeTaps } from './taps';

/** `[taps, inputs, outputs]` with whole rows of `outputBytes` to blocks of input channels, each `[taps, outputs, block]`; 0 beyond the channels. */
export function packTransposed(source: usize, kernelTaps: i32, inputs: i32, outputs: i32, outputBytes: usize, target: usize): void {
  const stored = (inputs + 3) & ~3;
  for (let first = 0; first < stored; ) {
    const block = blockOf(stored - first);
    for (let tap = 0; tap < kernelTaps; tap++) {
      for (let output = 0; output < outputs; output++) {
        for (let input = first; input < first + block; input++, target += 4) {
          const from = source + <usize>(tap * inputs + input) * outputBytes + (<usize>output << 2);
          store<f32>(target, input < inputs ? load<f32>(from) : 0);
        }
      }
    }
    first += block;
  }
}

// For every value of a pixel's taps a row of weights, times the value. Exported so that each keeps the registers for itself.

export function dense16(tapsEnd: usize, valueBytes: usize, initial: usize, target: usize): void {
  let a0 = v128.load(initial);
  let a1 = v128.load(initial, 16);
  let a2 = v128.load(initial, 32);
  let a3 = v128.load(initial, 48);
  for (let tap = taps; tap < tapsEnd; tap += 8) {
    let at: usize = load<u32>(tap);
    let row: usize = load<u32>(tap, 4);
    const end = at + valueBytes;
    for (; at + 8 <= end; at += 8, row += 128) {
      const value = v128.load32_splat(at);
      a0 = f32x4.add(a0, f32x4.mul(value, v128.load(row)));
      a1 = f32x4.add(a1, f32x4.mul(value, v128.load(row, 16)));
      a2 = f32x4.add(a2, f32x4.mul(value, v128.load(row, 32)));
      a3 = f32x4.add(a3, f32x4.mul(value, v128.load(row, 48)));
      const next = v128.load32_splat(at, 4);
      a0 = f32x4.add(a0, f32x4.mul(next, v128.load(row, 64)));
      a1 = f32x4.add(a1, f32x4.mul(next, v128.load(row, 80)));
      a2 = f32x4.add(a2, f32x4.mul(next, v128.load(row, 96)));
      a3 = f32x4.add(a3, f32x4.mul(next, v128.load(row, 112)));
    }
    if (at < end) {
      const value = v128.load32_splat(at);
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

export function dense4(tapsEnd: usize, valueBytes: usize, initial: usize, target: usize): void {
  let a0 = v128.load(initial);
  for (let tap = taps; tap < tapsEnd; tap += 8) {
    let at: usize = load<u32>(tap);
    let row: usize = load<u32>(tap, 4);
    const end = at + valueBytes;
    for (; at + 8 <= end; at += 8, row += 32) {
      const value = v128.load32_splat(at);
      a0 = f32x4.add(a0, f32x4.mul(value, v128.load(row)));
      const next = v128.load32_splat(at, 4);
      a0 = f32x4.add(a0, f32x4.mul(next, v128.load(row, 16)));
    }
    if (at < end) {
      const value = v128.load32_splat(at);
      a0 = f32x4.add(a0, f32x4.mul(value, v128.load(row)));
    }
  }
  v128.store(target, a0);
}

/**
 * A convolution forwards, or the gradient of its input: for every target pixel the values of its taps times their rows of weights. Cost per
 * value, tap and 16 target channels: 5 vector loads, 4 multiplications and additions.
 * @param source `[frames, sourceHeight, sourceWidth]` pixels of `sourceBytes`, of which the first `values` floats are meant
 * @param backwards 0: the source is a convolution's input; 1: the gradient of its output
 * @param weights from `packBlocks` forwards, from `packTransposed` backwards
 * @param initial what every sum starts with; 0: what is in the target
 * @param tables scratch, 1 + 2 kernel `u32` for each row and column of the target
 */
export function sumDense(
  source: usize, frames: i32, sourceHeight: i32, sourceWidth: i32, sourceBytes: usize, values: i32,
  kernel: i32, stride: i32, padding: i32, backwards: i32,
  weights: usize, initial: usize, target: usize, height: i32, width: i32, channels: i32, tables: usize,
): void {
  const tableBytes = tableBytesOf(kernel);
  const columnTables = tables + <usize>height * tableBytes;
  const targetBytes = <usize>channels << 2;
  const valueBytes = <usize>values << 2;
  for (let first = 0; first < channels; ) {
    const block = blockOf(channels - first);
    const tapBytes = valueBytes * <usize>block;
    const rowStep = <usize>sourceWidth * sourceBytes;
    if (backwards != 0) {
      tabulateInputs(height, sourceHeight, kernel, stride, padding, rowStep, <usize>kernel * tapBytes, tables);
      tabulateInputs(width, sourceWidth, kernel, stride, padding, sourceBytes, tapBytes, columnTables);
    } else {
      tabulateOutputs(height, sourceHeight, kernel, stride, padding, rowStep, <usize>kernel * tapBytes, tables);
      tabulateOutputs(width, sourceWidth, kernel, stride, padding, sourceBytes, tapBytes, columnTables);
    }
    let to = target + (<usize>first << 2);
    for (let frame = 0; frame < frames; frame++) {
      const frameSource = source + <usize>(frame * sourceHeight * sourceWidth) * sourceBytes;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, to += targetBytes) {
          const end = writeTaps(frameSource, weights, tables + <usize>y * tableBytes, columnTables + <usize>x * tableBytes);
          const from = initial == 0 ? to : initial + (<usize>first << 2);
          if (block == 16) dense16(end, valueBytes, from, to);
          else dense4(end, valueBytes, from, to);
        }
      }
    }
    weights += <usize>(kernel * kernel) * tapBytes;
    first += block;
  }
}
