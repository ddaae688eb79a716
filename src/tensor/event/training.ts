import { surrogateShapes, type Surrogate } from '../../base/surrogate';
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
import { Heap } from './heap';
import type { TrainingKernels } from './trainingKernels';

/** Per pixel the channels that are visited; kernels/training.ts has the layout. */
interface Lists {
  address: number;
  listBytes: number;
  counts: number;
}

interface EventBatch extends Batch {
  /** `[steps, images, height, width, stride]`; of a spiking layer its membranes. Ask `addressOf`, unless it was written just now. */
  address: number;
  /** All of it is 0, and not written yet: the first gradient may be copied there. */
  zero?: boolean;
  /** What a convolution forward and the weights' gradient visit; made when first asked for. */
  active?: Lists;
}

interface EventFired extends EventBatch, FiredBatch {
  parameters: NeuronParameters;
  /** SiLU's membranes, beside what it emitted. */
  membrane: number | undefined;
  /** Neurons within a surrogate's bounds; made when first asked for. */
  passing?: Lists;
}

interface EventWeights extends TrainedWeights {
  /** `[taps, in, stride of out]`. */
  plain: number;
  /** The same in blocks of output channels. */
  packed: number;
  /** And in blocks of input channels; made when first asked for. */
  transposed?: number;
  gradient: EventBatch;
}

interface EventNormalised extends Normalised {
  output: EventBatch;
  input: EventBatch;
  /** `[channels]` each. */
  means: Float32Array;
  inverse: Float32Array;
  scale: Float32Array;
  /** Statistics that do not depend on the batch carry no gradient. */
  ownStatistics: boolean;
}

/** How `listChannels` chooses. */
const aboveThreshold = 0;
const nearThreshold = 1;
const everything = 2;

const rowsCapacity = 16 * 1024;
const chunkPixels = 4096;
/** Gradients copied at a time for the weights' gradient, and input weights kept in the cache for the inputs' gradient. */
const bandBytes = 192 * 1024;
const cachedWeightBytes = 192 * 1024;

/**
 * Training on the CPU with a cost that follows the spikes: all three products of a convolution visit only what is on
 * lists (src/decisions/0010-training-engine.md).
 */
export class EventTraining implements TrainingOperations {
  private readonly heap: Heap;
  private readonly starts: number;
  private readonly nothing: number;
  private scratch = { address: 0, bytes: 0 };

  constructor(private readonly kernels: TrainingKernels) {
    this.heap = new Heap(kernels.memory, kernels.initialise());
    this.starts = this.heap.allocate((chunkPixels + 1) * 4);
    // What sums without a bias start with; as wide as any layer.
    this.nothing = this.heap.allocate(largestChannels * 4);
    this.floats(this.nothing, largestChannels).fill(0);
  }

  memory(): { tensors: number; bytes: number } {
    const { blocks, bytes } = this.heap.used;
    return { tensors: blocks, bytes };
  }

  values(data: Float32Array, shape: BatchShape): Batch {
    const batch = this.allocate(shape);
    this.setRows(batch.address, data, data.length / shape.channels, shape.channels);
    return batch;
  }

  zeros(shape: BatchShape): Batch {
    return { ...this.allocate(shape), zero: true } as EventBatch;
  }

  weights(data: Float32Array, geometry: ConvolutionGeometry): TrainedWeights {
    const { kernel, inputChannels, outputChannels } = geometry;
    const rows = kernel * kernel * inputChannels;
    const outputs = strideOf(outputChannels);
    if (outputs > largestChannels || kernel > 11) throw new RangeError('The convolution is wider than the kernels of training allow.');
    const plain = this.heap.allocate(rows * outputs * 4);
    const packed = this.heap.allocate(rows * outputs * 4);
    this.setRows(plain, data, rows, outputChannels);
    this.kernels.packBlocks(plain, rows, outputs, packed);
    const gradient = this.zeros({ steps: 1, images: kernel, height: kernel, width: inputChannels, channels: outputChannels }) as EventBatch;
    const weights: EventWeights = { geometry, plain, packed, gradient };
    return weights;
  }

  convolve(input: Batch, weights: TrainedWeights, bias: Float32Array | undefined): Batch {
    const { geometry, packed } = weights as EventWeights;
    const address = this.addressOf(input);
    const { kernel, stride, padding, inputChannels } = geometry;
    const { steps, images, height, width } = input.shape;
    const frames = steps * images;
    const output = this.allocate(convolvedBatch(input.shape, geometry));
    const outputs = strideOf(geometry.outputChannels);
    const initial = bias ? this.perChannel(bias, outputs) : this.nothing;
    const inputBytes = strideOf(inputChannels) * 4;
    if (isReal(input)) {
      const tables = this.workspace(tapTables(output.shape, kernel));
      this.kernels.sumDense(
        address, frames, height, width, inputBytes, inputChannels, kernel, stride, padding, 0,
        packed, initial, output.address, output.shape.height, output.shape.width, outputs, tables,
      );
    } else {
      const lists = this.activeLists(input);
      // One pixel's rows must fit; the last ones are written eight at a time.
      const capacity = Math.max(rowsCapacity, kernel * kernel * inputChannels);
      const rows = this.workspace(capacity * 8 + 32);
      this.kernels.convolve(
        lists.address, lists.listBytes, lists.counts, spikes(input) ? 0 : address, inputBytes,
        frames, height, width, inputChannels, kernel, stride, padding, output.shape.height, output.shape.width,
        packed, initial, outputs, output.address, rows, capacity, this.starts, chunkPixels,
      );
    }
    if (bias) this.heap.release(initial);
    return output;
  }

  addInputGradient(gradient: Batch, weights: TrainedWeights, input: Batch, target: Batch, surrogate: Surrogate, everywhere: boolean): void {
    const { geometry, plain } = weights as EventWeights;
    const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
    const { steps, images, height, width } = input.shape;
    const lists = everywhere || isReal(input) ? undefined : this.passingLists(input, surrogate);
    const frames = steps * images;
    const places = frames * height * width;
    const from = this.addressOf(gradient);
    const to = this.addressOf(target);
    const outputBytes = strideOf(outputChannels) * 4;
    const tables = tapTables(input.shape, kernel);
    if (!lists || this.kernels.sumCounts(lists.counts, places) > places * inputChannels * densestShare(geometry)) {
      this.kernels.sumDense(
        from, frames, gradient.shape.height, gradient.shape.width, outputBytes, outputChannels, kernel, stride, padding, 1,
        this.transposed(weights as EventWeights), 0, to, height, width, strideOf(inputChannels), this.workspace(tables),
      );
      return;
    }
    const cursors = this.workspace(places * 4 + tables);
    const block = Math.max(16, Math.floor(cachedWeightBytes / (kernel * kernel * outputBytes * 8)) * 8);
    this.kernels.addInputGradient(
      from, frames, gradient.shape.height, gradient.shape.width, outputBytes,
      plain, kernel, stride, padding,
      lists.address, lists.listBytes, lists.counts, height, width, inputChannels,
      to, strideOf(inputChannels) * 4, cursors, Math.min(block, Math.ceil(inputChannels / 8) * 8),
    );
  }

  addWeightGradient(gradient: Batch, weights: TrainedWeights, input: Batch): void {
    const { geometry, gradient: target } = weights as EventWeights;
    const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
    const address = this.addressOf(input);
    const lists = this.activeLists(input);
    const { steps, images, height, width } = input.shape;
    const outputs = strideOf(outputChannels);
    const border = Math.max(Math.ceil((kernel - 1 - padding) / stride), Math.floor((padding + stride - 1) / stride));
    const rowBytes = (gradient.shape.width + 2 * border + 1) * outputs * 4;
    const frames = steps * images;
    // Several frames at once where they are small, else some rows of one.
    const frameBytes = (gradient.shape.height + 2 * border) * rowBytes;
    const framesAtOnce = Math.min(frames, Math.max(1, Math.floor(bandBytes / frameBytes)));
    const bandHeight = framesAtOnce > 1 ? gradient.shape.height : Math.max(1, Math.floor(bandBytes / rowBytes) - 2 * border);
    const rowsAtOnce = Math.min(height, bandHeight * stride);
    const surroundedBytes = framesAtOnce * (Math.ceil(rowsAtOnce / stride) + 2 * border + 1) * rowBytes;
    const startsBytes = (stride * stride * inputChannels + 1) * 4;
    const capacity = framesAtOnce * rowsAtOnce * width * inputChannels;
    const surrounded = this.workspace(surroundedBytes + startsBytes + 64 + capacity * 8);
    const starts = surrounded + surroundedBytes;
    const entries = starts + Math.ceil(startsBytes / 64) * 64;
    for (let frame = 0; frame < frames; frame += framesAtOnce) {
      for (let row = 0; row < height; row += rowsAtOnce) {
        this.kernels.addWeightGradient(
          lists.address, lists.listBytes, lists.counts, spikes(input) ? 0 : address, strideOf(inputChannels) * 4,
          frame, Math.min(framesAtOnce, frames - frame), height, width, inputChannels, row, Math.min(height, row + rowsAtOnce),
          kernel, stride, padding, this.addressOf(gradient), gradient.shape.height, gradient.shape.width, outputs,
          border, surrounded, starts, entries, capacity, this.addressOf(target),
        );
      }
    }
  }

  normalise(input: Batch, norm: NormParameters, running: { mean: Float32Array; variance: Float32Array } | undefined): Normalised {
    const source = this.addressOf(input);
    const { channels } = input.shape;
    const stride = strideOf(channels);
    const places = stored(input.shape) / stride;
    let mean: Float32Array;
    let variance: Float32Array;
    if (running) ({ mean, variance } = running);
    else {
      const { sums, products } = this.channelPairs(stride, (first, second) => {
        this.kernels.sumChannels(source, places, stride * 4, source, first, second);
      });
      const origin = this.floats(source, channels);
      mean = Float32Array.from({ length: channels }, (_, c) => at(origin, c) + at(sums, c) / places);
      variance = Float32Array.from({ length: channels }, (_, c) => Math.max(0, at(products, c) / places - (at(sums, c) / places) ** 2));
    }
    const inverse = variance.map((value) => 1 / Math.sqrt(value + norm.epsilon));
    const factor = norm.scale.map((value, c) => value * at(inverse, c));
    const output = this.allocate(input.shape);
    const scale = this.perChannel(factor, stride);
    const shift = this.perChannel(norm.shift.map((value, c) => value - at(mean, c) * at(factor, c)), stride);
    this.kernels.affine(source, places, stride * 4, scale, shift, output.address);
    this.heap.release(scale);
    this.heap.release(shift);
    const normalised: EventNormalised = {
      output, mean: this.vector(mean), variance: this.vector(variance), input: input as EventBatch, means: mean, inverse, scale: norm.scale,
      ownStatistics: running === undefined,
    };
    return normalised;
  }

  normGradient(gradient: Batch, normalised: Normalised): { scale: Batch; shift: Batch } {
    const { input, means: mean, inverse, scale, ownStatistics } = normalised as EventNormalised;
    const address = this.addressOf(gradient);
    const { channels } = input.shape;
    const stride = strideOf(channels);
    const places = stored(input.shape) / stride;
    const means = this.perChannel(mean, stride);
    const inverses = this.perChannel(inverse, stride);
    const { sums, products } = this.channelPairs(stride, (first, second) => {
      this.kernels.sumNormGradients(address, input.address, places, stride * 4, means, inverses, first, second);
    });
    const factor = scale.map((value, c) => value * at(inverse, c));
    const share = ownStatistics ? 1 / places : 0;
    const factors = this.perChannel(factor, stride);
    const slopes = this.perChannel(factor.map((value, c) => value * at(products, c) * share * at(inverse, c)), stride);
    const offsets = this.perChannel(factor.map((value, c) => value * at(sums, c) * share), stride);
    this.kernels.normGradient(address, input.address, places, stride * 4, means, factors, slopes, offsets);
    for (const array of [means, inverses, factors, slopes, offsets]) this.heap.release(array);
    return {
      scale: this.vector(Float32Array.from(products.subarray(0, channels))),
      shift: this.vector(Float32Array.from(sums.subarray(0, channels))),
    };
  }

  releaseNorm(normalised: Normalised): void {
    const { input, output, mean, variance } = normalised as EventNormalised;
    for (const value of [input, output, mean, variance]) this.release(value);
  }

  fire(input: Batch, steps: number, neuron: TrainedNeuron, parameters: NeuronParameters): FiredBatch {
    const address = this.addressOf(input);
    const output = this.allocate({ ...input.shape, steps });
    const values = stored(output.shape) / steps;
    const sourceStepBytes = input.shape.steps === 1 ? 0 : values * 4;
    const { decay, threshold, reset } = parameters;
    let membrane: number | undefined;
    if (neuron === 'relu') {
      for (let step = 0; step < steps; step++) this.kernels.relu(address + step * sourceStepBytes, values, output.address + step * values * 4);
    } else if (neuron === 'lif') {
      this.kernels.integrate(address, sourceStepBytes, values, steps, decay, threshold, Number(reset === 'soft'), output.address);
    } else {
      membrane = this.heap.allocate(stored(output.shape) * 4);
      this.kernels.integrateSilu(address, sourceStepBytes, values, steps, decay, membrane, output.address);
    }
    const fired: EventFired = { ...output, neuron, parameters, membrane };
    return fired;
  }

  addFireGradient(gradient: Batch, fired: FiredBatch, { parameters, surrogate, penalty }: Backward, target: Batch): void {
    const { address, membrane, neuron, shape } = fired as EventFired;
    const from = this.addressOf(gradient);
    const to = this.addressOf(target);
    const values = stored(shape) / shape.steps;
    const targetStepBytes = target.shape.steps === 1 ? 0 : values * 4;
    if (neuron === 'relu') {
      for (let step = 0; step < shape.steps; step++) {
        this.kernels.addReluGradient(address + step * values * 4, from + step * values * 4, values, to + step * targetStepBytes);
      }
    } else if (membrane !== undefined) {
      this.kernels.addSiluGradient(membrane, address, from, values, shape.steps, parameters.decay, to, targetStepBytes);
    } else {
      this.kernels.addIntegrateGradient(
        address, from, penalty, values, shape.steps, parameters.decay, parameters.threshold,
        Number(parameters.reset === 'soft'), surrogateShapes.indexOf(surrogate.shape), surrogate.parameter, to, targetStepBytes,
      );
    }
  }

  firingRate(fired: FiredBatch): Batch {
    const { steps, images, height, width, channels } = fired.shape;
    const places = steps * images * height * width;
    return this.vector(Float32Array.of(this.kernels.sumCounts(this.activeLists(fired).counts, places) / (places * channels)));
  }

  maxPool(input: Batch, size: number): Batch {
    const { steps, images, height, width, channels } = input.shape;
    const output = this.allocate({ ...input.shape, height: Math.floor(height / size), width: Math.floor(width / size) });
    this.kernels.maxPool(this.addressOf(input), steps * images, height, width, size, strideOf(channels) * 4, output.address);
    return output;
  }

  addMaxPoolGradient(input: Batch, gradient: Batch, size: number, target: Batch): void {
    const { steps, images, height, width, channels } = input.shape;
    this.kernels.addMaxPoolGradient(
      this.addressOf(input), this.addressOf(gradient), steps * images, height, width, size, strideOf(channels) * 4,
      this.addressOf(target),
    );
  }

  upsample(input: Batch): Batch {
    const { steps, images, height, width, channels } = input.shape;
    const output = this.allocate({ ...input.shape, height: height * 2, width: width * 2 });
    this.kernels.upsample(this.addressOf(input), steps * images, height, width, strideOf(channels) * 4, output.address);
    return output;
  }

  addUpsampleGradient(gradient: Batch, target: Batch): void {
    const { steps, images, height, width, channels } = target.shape;
    this.kernels.addUpsampleGradient(
      this.addressOf(gradient), steps * images, height, width, strideOf(channels) * 4, this.addressOf(target),
    );
  }

  concatenate(inputs: readonly Batch[]): Batch {
    const [first] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    const output = this.allocate({
      ...first.shape,
      steps: Math.max(...inputs.map(({ shape }) => shape.steps)),
      channels: inputs.reduce((sum, { shape }) => sum + shape.channels, 0),
    });
    let channel = 0;
    for (const input of inputs) {
      // Every part is new, and together they are the whole.
      output.zero = true;
      this.addAcross(input as EventBatch, 0, output, channel, 1, input.shape.channels);
      channel += input.shape.channels;
    }
    return output;
  }

  addSliceGradient(gradient: Batch, firstChannel: number, target: Batch): void {
    this.addAcross(gradient as EventBatch, firstChannel, target as EventBatch, 0, 1, target.shape.channels);
  }

  add(a: Batch, b: Batch): Batch {
    const sum = this.zeros({ ...a.shape, steps: Math.max(a.shape.steps, b.shape.steps) });
    this.addScaled(a, 1, sum);
    this.addScaled(b, 1, sum);
    return sum;
  }

  addScaled(source: Batch, factor: number, target: Batch): void {
    this.addAcross(source as EventBatch, 0, target as EventBatch, 0, factor, target.shape.channels);
  }

  meanOverSteps(input: Batch): Batch {
    const mean = this.zeros({ ...input.shape, steps: 1 });
    this.addScaled(input, 1 / input.shape.steps, mean);
    return mean;
  }

  channelSums(input: Batch): Batch {
    const { channels } = input.shape;
    const stride = strideOf(channels);
    const { sums } = this.channelPairs(stride, (first, second) => {
      this.kernels.sumChannels(this.addressOf(input), stored(input.shape) / stride, stride * 4, this.nothing, first, second);
    });
    return this.vector(Float32Array.from(sums.subarray(0, channels)));
  }

  read(values: readonly Batch[]): Promise<Float32Array[]> {
    return Promise.resolve(
      values.map((value) => {
        const { channels } = value.shape;
        const data = this.withoutPadding(this.addressOf(value), stored(value.shape) / strideOf(channels), channels);
        if (!spikes(value)) return data;
        // As the kernels have it: a membrane exactly at the rounded threshold did not fire.
        const threshold = Math.fround((value as EventFired).parameters.threshold);
        return data.map((membrane) => Number(membrane > threshold));
      }),
    );
  }

  release(value: Batch | TrainedWeights): void {
    const { plain, packed, transposed, gradient } = value as Partial<EventWeights>;
    const { address, active, passing, membrane } = value as Partial<EventFired>;
    for (const block of [plain, packed, transposed, gradient?.address, address, active?.address, passing?.address, membrane]) {
      if (block !== undefined) this.heap.release(block);
    }
  }

  private allocate(shape: BatchShape): EventBatch {
    // Eight channels are looked at at once, past the last ones.
    return { shape, address: this.heap.allocate(stored(shape) * 4 + 16) };
  }

  private transposed(weights: EventWeights): number {
    if (weights.transposed === undefined) {
      const { kernel, inputChannels, outputChannels } = weights.geometry;
      weights.transposed = this.heap.allocate(kernel * kernel * outputChannels * strideOf(inputChannels) * 4);
      this.kernels.packTransposed(
        weights.plain, kernel * kernel, inputChannels, outputChannels, strideOf(outputChannels) * 4, weights.transposed,
      );
    }
    return weights.transposed;
  }

  /** What is not silent: spikes, what ReLU let through, or everything where values are real. */
  private activeLists(input: Batch): Lists {
    const batch = input as EventBatch;
    if (!batch.active) {
      const { neuron, parameters } = input as Partial<EventFired>;
      batch.active =
        neuron === 'lif' ? this.list(batch, aboveThreshold, parameters?.threshold ?? 0, 0)
        : neuron === 'relu' ? this.list(batch, aboveThreshold, 0, 0)
        : this.list(batch, everything, 0, 0);
    }
    return batch.active;
  }

  /** Where a gradient can pass. */
  private passingLists(input: Batch, { shape, parameter }: Surrogate): Lists {
    const bounded = shape === 'rectangular' || shape === 'triangle';
    if (!spikes(input) || !bounded) {
      if (!spikes(input)) return this.activeLists(input);
      const fired = input as EventFired;
      return (fired.passing ??= this.list(fired, everything, 0, 0));
    }
    const fired = input as EventFired;
    return (fired.passing ??= this.list(fired, nearThreshold, fired.parameters.threshold, parameter));
  }

  private list(batch: EventBatch, mode: number, threshold: number, width: number): Lists {
    const { shape } = batch;
    const { channels } = shape;
    const address = this.addressOf(batch);
    const places = stored(shape) / strideOf(channels);
    const listBytes = (Math.ceil(channels / 8) * 8 + 8) * 2;
    const lists = this.heap.allocate(places * (listBytes + 4));
    const counts = lists + places * listBytes;
    this.kernels.listChannels(address, places, channels, strideOf(channels) * 4, mode, threshold, width, lists, listBytes, counts);
    return { address: lists, listBytes, counts };
  }

  /** `target[..., targetChannel...] += factor * source[..., sourceChannel...]`, repeated or summed over steps. The channels are all that a target of zeros has. */
  private addAcross(
    source: EventBatch, sourceChannel: number, target: EventBatch, targetChannel: number, factor: number, channels: number,
  ): void {
    if (sourceChannel % 4 !== 0 || targetChannel % 4 !== 0) throw new RangeError('Channels are joined in fours.');
    const steps = Math.max(source.shape.steps, target.shape.steps);
    const sourceBytes = strideOf(source.shape.channels) * 4;
    const targetBytes = strideOf(target.shape.channels) * 4;
    const pixels = source.shape.images * source.shape.height * source.shape.width;
    const from = this.addressOf(source) + sourceChannel * 4;
    const to = target.address + targetChannel * 4;
    for (let step = 0; step < steps; step++) {
      const isFirst = target.zero && (step === 0 || target.shape.steps > 1);
      this.kernels[isFirst ? 'copyScaled' : 'addScaled'](
        from + (source.shape.steps === 1 ? 0 : step) * pixels * sourceBytes, sourceBytes, pixels, strideOf(channels) * 4, factor,
        to + (target.shape.steps === 1 ? 0 : step) * pixels * targetBytes, targetBytes,
      );
    }
    target.zero = false;
  }

  private addressOf(batch: Batch): number {
    const known = batch as EventBatch;
    if (known.zero) this.floats(known.address, stored(batch.shape)).fill(0);
    known.zero = false;
    return known.address;
  }

  /** Two arrays of float64 sums by channel, zero at first. */
  private channelPairs(stride: number, add: (first: number, second: number) => void): { sums: Float64Array; products: Float64Array } {
    const address = this.heap.allocate(stride * 16);
    this.floats(address, stride * 4).fill(0);
    add(address, address + stride * 8);
    const sums = new Float64Array(this.kernels.memory.buffer, address, stride * 2).slice();
    this.heap.release(address);
    return { sums: sums.subarray(0, stride), products: sums.subarray(stride) };
  }

  private perChannel(values: Float32Array, stride: number): number {
    const address = this.heap.allocate(stride * 4);
    const floats = this.floats(address, stride);
    floats.fill(0);
    floats.set(values);
    return address;
  }

  private vector(data: Float32Array): Batch {
    return this.values(data, { steps: 1, images: 1, height: 1, width: 1, channels: data.length });
  }


  private setRows(address: number, data: Float32Array, rows: number, columns: number): void {
    const stride = strideOf(columns);
    const floats = this.floats(address, rows * stride);
    if (stride === columns) {
      floats.set(data);
      return;
    }
    floats.fill(0);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) floats[row * stride + column] = at(data, row * columns + column);
    }
  }

  private withoutPadding(address: number, rows: number, columns: number): Float32Array {
    const stride = strideOf(columns);
    const floats = this.floats(address, rows * stride);
    if (stride === columns) return floats.slice();
    const data = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) data.set(floats.subarray(row * stride, row * stride + columns), row * columns);
    return data;
  }

  /** Memory that lasts until the next call. */
  private workspace(bytes: number): number {
    if (this.scratch.bytes < bytes) {
      if (this.scratch.bytes > 0) this.heap.release(this.scratch.address);
      this.scratch = { address: this.heap.allocate(bytes), bytes };
    }
    return this.scratch.address;
  }

  private floats(address: number, length: number): Float32Array {
    return this.heap.floats.subarray(address / 4, address / 4 + length);
  }
}

const largestChannels = 4096;

function spikes(batch: Batch): boolean {
  return (batch as Partial<EventFired>).neuron === 'lif';
}

/** Whether nothing is silent: features, and what SiLU emits. */
function isReal(batch: Batch): boolean {
  const { neuron } = batch as Partial<EventFired>;
  return neuron === undefined || neuron === 'silu';
}

/** Bytes of the tables of taps for the rows and columns of a batch. */
function tapTables({ height, width }: BatchShape, kernel: number): number {
  return (height + width) * (1 + 2 * kernel) * 4;
}

/**
 * Share of neurons that let a gradient pass above which visiting them all takes less time. Measured: a product of the dense sums takes 0.68 of the
 * time of one that is listed, and beginning with a listed neuron as long as about 22 of them.
 */
function densestShare({ kernel, stride, outputChannels }: ConvolutionGeometry): number {
  const products = (outputChannels * kernel * kernel) / (stride * stride);
  return (0.68 * products) / (products + 22);
}

function strideOf(channels: number): number {
  return Math.ceil(channels / 4) * 4;
}

/** Floats that a batch takes. */
function stored(shape: BatchShape): number {
  return shape.steps * shape.images * shape.height * shape.width * strideOf(shape.channels);
}

/** Reads inside bounds that the loops guarantee; typed arrays are typed as if they could have holes. */
function at(array: Float32Array | Float64Array, index: number): number {
  return array[index] ?? NaN;
}
