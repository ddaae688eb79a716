/** What a spike with soft reset leaves of membranes; others stay as they are. */
// @ts-ignore: decorator
@inline
function lessThreshold(v: v128, fired: v128, thresholds: v128): v128 {
  return f32x4.sub(v, v128.and(fired, thresholds));
}

/**
 * The LIF neuron over all steps for 16 neurons next to each other, membranes in registers. Sets one bit for each neuron and step.
 * Cost: 4 T vector reads (4 for a still input), T mask writes, and for each vector and step one multiplication and two additions.
 * @param x current of the first step; `stepBytes` 0 where it is the same at every step. Read 16 values wide
 * @param mask `u16` of the first step
 * @param real the bits of neurons that exist
 */
export function fire16(
  x: usize, stepBytes: usize, steps: i32, decay: f32, threshold: f32, softReset: i32, mask: usize, maskStepBytes: usize, real: i32,
): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
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
    const fired = i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(s0, s1), i16x8.narrow_i32x4_s(s2, s3)));
    store<u16>(mask, <u16>(fired & real));
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
    mask += maskStepBytes;
  }
}

/**
 * Whether the currents of 16 neurons are at most so much at every step.
 * @param stepBytes 0 where they are the same at every step
 */
export function atMost16(x: usize, stepBytes: usize, steps: i32, most: f32): bool {
  let m0 = v128.load(x);
  let m1 = v128.load(x, 16);
  let m2 = v128.load(x, 32);
  let m3 = v128.load(x, 48);
  for (let step = stepBytes == 0 ? steps : 1; step < steps; step++) {
    x += stepBytes;
    m0 = f32x4.pmax(m0, v128.load(x));
    m1 = f32x4.pmax(m1, v128.load(x, 16));
    m2 = f32x4.pmax(m2, v128.load(x, 32));
    m3 = f32x4.pmax(m3, v128.load(x, 48));
  }
  // What is not a number either drops out, and never fires, or is kept, and is not at most anything: it hides no other neuron's current.
  return i32x4.all_true(f32x4.le(f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3)), f32x4.splat(most)));
}

/** The bits of the neurons from `channel` on that exist, of 16. */
// @ts-ignore: decorator
@inline
export function realBits(channel: i32, channels: i32): i32 {
  return channels - channel >= 16 ? 0xffff : (1 << (channels - channel)) - 1;
}

/**
 * The LIF neuron for the channels of one part of a signal.
 * @param first and last pixel, the latter not included
 * @param masks where the part's first bits go, `u16[steps][pixels][maskPixelBytes / 2]`
 */
export function leakyIntegrateAndFire(
  first: i32, last: i32, source: usize, stepBytes: usize, pixelBytes: usize, pixels: i32, steps: i32, channels: i32,
  decay: f32, threshold: f32, softReset: i32, masks: usize, maskPixelBytes: usize,
): void {
  const maskStepBytes = <usize>pixels * maskPixelBytes;
  source += <usize>first * pixelBytes;
  masks += <usize>first * maskPixelBytes;
  for (let pixel = first; pixel < last; pixel++) {
    let x = source;
    let mask = masks;
    for (let channel = 0; channel < channels; channel += 16) {
      fire16(x, stepBytes, steps, decay, threshold, softReset, mask, maskStepBytes, realBits(channel, channels));
      x += 64;
      mask += 2;
    }
    source += pixelBytes;
    masks += maskPixelBytes;
  }
}

/** What membranes are after their spikes. */
// @ts-ignore: decorator
@inline
function left(v: v128, thresholds: v128, softReset: i32): v128 {
  const fired = f32x4.gt(v, thresholds);
  return softReset == 0 ? v128.andnot(v, fired) : lessThreshold(v, fired, thresholds);
}

/** The membranes of the LIF neuron, for layers that are watched. `bytes` of a pixel is a multiple of 16. */
export function membranes(
  source: usize, stepBytes: usize, pixelBytes: usize, pixels: i32, steps: i32, bytes: usize,
  decay: f32, threshold: f32, softReset: i32, target: usize, targetPixelBytes: usize,
): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
  const targetStepBytes = <usize>pixels * targetPixelBytes;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let at: usize = 0; at < bytes; at += 16) {
      let x = source + at;
      let to = target + at;
      let v = f32x4.splat(0);
      for (let step = 0; step < steps; step++) {
        v = f32x4.add(v, v128.load(x));
        v128.store(to, v);
        v = f32x4.mul(left(v, thresholds, softReset), decays);
        x += stepBytes;
        to += targetStepBytes;
      }
    }
    source += pixelBytes;
    target += targetPixelBytes;
  }
}

/** What is left of membranes after their last step: `decay * v * (1 - s)`, or `decay * (v - threshold * s)` with soft reset. */
export function carryOver(membranes: usize, values: i32, decay: f32, threshold: f32, softReset: i32, target: usize): void {
  const decays = f32x4.splat(decay);
  const thresholds = f32x4.splat(threshold);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) {
    v128.store(target + at, f32x4.mul(left(v128.load(membranes + at), thresholds, softReset), decays));
  }
}

/**
 * The integrate-and-fire neuron with reset by subtraction over all steps, for the channels of one part of a signal. Cost per neuron: T
 * reads (one for a still input) and T additions, and per spike a subtraction.
 * @param stepBytes 0 where the source is the same at every step
 * @param thresholds of the part's channels, readable up to a multiple of 16
 * @param burst how often a neuron may fire at one step
 * @param membrane `[pixels, membranePixelBytes]` of the part: read before the first step and written after the last
 * @param masks where the part's first bits go, `u16[burst][steps][pixels][maskPixelBytes / 2]`: a neuron that fires n times has the bits of
 * the first n
 */
export function integrateAndFire(
  source: usize, stepBytes: usize, pixelBytes: usize, pixels: i32, steps: i32, channels: i32,
  thresholds: usize, burst: i32, membrane: usize, membranePixelBytes: usize, masks: usize, maskPixelBytes: usize,
): void {
  const maskStepBytes = <usize>pixels * maskPixelBytes;
  const burstBytes = <usize>steps * maskStepBytes;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < channels; channel += 4) {
      const offset = <usize>channel << 2;
      const threshold = v128.load(thresholds + offset);
      const real = channels - channel < 4 ? (1 << (channels - channel)) - 1 : 15;
      let x = source + offset;
      let v = v128.load(membrane + offset);
      let mask = masks + <usize>((channel >> 4) << 1);
      const shift = channel & 12;
      for (let step = 0; step < steps; step++) {
        v = f32x4.add(v, v128.load(x));
        let to = mask;
        for (let spike = 0; spike < burst; spike++) {
          const fired = f32x4.ge(v, threshold);
          const bits = (i32x4.bitmask(fired) & real) << shift;
          store<u16>(to, <u16>(shift == 0 ? bits : <i32>load<u16>(to) | bits));
          v = f32x4.sub(v, v128.and(threshold, fired));
          to += burstBytes;
        }
        x += stepBytes;
        mask += maskStepBytes;
      }
      v128.store(membrane + offset, v);
    }
    source += pixelBytes;
    membrane += membranePixelBytes;
    masks += maskPixelBytes;
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

/** What is left behind SiLU: `decay * s * (1 - s)`. */
export function carryOverSilu(emitted: usize, values: i32, decay: f32, target: usize): void {
  const decays = f32x4.splat(decay);
  const ones = f32x4.splat(1);
  for (let at: usize = 0; at < <usize>values << 2; at += 16) {
    const s = v128.load(emitted + at);
    v128.store(target + at, f32x4.mul(f32x4.mul(decays, s), f32x4.sub(ones, s)));
  }
}
