import { surrogateDerivative } from '../base/surrogate';
import type { ConvolutionGeometry, NeuronParameters } from './operations';
import {
  batchElements,
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
} from './training';

interface PlainBatch extends Batch {
  /** Of neurons what they emitted. */
  data: Float64Array;
}

interface PlainFired extends PlainBatch, FiredBatch {
  membrane: Float64Array;
}

interface PlainWeights extends TrainedWeights {
  data: Float64Array;
  gradient: PlainBatch;
}

interface PlainNormalised extends Normalised {
  input: PlainBatch;
  mean: PlainBatch;
  variance: PlainBatch;
  norm: NormParameters;
  /** Statistics that do not depend on the batch carry no gradient. */
  ownStatistics: boolean;
}

/**
 * The operations of training as their definitions read: loops over plain arrays, in double precision. Slow, and made to be compared with.
 */
export class ReferenceTraining implements TrainingOperations {
  values(data: Float32Array, shape: BatchShape): Batch {
    return batch(shape, Float64Array.from(data));
  }

  zeros(shape: BatchShape): Batch {
    return batch(shape);
  }

  weights(data: Float32Array, geometry: ConvolutionGeometry): TrainedWeights {
    const { kernel, inputChannels, outputChannels } = geometry;
    const shape = { steps: 1, images: kernel, height: kernel, width: inputChannels, channels: outputChannels };
    const weights: PlainWeights = { geometry, data: Float64Array.from(data), gradient: batch(shape) };
    return weights;
  }

  convolve(input: Batch, weights: TrainedWeights, bias: Float32Array | undefined): Batch {
    const { geometry, data } = weights as PlainWeights;
    const output = batch(convolvedBatch(input.shape, geometry));
    const source = dataOf(input);
    if (bias) output.data.forEach((_, index) => (output.data[index] = at(bias, index % geometry.outputChannels)));
    eachProduct(input.shape, geometry, source, (value, to, row) => {
      for (let o = 0; o < geometry.outputChannels; o++) add(output.data, to + o, value * at(data, row + o));
    });
    return output;
  }

  addInputGradient(gradient: Batch, weights: TrainedWeights, input: Batch, target: Batch): void {
    const { geometry, data } = weights as PlainWeights;
    const source = dataOf(gradient);
    eachProduct(input.shape, geometry, undefined, (_, to, row, from) => {
      for (let o = 0; o < geometry.outputChannels; o++) add(dataOf(target), from, at(source, to + o) * at(data, row + o));
    });
  }

  addWeightGradient(gradient: Batch, weights: TrainedWeights, input: Batch): void {
    const { geometry, gradient: target } = weights as PlainWeights;
    const source = dataOf(gradient);
    eachProduct(input.shape, geometry, dataOf(input), (value, to, row) => {
      for (let o = 0; o < geometry.outputChannels; o++) add(target.data, row + o, value * at(source, to + o));
    });
  }

  normalise(input: Batch, norm: NormParameters, running: { mean: Float32Array; variance: Float32Array } | undefined): Normalised {
    const { channels } = input.shape;
    const source = dataOf(input);
    const places = source.length / channels;
    const mean = running ? vector(running.mean) : this.channelSums(input);
    const variance = running ? vector(running.variance) : batch(mean.shape);
    if (!running) {
      mean.data.forEach((sum, c) => (mean.data[c] = sum / places));
      source.forEach((value, index) => add(variance.data, index % channels, (value - at(mean.data, index % channels)) ** 2 / places));
    }
    const output = batch(input.shape);
    source.forEach((value, index) => {
      const c = index % channels;
      const normal = (value - at(mean.data, c)) / Math.sqrt(at(variance.data, c) + norm.epsilon);
      output.data[index] = normal * at(norm.scale, c) + at(norm.shift, c);
    });
    const normalised: PlainNormalised = { output, mean, variance, input: input as PlainBatch, norm, ownStatistics: running === undefined };
    return normalised;
  }

  /** With y = scale * n + shift, n = (x - mean) / deviation: dL/dx = (g - mean(g) - n * mean(g * n)) * scale / deviation. */
  normGradient(gradient: Batch, normalised: Normalised): { scale: Batch; shift: Batch } {
    const { input, mean, variance, norm, ownStatistics } = normalised as PlainNormalised;
    const { channels } = input.shape;
    const source = dataOf(gradient);
    const places = source.length / channels;
    const deviation = variance.data.map((value) => Math.sqrt(value + norm.epsilon));
    const normal = input.data.map((value, index) => (value - at(mean.data, index % channels)) / at(deviation, index % channels));
    const scale = batch(mean.shape);
    const shift = batch(mean.shape);
    source.forEach((value, index) => {
      add(scale.data, index % channels, value * at(normal, index));
      add(shift.data, index % channels, value);
    });
    source.forEach((value, index) => {
      const c = index % channels;
      const common = ownStatistics ? (at(shift.data, c) + at(normal, index) * at(scale.data, c)) / places : 0;
      source[index] = ((value - common) * at(norm.scale, c)) / at(deviation, c);
    });
    return { scale, shift };
  }

  fire(input: Batch, steps: number, neuron: TrainedNeuron, parameters: NeuronParameters): FiredBatch {
    const shape = { ...input.shape, steps };
    const neurons = batchElements(shape) / steps;
    const source = dataOf(input);
    const { data } = batch(shape);
    const membrane = data.slice();
    const { decay, threshold, reset } = parameters;
    const drop = Math.fround(threshold);
    for (let n = 0; n < neurons; n++) {
      for (let t = 0; t < steps; t++) {
        const index = t * neurons + n;
        const x = at(source, input.shape.steps === 1 ? n : index);
        const before = t === 0 ? { s: 0, v: 0 } : { s: at(data, index - neurons), v: at(membrane, index - neurons) };
        if (neuron === 'relu') data[index] = Math.max(x, 0);
        else if (neuron === 'silu') {
          const v = decay * before.s * (1 - before.s) + x;
          membrane[index] = v;
          data[index] = v / (1 + Math.exp(-v));
        } else {
          // Rounded as float32 arithmetic does, since the decision at the threshold is what has to agree.
          const left = before.s === 0 ? before.v : reset === 'soft' ? Math.fround(before.v - drop) : 0;
          const v = Math.fround(Math.fround(decay * left) + x);
          membrane[index] = v;
          data[index] = Number(v > threshold);
        }
      }
    }
    const fired: PlainFired = { shape, data, membrane, neuron };
    return fired;
  }

  addFireGradient(gradient: Batch, fired: FiredBatch, { parameters, surrogate, penalty }: Backward, target: Batch): void {
    const { data, membrane, neuron, shape } = fired as PlainFired;
    const neurons = data.length / shape.steps;
    const { decay, threshold, reset } = parameters;
    const source = dataOf(gradient);
    for (let n = 0; n < neurons; n++) {
      let carried = 0;
      for (let t = shape.steps - 1; t >= 0; t--) {
        const index = t * neurons + n;
        const v = at(membrane, index);
        const s = at(data, index);
        if (neuron === 'relu') carried = s > 0 ? at(source, index) : 0;
        else if (neuron === 'silu') {
          const sigmoid = 1 / (1 + Math.exp(-v));
          carried = (at(source, index) + decay * (1 - s) * carried) * sigmoid * (1 + v * (1 - sigmoid));
        } else {
          const kept = reset === 'soft' ? decay : decay * (1 - s);
          carried = (at(source, index) + penalty) * surrogateDerivative(surrogate, v - threshold) + kept * carried;
        }
        add(dataOf(target), target.shape.steps === 1 ? n : index, carried);
      }
    }
  }

  firingRate(fired: FiredBatch): Batch {
    const spikes = dataOf(fired);
    return vector([spikes.reduce((sum, spike) => sum + spike, 0) / spikes.length]);
  }

  maxPool(input: Batch, size: number): Batch {
    const output = batch(pooled(input.shape, size));
    output.data.fill(-Infinity);
    const source = dataOf(input);
    eachWindow(input.shape, size, (from, to) => (output.data[to] = Math.max(at(output.data, to), at(source, from))));
    return output;
  }

  addMaxPoolGradient(input: Batch, gradient: Batch, size: number, target: Batch): void {
    const largest = dataOf(this.maxPool(input, size));
    const given = new Set<number>();
    eachWindow(input.shape, size, (from, to) => {
      if (given.has(to) || at(dataOf(input), from) !== at(largest, to)) return;
      given.add(to);
      add(dataOf(target), from, at(dataOf(gradient), to));
    });
  }

  upsample(input: Batch): Batch {
    const output = batch(doubled(input.shape));
    eachWindow(output.shape, 2, (from, to) => (output.data[from] = at(dataOf(input), to)));
    return output;
  }

  addUpsampleGradient(gradient: Batch, target: Batch): void {
    eachWindow(gradient.shape, 2, (from, to) => add(dataOf(target), to, at(dataOf(gradient), from)));
  }

  concatenate(inputs: readonly Batch[]): Batch {
    const [first] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    const channels = inputs.reduce((sum, { shape }) => sum + shape.channels, 0);
    const output = batch({ ...first.shape, steps: Math.max(...inputs.map(({ shape }) => shape.steps)), channels });
    let channel = 0;
    for (const input of inputs) {
      eachShared(input.shape, 0, output.shape, channel, input.shape.channels, (from, to) => (output.data[to] = at(dataOf(input), from)));
      channel += input.shape.channels;
    }
    return output;
  }

  addSliceGradient(gradient: Batch, firstChannel: number, target: Batch): void {
    eachShared(gradient.shape, firstChannel, target.shape, 0, target.shape.channels, (from, to) => add(dataOf(target), to, at(dataOf(gradient), from)));
  }

  add(a: Batch, b: Batch): Batch {
    const sum = batch({ ...a.shape, steps: Math.max(a.shape.steps, b.shape.steps) });
    this.addScaled(a, 1, sum);
    this.addScaled(b, 1, sum);
    return sum;
  }

  addScaled(source: Batch, factor: number, target: Batch): void {
    eachShared(source.shape, 0, target.shape, 0, target.shape.channels, (from, to) => add(dataOf(target), to, factor * at(dataOf(source), from)));
  }

  meanOverSteps(input: Batch): Batch {
    const mean = batch({ ...input.shape, steps: 1 });
    this.addScaled(input, 1 / input.shape.steps, mean);
    return mean;
  }

  channelSums(input: Batch): PlainBatch {
    const sums = vector(new Float64Array(input.shape.channels));
    dataOf(input).forEach((value, index) => add(sums.data, index % input.shape.channels, value));
    return sums;
  }

  read(values: readonly Batch[]): Promise<Float32Array[]> {
    return Promise.resolve(values.map((value) => Float32Array.from(dataOf(value))));
  }

  releaseNorm(): void {
    // Plain arrays are collected by themselves.
  }

  release(): void {
    // As above.
  }
}

function batch(shape: BatchShape, data = new Float64Array(batchElements(shape))): PlainBatch {
  return { shape, data };
}

function vector(values: ArrayLike<number>): PlainBatch {
  return batch({ steps: 1, images: 1, height: 1, width: 1, channels: values.length }, Float64Array.from(values));
}

/** Every value that reaches this class was made by it. */
function dataOf(value: Batch): Float64Array {
  return (value as PlainBatch).data;
}

/** Reads inside the bounds that the loops guarantee; typed arrays are typed as if they could have holes. */
function at(array: Float32Array | Float64Array, index: number): number {
  return array[index] ?? NaN;
}

function add(array: Float64Array, index: number, value: number): void {
  array[index] = at(array, index) + value;
}

/**
 * Visits every product of an input value and a row of weights, one for each output channel, that a convolution sums: itself and its two
 * gradients are sums over the same ones. Where `values` are given, those that are 0 are left out.
 */
function eachProduct(
  input: BatchShape, geometry: ConvolutionGeometry, values: Float64Array | undefined,
  visit: (value: number, output: number, row: number, input: number) => void,
): void {
  const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
  const output = convolvedBatch(input, geometry);
  for (let frame = 0; frame < input.steps * input.images; frame++) {
    for (let y = 0; y < output.height; y++) {
      for (let x = 0; x < output.width; x++) {
        const to = ((frame * output.height + y) * output.width + x) * outputChannels;
        for (let ky = 0; ky < kernel; ky++) {
          const sourceY = y * stride + ky - padding;
          if (sourceY < 0 || sourceY >= input.height) continue;
          for (let kx = 0; kx < kernel; kx++) {
            const sourceX = x * stride + kx - padding;
            if (sourceX < 0 || sourceX >= input.width) continue;
            const from = ((frame * input.height + sourceY) * input.width + sourceX) * inputChannels;
            const rows = (ky * kernel + kx) * inputChannels;
            for (let i = 0; i < inputChannels; i++) {
              const value = values ? at(values, from + i) : NaN;
              if (value !== 0) visit(value, to, (rows + i) * outputChannels, from + i);
            }
          }
        }
      }
    }
  }
}

function pooled(shape: BatchShape, size: number): BatchShape {
  return { ...shape, height: Math.floor(shape.height / size), width: Math.floor(shape.width / size) };
}

function doubled(shape: BatchShape): BatchShape {
  return { ...shape, height: shape.height * 2, width: shape.width * 2 };
}

/** Visits the values of windows of `size` without overlap, in rows from the left above, each with its window. */
function eachWindow(shape: BatchShape, size: number, visit: (value: number, window: number) => void): void {
  const { height, width } = pooled(shape, size);
  for (let frame = 0; frame < shape.steps * shape.images; frame++) {
    for (let y = 0; y < height * size; y++) {
      for (let x = 0; x < width * size; x++) {
        const window = (frame * height + Math.floor(y / size)) * width + Math.floor(x / size);
        const pixel = (frame * shape.height + y) * shape.width + x;
        for (let c = 0; c < shape.channels; c++) visit(pixel * shape.channels + c, window * shape.channels + c);
      }
    }
  }
}

/** Visits the values of some channels in two batches at once; what has one step is visited again at every step. */
function eachShared(
  source: BatchShape, sourceChannel: number, target: BatchShape, targetChannel: number, channels: number,
  visit: (source: number, target: number) => void,
): void {
  const pixels = source.images * source.height * source.width;
  for (let step = 0; step < Math.max(source.steps, target.steps); step++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const from = ((source.steps === 1 ? 0 : step) * pixels + pixel) * source.channels + sourceChannel;
      const to = ((target.steps === 1 ? 0 : step) * pixels + pixel) * target.channels + targetChannel;
      for (let c = 0; c < channels; c++) visit(from + c, to + c);
    }
  }
}
