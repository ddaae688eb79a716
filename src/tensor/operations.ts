import type { BackendName } from '../base/backendName';
import type { ResetMode } from '../base/neuron';
import type { Task } from '../base/progress';

/**
 * The dozen operations that EMS-YOLO is written in. The network knows only this interface; each implementation keeps
 * its arrays where it likes (GPU buffers, a WASM heap, per-pixel spike lists, plain arrays).
 *
 * Values have the logical shape `[steps, height, width, channels]`, row-major, for a batch of one. A signal with one
 * step in a run of T steps is the same at every step (a still picture): every operation keeps it at one step for as
 * long as it can, so that what does not change is computed once.
 */

export interface FeatureShape {
  steps: number;
  height: number;
  width: number;
  channels: number;
}

/** Real-valued features. Owned by whoever called the operation; give them back with `release`. */
export interface Signal {
  readonly kind: 'signal';
  readonly shape: FeatureShape;
}

/**
 * Binary features: every value is 0 or 1; where neurons fire bursts, the number of spikes. An implementation may store
 * them as masks or lists.
 */
export interface Spikes {
  readonly kind: 'spikes';
  readonly shape: FeatureShape;
}

/** A convolution with its weights where the implementation wants them. */
export interface Convolution {
  readonly kind: 'convolution';
  readonly geometry: ConvolutionGeometry;
}

export interface ConvolutionGeometry {
  kernel: number;
  stride: number;
  /** Zeros added on every side. */
  padding: number;
  inputChannels: number;
  outputChannels: number;
}

export interface ConvolutionWeights extends ConvolutionGeometry {
  /** What a {@link LayerClock} calls it. */
  name: string;
  /** `[kernel, kernel, inputChannels, outputChannels]`. */
  weights: Float32Array;
  /** `[outputChannels]`; the folded batch norm's shift, or the layer's own bias. */
  bias: Float32Array;
}

/** Hears how long the work of a layer took: a convolution by its name, or all neurons together. */
export type LayerClock = (layer: string, durationMs: number) => void;
export const neuronsOnClock = 'neurons';

/** The iterative LIF neuron (paper, equations 2 and 3; its reset is the hard one). */
export interface NeuronParameters {
  /** Share of the membrane that is left after one step, in [0, 1]. */
  decay: number;
  /** A neuron spikes when its membrane is above this, strictly. */
  threshold: number;
  /** What a spike leaves of the membrane: nothing (`hard`, also where it is not said), or what is above the threshold (`soft`). */
  reset?: ResetMode;
}

/** The integrate-and-fire neuron with reset by subtraction, for networks that are converted from an ANN. */
export interface IntegrateAndFireParameters {
  /** What a membrane must reach to spike, and loses with every spike: positive, `[channels]`. */
  thresholds: Float32Array;
  /** How many spikes a neuron may fire within one step, 1 or more (burst spikes). */
  maximumSpikes: number;
}

/**
 * `fixed`: every product is rounded and then added, in the same order on every machine, so that the same neurons fire. `free`: an implementation may
 * fuse both where that is faster; results differ in their last digits.
 */
export type Rounding = 'fixed' | 'free';

/** For every place of a layer `[height, width, channels]`, 0 where what it emits is taken away, else 1. */
export type Audible = Uint8Array;

export interface Operations {
  readonly backend: BackendName;
  /** Only where a part of a layer is computed exactly as it is within the whole. */
  readonly regions?: RegionOperations;

  loadConvolution(weights: ConvolutionWeights): Convolution;
  /** Takes values of `[steps, height, width, channels]`; copies them. */
  input(values: Float32Array, shape: FeatureShape): Signal;

  /** @param rounding `free` only where no neuron compares what comes of it with a threshold */
  denseConvolution(input: Signal, convolution: Convolution, rounding?: Rounding): Signal;
  /** The same sum over binary inputs: an implementation may visit only the spikes. */
  spikingConvolution(input: Spikes, convolution: Convolution): Signal;

  /**
   * Runs the LIF neuron over `steps`: `v[0] = x[0]`, `v[t] = decay * v[t-1] * (1 - s[t-1]) + x[t]`,
   * `s[t] = v[t] > threshold`; with soft reset `v[t] = decay * (v[t-1] - threshold * s[t-1]) + x[t]`. An input of one step is read again
   * at every step.
   * @param record also return the membranes `v`.
   */
  leakyIntegrateAndFire(
    input: Signal,
    steps: number,
    parameters: NeuronParameters,
    record: boolean,
  ): { spikes: Spikes; membrane: Signal | undefined };
  /**
   * The neuron of `Conv` rows, which emits SiLU in place of spikes: `s[t] = v * sigmoid(v)` with
   * `v = decay * s[t-1] * (1 - s[t-1]) + x[t]`. The released code applies SiLU in place, so that the emitted value also
   * becomes the membrane that is carried on (src/decisions/0003-silu-in-place.md).
   */
  leakySilu(input: Signal, steps: number, parameters: NeuronParameters): Signal;
  /**
   * What is left of each membrane after the last step, one step long: `decay * v * (1 - s)` (soft: `decay * (v - threshold * s)`) for the
   * LIF neuron, given its membranes; `decay * s * (1 - s)` for SiLU, given what it emitted. For runs that go on where another ended.
   */
  carryOver(last: Signal, neuron: 'lif' | 'silu', parameters: NeuronParameters): Signal;
  /** The input current with what an earlier run left (one step) added to the first of `steps` steps. */
  addCarried(input: Signal, steps: number, carried: Signal): Signal;
  /**
   * Runs the integrate-and-fire neuron over `steps`, from the membranes `before` (one step long): each step adds its
   * current, and then, at most `maximumSpikes` times, `v >= threshold` fires and leaves `v - threshold`. An input of one step is
   * read again at every step.
   * @returns `after`, the membranes after the last step; `before` stays the caller's
   */
  integrateAndFire(
    input: Signal,
    steps: number,
    parameters: IntegrateAndFireParameters,
    before: Signal,
  ): { spikes: Spikes; after: Signal };
  relu(input: Signal): Signal;
  /** The same at every step where `audible` has a 1, and 0 elsewhere. */
  silence<V extends Signal | Spikes>(value: V, audible: Audible): V;

  /** Kernel and stride `size`, no padding; a rest at the right and below is dropped. */
  maxPool(input: Signal, size: number): Signal;
  /**
   * Max pooling of everything that has come in: with S the sum of the inputs up to a step, starting from `before` (one step
   * long), it gives `maxPool(S[t]) - maxPool(S[t - 1])`, so that the outputs add up to the pooled sum.
   * @returns `after`, S after the last step; `before` stays the caller's
   */
  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal): { pooled: Signal; after: Signal };
  /** Nearest neighbour, twice as high and wide. */
  upsample(input: Signal): Signal;
  /** Along channels; inputs of one step are repeated where others have more. */
  concatenate(inputs: readonly Signal[]): Signal;
  /** Inputs of one step are repeated where the other has more. */
  add(a: Signal, b: Signal): Signal;
  /** The mean over all steps, one step long. */
  meanOverSteps(input: Signal): Signal;
  /** At step t the mean over the steps 0..t; as many steps as `steps` says. */
  runningMean(input: Signal, steps: number): Signal;
  /** Spikes at each step over the whole layer: `[steps, 1, 1, 1]`. Exact below 2^24 neurons. */
  countSpikes(input: Spikes): Signal;

  /**
   * Brings values back to plain arrays; an implementation reads all of them in one go where that is cheaper.
   * @param task hears of what an implementation does only now, such as compiling
   */
  read(values: readonly (Signal | Spikes)[], task?: Task): Promise<Float32Array[]>;
  release(value: Signal | Spikes | Convolution): void;
}

/** A rectangle of a picture or of a layer: from `top` and `left` to before `bottom` and `right`. */
export interface Region {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** What it takes to compute a part of a layer and to keep the rest from an earlier run. */
export interface RegionOperations {
  /** The same signal once more, for a second owner. */
  share(signal: Signal): Signal;
  /** A copy of a region. */
  crop(input: Signal, region: Region): Signal;
  /** Writes a region of `patch` into `target`, with its corner at `top` and `left`; all owners of `target` see it, and what waits to be computed from it, too. */
  paste(patch: Signal, region: Region, target: Signal, top: number, left: number): void;
  /** How many neurons of each pixel fire at each step: `[height, width, steps]`. */
  spikesPerPixel(input: Spikes): Uint16Array;
}

export function elementCount(shape: FeatureShape): number {
  return shape.steps * shape.height * shape.width * shape.channels;
}

/** Side of a convolution's output for a side of its input. */
export function convolvedSide(side: number, geometry: Pick<ConvolutionGeometry, 'kernel' | 'stride' | 'padding'>): number {
  return Math.floor((side + 2 * geometry.padding - geometry.kernel) / geometry.stride) + 1;
}

export function convolvedShape(input: FeatureShape, geometry: ConvolutionGeometry): FeatureShape {
  return {
    steps: input.steps,
    height: convolvedSide(input.height, geometry),
    width: convolvedSide(input.width, geometry),
    channels: geometry.outputChannels,
  };
}
