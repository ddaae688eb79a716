import { leakyIntegrateAndFire } from './neurons';
import { places, placesAtATime } from './scratch';

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
 * A convolution of real values without padding, alone or with the LIF neuron behind it: 4 pixels by 8 output channels stay in registers. Cost
 * per kernel row element: 2 vector loads of weights, 4 splats of inputs, 8 multiplications and 8 additions for 32 multiply-adds.
 * @param weights blocks of 8 output channels, each `[kernel rows, run, 8]`
 * @param run number of values that a kernel row covers, next to each other in memory
 * @param channels of the output
 * @param steps that the source has
 * @param first and last pixel of the output, the latter not included
 * @param fused not 0 where a multiplication may be fused with its addition, which the program for relaxed SIMD does; else sums are the same on every machine
 * @param masks 0, or where the bits of the neuron go, `u16[neuronSteps][pixels][channels / 16 rounded up]`; what is written is read again while it
 * is in the nearer caches. With one step of the source it is the current of all the neuron's steps
 */
export function denseConvolution(
  first: i32, last: i32, source: usize, steps: i32, stepBytes: usize, rowBytes: usize, pixelBytes: usize,
  kernelRows: i32, run: i32, stride: i32, height: i32, width: i32,
  weights: usize, bias: usize, channels: i32, target: usize, targetPixelBytes: usize,
  fused: i32, masks: usize, neuronSteps: i32, decay: f32, threshold: f32, softReset: i32,
): void {
  const pixels = height * width;
  const targetStepBytes = <usize>pixels * targetPixelBytes;
  const maskPixelBytes = <usize>((channels + 15) >> 4) << 1;
  for (; first < last; first += placesAtATime) {
    const count = min(placesAtATime, last - first);
    for (let step = 0; step < steps; step++) {
      for (let index = 0; index < count; index++) {
        const y = (first + index) / width;
        const x = first + index - y * width;
        store<u32>(
          places + (<usize>index << 2),
          <u32>(source + <usize>step * stepBytes + <usize>(y * stride) * rowBytes + <usize>(x * stride) * pixelBytes),
        );
      }
      const to = target + <usize>step * targetStepBytes + <usize>first * targetPixelBytes;
      const outputs = (channels + 3) & ~3;
      if (ASC_FEATURE_RELAXED_SIMD && fused != 0) {
        multiplyPlaces<Fused>(count, rowBytes, kernelRows, <usize>run << 2, weights, bias, outputs, to, targetPixelBytes);
      } else {
        multiplyPlaces<Rounded>(count, rowBytes, kernelRows, <usize>run << 2, weights, bias, outputs, to, targetPixelBytes);
      }
    }
    if (masks != 0) {
      leakyIntegrateAndFire(
        first, first + count, target, steps == 1 ? 0 : targetStepBytes, targetPixelBytes, pixels, neuronSteps, channels,
        decay, threshold, softReset, masks, maskPixelBytes,
      );
    }
  }
}

/** Whether a product is rounded before it is added. As types, so that each has code of its own. */
type Rounded = i32;
type Fused = i64;

// @ts-ignore: decorator
@inline
function multiplyAdd<Rounding>(sum: v128, x: v128, w: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD && sizeof<Rounding>() == sizeof<Fused>()) return f32x4.relaxed_madd(x, w, sum);
  return f32x4.add(sum, f32x4.mul(x, w));
}

/** All output channels of the pixels whose inputs begin at `places`. @param outputs channels, rounded up to a multiple of 4 */
function multiplyPlaces<Rounding>(
  pixels: i32, rowBytes: usize, kernelRows: i32, runBytes: usize, weights: usize, bias: usize, outputs: i32, target: usize, targetPixelBytes: usize,
): void {
  for (let output = 0; output < outputs; output += 8) {
    const wide = outputs - output >= 8;
    const bias0 = v128.load(bias + (<usize>output << 2));
    const bias1 = v128.load(bias + (<usize>output << 2), 16);
    for (let index = 0; index < pixels; index += 4) {
      // At the end some pixels stand in for those that are not there.
      const lastIndex = pixels - 1;
      let p0: usize = load<u32>(places + (<usize>index << 2));
      let p1: usize = load<u32>(places + (<usize>min(index + 1, lastIndex) << 2));
      let p2: usize = load<u32>(places + (<usize>min(index + 2, lastIndex) << 2));
      let p3: usize = load<u32>(places + (<usize>min(index + 3, lastIndex) << 2));
      let a00 = bias0;
      let a01 = bias1;
      let a10 = bias0;
      let a11 = bias1;
      let a20 = bias0;
      let a21 = bias1;
      let a30 = bias0;
      let a31 = bias1;
      let w = weights;
      for (let kernelRow = 0; kernelRow < kernelRows; kernelRow++) {
        for (let offset: usize = 0; offset < runBytes; offset += 4) {
          const w0 = v128.load(w);
          const w1 = v128.load(w, 16);
          w += 32;
          const x0 = v128.load32_splat(p0 + offset);
          a00 = multiplyAdd<Rounding>(a00, x0, w0);
          a01 = multiplyAdd<Rounding>(a01, x0, w1);
          const x1 = v128.load32_splat(p1 + offset);
          a10 = multiplyAdd<Rounding>(a10, x1, w0);
          a11 = multiplyAdd<Rounding>(a11, x1, w1);
          const x2 = v128.load32_splat(p2 + offset);
          a20 = multiplyAdd<Rounding>(a20, x2, w0);
          a21 = multiplyAdd<Rounding>(a21, x2, w1);
          const x3 = v128.load32_splat(p3 + offset);
          a30 = multiplyAdd<Rounding>(a30, x3, w0);
          a31 = multiplyAdd<Rounding>(a31, x3, w1);
        }
        p0 += rowBytes;
        p1 += rowBytes;
        p2 += rowBytes;
        p3 += rowBytes;
      }
      let to = target + <usize>index * targetPixelBytes + (<usize>output << 2);
      v128.store(to, a00);
      if (wide) v128.store(to, a01, 16);
      if (index + 1 > lastIndex) continue;
      to += targetPixelBytes;
      v128.store(to, a10);
      if (wide) v128.store(to, a11, 16);
      if (index + 2 > lastIndex) continue;
      to += targetPixelBytes;
      v128.store(to, a20);
      if (wide) v128.store(to, a21, 16);
      if (index + 3 > lastIndex) continue;
      to += targetPixelBytes;
      v128.store(to, a30);
      if (wide) v128.store(to, a31, 16);
    }
    weights += <usize>kernelRows * runBytes << 3;
  }
}
