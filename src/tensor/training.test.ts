import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { trainingPrograms } from '../../e2e/kernels';
import {
  askConvolution,
  askLayout,
  askNeuron,
  askNorm,
  gridValues,
  largestDifference,
  neuronParameters,
  type ConvolutionQuestion,
} from '../../e2e/trainingCases';
import { seededRandom, shuffled } from '../base/random';
import { surrogateDefinitions, surrogateDerivative, surrogateShapes, type Surrogate } from '../base/surrogate';
import { ReferenceTraining } from './referenceTraining';
import { openTraining } from './trainingBackend';
import { batchElements, type Batch, type BatchShape, type TrainingOperations } from './training';

const reference = new ReferenceTraining();

const implementations = ['event', 'wasm'] as const;

const shape = fc.record({
  steps: fc.integer({ min: 1, max: 3 }),
  images: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 31, 33, 40)),
});

const surrogate: fc.Arbitrary<Surrogate> = fc
  .constantFrom(...surrogateShapes)
  .chain((chosen) => fc.constantFrom(0.5, 1, 2).map((factor) => ({ shape: chosen, parameter: surrogateDefinitions[chosen].parameter.usual * factor })));

const seed = fc.integer({ min: 0, max: 1_000_000 });

const convolutionQuestion: fc.Arbitrary<ConvolutionQuestion> = fc
  .record({
    shape,
    kernel: fc.constantFrom(1, 3, 5, 7),
    stride: fc.constantFrom(1, 2),
    padded: fc.boolean(),
    outputChannels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 20, 32, 36, 52)),
    bias: fc.boolean(),
    neuron: fc.constantFrom('none' as const, 'lif' as const, 'silu' as const, 'relu' as const),
    surrogate,
    everywhere: fc.boolean(),
    seed,
  })
  .map(({ padded, ...question }) => {
    const { kernel, shape: input } = question;
    const padding = padded || kernel > Math.min(input.height, input.width) ? Math.floor(kernel / 2) : 0;
    return { ...question, padding };
  });

const rectangular: Surrogate = { shape: 'rectangular', parameter: 0.5 };

/** Large enough that kernels work in parts: bands of rows, frames at once, blocks of channels, parts of an output. */
const largeQuestions: [string, ConvolutionQuestion][] = (
  [
    ['bands of rows', { steps: 1, images: 2, height: 37, width: 61, channels: 8 }, 3, 1, 64],
    ['bands of rows, every second', { steps: 2, images: 1, height: 43, width: 66, channels: 12 }, 3, 2, 64],
    ['bands of rows of a wide kernel', { steps: 1, images: 1, height: 50, width: 51, channels: 3 }, 7, 2, 32],
    ['many frames at once', { steps: 4, images: 5, height: 6, width: 5, channels: 10 }, 3, 1, 36],
    ['blocks of channels', { steps: 2, images: 1, height: 9, width: 8, channels: 140 }, 3, 1, 132],
    ['blocks of channels, every second', { steps: 1, images: 2, height: 11, width: 9, channels: 100 }, 5, 2, 64],
    ['more pixels than are gathered at once', { steps: 1, images: 1, height: 90, width: 91, channels: 4 }, 1, 1, 8],
    ['more rows than are gathered at once', { steps: 1, images: 1, height: 14, width: 13, channels: 300 }, 3, 1, 16],
  ] as const
).map(([title, input, kernel, stride, outputChannels]) => [
  title,
  { shape: input, kernel, stride, padding: Math.floor(kernel / 2), outputChannels, bias: false, neuron: 'lif', surrogate: rectangular, everywhere: false, seed: 5 },
]);

describe.each(implementations)('training on %s agrees with the reference', (name) => {
  let tested: TrainingOperations;
  beforeAll(async () => {
    ({ operations: tested } = await openTraining(name, trainingPrograms));
  });

  it('in convolutions of any geometry, and their three gradients', async () => {
    await fc.assert(
      fc.asyncProperty(convolutionQuestion, async (question) => {
        expect(largestDifference(await askConvolution(tested, question), await askConvolution(reference, question))).toBeLessThan(1e-5);
      }),
      { numRuns: 150 },
    );
  });

  it.each(largeQuestions)('in %s', async (_, question) => {
    for (const neuron of ['lif', 'none'] as const) {
      const asked = { ...question, neuron };
      expect(largestDifference(await askConvolution(tested, asked), await askConvolution(reference, asked))).toBeLessThan(1e-5);
    }
  });

  it('in neurons through time, with every surrogate', async () => {
    const question = fc.record({
      shape, surrogate, seed, still: fc.boolean(), neuron: fc.constantFrom('lif' as const, 'silu' as const, 'relu' as const),
      reset: fc.constantFrom('hard' as const, 'soft' as const), penalty: fc.constantFrom(0, 0.25),
    });
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        expect(largestDifference(await askNeuron(tested, asked), await askNeuron(reference, asked))).toBeLessThan(1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it('in batch norms, far from zero as well', async () => {
    const question = fc.record({ shape, seed, running: fc.boolean(), offset: fc.constantFrom(0, 0, 3, -40) });
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const places = batchElements(asked.shape) / asked.shape.channels;
        // Of few values the deviation may be almost nothing, and what is divided by it rounding errors.
        fc.pre(places > 8);
        expect(largestDifference(await askNorm(tested, asked), await askNorm(reference, asked))).toBeLessThan(asked.offset === 0 ? 1e-5 : 1e-4);
      }),
      { numRuns: 100 },
    );
  });

  it('in pooling, upsampling, joining and adding', async () => {
    const question = fc
      .record({
        shape: shape.map((chosen) => ({ ...chosen, channels: Math.ceil(chosen.channels / 4) * 4 })),
        otherChannels: fc.integer({ min: 1, max: 9 }), still: fc.boolean(), size: fc.integer({ min: 1, max: 3 }), seed,
      })
      .map(({ size, ...asked }) => ({ ...asked, poolSize: Math.min(size, asked.shape.height, asked.shape.width) }));
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        expect(largestDifference(await askLayout(tested, asked), await askLayout(reference, asked))).toBeLessThan(1e-6);
      }),
      { numRuns: 100 },
    );
  });
});

/** An operation of one input, and the gradient of its input. */
interface Differentiable {
  shape: BatchShape;
  forward: (operations: TrainingOperations, input: Batch) => Batch;
  /** Adds to `target`; `output` is what `forward` gave. */
  backward: (operations: TrainingOperations, input: Batch, output: Batch, gradient: Batch, target: Batch) => void;
}

const small: BatchShape = { steps: 3, images: 2, height: 4, width: 6, channels: 8 };
const still: BatchShape = { ...small, steps: 1 };
const geometry = { kernel: 3, stride: 2, padding: 1, inputChannels: 8, outputChannels: 5 };
const weightsOf = (operations: TrainingOperations) => operations.weights(gridValues(9 * 8 * 5, seededRandom(11), 0.5), geometry);

const linear: Record<string, Differentiable> = {
  convolution: {
    shape: small,
    forward: (operations, input) => operations.convolve(input, weightsOf(operations), undefined),
    backward: (operations, input, _, gradient, target) =>
      operations.addInputGradient(gradient, weightsOf(operations), input, target, rectangular, true),
  },
  upsampling: {
    shape: small,
    forward: (operations, input) => operations.upsample(input),
    backward: (operations, _, __, gradient, target) => operations.addUpsampleGradient(gradient, target),
  },
  concatenation: {
    shape: still,
    forward: (operations, input) => operations.concatenate([operations.zeros(small), input]),
    backward: (operations, _, __, gradient, target) => operations.addSliceGradient(gradient, 8, target),
  },
  mean: {
    shape: small,
    forward: (operations, input) => operations.meanOverSteps(input),
    backward: (operations, _, __, gradient, target) => operations.addScaled(gradient, 1 / small.steps, target),
  },
  addition: {
    shape: still,
    forward: (operations, input) => operations.add(operations.zeros(small), input),
    backward: (operations, _, __, gradient, target) => operations.addScaled(gradient, 1, target),
  },
};

const fired = (neuron: 'silu' | 'relu', of: BatchShape): Differentiable => ({
  shape: of,
  forward: (operations, input) => operations.fire(input, of.steps, neuron, neuronParameters),
  backward: (operations, input, _, gradient, target) =>
    operations.addFireGradient(
      gradient, operations.fire(input, of.steps, neuron, neuronParameters),
      { parameters: neuronParameters, surrogate: rectangular, penalty: 0 }, target,
    ),
});
const norm = { scale: gridValues(8, seededRandom(13)), shift: gridValues(8, seededRandom(14)), epsilon: 1e-5 };
const running = { mean: gridValues(8, seededRandom(15)), variance: new Float32Array(8).fill(0.75) };
const normed = (statistics: typeof running | undefined): Differentiable => ({
  shape: small,
  forward: (operations, input) => operations.normalise(input, norm, statistics).output,
  backward: (operations, input, _, gradient, target) => {
    operations.normGradient(gradient, operations.normalise(input, norm, statistics));
    operations.addScaled(gradient, 1, target);
  },
});
const smooth: Record<string, Differentiable> = {
  ...linear,
  'maximum pooling': {
    shape: small,
    forward: (operations, input) => operations.maxPool(input, 2),
    backward: (operations, input, _, gradient, target) => operations.addMaxPoolGradient(input, gradient, 2, target),
  },
  // Over several steps they differ by what the reset would carry.
  'the SiLU neuron at its first step': fired('silu', still),
  ReLU: fired('relu', small),
  'batch norm with its own statistics': normed(undefined),
  'batch norm with running statistics': normed(running),
};

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? NaN), 0);
}

describe.each(['reference', ...implementations] as const)('gradients on %s', (name) => {
  let tested: TrainingOperations;
  beforeAll(async () => {
    ({ operations: tested } = await openTraining(name, trainingPrograms));
  });

  async function output({ shape: of, forward }: Differentiable, values: Float32Array): Promise<Float32Array> {
    const [array = new Float32Array()] = await tested.read([forward(tested, tested.values(values, of))]);
    return array;
  }

  async function gradient({ shape: of, forward, backward }: Differentiable, values: Float32Array, random: () => number) {
    const input = tested.values(values, of);
    const result = forward(tested, input);
    const above = gridValues(batchElements(result.shape), random);
    const target = tested.zeros(of);
    backward(tested, input, result, tested.values(above, result.shape), target);
    const [array = new Float32Array()] = await tested.read([target]);
    return { above, gradient: array };
  }

  it.each(Object.entries(linear))('of %s are its adjoint: <A x, g> = <x, A\' g>', async (_, operation) => {
    await fc.assert(
      fc.asyncProperty(seed, async (chosen) => {
        const random = seededRandom(chosen);
        const values = gridValues(batchElements(operation.shape), random);
        const back = await gradient(operation, values, random);
        expect(product(await output(operation, values), back.above)).toBeCloseTo(product(values, back.gradient), 3);
      }),
      { numRuns: 10 },
    );
  });

  it('of weights are the adjoint, too: <conv(x, w), g> = <w, gradient>', async () => {
    await fc.assert(
      fc.asyncProperty(convolutionQuestion, async (question) => {
        const random = seededRandom(question.seed);
        const of = { ...question, inputChannels: question.shape.channels };
        const values = gridValues(of.kernel ** 2 * of.inputChannels * of.outputChannels, random, 0.5);
        const input = tested.values(gridValues(batchElements(question.shape), random), question.shape);
        const weights = tested.weights(values, of);
        const result = tested.convolve(input, weights, undefined);
        const above = gridValues(batchElements(result.shape), random);
        const back = tested.values(above, result.shape);
        tested.addWeightGradient(back, weights, input);
        const [sums = new Float32Array(), found = new Float32Array()] = await tested.read([result, weights.gradient]);
        expect(product(sums, above)).toBeCloseTo(product(values, found), 1);
        for (const value of [input, weights, result, back]) tested.release(value);
      }),
      { numRuns: 30 },
    );
  });

  it.each(Object.entries(smooth))('of %s are its differences', async (_, operation) => {
    await fc.assert(
      fc.asyncProperty(seed, async (chosen) => {
        const random = seededRandom(chosen);
        const length = batchElements(operation.shape);
        // All different and none 0: a small step crosses no kink of ReLU and of the maximum.
        const values = Float32Array.from(shuffled(length, random), (place) => (place - length / 2 + 0.5) / 96);
        const direction = gridValues(length, random, 1);
        const back = await gradient(operation, values, random);
        const step = 1 / 256;
        const moved = (by: number): Float32Array => values.map((value, index) => value + by * (direction[index] ?? NaN));
        const difference = product(await output(operation, moved(step)), back.above) - product(await output(operation, moved(-step)), back.above);
        const scale = Math.sqrt(product(back.gradient, back.gradient) * product(direction, direction));
        expect(Math.abs(difference / (2 * step) - product(back.gradient, direction)) / scale).toBeLessThan(1e-3);
      }),
      { numRuns: 10 },
    );
  });

  /**
   * The sum over all paths from one step to later ones: `dL/dx[t] = sum over k >= t of (gs[k] + penalty) * slope[k] * product over t <= j < k
   * of what v[j + 1] takes over of v[j]`, where `1 - s` counts as given.
   */
  it.each(['lif', 'silu'] as const)('of %s neurons through time are the sum over all later steps', async (neuron) => {
    const question = fc.record({
      steps: fc.integer({ min: 1, max: 6 }), surrogate, seed, penalty: fc.constantFrom(0, 0.5), decay: fc.constantFrom(0, 0.25, 0.5, 1), threshold: fc.constantFrom(0.25, 0.5, 1),
    });
    const silu = (v: number): number => v / (1 + Math.exp(-v));
    await fc.assert(
      fc.asyncProperty(question, async ({ steps, surrogate: chosen, seed: start, penalty, decay, threshold }) => {
        const random = seededRandom(start);
        const neurons = 12;
        const of: BatchShape = { steps, images: 1, height: 1, width: 3, channels: 4 };
        const x = gridValues(steps * neurons, random);
        const gs = gridValues(steps * neurons, random);
        const expected = new Float32Array(x.length);
        const parameters = { decay, threshold };
        const pick = (array: ArrayLike<number>, index: number): number => array[index] ?? NaN;
        for (let n = 0; n < neurons; n++) {
          const slopes: number[] = [];
          const taken: number[] = [];
          let carried = 0;
          for (let t = 0; t < steps; t++) {
            const v = carried + pick(x, t * neurons + n);
            const s = neuron === 'silu' ? silu(v) : Number(v > threshold);
            slopes.push(neuron === 'silu' ? (silu(v + 1e-4) - silu(v - 1e-4)) / 2e-4 : surrogateDerivative(chosen, v - threshold));
            taken.push(decay * (1 - s) * (neuron === 'silu' ? pick(slopes, t) : 1));
            carried = decay * (neuron === 'silu' ? s : v) * (1 - s);
          }
          for (let t = 0; t < steps; t++) {
            let path = 1;
            for (let k = t; k < steps; k++) {
              const above = pick(gs, k * neurons + n) + (neuron === 'lif' ? penalty : 0);
              expected[t * neurons + n] = pick(expected, t * neurons + n) + above * pick(slopes, k) * path;
              path *= pick(taken, k);
            }
          }
        }
        const layer = tested.fire(tested.values(x, of), steps, neuron, parameters);
        const target = tested.zeros(of);
        tested.addFireGradient(tested.values(gs, of), layer, { parameters, surrogate: chosen, penalty }, target);
        expect(largestDifference(await tested.read([target]), [expected])).toBeLessThan(1e-5);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(implementations)('the memory of training on %s', (name) => {
  it('is given back to the last byte', async () => {
    const { operations, memory } = await openTraining(name, trainingPrograms);
    const question: ConvolutionQuestion = {
      shape: small, kernel: 3, stride: 2, padding: 1, outputChannels: 12, bias: true, neuron: 'none', surrogate: rectangular, everywhere: false, seed: 4,
    };
    const ask = async (): Promise<void> => {
      for (const neuron of ['none', 'lif', 'silu', 'relu'] as const) {
        for (const everywhere of [false, true]) await askConvolution(operations, { ...question, neuron, everywhere });
        if (neuron !== 'none') await askNeuron(operations, { shape: small, still: true, neuron, reset: 'hard', surrogate: rectangular, penalty: 0.1, seed: 1 });
      }
      for (const ofBatch of [false, true]) await askNorm(operations, { shape: small, running: ofBatch, offset: 0, seed: 2 });
      await askLayout(operations, { shape: small, poolSize: 2, otherChannels: 3, still: true, seed: 3 });
    };
    await ask();
    // Scratch stays after the first time.
    const before = memory();
    await ask();
    expect(memory()).toEqual(before);
  });
});
