import type { Surrogate } from '../base/surrogate';
import { convolvedSide, type ConvolutionGeometry, type NeuronParameters } from './operations';

/**
 * The operations of training: forward and backward, one by one, over a batch. Values have the logical shape
 * `[steps, images, height, width, channels]`; what is the same at every step has one step, and its gradient is the sum over
 * them. Gradients are added to what is there, since a value may have several readers. Only `read` waits: on a GPU every
 * other operation is but put into the queue.
 */
export interface BatchShape {
  steps: number;
  images: number;
  height: number;
  width: number;
  channels: number;
}

/** Features or their gradients. Owned by whoever called the operation; give them back with `release`. */
export interface Batch {
  readonly shape: BatchShape;
}

/** What a neuron layer did: a convolution reads it like any batch, and may visit only what is not silent. */
export interface FiredBatch extends Batch {
  readonly neuron: TrainedNeuron;
}

/** `lif` spikes, `silu` emits SiLU in place of spikes (`Conv` rows), `relu` is the ANN twin's. */
export type TrainedNeuron = 'lif' | 'silu' | 'relu';

/** A convolution's weights. */
export interface TrainedWeights {
  readonly geometry: ConvolutionGeometry;
  /** `[1, kernel, kernel, in, out]`, 0 at first; belongs to the weights. */
  readonly gradient: Batch;
}

/** A batch norm over steps, images, rows and columns, in the middle of a forward pass. */
export interface Normalised {
  readonly output: Batch;
  /** `[1, 1, 1, 1, channels]`; of the batch (the variance biased), or those that were given. */
  readonly mean: Batch;
  readonly variance: Batch;
}

export interface NormParameters {
  /** `[channels]` each. */
  scale: Float32Array;
  shift: Float32Array;
  epsilon: number;
}

/** What leads back through a neuron. */
export interface Backward {
  parameters: NeuronParameters;
  surrogate: Surrogate;
  /** Added to the gradient of every spike; the derivative of a penalty on firing. */
  penalty: number;
}

export interface TrainingOperations {
  /** Takes values of the logical shape; copies them. */
  values(data: Float32Array, shape: BatchShape): Batch;
  zeros(shape: BatchShape): Batch;
  /** @param data `[kernel, kernel, in, out]`; copied */
  weights(data: Float32Array, geometry: ConvolutionGeometry): TrainedWeights;

  /** @param bias `[out]`, or none */
  convolve(input: Batch, weights: TrainedWeights, bias: Float32Array | undefined): Batch;
  /**
   * Adds the gradient of a convolution's input. Where the input is what neurons emitted, neurons that a gradient cannot pass
   * (outside a surrogate's bounds, or at ReLU's 0) may be left out unless `everywhere`.
   */
  addInputGradient(gradient: Batch, weights: TrainedWeights, input: Batch, target: Batch, surrogate: Surrogate, everywhere: boolean): void;
  addWeightGradient(gradient: Batch, weights: TrainedWeights, input: Batch): void;

  /** With the batch's own statistics, or with given (running) ones. The norm keeps `input` and gives it back with `releaseNorm`. */
  normalise(input: Batch, norm: NormParameters, running: { mean: Float32Array; variance: Float32Array } | undefined): Normalised;
  /** Turns the gradient of the norm's output into that of its input, in place. @returns gradients of scale and shift, `[1, 1, 1, 1, channels]` */
  normGradient(gradient: Batch, normalised: Normalised): { scale: Batch; shift: Batch };
  /** Everything that belongs to the norm, its input and output too. */
  releaseNorm(normalised: Normalised): void;

  /** The neuron over `steps`, as `Operations.leakyIntegrateAndFire` and its kin define it; an input of one step is read at every step. */
  fire(input: Batch, steps: number, neuron: TrainedNeuron, parameters: NeuronParameters): FiredBatch;
  /**
   * Backwards through the neuron: `gv[t] = (gs[t] + penalty) * surrogate(v[t] - threshold) + decay * (1 - s[t]) * gv[t+1]`, the reset's
   * factor without gradient (specification, section 2); with soft reset `decay * gv[t+1]`. Adds to the gradient of its input.
   */
  addFireGradient(gradient: Batch, fired: FiredBatch, backward: Backward, target: Batch): void;
  /** Share of neurons that fired over all steps and images: one number. */
  firingRate(fired: FiredBatch): Batch;

  maxPool(input: Batch, size: number): Batch;
  addMaxPoolGradient(input: Batch, gradient: Batch, size: number, target: Batch): void;
  /** Nearest neighbour, twice as high and wide. */
  upsample(input: Batch): Batch;
  addUpsampleGradient(gradient: Batch, target: Batch): void;
  /** Along channels; inputs of one step are repeated where others have more. */
  concatenate(inputs: readonly Batch[]): Batch;
  /** Adds channels of a concatenation's gradient, from `firstChannel`, to one input's; summed over steps where that has one. */
  addSliceGradient(gradient: Batch, firstChannel: number, target: Batch): void;
  add(a: Batch, b: Batch): Batch;
  /** `target += factor * source`; repeated over the steps where the source has one, summed where the target has one. */
  addScaled(source: Batch, factor: number, target: Batch): void;
  meanOverSteps(input: Batch): Batch;
  /** Sums over everything but channels, `[1, 1, 1, 1, channels]`: the gradient of a bias. */
  channelSums(input: Batch): Batch;

  /** In the logical shape, without padding; of neurons what they emitted. All in one go, where that is cheaper. */
  read(values: readonly Batch[]): Promise<Float32Array[]>;
  release(value: Batch | TrainedWeights): void;
}

export function batchElements({ steps, images, height, width, channels }: BatchShape): number {
  return steps * images * height * width * channels;
}

export function convolvedBatch(input: BatchShape, geometry: ConvolutionGeometry): BatchShape {
  return {
    ...input,
    height: convolvedSide(input.height, geometry),
    width: convolvedSide(input.width, geometry),
    channels: geometry.outputChannels,
  };
}
