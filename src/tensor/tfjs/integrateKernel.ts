import * as tf from '@tensorflow/tfjs';

/**
 * The integrate-and-fire neuron with reset by subtraction as a tfjs kernel, `IntegrateAndFire`: on WASM one loop over the heap, on WebGL
 * and WebGPU composed of tfjs operations. A tfjs program has one output, so that it runs once for the spikes and once for what
 * is left in the membranes.
 */

export interface IntegrateAndFireAttributes {
  steps: number;
  maximumSpikes: number;
  /** Spikes of each step, or the membranes after the last one. */
  emission: 'spikes' | 'left';
}

export const integrateAndFireKernel = 'IntegrateAndFire';

export interface IntegrateAndFireInputs {
  /** `[1 or steps, H, W, C]` */
  input: tf.Tensor4D;
  /** `[1, H, W, C]` */
  before: tf.Tensor4D;
  /** `[C]` */
  thresholds: tf.Tensor1D;
}

/** Runs the registered kernel, to `[steps, H, W, C]` for spikes and `[1, H, W, C]` for membranes. */
export function integrateAndFire({ input, before, thresholds }: IntegrateAndFireInputs, attributes: IntegrateAndFireAttributes): tf.Tensor4D {
  return tf.engine().runKernel(integrateAndFireKernel, { input, before, thresholds }, { ...attributes }) as tf.Tensor4D;
}

/**
 * The loop itself.
 * @param source `[sourceSteps, neurons]`, sourceSteps 1 (the same current at every step) or `steps`
 * @param target `[steps, neurons]` for spikes, `[neurons]` for membranes
 */
export function integrateAndFireInto(
  source: Float32Array,
  sourceSteps: number,
  before: Float32Array,
  thresholds: Float32Array,
  target: Float32Array,
  { steps, maximumSpikes, emission }: IntegrateAndFireAttributes,
): void {
  const neurons = before.length;
  const channels = thresholds.length;
  const sourceStride = sourceSteps === 1 ? 0 : neurons;
  for (let n = 0; n < neurons; n++) {
    const threshold = thresholds[n % channels] ?? NaN;
    let v = before[n] ?? 0;
    for (let t = 0; t < steps; t++) {
      v = Math.fround(v + (source[t * sourceStride + n] ?? 0));
      let count = 0;
      for (; count < maximumSpikes && v >= threshold; count++) v = Math.fround(v - threshold);
      if (emission === 'spikes') target[t * neurons + n] = count;
    }
    if (emission === 'left') target[n] = v;
  }
}

/** The same neuron composed of tfjs operations, for backends that take no kernel of ours. */
export function composedIntegrateAndFire(
  { input, before, thresholds }: IntegrateAndFireInputs,
  { steps, maximumSpikes, emission }: IntegrateAndFireAttributes,
): tf.Tensor4D {
  return tf.tidy(() => {
    const still = input.shape[0] === 1;
    const counts: tf.Tensor4D[] = [];
    let v = before;
    for (let t = 0; t < steps; t++) {
      v = v.add(still ? input : input.slice([t, 0, 0, 0], [1, -1, -1, -1]));
      let count: tf.Tensor4D | undefined;
      for (let spike = 0; spike < maximumSpikes; spike++) {
        const fired = v.greaterEqual(thresholds).cast<tf.Tensor4D>('float32');
        v = v.sub(fired.mul(thresholds));
        count = count ? count.add(fired) : fired;
      }
      if (count) counts.push(count);
    }
    // A copy: with no steps to run, `before` would be the caller's own.
    return emission === 'spikes' ? tf.concat(counts, 0) : v.clone();
  });
}
