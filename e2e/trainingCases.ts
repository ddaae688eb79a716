import type { ResetMode } from '../src/base/neuron';
import { seededRandom, type Random } from '../src/base/random';
import type { Surrogate } from '../src/base/surrogate';
import type { NeuronParameters } from '../src/tensor/operations';
import { batchElements, convolvedBatch, type Batch, type BatchShape, type TrainedNeuron, type TrainingOperations } from '../src/tensor/training';

/**
 * What implementations of the training operations are asked in tests, in Node as in a browser: each question runs one operation and
 * its gradient on values that follow from a seed, and gives everything that came out.
 */

export const neuronParameters: NeuronParameters = { decay: 0.25, threshold: 0.5 };

/** On a grid of 1/32: sums of products of them are exact in float32, so that no order of adding can flip a spike. */
export function gridValues(length: number, random: Random, largest = 1.5): Float32Array {
  return Float32Array.from({ length }, () => Math.round((random() * 2 - 1) * largest * 32) / 32);
}

export interface ConvolutionQuestion {
  shape: BatchShape;
  kernel: number;
  stride: number;
  padding: number;
  outputChannels: number;
  bias: boolean;
  /** What emitted the input. */
  neuron: TrainedNeuron | 'none';
  surrogate: Surrogate;
  everywhere: boolean;
  seed: number;
}

/** @returns the sums, the gradients of weights, bias and input; behind neurons the last as it is once it has gone through them */
export async function askConvolution(operations: TrainingOperations, question: ConvolutionQuestion): Promise<Float32Array[]> {
  const { shape, kernel, stride, padding, outputChannels, neuron, surrogate, everywhere } = question;
  const random = seededRandom(question.seed);
  const geometry = { kernel, stride, padding, inputChannels: shape.channels, outputChannels };
  const current = operations.values(gridValues(batchElements(shape), random), shape);
  const fired = neuron === 'none' ? undefined : operations.fire(current, shape.steps, neuron, neuronParameters);
  const input = fired ?? current;
  const weights = operations.weights(gridValues(kernel * kernel * shape.channels * outputChannels, random, 0.5), geometry);
  const output = operations.convolve(input, weights, question.bias ? gridValues(outputChannels, random) : undefined);
  const gradient = operations.values(gridValues(batchElements(convolvedBatch(shape, geometry)), random), convolvedBatch(shape, geometry));
  operations.addWeightGradient(gradient, weights, input);
  const bias = operations.channelSums(gradient);
  // Something is there before: gradients are added.
  const target = operations.values(gridValues(batchElements(shape), random), shape);
  operations.addInputGradient(gradient, weights, input, target, surrogate, everywhere);
  const through = operations.zeros(shape);
  if (fired) operations.addFireGradient(target, fired, { parameters: neuronParameters, surrogate, penalty: 0 }, through);
  else operations.addScaled(target, 1, through);
  const arrays = await operations.read([output, weights.gradient, bias, through, ...(everywhere ? [target] : [])]);
  for (const value of new Set([current, input, weights, output, gradient, bias, target, through])) operations.release(value);
  return arrays;
}

export interface NeuronQuestion {
  shape: BatchShape;
  /** The input has one step. */
  still: boolean;
  neuron: TrainedNeuron;
  reset: ResetMode;
  surrogate: Surrogate;
  penalty: number;
  seed: number;
}

/** @returns what was emitted, the gradient of the input, and of spikes their rate */
export async function askNeuron(operations: TrainingOperations, question: NeuronQuestion): Promise<Float32Array[]> {
  const { shape, still, neuron, reset, surrogate, penalty } = question;
  const parameters = { ...neuronParameters, reset };
  const random = seededRandom(question.seed);
  const inputShape = still ? { ...shape, steps: 1 } : shape;
  const input = operations.values(gridValues(batchElements(inputShape), random), inputShape);
  const fired = operations.fire(input, shape.steps, neuron, parameters);
  const gradient = operations.values(gridValues(batchElements(shape), random), shape);
  const target = operations.values(gridValues(batchElements(inputShape), random), inputShape);
  operations.addFireGradient(gradient, fired, { parameters, surrogate, penalty }, target);
  const rates = neuron === 'lif' ? [operations.firingRate(fired)] : [];
  const arrays = await operations.read([fired, target, ...rates]);
  for (const value of [input, fired, gradient, target, ...rates]) operations.release(value);
  return arrays;
}

export interface NormQuestion {
  shape: BatchShape;
  running: boolean;
  /** Added to every value. */
  offset: number;
  seed: number;
}

/** @returns output, mean, variance, and the gradients of input, scale and shift */
export async function askNorm(operations: TrainingOperations, { shape, running, offset, seed }: NormQuestion): Promise<Float32Array[]> {
  const random = seededRandom(seed);
  const { channels } = shape;
  const norm = { scale: gridValues(channels, random), shift: gridValues(channels, random), epsilon: 1e-5 };
  const given = { mean: gridValues(channels, random), variance: gridValues(channels, random).map((value) => value * value + 0.25) };
  const input = operations.values(gridValues(batchElements(shape), random).map((value) => value + offset), shape);
  const normalised = operations.normalise(input, norm, running ? given : undefined);
  const gradient = operations.values(gridValues(batchElements(shape), random), shape);
  const { scale, shift } = operations.normGradient(gradient, normalised);
  const arrays = await operations.read([normalised.output, normalised.mean, normalised.variance, gradient, scale, shift]);
  for (const value of [gradient, scale, shift]) operations.release(value);
  operations.releaseNorm(normalised);
  return arrays;
}

export interface LayoutQuestion {
  shape: BatchShape;
  poolSize: number;
  /** Channels of a second batch; `shape.channels` is a multiple of 4. */
  otherChannels: number;
  /** The second batch has one step. */
  still: boolean;
  seed: number;
}

/** @returns results and gradients of pooling, upsampling, concatenation, sums and means */
export async function askLayout(operations: TrainingOperations, question: LayoutQuestion): Promise<Float32Array[]> {
  const { shape, poolSize, otherChannels, still } = question;
  const random = seededRandom(question.seed);
  const owned: Batch[] = [];
  const own = <Value extends Batch>(value: Value): Value => {
    owned.push(value);
    return value;
  };
  // Few different values, so that a window has several largest ones.
  const values = (of: BatchShape): Batch => own(operations.values(gridValues(batchElements(of), random, 0.1), of));
  const one = { ...shape, steps: 1 };
  const a = values(shape);
  const b = values({ ...(still ? one : shape), channels: otherChannels });
  const c = values(still ? one : shape);
  const pooled = own(operations.maxPool(a, poolSize));
  const ofPooled = values(shape);
  operations.addMaxPoolGradient(a, values(pooled.shape), poolSize, ofPooled);
  const upsampled = own(operations.upsample(a));
  const ofUpsampled = values(shape);
  operations.addUpsampleGradient(values(upsampled.shape), ofUpsampled);
  const joined = own(operations.concatenate([c, a, b]));
  const ofJoined = values(joined.shape);
  const slices = [c, a, b].map((part) => values(part.shape));
  let channel = 0;
  for (const slice of slices) {
    operations.addSliceGradient(ofJoined, channel, slice);
    channel += slice.shape.channels;
  }
  const sum = own(operations.add(c, a));
  const scaledDown = values(one);
  operations.addScaled(a, 0.25, scaledDown);
  const scaledUp = values(shape);
  operations.addScaled(scaledDown, -2, scaledUp);
  const results = [
    pooled, ofPooled, upsampled, ofUpsampled, joined, ...slices, sum, scaledDown, scaledUp, own(operations.meanOverSteps(a)),
    own(operations.channelSums(a)), own(operations.zeros(shape)),
  ];
  const arrays = await operations.read(results);
  for (const value of owned) operations.release(value);
  return arrays;
}

/** The largest difference, relative to the largest expected value of its array where that is above 1. Infinite where lengths differ. */
export function largestDifference(found: readonly Float32Array[], expected: readonly Float32Array[]): number {
  if (found.length !== expected.length) return Infinity;
  return Math.max(
    ...expected.map((array, index) => {
      const other = found[index];
      if (other?.length !== array.length) return Infinity;
      const scale = array.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      return array.reduce((most, value, at) => {
        const difference = Math.abs(value - (other[at] ?? NaN)) / scale;
        // A NaN is no small difference.
        return difference <= most ? most : Number.isNaN(difference) ? Infinity : difference;
      }, 0);
    }),
  );
}
