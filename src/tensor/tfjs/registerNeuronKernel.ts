import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { LifProgram } from './lifProgram';
import {
  attributesOf,
  composedLeakyIntegrate,
  leakyIntegrateInto,
  leakyIntegrateKernel,
  type LeakyIntegrateAttributes,
} from './neuronKernel';

function inputOf(inputs: tf.NamedTensorInfoMap): tf.TensorInfo {
  const input = inputs['input'];
  if (!input) throw new TypeError(`${leakyIntegrateKernel} was called without its input.`);
  return input;
}

function outputShape(input: tf.TensorInfo, { steps }: LeakyIntegrateAttributes): number[] {
  return [steps, ...input.shape.slice(1)];
}

function alreadyRegistered(backendName: string): boolean {
  return tf.getKernel(leakyIntegrateKernel, backendName) !== undefined;
}

export function registerOnWebgpu(): void {
  if (alreadyRegistered('webgpu')) return;
  tf.registerKernel({
    kernelName: leakyIntegrateKernel,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const input = inputOf(inputs);
      const attributes = attributesOf(attrs);
      const shape = outputShape(input, attributes);
      const neurons = tf.util.sizeFromShape(shape.slice(1));
      return (backend as WebGPUBackend).runWebGPUProgram(
        new LifProgram(shape, attributes.emission, attributes.reset ?? 'hard'),
        [input],
        'float32',
        [
          { type: 'int32', data: [neurons] },
          { type: 'int32', data: [input.shape[0] === 1 ? 0 : neurons] },
          { type: 'int32', data: [attributes.steps] },
          { type: 'float32', data: [attributes.decay] },
          { type: 'float32', data: [attributes.threshold] },
        ],
      );
    },
  });
}

export function registerOnWasm(): void {
  if (alreadyRegistered('wasm')) return;
  tf.registerKernel({
    kernelName: leakyIntegrateKernel,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const input = inputOf(inputs);
      const attributes = attributesOf(attrs);
      const wasm = backend as BackendWasm;
      // The output comes first: making it may grow the heap, which would detach a view made before.
      const output = wasm.makeOutput(outputShape(input, attributes), 'float32');
      leakyIntegrateInto(
        wasm.typedArrayFromHeap(input) as Float32Array,
        input.shape[0] ?? 1,
        wasm.typedArrayFromHeap(output) as Float32Array,
        attributes,
      );
      return output;
    },
  });
}

export function registerOnWebgl(): void {
  if (alreadyRegistered('webgl')) return;
  tf.registerKernel({
    kernelName: leakyIntegrateKernel,
    backendName: 'webgl',
    kernelFunc: ({ inputs, attrs }) => {
      const { dataId, shape, dtype } = inputOf(inputs);
      const input = tf.engine().makeTensorFromDataId(dataId, shape, dtype) as tf.Tensor4D;
      return composedLeakyIntegrate(input, attributesOf(attrs));
    },
  });
}
