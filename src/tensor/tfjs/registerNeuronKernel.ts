import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import {
  composedIntegrateAndFire,
  integrateAndFireInto,
  integrateAndFireKernel,
  type IntegrateAndFireAttributes,
} from './integrateKernel';
import { LifProgram } from './lifProgram';
import {
  attributesOf,
  composedLeakyIntegrate,
  leakyIntegrateInto,
  leakyIntegrateKernel,
  type LeakyIntegrateAttributes,
} from './neuronKernel';

function inputOf(inputs: tf.NamedTensorInfoMap, name = 'input'): tf.TensorInfo {
  const input = inputs[name];
  if (!input) throw new TypeError(`A neuron's kernel was called without its ${name}.`);
  return input;
}

function outputShape(input: tf.TensorInfo, { steps }: LeakyIntegrateAttributes): number[] {
  return [steps, ...input.shape.slice(1)];
}

/** The attributes that `integrateAndFire` passed; tfjs hands them on untyped. */
function integrateAttributesOf(attributes: tf.NamedAttrMap | undefined): IntegrateAndFireAttributes {
  return attributes as unknown as IntegrateAndFireAttributes;
}

function integrateOutputShape(before: tf.TensorInfo, { steps, emission }: IntegrateAndFireAttributes): number[] {
  return [emission === 'spikes' ? steps : 1, ...before.shape.slice(1)];
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
  registerComposedIntegrate('webgpu');
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
  tf.registerKernel({
    kernelName: integrateAndFireKernel,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const wasm = backend as BackendWasm;
      const input = inputOf(inputs);
      const attributes = integrateAttributesOf(attrs);
      const output = wasm.makeOutput(integrateOutputShape(inputOf(inputs, 'before'), attributes), 'float32');
      const [source, before, thresholds, target] = [input, inputOf(inputs, 'before'), inputOf(inputs, 'thresholds'), output].map(
        (tensor) => wasm.typedArrayFromHeap(tensor) as Float32Array,
      );
      if (source && before && thresholds && target) {
        integrateAndFireInto(source, input.shape[0] ?? 1, before, thresholds, target, attributes);
      }
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
  registerComposedIntegrate('webgl');
}

/** Of tfjs's own operations. */
function registerComposedIntegrate(backendName: string): void {
  tf.registerKernel({
    kernelName: integrateAndFireKernel,
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const tensor = (name: string): tf.Tensor => {
        const { dataId, shape, dtype } = inputOf(inputs, name);
        return tf.engine().makeTensorFromDataId(dataId, shape, dtype);
      };
      return composedIntegrateAndFire(
        { input: tensor('input') as tf.Tensor4D, before: tensor('before') as tf.Tensor4D, thresholds: tensor('thresholds') as tf.Tensor1D },
        integrateAttributesOf(attrs),
      );
    },
  });
}
