import { quietTask, type Task } from '../../base/progress';
import type {
  Audible,
  Convolution,
  ConvolutionGeometry,
  ConvolutionWeights,
  FeatureShape,
  IntegrateAndFireParameters,
  NeuronParameters,
  Operations,
  Signal,
  Spikes,
} from '../operations';
import { convolvedShape, elementCount, neuronsOnClock } from '../operations';
import {
  denseProgram,
  denseThreads,
  spikingProgram,
  spikingThreads,
  type DenseTile,
  type Epilogue,
  type Execution,
  type Precision,
  type SpikingTile,
} from './convolutionPrograms';
import type { Gpu, Variant } from './gpu';
import * as programs from './layerPrograms';
import { workgroupThreads, type Program } from './program';

/**
 * Some channels of a signal, `[steps, height, width, vectors]` of 4 channels, shared by the signals that it is a part of; or a convolution
 * of spikes that nobody has needed yet, which can still take on what comes behind it.
 */
interface Part {
  channels: number;
  /** 1 where it is the same at every step. */
  steps: number;
  owners: number;
  content: { kind: 'stored'; buffer: GPUBuffer } | PendingConvolution;
}

interface PendingConvolution {
  kind: 'pending';
  bits: Bits;
  convolution: LoadedConvolution;
}

/** Parts lie behind each other along channels, so that a concatenation copies nothing; all but the last have a multiple of 4. */
interface GpuSignal extends Signal {
  parts: Part[];
}

/** Spikes, 32 channels to a word: `u32[steps, height, width, words]`. */
interface Bits {
  buffer: GPUBuffer;
  shape: FeatureShape;
  owners: number;
}
/** Where neurons fire bursts, their number is a value like any other. */
interface GpuSpikes extends Spikes {
  content: { kind: 'bits'; bits: Bits } | { kind: 'values'; part: Part };
}

interface LoadedConvolution {
  name: string;
  geometry: ConvolutionGeometry;
  weights: GPUBuffer;
  bias: GPUBuffer;
  owners: number;
}
interface GpuConvolution extends Convolution {
  loaded: LoadedConvolution;
}

/** Tiles that a device may choose from; the first is used where it has not chosen. */
const denseTiles: readonly DenseTile[] = [
  { pixels: 4, vectors: 2 },
  { pixels: 4, vectors: 4 },
  { pixels: 2, vectors: 1 },
  { pixels: 1, vectors: 1 },
];
const spikingTiles: readonly SpikingTile[] = [
  { walk: 'together', vectors: 4 },
  { walk: 'together', vectors: 2 },
  { walk: 'together', vectors: 1 },
  { walk: 'each', vectors: 4 },
  { walk: 'each', vectors: 1 },
];
/** Sums that a thread can hold at most: vectors at all steps. */
const maximumSums = 16;

/**
 * The operations on WebGPU with our own kernels (src/decisions/0015-webgpu.md). Nothing runs until somebody reads: then all commands are
 * submitted at once. A convolution of spikes is put off until its result is needed, so that an addition or the neuron behind it happens
 * before its sums leave their registers.
 */
export class WebgpuOperations implements Operations {
  readonly backend = 'webgpu';

  constructor(
    private readonly gpu: Gpu,
    private readonly execution: Execution,
  ) {}

  loadConvolution({ name, weights, bias, kernel, stride, padding, inputChannels, outputChannels }: ConvolutionWeights): Convolution {
    const rows = vectorsOf(inputChannels) * 4;
    const columns = vectorsOf(outputChannels) * 4;
    // A thread may read the vectors behind the last ones.
    const packed = new Float32Array(kernel * kernel * rows * columns + 16);
    for (let tap = 0; tap < kernel * kernel; tap++) {
      for (let input = 0; input < inputChannels; input++) {
        const from = (tap * inputChannels + input) * outputChannels;
        packed.set(weights.subarray(from, from + outputChannels), (tap * rows + input) * columns);
      }
    }
    const paddedBias = new Float32Array(columns + 16);
    paddedBias.set(bias);
    const geometry = { kernel, stride, padding, inputChannels, outputChannels };
    const loaded = { name, geometry, weights: this.gpu.upload(rounded(packed, this.execution.precision)), bias: this.gpu.upload(paddedBias), owners: 1 };
    const convolution: GpuConvolution = { kind: 'convolution', geometry, loaded };
    return convolution;
  }

  input(values: Float32Array, shape: FeatureShape): Signal {
    return stored(shape, this.gpu.upload(padded(values, shape.channels)));
  }

  denseConvolution(input: Signal, convolution: Convolution): Signal {
    const { loaded } = convolution as GpuConvolution;
    const shape = convolvedShape(input.shape, loaded.geometry);
    const outputVectors = vectorsOf(shape.channels);
    const pixels = shape.steps * shape.height * shape.width;
    const source = this.joined(input);
    const target = this.allocate(shape);
    const [first, ...others] = denseTiles.map((tile): Variant => ({
      name: `${tile.pixels} x ${tile.vectors}`,
      program: denseProgram(tile, this.execution.precision),
      threads: denseThreads(tile, pixels, outputVectors),
    }));
    if (!first) throw new RangeError('There is no kernel for dense convolutions.');
    this.gpu.record({
      layer: loaded.name,
      variants: [first, ...others],
      shape: shapeKey('dense', input.shape, loaded.geometry),
      buffers: [source, loaded.weights, loaded.bias, target],
      uniforms: geometryUniforms(input.shape, shape, loaded.geometry, pixels, vectorsOf(loaded.geometry.inputChannels)),
    });
    return stored(shape, target);
  }

  spikingConvolution(input: Spikes, convolution: Convolution): Signal {
    const { content } = input as GpuSpikes;
    if (content.kind === 'values') return this.denseConvolution(signal(input.shape, [content.part]), convolution);
    const { loaded } = convolution as GpuConvolution;
    content.bits.owners++;
    loaded.owners++;
    const shape = convolvedShape(input.shape, loaded.geometry);
    const { channels, steps } = shape;
    return signal(shape, [{ channels, steps, owners: 1, content: { kind: 'pending', bits: content.bits, convolution: loaded } }]);
  }

  leakyIntegrateAndFire(input: Signal, steps: number, parameters: NeuronParameters, record: boolean) {
    const shape = { ...input.shape, steps };
    const buffer = this.gpu.allocate(wordCount(shape) * 4);
    const { decay, threshold, reset } = parameters;
    const pending = record ? undefined : pendingOf(input, steps);
    if (pending) this.convolve(pending, reset === 'soft' ? 'fire softly' : 'fire', buffer, [], [shape.channels, decay, threshold]);
    else {
      const count = wordCount(shape) / steps;
      const vectors = vectorsOf(shape.channels);
      const source = this.joined(input);
      this.run(
        neuronsOnClock, programs.fireProgram(steps, reset === 'soft'), count, [source, buffer],
        [count, wordsOf(shape.channels), vectors, shape.channels, this.sourceStep(input), decay, threshold],
      );
    }
    const spikes: GpuSpikes = { kind: 'spikes', shape, content: { kind: 'bits', bits: { buffer, shape, owners: 1 } } };
    return { spikes, membrane: record ? this.membranes(input, shape, parameters) : undefined };
  }

  leakySilu(input: Signal, steps: number, { decay }: NeuronParameters): Signal {
    const shape = { ...input.shape, steps };
    return this.perNeuron(programs.leakySiluProgram, input, shape, [decay]);
  }

  carryOver(last: Signal, neuron: 'lif' | 'silu', { decay, threshold, reset }: NeuronParameters): Signal {
    const shape = { ...last.shape, steps: 1 };
    const program = programs.carryOverProgram(neuron === 'silu' ? 'silu' : reset === 'soft' ? 'soft lif' : 'lif');
    const count = vectorCount(shape);
    return this.elementwise(program, [this.joined(last)], shape, [(last.shape.steps - 1) * count, decay, threshold]);
  }

  addCarried(input: Signal, steps: number, carried: Signal): Signal {
    const shape = { ...input.shape, steps };
    const stepVectors = vectorCount(carried.shape);
    return this.elementwise(programs.addCarriedProgram, [this.joined(input), this.joined(carried)], shape, [stepVectors, this.sourceStep(input)]);
  }

  integrateAndFire(input: Signal, steps: number, { thresholds, maximumSpikes }: IntegrateAndFireParameters, before: Signal) {
    const shape = { ...input.shape, steps };
    const count = vectorCount(before.shape);
    const vectors = vectorsOf(shape.channels);
    // What is beyond the channels never fires.
    const limits = new Float32Array(vectors * 4).fill(Infinity);
    limits.set(thresholds);
    const limitsBuffer = this.gpu.upload(limits);
    const target = this.allocate(shape);
    const after = this.allocate(before.shape);
    this.run(
      neuronsOnClock, programs.integrateAndFireProgram, count, [this.joined(input), limitsBuffer, this.joined(before), target, after],
      [count, steps, this.sourceStep(input), vectors, maximumSpikes],
    );
    this.gpu.release(limitsBuffer);
    return { spikes: spikeValues(shape, target), after: stored(before.shape, after) };
  }

  relu(input: Signal): Signal {
    return this.elementwise(programs.reluProgram, [this.joined(input)], input.shape, []);
  }

  silence<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const silenced: Signal | Spikes = value.kind === 'spikes' ? this.silenceSpikes(value as GpuSpikes, audible) : this.silenceSignal(value, audible);
    return silenced as V;
  }

  maxPool(input: Signal, size: number): Signal {
    const { height, width, steps } = input.shape;
    const shape = { ...input.shape, height: Math.floor(height / size), width: Math.floor(width / size) };
    const target = this.allocate(shape);
    const targetVectors = vectorsOf(shape.channels);
    let targetFirst = 0;
    for (const part of (input as GpuSignal).parts) {
      const pooled = { ...shape, steps: part.steps, channels: part.channels };
      const whole = part.steps === steps;
      // What has one step is pooled once, and repeated while it is copied.
      const to = whole ? target : this.allocate(pooled);
      const vectors = vectorsOf(part.channels);
      const count = vectorCount(pooled);
      this.run(
        'max pool', programs.maxPoolProgram, count, [this.materialised(part, input.shape), to],
        [count, height, width, size, vectors, whole ? targetVectors : vectors, whole ? targetFirst : 0],
      );
      if (!whole) {
        this.copyChannels(to, pooled, target, shape, targetFirst * 4);
        this.gpu.release(to);
      }
      targetFirst += vectors;
    }
    return stored(shape, target);
  }

  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal) {
    const { height, width, channels } = before.shape;
    const shape = { ...before.shape, steps, height: Math.floor(height / size), width: Math.floor(width / size) };
    const source = this.joined(input);
    const sums = this.joined(before);
    const sourceStep = this.sourceStep(input);
    const after = this.elementwise(programs.sumsProgram, [source, sums], before.shape, [sourceStep, steps]);
    const target = this.allocate(shape);
    const count = vectorCount(shape) / steps;
    this.run('max pool', programs.maxPoolOfSumsProgram, count, [source, sums, target], [count, height, width, size, vectorsOf(channels), steps, sourceStep]);
    return { pooled: stored(shape, target), after };
  }

  upsample(input: Signal): Signal {
    const { height, width, channels } = input.shape;
    const shape = { ...input.shape, height: height * 2, width: width * 2 };
    return this.elementwise(programs.upsampleProgram, [this.joined(input)], shape, [width, vectorsOf(channels)]);
  }

  concatenate(inputs: readonly Signal[]): Signal {
    const [first] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    const parts = (inputs as readonly GpuSignal[]).flatMap((input) => input.parts);
    for (const part of parts) part.owners++;
    const result = signal(
      {
        ...first.shape,
        steps: Math.max(...inputs.map((input) => input.shape.steps)),
        channels: inputs.reduce((sum, input) => sum + input.shape.channels, 0),
      },
      parts,
    );
    if (parts.slice(0, -1).some(({ channels }) => channels % 4 !== 0)) this.joined(result);
    return result;
  }

  add(a: Signal, b: Signal): Signal {
    const shape = { ...a.shape, steps: Math.max(a.shape.steps, b.shape.steps) };
    const pending = pendingOf(a, shape.steps) ?? pendingOf(b, shape.steps);
    if (pending) {
      const other = pendingOf(a, shape.steps) ? b : a;
      const addend = this.joined(other);
      const target = this.allocate(shape);
      this.convolve(pending, 'add', target, [addend], [this.sourceStep(other)]);
      return stored(shape, target);
    }
    return this.elementwise(programs.addProgram, [this.joined(a), this.joined(b)], shape, [vectorCount(a.shape), vectorCount(b.shape)]);
  }

  meanOverSteps(input: Signal): Signal {
    return this.mean(input, { ...input.shape, steps: 1 }, input.shape.steps - 1);
  }

  runningMean(input: Signal, steps: number): Signal {
    return this.mean(input, { ...input.shape, steps }, -1);
  }

  countSpikes(input: Spikes): Signal {
    const { content, shape } = input as GpuSpikes;
    const counts = { steps: shape.steps, height: 1, width: 1, channels: 1 };
    const target = this.allocate(counts);
    const threads = shape.steps * workgroupThreads;
    if (content.kind === 'bits') {
      this.run(neuronsOnClock, programs.countBitsProgram, threads, [content.bits.buffer, target], [wordCount(shape) / shape.steps, shape.steps]);
    } else {
      const source = this.materialised(content.part, shape);
      this.run(neuronsOnClock, programs.sumStepsProgram, threads, [source, target], [vectorCount(shape) / shape.steps, shape.steps]);
    }
    return stored(counts, target);
  }

  async read(values: readonly (Signal | Spikes)[], task: Task = quietTask): Promise<Float32Array[]> {
    const sources = values.map((value) => {
      if (value.kind === 'signal') return { buffer: this.joined(value), bytes: vectorCount(value.shape) * 16 };
      const { content, shape } = value as GpuSpikes;
      if (content.kind === 'bits') return { buffer: content.bits.buffer, bytes: wordCount(shape) * 4 };
      return { buffer: this.materialised(content.part, shape), bytes: vectorCount(shape) * 16 };
    });
    const contents = await this.gpu.read(sources, task);
    return values.map((value, index) => {
      const content = contents[index] ?? new ArrayBuffer(0);
      const isBits = value.kind === 'spikes' && (value as GpuSpikes).content.kind === 'bits';
      return isBits ? unpacked(new Uint32Array(content), value.shape) : unpadded(new Float32Array(content), value.shape);
    });
  }

  release(value: Signal | Spikes | Convolution): void {
    if (value.kind === 'convolution') this.disownConvolution((value as GpuConvolution).loaded);
    else if (value.kind === 'signal') for (const part of (value as GpuSignal).parts) this.disownPart(part);
    else {
      const { content } = value as GpuSpikes;
      if (content.kind === 'bits') this.disownBits(content.bits);
      else this.disownPart(content.part);
    }
  }

  private silenceSpikes({ content, shape }: GpuSpikes, audible: Audible): GpuSpikes {
    const one = { ...shape, steps: 1 };
    if (content.kind === 'values') {
      const silenced = this.silenceSignal(signal(shape, [content.part]), audible) as GpuSignal;
      const [part] = silenced.parts;
      if (!part) throw new RangeError('A signal without parts.');
      return { kind: 'spikes', shape, content: { kind: 'values', part } };
    }
    const words = wordsOf(shape.channels);
    const mask = new Uint32Array(wordCount(one));
    audible.forEach((bit, index) => {
      const channel = index % shape.channels;
      const at = Math.floor(index / shape.channels) * words + (channel >> 5);
      if (bit !== 0) mask[at] = (mask[at] ?? 0) | (1 << (channel & 31));
    });
    const maskBuffer = this.gpu.upload(mask);
    const count = wordCount(shape);
    const buffer = this.gpu.allocate(count * 4);
    this.run(neuronsOnClock, programs.silenceBitsProgram, count, [content.bits.buffer, maskBuffer, buffer], [count, mask.length]);
    this.gpu.release(maskBuffer);
    return { kind: 'spikes', shape, content: { kind: 'bits', bits: { buffer, shape, owners: 1 } } };
  }

  private silenceSignal(value: Signal, audible: Audible): Signal {
    const mask = this.gpu.upload(padded(Float32Array.from(audible), value.shape.channels));
    const result = this.elementwise(programs.silenceProgram, [this.joined(value), mask], value.shape, [vectorCount({ ...value.shape, steps: 1 })]);
    this.gpu.release(mask);
    return result;
  }

  private membranes(input: Signal, shape: FeatureShape, { decay, threshold, reset }: NeuronParameters): Signal {
    return this.perNeuron(programs.membranesProgram(reset === 'soft'), input, shape, [decay, threshold]);
  }

  /** A program whose threads each walk the steps of 4 neurons. */
  private perNeuron(program: Program, input: Signal, shape: FeatureShape, more: readonly number[]): Signal {
    const count = vectorCount(shape) / shape.steps;
    const source = this.joined(input);
    const target = this.allocate(shape);
    this.run(neuronsOnClock, program, count, [source, target], [count, shape.steps, this.sourceStep(input), ...more]);
    return stored(shape, target);
  }

  private mean(input: Signal, shape: FeatureShape, last: number): Signal {
    return this.elementwise(programs.meanProgram, [this.joined(input)], shape, [vectorCount({ ...shape, steps: 1 }), this.sourceStep(input), last]);
  }

  private elementwise(program: Program, sources: readonly GPUBuffer[], shape: FeatureShape, more: readonly number[]): Signal {
    const count = vectorCount(shape);
    const target = this.allocate(shape);
    this.run(program.key, program, count, [...sources, target], [count, ...more]);
    return stored(shape, target);
  }

  private run(layer: string, program: Program, threads: number, buffers: readonly GPUBuffer[], uniforms: readonly number[]): void {
    this.gpu.record({ layer, variants: [{ name: '', program, threads }], shape: '', buffers, uniforms });
  }

  private convolve(
    { bits, convolution }: PendingConvolution,
    epilogue: Epilogue,
    target: GPUBuffer,
    addends: readonly GPUBuffer[],
    more: readonly number[],
  ): void {
    const { geometry, name, weights, bias } = convolution;
    const shape = convolvedShape(bits.shape, geometry);
    const outputVectors = vectorsOf(shape.channels);
    const pixels = shape.height * shape.width;
    const tiles = spikingTiles.filter(({ vectors }) => vectors === 1 || (vectors <= outputVectors && vectors * shape.steps <= maximumSums));
    const [first, ...others] = tiles.map((tile): Variant => ({
      name: `${tile.walk} ${tile.vectors}`,
      program: spikingProgram(tile, shape.steps, epilogue, this.execution),
      threads: spikingThreads(tile, epilogue, pixels, outputVectors),
    }));
    if (!first) throw new RangeError('There is no kernel for spiking convolutions.');
    this.gpu.record({
      layer: name,
      variants: [first, ...others],
      shape: shapeKey(epilogue, bits.shape, geometry),
      buffers: [bits.buffer, weights, bias, ...addends, target],
      uniforms: [...geometryUniforms(bits.shape, shape, geometry, pixels, wordsOf(geometry.inputChannels)), ...more],
    });
  }

  private copyChannels(source: GPUBuffer, from: FeatureShape, target: GPUBuffer, to: FeatureShape, targetFirst: number): void {
    const count = to.steps * to.height * to.width * from.channels;
    this.run('copy channels', programs.copyChannelsProgram, count, [source, target], [
      count, from.channels, vectorsOf(from.channels) * 4, from.steps * from.height * from.width, vectorsOf(to.channels) * 4, targetFirst,
    ]);
  }

  /** Where the signal lies as one part; it stays like this. */
  private joined(input: Signal): GPUBuffer {
    const source = input as GpuSignal;
    const { shape } = input;
    const [only] = source.parts;
    if (only && source.parts.length === 1) return this.materialised(only, shape);
    const target = this.allocate(shape);
    let first = 0;
    for (const part of source.parts) {
      const { channels, steps } = part;
      this.copyChannels(this.materialised(part, shape), { ...shape, channels, steps }, target, shape, first);
      first += channels;
    }
    for (const part of source.parts) this.disownPart(part);
    source.parts = [{ channels: shape.channels, steps: shape.steps, owners: 1, content: { kind: 'stored', buffer: target } }];
    return target;
  }

  /** Where the part lies; a convolution that was put off is done now. */
  private materialised(part: Part, { height, width }: FeatureShape): GPUBuffer {
    const { content } = part;
    if (content.kind === 'stored') return content.buffer;
    const { channels, steps } = part;
    const buffer = this.allocate({ steps, height, width, channels });
    this.convolve(content, 'store', buffer, [], []);
    part.content = { kind: 'stored', buffer };
    this.disownPending(content);
    return buffer;
  }

  /** Vectors from one step to the next, 0 where they are the same. Of a signal that is one part. */
  private sourceStep({ shape }: Signal): number {
    return shape.steps === 1 ? 0 : vectorCount(shape) / shape.steps;
  }

  private allocate(shape: FeatureShape): GPUBuffer {
    return this.gpu.allocate(vectorCount(shape) * 16);
  }

  private disownPart(part: Part): void {
    part.owners--;
    if (part.owners > 0) return;
    if (part.content.kind === 'stored') this.gpu.release(part.content.buffer);
    else this.disownPending(part.content);
  }

  private disownPending({ bits, convolution }: PendingConvolution): void {
    this.disownBits(bits);
    this.disownConvolution(convolution);
  }

  private disownBits(bits: Bits): void {
    bits.owners--;
    if (bits.owners === 0) this.gpu.release(bits.buffer);
  }

  private disownConvolution(convolution: LoadedConvolution): void {
    convolution.owners--;
    if (convolution.owners > 0) return;
    this.gpu.release(convolution.weights);
    this.gpu.release(convolution.bias);
  }
}

function signal(shape: FeatureShape, parts: Part[]): Signal {
  const value: GpuSignal = { kind: 'signal', shape, parts };
  return value;
}

function storedPart({ channels, steps }: FeatureShape, buffer: GPUBuffer): Part {
  return { channels, steps, owners: 1, content: { kind: 'stored', buffer } };
}

function stored(shape: FeatureShape, buffer: GPUBuffer): Signal {
  return signal(shape, [storedPart(shape, buffer)]);
}

function spikeValues(shape: FeatureShape, buffer: GPUBuffer): Spikes {
  const value: GpuSpikes = { kind: 'spikes', shape, content: { kind: 'values', part: storedPart(shape, buffer) } };
  return value;
}

/** The convolution that the whole signal waits for, if it has as many steps as wanted. */
function pendingOf(value: Signal, steps: number): PendingConvolution | undefined {
  const { parts, shape } = value as GpuSignal;
  const [part] = parts;
  if (parts.length !== 1 || part?.content.kind !== 'pending' || shape.steps !== steps) return undefined;
  return part.content;
}

function vectorsOf(channels: number): number {
  return Math.ceil(channels / 4);
}

function wordsOf(channels: number): number {
  return Math.ceil(channels / 32);
}

function vectorCount({ steps, height, width, channels }: FeatureShape): number {
  return steps * height * width * vectorsOf(channels);
}

function wordCount({ steps, height, width, channels }: FeatureShape): number {
  return steps * height * width * wordsOf(channels);
}

function geometryUniforms(
  input: FeatureShape,
  output: FeatureShape,
  { kernel, stride, padding, inputChannels }: ConvolutionGeometry,
  pixels: number,
  inputSize: number,
): number[] {
  const inputRows = vectorsOf(inputChannels) * 4;
  return [
    input.height, input.width, output.height, output.width, pixels, kernel, stride, padding, inputSize, inputRows, vectorsOf(output.channels),
  ];
}

function shapeKey(kind: string, { steps, height, width }: FeatureShape, geometry: ConvolutionGeometry): string {
  const { kernel, stride, inputChannels, outputChannels } = geometry;
  return `${kind}, ${inputChannels} to ${outputChannels}, kernel ${kernel} / ${stride}, ${width} x ${height}, ${steps} steps`;
}

function rounded(weights: Float32Array<ArrayBuffer>, precision: Precision): Float32Array<ArrayBuffer> | Float16Array<ArrayBuffer> {
  if (precision === 'half') return Float16Array.from(weights);
  return precision === 'single' ? weights : weights.map(Math.f16round);
}

/** Channels filled up to whole vectors. */
function padded(values: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const stride = vectorsOf(channels) * 4;
  if (stride === channels) return Float32Array.from(values);
  const result = new Float32Array((values.length / channels) * stride);
  for (let pixel = 0; pixel * channels < values.length; pixel++) {
    result.set(values.subarray(pixel * channels, (pixel + 1) * channels), pixel * stride);
  }
  return result;
}

function unpadded(values: Float32Array, shape: FeatureShape): Float32Array {
  const { channels } = shape;
  const stride = vectorsOf(channels) * 4;
  if (stride === channels) return values;
  const result = new Float32Array(elementCount(shape));
  for (let pixel = 0; pixel * channels < result.length; pixel++) {
    result.set(values.subarray(pixel * stride, pixel * stride + channels), pixel * channels);
  }
  return result;
}

function unpacked(bits: Uint32Array, shape: FeatureShape): Float32Array {
  const { channels } = shape;
  const words = wordsOf(channels);
  return Float32Array.from({ length: elementCount(shape) }, (_, index) => {
    const channel = index % channels;
    return ((bits[Math.floor(index / channels) * words + (channel >> 5)] ?? 0) >>> (channel & 31)) & 1;
  });
}
