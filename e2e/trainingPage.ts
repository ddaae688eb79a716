import { defaultSurrogate, surrogateDefinitions, surrogateShapes } from '../src/base/surrogate';
import { ReferenceTraining } from '../src/tensor/referenceTraining';
import { openTraining, type TrainingBackend } from '../src/tensor/trainingBackend';
import type { TrainingOperations } from '../src/tensor/training';
import { compareWithRecorded, type Compared } from './goldenTraining';
import { askConvolution, askLayout, askNeuron, askNorm, largestDifference } from './trainingCases';

/** What training.e2e.ts runs in a page, on WebGPU; bundled there. */

export interface TrainingPage {
  golden(description: string, recorded: Blob): Promise<{ compared: Compared[]; label: string; tensorsLeft: number }>;
  /** The largest difference from the reference, by question. */
  questions(): Promise<{ differences: [string, number][]; tensorsLeft: number }>;
  /** One convolution's weight gradient, asked twice. */
  repeated(): Promise<[number[], number[]]>;
}

let opened: Promise<TrainingBackend> | undefined;

function training(): Promise<TrainingBackend> {
  opened ??= openTraining('webgpu', { kernels: () => Promise.reject(new Error('There is only WebGPU here.')) });
  return opened;
}

const page: TrainingPage = {
  async golden(description, recorded) {
    const { operations, choice, memory } = await training();
    const before = memory().tensors;
    const compared = await compareWithRecorded(description, recorded, operations);
    return { compared, label: choice.label, tensorsLeft: memory().tensors - before };
  },

  async questions() {
    const { operations, memory } = await training();
    const before = memory().tensors;
    const reference = new ReferenceTraining();
    const differences: [string, number][] = [];
    for (const [name, ask] of asked()) differences.push([name, largestDifference(await ask(operations), await ask(reference))]);
    return { differences, tensorsLeft: memory().tensors - before };
  },

  async repeated() {
    const { operations } = await training();
    const ask = async (): Promise<number[]> => {
      const [, gradient = new Float32Array()] = await askConvolution(operations, {
        shape: { steps: 1, images: 1, height: 40, width: 40, channels: 40 }, kernel: 1, stride: 1, padding: 0, outputChannels: 36, bias: false,
        neuron: 'silu', surrogate: defaultSurrogate, everywhere: false, seed: 3,
      });
      return Array.from(gradient);
    };
    return [await ask(), await ask()];
  },
};

type Ask = (operations: TrainingOperations) => Promise<Float32Array[]>;

function asked(): [string, Ask][] {
  const list: [string, Ask][] = [];
  let seed = 1;
  const shape = { steps: 3, images: 2, height: 9, width: 6, channels: 12 };
  for (const [kernel, stride, outputChannels] of [[1, 1, 40], [1, 2, 5], [3, 1, 16], [3, 2, 36], [7, 2, 8]] as const) {
    for (const neuron of ['none', 'lif'] as const) {
      const question = {
        shape, kernel, stride, padding: Math.floor(kernel / 2), outputChannels, bias: true, neuron, surrogate: defaultSurrogate, everywhere: true,
        seed: seed++,
      };
      list.push([`convolution ${kernel}/${stride} of ${neuron}`, (operations) => askConvolution(operations, question)]);
    }
  }
  // So many pixels that the weights' gradient is summed in parts, and so many channels that it has several tiles.
  const large = { steps: 1, images: 1, height: 70, width: 61, channels: 37 };
  const parts = {
    shape: large, kernel: 3, stride: 2, padding: 1, outputChannels: 33, bias: false, neuron: 'none', surrogate: defaultSurrogate, everywhere: true, seed: seed++,
  } as const;
  list.push(['convolution in parts', (operations) => askConvolution(operations, parts)]);
  for (const neuron of ['lif', 'silu', 'relu'] as const) {
    for (const surrogate of surrogateShapes.map((form) => ({ shape: form, parameter: surrogateDefinitions[form].parameter.usual }))) {
      for (const reset of ['hard', 'soft'] as const) {
        const question = { shape, still: reset === 'soft', neuron, reset, surrogate, penalty: 0.25, seed: seed++ };
        list.push([`${neuron}, ${surrogate.shape}, ${reset} reset`, (operations) => askNeuron(operations, question)]);
      }
    }
  }
  for (const running of [false, true]) {
    const question = { shape, running, offset: 3, seed: seed++ };
    list.push([`norm with ${running ? 'running' : 'own'} statistics`, (operations) => askNorm(operations, question)]);
  }
  for (const poolSize of [1, 2, 3]) {
    const question = { shape, poolSize, otherChannels: 3, still: poolSize === 2, seed: seed++ };
    list.push([`pooling ${poolSize}, joining, adding`, (operations) => askLayout(operations, question)]);
  }
  return list;
}

Object.assign(window, { trainingPage: page });
