import * as tf from '@tensorflow/tfjs';
import type { Surrogate } from '../../base/surrogate';
import type { ConvolutionGeometry, NeuronParameters } from '../operations';
import {
  convolvedBatch,
  type Backward,
  type Batch,
  type BatchShape,
  type FiredBatch,
  type Normalised,
  type NormParameters,
  type TrainedNeuron,
  type TrainedWeights,
  type TrainingOperations,
} from '../training';
import { leakyIntegrate } from './neuronKernel';
import type { TfjsBackend } from './start';
import { readTensors, repeatSteps } from './tensors';
import { neuronGradient, sumOverFirst, weightGradient, zerosAround } from './trainingKernels';

interface TensorBatch extends Batch {
  /** `[steps * images, height, width, channels]`, of neurons what they emitted; nothing where all of it is 0. Replaced by sums. */
  tensor: tf.Tensor4D | undefined;
}

interface TensorFired extends TensorBatch, FiredBatch {
  /** Nothing for ReLU. */
  membrane: tf.Tensor4D | undefined;
}

interface TensorWeights extends TrainedWeights {
  /** `[kernel, kernel, in, out]` */
  tensor: tf.Tensor4D;
  gradient: TensorBatch;
}

interface TensorNormalised extends Normalised {
  output: TensorBatch;
  input: TensorBatch;
  mean: TensorBatch;
  variance: TensorBatch;
  norm: NormParameters;
  /** Statistics that do not depend on the batch carry no gradient. */
  ownStatistics: boolean;
}

/**
 * Training on tfjs, steps and pictures folded into its batch, and every gradient written out: tfjs's own are missing, slow or wrong on one
 * backend or another (src/decisions/0010-training-engine.md). A tensor belongs to the batch that it was made for; whatever an operation needs in
 * between is disposed before it returns.
 */
export class TfjsTraining implements TrainingOperations {
  constructor(readonly backend: TfjsBackend) {}

  values(data: Float32Array, shape: BatchShape): Batch {
    // A copy: tfjs may keep the array that it is given.
    return batch(shape, tf.tensor4d(data.slice(), sidesOf(shape)));
  }

  zeros(shape: BatchShape): Batch {
    return batch(shape, undefined);
  }

  weights(data: Float32Array, geometry: ConvolutionGeometry): TrainedWeights {
    const { kernel, inputChannels, outputChannels } = geometry;
    const shape = { steps: 1, images: kernel, height: kernel, width: inputChannels, channels: outputChannels };
    const weights: TensorWeights = { geometry, tensor: tf.tensor4d(data.slice(), sidesOf(shape)), gradient: batch(shape, undefined) };
    return weights;
  }

  convolve(input: Batch, weights: TrainedWeights, bias: Float32Array | undefined): Batch {
    const { tensor, geometry } = weights as TensorWeights;
    const { stride, padding } = geometry;
    return batch(
      convolvedBatch(input.shape, geometry),
      tf.tidy(() => {
        const sums = this.convolution(tensorOf(input), tensor, stride, padding);
        return bias ? sums.add<tf.Tensor4D>(tf.tensor1d(bias)) : sums;
      }),
    );
  }

  /** By phases of the stride: the inputs at y = stride * Y + phase see the taps that end there, and are a convolution of the gradient with them. */
  addInputGradient(gradient: Batch, weights: TrainedWeights, input: Batch, target: Batch, _: Surrogate, __: boolean): void {
    const { tensor, geometry } = weights as TensorWeights;
    const { height, width } = input.shape;
    const vertical = phasesOf(geometry, height);
    const horizontal = phasesOf(geometry, width);
    addTo(target, () => {
      // [kernel, kernel, out, in]
      const turned = tensor.transpose<tf.Tensor4D>([0, 1, 3, 2]);
      const rows = vertical.map((up) => horizontal.map((across) => this.convolvedPhase(tensorOf(gradient), turned, up, across)));
      return interleave(rows).slice<tf.Tensor4D>([0, 0, 0, 0], [-1, height, width, -1]);
    });
  }

  addWeightGradient(gradient: Batch, weights: TrainedWeights, input: Batch): void {
    const { geometry, gradient: target } = weights as TensorWeights;
    addTo(target, () => weightGradient(tensorOf(input), tensorOf(gradient), geometry));
  }

  normalise(input: Batch, norm: NormParameters, running: { mean: Float32Array; variance: Float32Array } | undefined): Normalised {
    const { channels } = input.shape;
    const [output, mean, variance] = tf.tidy(() => {
      const x = tensorOf(input);
      const centre = running ? tf.tensor1d(running.mean.slice()) : meanByChannel(x);
      const spread = running ? tf.tensor1d(running.variance.slice()) : meanByChannel(x.sub<tf.Tensor4D>(centre).square());
      const scaled = tf.batchNorm4d(x, centre, spread, tf.tensor1d(norm.shift.slice()), tf.tensor1d(norm.scale.slice()), norm.epsilon);
      return [scaled, centre.reshape<tf.Tensor4D>([1, 1, 1, channels]), spread.reshape<tf.Tensor4D>([1, 1, 1, channels])];
    });
    const shape = vectorShape(channels);
    const normalised: TensorNormalised = {
      output: batch(input.shape, output), mean: batch(shape, mean), variance: batch(shape, variance), input: input as TensorBatch, norm,
      ownStatistics: running === undefined,
    };
    return normalised;
  }

  /** `(g - mean(g) - n * mean(g * n)) * scale / deviation`, n the normalised input. */
  normGradient(gradient: Batch, normalised: Normalised): { scale: Batch; shift: Batch } {
    const { input, mean, variance, norm, ownStatistics } = normalised as TensorNormalised;
    const { channels } = input.shape;
    const [back, ofScale, ofShift] = tf.tidy(() => {
      const g = tensorOf(gradient);
      const [centre, spread] = [tensorOf(mean).flatten(), tensorOf(variance).flatten()];
      const normal = tf.batchNorm4d(tensorOf(input), centre, spread, undefined, undefined, norm.epsilon);
      const [scale, shift] = [sumByChannel(g.mul(normal)), sumByChannel(g)];
      const places = g.size / channels;
      const left = ownStatistics ? g.sub<tf.Tensor4D>(normal.mul<tf.Tensor4D>(scale.div(places)).add(shift.div(places))) : g;
      const factor = tf.tensor1d(norm.scale.slice()).mul(spread.add(norm.epsilon).rsqrt());
      return [left.mul<tf.Tensor4D>(factor), scale.reshape<tf.Tensor4D>([1, 1, 1, channels]), shift.reshape<tf.Tensor4D>([1, 1, 1, channels])];
    });
    replace(gradient, back);
    return { scale: batch(vectorShape(channels), ofScale), shift: batch(vectorShape(channels), ofShift) };
  }

  releaseNorm(normalised: Normalised): void {
    const { input, output, mean, variance } = normalised as TensorNormalised;
    for (const value of [input, output, mean, variance]) this.release(value);
  }

  fire(input: Batch, steps: number, neuron: TrainedNeuron, parameters: NeuronParameters): FiredBatch {
    const shape = { ...input.shape, steps };
    const [emitted, membrane] = tf.tidy((): [tf.Tensor4D, tf.Tensor4D | undefined] => {
      const x = tensorOf(input);
      if (neuron === 'relu') return [tf.relu(repeatSteps(x, input.shape.steps, steps)), undefined];
      const { images, height, width, channels } = shape;
      // The neuron's kernel walks over the first axis.
      const current = x.reshape<tf.Tensor4D>([input.shape.steps, images * height, width, channels]);
      const integrated = leakyIntegrate(current, { ...parameters, steps, emission: neuron === 'lif' ? 'membrane' : 'silu' });
      if (neuron === 'lif') return [integrated.greater(parameters.threshold).cast<tf.Tensor4D>('float32').reshape(sidesOf(shape)), integrated.reshape(sidesOf(shape))];
      return [integrated.reshape(sidesOf(shape)), siluMembranes(current, integrated, parameters.decay).reshape(sidesOf(shape))];
    });
    const fired: TensorFired = { shape, neuron, tensor: emitted, membrane };
    return fired;
  }

  addFireGradient(gradient: Batch, fired: FiredBatch, { parameters, surrogate, penalty }: Backward, target: Batch): void {
    const { membrane, neuron, shape } = fired as TensorFired;
    addTo(target, () => {
      const above = tensorOf(gradient);
      const current =
        neuron === 'relu' || !membrane
          ? above.mul<tf.Tensor4D>(tensorOf(fired).greater(0).cast('float32'))
          : neuronGradient(bySteps(membrane, shape), bySteps(above, shape), { ...parameters, ...surrogate, neuron: neuron === 'lif' ? 'lif' : 'silu', penalty });
      return toSteps(current.reshape(sidesOf(shape)), shape, target.shape);
    });
  }

  firingRate(fired: FiredBatch): Batch {
    return batch(
      vectorShape(1),
      tf.tidy(() => sumByChannel(tensorOf(fired)).sum().div(tensorOf(fired).size).reshape<tf.Tensor4D>([1, 1, 1, 1])),
    );
  }

  maxPool(input: Batch, size: number): Batch {
    const shape = pooled(input.shape, size);
    return batch(shape, tf.maxPool(tensorOf(input), size, size, 'valid'));
  }

  /** To the first of the largest values of a window, in rows from the left above. */
  addMaxPoolGradient(input: Batch, gradient: Batch, size: number, target: Batch): void {
    const { height, width } = pooled(input.shape, size);
    const { height: inputHeight, width: inputWidth, channels } = input.shape;
    addTo(target, () => {
      const x = tensorOf(input);
      const largest = tf.maxPool(x, size, size, 'valid');
      const windows = x.slice([0, 0, 0, 0], [-1, height * size, width * size, -1]).reshape([-1, height, size, width, size, channels]);
      const places = Array.from({ length: size }, (_, place) => place);
      let open = tensorOf(gradient);
      const rows = places.map((y) =>
        places.map((column) => {
          const here = windows.slice([0, 0, y, 0, column, 0], [-1, height, 1, width, 1, -1]).reshape<tf.Tensor4D>(largest.shape);
          const taken = open.mul<tf.Tensor4D>(here.equal(largest).cast('float32'));
          // What a window has given away is gone: exactly 0, since it is taken from itself.
          open = open.sub(taken);
          return taken;
        }),
      );
      return interleave(rows).pad([[0, 0], [0, inputHeight - height * size], [0, inputWidth - width * size], [0, 0]]);
    });
  }

  upsample(input: Batch): Batch {
    const { height, width } = input.shape;
    return batch({ ...input.shape, height: height * 2, width: width * 2 }, tf.image.resizeNearestNeighbor(tensorOf(input), [height * 2, width * 2]));
  }

  addUpsampleGradient(gradient: Batch, target: Batch): void {
    addTo(target, () => tf.avgPool(tensorOf(gradient), 2, 2, 'valid').mul(4));
  }

  concatenate(inputs: readonly Batch[]): Batch {
    const [first] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    const steps = Math.max(...inputs.map(({ shape }) => shape.steps));
    const channels = inputs.reduce((sum, { shape }) => sum + shape.channels, 0);
    return batch(
      { ...first.shape, steps, channels },
      tf.tidy(() => tf.concat(inputs.map((input) => repeatSteps(tensorOf(input), input.shape.steps, steps)), 3)),
    );
  }

  addSliceGradient(gradient: Batch, firstChannel: number, target: Batch): void {
    addTo(target, () => {
      const part = tensorOf(gradient).slice<tf.Tensor4D>([0, 0, 0, firstChannel], [-1, -1, -1, target.shape.channels]);
      return toSteps(part, { ...gradient.shape, channels: target.shape.channels }, target.shape);
    });
  }

  add(a: Batch, b: Batch): Batch {
    const steps = Math.max(a.shape.steps, b.shape.steps);
    return batch(
      { ...a.shape, steps },
      tf.tidy(() => repeatSteps(tensorOf(a), a.shape.steps, steps).add<tf.Tensor4D>(repeatSteps(tensorOf(b), b.shape.steps, steps))),
    );
  }

  addScaled(source: Batch, factor: number, target: Batch): void {
    addTo(target, () => {
      const x = toSteps(tensorOf(source), source.shape, target.shape);
      return factor === 1 ? x : x.mul(factor);
    });
  }

  meanOverSteps(input: Batch): Batch {
    const shape = { ...input.shape, steps: 1 };
    return batch(
      shape,
      tf.tidy(() => toSteps(tensorOf(input), input.shape, shape).mul<tf.Tensor4D>(1 / input.shape.steps)),
    );
  }

  channelSums(input: Batch): Batch {
    const { channels } = input.shape;
    return batch(
      vectorShape(channels),
      tf.tidy(() => sumByChannel(tensorOf(input)).reshape<tf.Tensor4D>([1, 1, 1, channels])),
    );
  }

  read(values: readonly Batch[]): Promise<Float32Array[]> {
    return readTensors(values.map(tensorOf), this.backend);
  }

  release(value: Batch | TrainedWeights): void {
    const { tensor, membrane, gradient } = value as Partial<TensorFired & TensorWeights>;
    tensor?.dispose();
    membrane?.dispose();
    gradient?.tensor?.dispose();
  }

  /** One phase of a convolution's input gradient. */
  private convolvedPhase(gradient: tf.Tensor4D, weights: tf.Tensor4D, vertical: Phase, horizontal: Phase): tf.Tensor4D {
    const [frames] = gradient.shape;
    const channels = weights.shape[3];
    if (vertical.taps.length === 0 || horizontal.taps.length === 0) return tf.zeros([frames, vertical.length, horizontal.length, channels]);
    const kernel = tf.gather(tf.gather(weights, vertical.taps, 0), horizontal.taps, 1);
    const window = windowOf(gradient, vertical, horizontal);
    return this.convolution(window, kernel, 1, 0);
  }

  /** On WebGPU never as a product that is split with atomic additions, whose order changes from run to run. */
  private convolution(x: tf.Tensor4D, weights: tf.Tensor4D, stride: number, padding: number): tf.Tensor4D {
    const convolve = (): tf.Tensor4D => tf.conv2d(x, weights, stride, zerosAround(padding), 'NHWC', 1, 'floor');
    if (this.backend !== 'webgpu') return convolve();
    const before = tf.env().getNumber(smallOutputs);
    tf.env().set(smallOutputs, 0);
    try {
      return convolve();
    } finally {
      tf.env().set(smallOutputs, before);
    }
  }
}

/** tfjs's flag for the size up to which it computes convolutions as products of matrices that it may split; 0 for never. */
const smallOutputs = 'WEBGPU_THRESHOLD_TO_INCREASE_WORKGROUPS_FOR_MATMUL';

/** Of the inputs `stride * Y + phase` along one side, with Y below `length`. */
interface Phase {
  length: number;
  /** Of the kernel, in the order in which outputs follow each other. */
  taps: number[];
  /** Outputs that are looked at, from the first; some may lie outside. */
  first: number;
  count: number;
}

/** @param side of the input */
function phasesOf({ kernel, stride, padding }: ConvolutionGeometry, side: number): Phase[] {
  const length = Math.ceil(side / stride);
  return Array.from({ length: stride }, (_, phase) => {
    // The output y of a tap k is where y * stride + k - padding is the input.
    const taps = Array.from({ length: kernel }, (__, tap) => kernel - 1 - tap).filter((tap) => (phase + padding - tap) % stride === 0);
    const [highest = 0] = taps;
    const first = (phase + padding - highest) / stride;
    return { length, taps, first, count: length + taps.length - 1 };
  });
}

/** Rows and columns of a gradient that a phase looks at, with zeros where they lie outside. */
function windowOf(gradient: tf.Tensor4D, vertical: Phase, horizontal: Phase): tf.Tensor4D {
  const [, height, width] = gradient.shape;
  const [rows, columns] = [rangeOf(vertical, height), rangeOf(horizontal, width)];
  const inside = gradient.slice<tf.Tensor4D>([0, rows.from, columns.from, 0], [-1, rows.size, columns.size, -1]);
  return tf.pad(inside, [[0, 0], [rows.before, rows.after], [columns.before, columns.after], [0, 0]]);
}

function rangeOf({ first, count }: Phase, side: number) {
  const from = Math.min(Math.max(first, 0), side);
  const to = Math.max(Math.min(first + count, side), from);
  return { from, size: to - from, before: Math.max(from - first, 0), after: first + count - Math.max(to, first) };
}

/** Puts tensors of one shape between each other, `rows[y][x]` at every place that leaves y and x over. */
function interleave(rows: readonly (readonly tf.Tensor4D[])[]): tf.Tensor4D {
  const across = rows.map((row) => {
    const [first] = row;
    if (!first || row.length === 1) return first;
    const [frames, height, width, channels] = first.shape;
    return tf.stack([...row], 3).reshape<tf.Tensor4D>([frames, height, width * row.length, channels]);
  });
  const [first] = across;
  if (!first) throw new RangeError('Nothing to put together.');
  if (across.length === 1) return first;
  const [frames, height, width, channels] = first.shape;
  return tf.stack(across as tf.Tensor4D[], 2).reshape<tf.Tensor4D>([frames, height * across.length, width, channels]);
}

function batch(shape: BatchShape, tensor: tf.Tensor4D | undefined): TensorBatch {
  return { shape, tensor };
}

/** Every value that reaches this class was made by it. Zeros that nothing was added to are made when somebody reads them. */
function tensorOf(value: Batch): tf.Tensor4D {
  const known = value as TensorBatch;
  // Kept: it belongs to the batch, wherever it is asked for.
  return (known.tensor ??= tf.keep(tf.zeros(sidesOf(value.shape))));
}

function replace(value: Batch, tensor: tf.Tensor4D): void {
  const known = value as TensorBatch;
  known.tensor?.dispose();
  known.tensor = tensor;
}

/** Adds what `make` gives; a tensor that is somebody else's is copied. */
function addTo(target: Batch, make: () => tf.Tensor4D): void {
  const { tensor } = target as TensorBatch;
  replace(target, tf.tidy(() => (tensor ? tensor.add<tf.Tensor4D>(make()) : make().clone())));
}

function sidesOf({ steps, images, height, width, channels }: BatchShape): [number, number, number, number] {
  return [steps * images, height, width, channels];
}

function vectorShape(channels: number): BatchShape {
  return { steps: 1, images: 1, height: 1, width: 1, channels };
}

function pooled(shape: BatchShape, size: number): BatchShape {
  return { ...shape, height: Math.floor(shape.height / size), width: Math.floor(shape.width / size) };
}

function bySteps(x: tf.Tensor4D, { steps }: BatchShape): tf.Tensor2D {
  return x.reshape<tf.Tensor2D>([steps, -1]);
}

/** Repeated over the target's steps where the source has one, summed where the target has one. */
function toSteps(x: tf.Tensor4D, source: BatchShape, target: BatchShape): tf.Tensor4D {
  if (target.steps !== 1) return repeatSteps(x, source.steps, target.steps);
  return sumOverFirst(bySteps(x, source)).reshape(sidesOf({ ...source, steps: 1 }));
}

/** Sums over everything but channels: frames, rows and columns one after the other, which keeps float32 sums short. */
function sumByChannel(x: tf.Tensor4D): tf.Tensor1D {
  return sumOverFirst(sumOverFirst(sumOverFirst(x))) as tf.Tensor1D;
}

function meanByChannel(x: tf.Tensor4D): tf.Tensor1D {
  return sumByChannel(x).div(x.size / x.shape[3]);
}

/** `v[t] = decay * s[t-1] * (1 - s[t-1]) + x[t]`, of what was emitted. */
function siluMembranes(current: tf.Tensor4D, emitted: tf.Tensor4D, decay: number): tf.Tensor4D {
  const [steps, ...sides] = emitted.shape;
  const input = repeatSteps(current, current.shape[0], steps);
  if (steps === 1) return input;
  const before = emitted.slice([0, 0, 0, 0], [steps - 1, -1, -1, -1]);
  const left = before.mul<tf.Tensor4D>(decay).mul<tf.Tensor4D>(tf.sub(1, before));
  return input.add(tf.concat([tf.zeros<tf.Rank.R4>([1, ...sides]), left], 0));
}
