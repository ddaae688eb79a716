import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Surrogate } from '../../base/surrogate';
import type { ConvolutionGeometry, NeuronParameters } from '../operations';
import { NeuronGradientProgram, SumRowsProgram, WeightGradientProgram, weightGradientParts } from './trainingPrograms';

/**
 * What training needs and tfjs has not, or not fast: on WebGPU our own programs (trainingPrograms.ts), on other backends composed of
 * tfjs operations.
 */

export interface NeuronGradientAttributes extends NeuronParameters, Surrogate {
  neuron: 'lif' | 'silu';
  penalty: number;
}

export type WeightGradientAttributes = ConvolutionGeometry;

type Uniforms = Parameters<WebGPUBackend['runWebGPUProgram']>[3];
type Program = Parameters<WebGPUBackend['runWebGPUProgram']>[0];

function onWebgpu(): boolean {
  return tf.getBackend() === 'webgpu';
}

function runProgram(program: Program, inputs: tf.Tensor[], uniforms: Uniforms): tf.Tensor {
  const { dataId, shape, dtype } = (tf.backend() as WebGPUBackend).runWebGPUProgram(program, inputs, 'float32', uniforms);
  return tf.engine().makeTensorFromDataId(dataId, shape, dtype);
}

function whole(...data: number[]) {
  return data.map((value) => ({ type: 'int32', data: [value] }));
}

function real(...data: number[]) {
  return data.map((value) => ({ type: 'float32', data: [value] }));
}

/**
 * Backwards through the neuron, as `TrainingOperations.addFireGradient` defines it.
 * @param membrane `[steps, neurons]`
 * @param gradient of what was emitted, the same
 * @returns gradient of the current, the same
 */
export function neuronGradient(membrane: tf.Tensor2D, gradient: tf.Tensor2D, attributes: NeuronGradientAttributes): tf.Tensor2D {
  if (!onWebgpu()) return composedNeuronGradient(membrane, gradient, attributes);
  const [steps, neurons] = membrane.shape;
  const { decay, threshold, penalty, parameter } = attributes;
  return runProgram(new NeuronGradientProgram([steps, neurons], attributes), [membrane, gradient], [
    ...whole(neurons, steps), ...real(decay, threshold, penalty, parameter),
  ]) as tf.Tensor2D;
}

function composedNeuronGradient(membrane: tf.Tensor2D, gradient: tf.Tensor2D, attributes: NeuronGradientAttributes): tf.Tensor2D {
  const { neuron, decay, threshold, reset, penalty } = attributes;
  return tf.tidy(() => {
    const membranes = tf.unstack(membrane);
    const gradients = tf.unstack(gradient);
    const currents: tf.Tensor[] = [];
    let carried: tf.Tensor | undefined;
    for (let t = membranes.length - 1; t >= 0; t--) {
      const [v, above] = [membranes[t], gradients[t]];
      if (!v || !above) break;
      if (neuron === 'silu') {
        const sigmoid = v.sigmoid();
        const emitted = v.mul(sigmoid);
        const all: tf.Tensor = carried ? above.add(carried.mul(decay).mul(tf.sub(1, emitted))) : above;
        carried = all.mul(sigmoid.add(emitted.mul(tf.sub(1, sigmoid))));
      } else {
        const passed = above.add(penalty).mul(surrogateOf(v.sub(threshold), attributes));
        const kept: tf.Tensor | undefined = reset === 'soft' ? carried : carried?.mul(v.lessEqual(threshold));
        carried = kept ? passed.add(kept.mul(decay)) : passed;
      }
      currents.unshift(carried);
    }
    return tf.stack(currents) as tf.Tensor2D;
  });
}

function surrogateOf(u: tf.Tensor, { shape, parameter }: Surrogate): tf.Tensor {
  switch (shape) {
    case 'rectangular':
      return u.abs().less(parameter).cast('float32').mul(1 / (2 * parameter));
    case 'arctangent':
      return tf.div(parameter / 2, u.mul((Math.PI / 2) * parameter).square().add(1));
    case 'sigmoid':
      return u.mul(parameter).sigmoid().mul(u.mul(-parameter).sigmoid()).mul(parameter);
    case 'triangle':
      return tf.sub(1, u.abs().div(parameter)).relu().div(parameter);
  }
}

/** A convolution's padding side by side: given as one number, tfjs takes every kernel for a square. */
export function zerosAround(padding: number): [[number, number], [number, number], [number, number], [number, number]] {
  return [[0, 0], [padding, padding], [padding, padding], [0, 0]];
}

/** The sums over the first axis. */
export function sumOverFirst(x: tf.Tensor): tf.Tensor {
  const [rows = 1, ...sides] = x.shape;
  if (rows === 1) return x.reshape(sides);
  if (!onWebgpu()) return x.sum(0);
  return tf.tidy(() => {
    const columns = tf.util.sizeFromShape(sides);
    return runProgram(new SumRowsProgram(columns), [x], whole(rows, columns)).reshape(sides);
  });
}

/**
 * The gradient of a convolution's weights.
 * @param input `[frames, height, width, in]`
 * @param gradient of the output, `[frames, height, width, out]`
 * @returns `[kernel, kernel, in, out]`
 */
export function weightGradient(input: tf.Tensor4D, gradient: tf.Tensor4D, geometry: WeightGradientAttributes): tf.Tensor4D {
  return tf.tidy(() => {
    const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
    if (onWebgpu()) {
      const [frames, height, width] = gradient.shape;
      const places = frames * height * width;
      const parts = weightGradientParts(geometry, places);
      const uniforms = whole(
        kernel, stride, padding, input.shape[1], input.shape[2], inputChannels, height, width, outputChannels,
        places, WeightGradientProgram.chunks(places, parts),
      );
      const sums = runProgram(new WeightGradientProgram(parts, geometry), [input, gradient], uniforms);
      return sumOverFirst(sums).reshape([kernel, kernel, inputChannels, outputChannels]);
    }
    // A convolution whose pictures are the input channels, whose kernel is the gradient, and whose stride is its dilation.
    const [pictures, kernels] = [input.transpose<tf.Tensor4D>([3, 1, 2, 0]), gradient.transpose<tf.Tensor4D>([1, 2, 0, 3])];
    const sums = tf.conv2d(pictures, kernels, 1, zerosAround(padding), 'NHWC', stride, 'floor');
    return sums.slice([0, 0, 0, 0], [-1, kernel, kernel, -1]).transpose<tf.Tensor4D>([1, 2, 0, 3]);
  });
}
