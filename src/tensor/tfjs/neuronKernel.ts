import * as tf from '@tensorflow/tfjs';
import type { NeuronParameters } from '../operations';

/**
 * The LIF neuron over all steps as one tfjs kernel, `LeakyIntegrate`, registered once for each tfjs backend:
 * on WebGPU one dispatch of our own WGSL (lifProgram.ts), on WASM and CPU one loop over the heap, on WebGL (which has
 * no loop over steps in tfjs's public interface) composed of tfjs operations.
 */

/** What the kernel returns for each neuron and step. */
export type Emission = 'spikes' | 'membrane' | 'silu';

export interface LeakyIntegrateAttributes extends NeuronParameters {
  steps: number;
  emission: Emission;
}

export const leakyIntegrateKernel = 'LeakyIntegrate';

/** Runs the registered kernel: `[1 or steps, H, W, C]` to `[steps, H, W, C]`. */
export function leakyIntegrate(input: tf.Tensor4D, attributes: LeakyIntegrateAttributes): tf.Tensor4D {
  return tf.engine().runKernel(leakyIntegrateKernel, { input }, { ...attributes }) as tf.Tensor4D;
}

/** The attributes that {@link leakyIntegrate} passed; tfjs hands them on untyped. */
export function attributesOf(attributes: tf.NamedAttrMap | undefined): LeakyIntegrateAttributes {
  return attributes as unknown as LeakyIntegrateAttributes;
}

/**
 * The loop itself, one pass over the input: per neuron and step one read, one write and at most two multiply-adds.
 * @param source `[sourceSteps, neurons]`, sourceSteps 1 (the same current at every step) or `steps`
 * @param target `[steps, neurons]`
 */
export function leakyIntegrateInto(
  source: Float32Array,
  sourceSteps: number,
  target: Float32Array,
  { decay, threshold, reset, steps, emission }: LeakyIntegrateAttributes,
): void {
  const drop = Math.fround(threshold);
  const neurons = source.length / sourceSteps;
  const sourceStride = sourceSteps === 1 ? 0 : neurons;
  for (let n = 0; n < neurons; n++) {
    let carried = 0;
    for (let t = 0; t < steps; t++) {
      const v = Math.fround(carried + (source[t * sourceStride + n] ?? 0));
      if (emission === 'silu') {
        const value = v / (1 + Math.exp(-v));
        target[t * neurons + n] = value;
        carried = Math.fround(decay * value * (1 - value));
      } else {
        const fired = v > threshold;
        target[t * neurons + n] = emission === 'membrane' ? v : fired ? 1 : 0;
        carried = Math.fround(decay * (fired ? (reset === 'soft' ? Math.fround(v - drop) : 0) : v));
      }
    }
  }
}

/** The same neuron composed of tfjs operations, for backends that take no kernel of ours. */
export function composedLeakyIntegrate(
  input: tf.Tensor4D,
  { decay, threshold, reset, steps, emission }: LeakyIntegrateAttributes,
): tf.Tensor4D {
  return tf.tidy(() => {
    const currents = input.shape[0] === 1 ? undefined : (tf.unstack(input) as tf.Tensor3D[]);
    const emitted: tf.Tensor[] = [];
    let carried: tf.Tensor3D | undefined;
    for (let t = 0; t < steps; t++) {
      const current = currents?.[t] ?? input.reshape<tf.Tensor3D>([input.shape[1], input.shape[2], input.shape[3]]);
      const v: tf.Tensor3D = carried ? carried.add(current) : current;
      const s = emission === 'silu' ? v.mul<tf.Tensor3D>(v.sigmoid()) : v.greater(threshold).cast<tf.Tensor3D>('float32');
      emitted.push(emission === 'membrane' ? v : s);
      carried =
        reset === 'soft' && emission !== 'silu'
          ? v.sub<tf.Tensor3D>(s.mul(threshold)).mul(decay)
          : (emission === 'silu' ? s : v).mul<tf.Tensor3D>(decay).mul(tf.sub(1, s));
    }
    return tf.stack(emitted) as tf.Tensor4D;
  });
}
