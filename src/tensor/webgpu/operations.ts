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
  epilogueKey,
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
import type { Reading } from './reading';

/**
 * Values `[steps, height, width, vectors]` of 4 channels, shared by the signals that read them; or what nobody has needed yet: a
 * convolution of spikes, which can still take on what comes behind it, or how often a layer fires at each step.
 */
interface Part {
  /** One step where it is the same at every step. */
  shape: FeatureShape;
  owners: number;
  content: { kind: 'stored'; buffer: GPUBuffer } | PendingConvolution | { kind: 'count'; bits: Bits };
}

interface PendingConvolution {
  kind: 'pending';
  bits: Bits;
  convolution: LoadedConvolution;
  addend: GpuSignal | undefined;
}

/** A part as a signal reads it. */
interface View extends Reading {
  part: Part;
}

/**
 * Its parts lie behind each other along channels, and are pooled or upsampled while they are read, so that none of this copies anything.
 * All but the last have a multiple of 4 channels.
 */
interface GpuSignal extends Signal {
  views: View[];
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
/** A program reads at most so many parts of a signal: every device has room for 8 buffers, of which a convolution needs up to 5 others. */
const maximumViews = 3;
/** Layers that are counted at once, 2 buffers each. */
const layersAtOnce = 4;
/** Sums that a thread can hold at most: vectors at all steps. */
const maximumSums = 16;

/**
 * The operations on WebGPU with our own kernels (src/decisions/0015-webgpu.md). Nothing runs until somebody reads: then all commands are
 * submitted at once. A convolution of spikes is put off until its result is needed, so that an addition and the neuron behind it happen
 * before its sums leave their registers; what is pooled, upsampled or concatenated is read where it lies.
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
    return this.dense(this.joined(input), input.shape, convolution);
  }

  spikingConvolution(input: Spikes, convolution: Convolution): Signal {
    const { content } = input as GpuSpikes;
    if (content.kind === 'values') return this.dense(this.materialised(content.part), input.shape, convolution);
    const { loaded } = convolution as GpuConvolution;
    content.bits.owners++;
    loaded.owners++;
    const shape = convolvedShape(input.shape, loaded.geometry);
    return onePart(shape, { kind: 'pending', bits: content.bits, convolution: loaded, addend: undefined });
  }

  leakyIntegrateAndFire(input: Signal, steps: number, parameters: NeuronParameters, record: boolean) {
    const shape = { ...input.shape, steps };
    const buffer = this.gpu.allocate(wordCount(shape) * 4);
    const part = record ? undefined : onlyPart(input, steps);
    if (part?.content.kind === 'pending') {
      const { content } = part;
      // A sum of several is read by others, too.
      const sums = content.addend ? this.allocate(shape) : undefined;
      this.convolve(content, sums, { fired: buffer, parameters });
      if (sums) this.settle(part, content, sums);
    } else {
      if (record) this.joined(input);
      const { decay, threshold, reset = 'hard' } = parameters;
      const count = wordCount(shape) / steps;
      const { readings, buffers, uniforms } = this.reading(input);
      this.run(
        neuronsOnClock, programs.fireProgram(steps, reset, readings), count, [...buffers, buffer],
        [count, wordsOf(shape.channels), vectorsOf(shape.channels), shape.channels, decay, threshold, ...uniforms],
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
    return this.elementwise(programs.addCarriedProgram, [this.joined(input), this.joined(carried)], shape, [vectorCount(carried.shape), stepVectors(input.shape)]);
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
      [count, steps, stepVectors(input.shape), vectors, maximumSpikes],
    );
    this.gpu.release(limitsBuffer);
    return { spikes: spikeValues(shape, target), after: stored(before.shape, after) };
  }

  relu(input: Signal): Signal {
    return this.elementwise(programs.reluProgram, [this.joined(input)], input.shape, []);
  }

  silence<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const silenced: Signal | Spikes = value.kind === 'spikes' ? this.silenceSpikes(value as GpuSpikes, audible) : stored(value.shape, this.silenced(this.joined(value), value.shape, audible));
    return silenced as V;
  }

  maxPool(input: Signal, size: number): Signal {
    const views = this.viewsOf(input, ({ repeat }) => repeat === 1);
    return shared(pooledShape(input.shape, size), views.map((view) => ({ ...view, pool: view.pool * size })));
  }

  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal) {
    const { height, width, channels } = before.shape;
    const shape = { ...pooledShape(before.shape, size), steps };
    const source = this.joined(input);
    const sums = this.joined(before);
    const sourceStep = stepVectors(input.shape);
    const after = this.elementwise(programs.sumsProgram, [source, sums], before.shape, [sourceStep, steps]);
    const target = this.allocate(shape);
    const count = vectorCount(shape) / steps;
    this.run('max pool', programs.maxPoolOfSumsProgram, count, [source, sums, target], [count, height, width, size, vectorsOf(channels), steps, sourceStep]);
    return { pooled: stored(shape, target), after };
  }

  upsample(input: Signal): Signal {
    const { height, width } = input.shape;
    const views = this.viewsOf(input, ({ pool }) => pool === 1);
    return shared({ ...input.shape, height: height * 2, width: width * 2 }, views.map((view) => ({ ...view, repeat: view.repeat * 2 })));
  }

  concatenate(inputs: readonly Signal[]): Signal {
    const [first, ...others] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    let result = shared(first.shape, (first as GpuSignal).views);
    for (const input of others) {
      const channels = result.shape.channels + input.shape.channels;
      const longer = shared({ ...first.shape, steps: Math.max(result.shape.steps, input.shape.steps), channels }, [...result.views, ...(input as GpuSignal).views]);
      this.release(result);
      result = longer;
      if (result.views.length > maximumViews || !isAligned(result.views)) this.joined(result);
    }
    return result;
  }

  add(a: Signal, b: Signal): Signal {
    const shape = { ...a.shape, steps: Math.max(a.shape.steps, b.shape.steps) };
    for (const [summed, other] of [[a, b], [b, a]] as const) {
      const content = onlyPart(summed, shape.steps)?.content;
      if (content?.kind !== 'pending' || content.addend) continue;
      content.bits.owners++;
      content.convolution.owners++;
      return onePart(shape, { ...content, addend: shared(other.shape, (other as GpuSignal).views) });
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
    if (content.kind === 'bits') {
      content.bits.owners++;
      return onePart(counts, { kind: 'count', bits: content.bits });
    }
    const target = this.allocate(counts);
    const source = this.materialised(content.part);
    this.run(neuronsOnClock, programs.sumStepsProgram, shape.steps * workgroupThreads, [source, target], [vectorCount(shape) / shape.steps, shape.steps]);
    return stored(counts, target);
  }

  async read(values: readonly (Signal | Spikes)[], task: Task = quietTask): Promise<Float32Array[]> {
    this.count(values.flatMap((value) => (value.kind === 'signal' ? (value as GpuSignal).views.map(({ part }) => part) : [])));
    const sources = values.map((value) => {
      if (value.kind === 'signal') return { buffer: this.joined(value), bytes: vectorCount(value.shape) * 16 };
      const { content, shape } = value as GpuSpikes;
      if (content.kind === 'bits') return { buffer: content.bits.buffer, bytes: wordCount(shape) * 4 };
      return { buffer: this.materialised(content.part), bytes: vectorCount(shape) * 16 };
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
    else if (value.kind === 'signal') for (const { part } of (value as GpuSignal).views) this.disownPart(part);
    else {
      const { content } = value as GpuSpikes;
      if (content.kind === 'bits') this.disownBits(content.bits);
      else this.disownPart(content.part);
    }
  }

  private dense(source: GPUBuffer, from: FeatureShape, convolution: Convolution): Signal {
    const { loaded } = convolution as GpuConvolution;
    const shape = convolvedShape(from, loaded.geometry);
    const outputVectors = vectorsOf(shape.channels);
    const pixels = shape.steps * shape.height * shape.width;
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
      shape: shapeKey('dense', from, loaded.geometry),
      buffers: [source, loaded.weights, loaded.bias, target],
      uniforms: geometryUniforms(from, shape, loaded.geometry, pixels, vectorsOf(loaded.geometry.inputChannels)),
    });
    return stored(shape, target);
  }

  private silenceSpikes({ content, shape }: GpuSpikes, audible: Audible): GpuSpikes {
    const one = { ...shape, steps: 1 };
    if (content.kind === 'values') return spikeValues(shape, this.silenced(this.materialised(content.part), shape, audible));
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

  /** A copy of values, with what is not audible as 0. */
  private silenced(source: GPUBuffer, shape: FeatureShape, audible: Audible): GPUBuffer {
    const mask = this.gpu.upload(padded(Float32Array.from(audible), shape.channels));
    const target = this.allocate(shape);
    const count = vectorCount(shape);
    this.run(programs.silenceProgram.key, programs.silenceProgram, count, [source, mask, target], [count, count / shape.steps]);
    this.gpu.release(mask);
    return target;
  }

  private membranes(input: Signal, shape: FeatureShape, { decay, threshold, reset }: NeuronParameters): Signal {
    return this.perNeuron(programs.membranesProgram(reset === 'soft'), input, shape, [decay, threshold]);
  }

  /** A program whose threads each walk the steps of 4 neurons. */
  private perNeuron(program: Program, input: Signal, shape: FeatureShape, more: readonly number[]): Signal {
    const count = vectorCount(shape) / shape.steps;
    const source = this.joined(input);
    const target = this.allocate(shape);
    this.run(neuronsOnClock, program, count, [source, target], [count, shape.steps, stepVectors(input.shape), ...more]);
    return stored(shape, target);
  }

  private mean(input: Signal, shape: FeatureShape, last: number): Signal {
    return this.elementwise(programs.meanProgram, [this.joined(input)], shape, [vectorCount({ ...shape, steps: 1 }), stepVectors(input.shape), last]);
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

  /** @param sums where they are stored, if they are @param neuron where it fires, if it does @param pool sides of the windows whose largest sums are kept */
  private convolve(
    { bits, convolution, addend }: PendingConvolution,
    sums: GPUBuffer | undefined,
    neuron?: { fired: GPUBuffer; parameters: NeuronParameters },
    pool = 1,
  ): void {
    const { geometry, name, weights, bias } = convolution;
    const shape = pooledShape(convolvedShape(bits.shape, geometry), pool);
    const outputVectors = vectorsOf(shape.channels);
    const pixels = shape.height * shape.width;
    const added = addend && this.reading(addend);
    const epilogue: Epilogue = { pool, addend: added?.readings, fire: neuron && (neuron.parameters.reset ?? 'hard') };
    const tiles = spikingTiles.filter(({ vectors }) => vectors === 1 || (vectors <= outputVectors && vectors * shape.steps * (pool > 1 ? 2 : 1) <= maximumSums));
    const [first, ...others] = tiles.map((tile): Variant => ({
      name: `${tile.walk} ${tile.vectors}`,
      program: spikingProgram(tile, shape.steps, epilogue, this.execution),
      threads: spikingThreads(tile, epilogue, pixels, outputVectors),
    }));
    if (!first) throw new RangeError('There is no kernel for spiking convolutions.');
    this.gpu.record({
      layer: name,
      variants: [first, ...others],
      shape: shapeKey(epilogueKey(epilogue), bits.shape, geometry),
      buffers: [bits.buffer, weights, bias, ...(added?.buffers ?? []), ...(sums ? [sums] : []), ...(neuron ? [neuron.fired] : [])],
      uniforms: [
        ...geometryUniforms(bits.shape, shape, geometry, pixels, wordsOf(geometry.inputChannels)),
        ...(added?.uniforms ?? []),
        ...(neuron ? [shape.channels, neuron.parameters.decay, neuron.parameters.threshold] : []),
      ],
    });
  }

  /** How a program reads the signal where it lies. */
  private reading(input: Signal): { readings: readonly Reading[]; buffers: GPUBuffer[]; uniforms: number[] } {
    const { views, shape } = input as GpuSignal;
    for (const view of views) this.convolvePooled(view);
    return {
      readings: views,
      buffers: views.map(({ part }) => this.materialised(part)),
      uniforms: [shape.width, ...views.flatMap(({ part }) => [part.shape.width, part.shape.channels, stepVectors(part.shape)])],
    };
  }

  /** Where the signal lies in one piece, as it is; it stays like this. */
  private joined(input: Signal): GPUBuffer {
    const source = input as GpuSignal;
    const { shape, views } = source;
    const [only] = views;
    if (only && views.length === 1 && isPlain(only)) return this.materialised(only.part);
    const { readings, buffers, uniforms } = this.reading(input);
    const target = this.allocate(shape);
    const count = vectorCount(shape);
    this.run('gather', programs.gatherProgram(readings, isAligned(views)), count, [...buffers, target], [
      count, shape.height * shape.width, vectorsOf(shape.channels), ...uniforms,
    ]);
    for (const { part } of views) this.disownPart(part);
    source.views = [plainView(shape, { kind: 'stored', buffer: target })];
    return target;
  }

  /** Those of the signal, in one piece if they are not all of a kind. */
  private viewsOf(input: Signal, fits: (view: View) => boolean): readonly View[] {
    const source = input as GpuSignal;
    if (!source.views.every(fits)) this.joined(source);
    return source.views;
  }

  /** Where nobody else needs a convolution's sums, those that pooling drops are not written. */
  private convolvePooled(view: View): void {
    const { part, pool } = view;
    if (pool === 1 || part.owners > 1 || part.content.kind !== 'pending' || part.content.addend) return;
    const shape = pooledShape(part.shape, pool);
    const sums = this.allocate(shape);
    this.convolve(part.content, sums, undefined, pool);
    Object.assign(view, plainView(shape, { kind: 'stored', buffer: sums }));
    this.disownContent(part.content);
  }

  /** Where the part lies; what was put off is done now. */
  private materialised(part: Part): GPUBuffer {
    const { content, shape } = part;
    if (content.kind === 'stored') return content.buffer;
    if (content.kind === 'count') this.count([part]);
    else {
      const sums = this.allocate(shape);
      this.convolve(content, sums);
      this.settle(part, content, sums);
    }
    return this.materialised(part);
  }

  private settle(part: Part, content: Exclude<Part['content'], { kind: 'stored' }>, buffer: GPUBuffer): void {
    part.content = { kind: 'stored', buffer };
    this.disownContent(content);
  }

  /** Those of the parts that are counts, several at once. */
  private count(parts: readonly Part[]): void {
    const counts = [...new Set(parts)].flatMap((part) => (part.content.kind === 'count' ? [{ part, content: part.content, target: this.allocate(part.shape) }] : []));
    for (let first = 0; first < counts.length; first += layersAtOnce) {
      const some = counts.slice(first, first + layersAtOnce);
      // Every buffer has room for the steps of the longest.
      const steps = Math.max(...some.map(({ part }) => part.shape.steps));
      this.run(
        neuronsOnClock, programs.countBitsProgram(some.length), some.length * steps * workgroupThreads,
        [...some.map(({ content }) => content.bits.buffer), ...some.map(({ target }) => target)],
        [steps, ...some.map(({ content }) => wordCount(content.bits.shape) / content.bits.shape.steps)],
      );
    }
    for (const { part, content, target } of counts) this.settle(part, content, target);
  }

  private allocate(shape: FeatureShape): GPUBuffer {
    return this.gpu.allocate(vectorCount(shape) * 16);
  }

  private disownPart(part: Part): void {
    part.owners--;
    if (part.owners > 0) return;
    if (part.content.kind === 'stored') this.gpu.release(part.content.buffer);
    else this.disownContent(part.content);
  }

  /** What was put off is done, or nobody wants it any more. */
  private disownContent(content: Exclude<Part['content'], { kind: 'stored' }>): void {
    this.disownBits(content.bits);
    if (content.kind === 'count') return;
    this.disownConvolution(content.convolution);
    if (content.addend) this.release(content.addend);
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

function plainView(shape: FeatureShape, content: Part['content']): View {
  return { part: { shape, owners: 1, content }, pool: 1, repeat: 1 };
}

function onePart(shape: FeatureShape, content: Part['content']): GpuSignal {
  return { kind: 'signal', shape, views: [plainView(shape, content)] };
}

function stored(shape: FeatureShape, buffer: GPUBuffer): Signal {
  return onePart(shape, { kind: 'stored', buffer });
}

/** Another signal of parts that have owners already. */
function shared(shape: FeatureShape, views: readonly View[]): GpuSignal {
  for (const { part } of views) part.owners++;
  return { kind: 'signal', shape, views: [...views] };
}

function spikeValues(shape: FeatureShape, buffer: GPUBuffer): GpuSpikes {
  return { kind: 'spikes', shape, content: { kind: 'values', part: { shape, owners: 1, content: { kind: 'stored', buffer } } } };
}

const isPlain = ({ pool, repeat }: View): boolean => pool === 1 && repeat === 1;
const isAligned = (views: readonly View[]): boolean => views.slice(0, -1).every(({ part }) => part.shape.channels % 4 === 0);

/** The part that the signal is, if it is one with as many steps as wanted. */
function onlyPart(value: Signal, steps: number): Part | undefined {
  const { views, shape } = value as GpuSignal;
  const [view] = views;
  return view && views.length === 1 && isPlain(view) && shape.steps === steps ? view.part : undefined;
}

function pooledShape(shape: FeatureShape, size: number): FeatureShape {
  return { ...shape, height: Math.floor(shape.height / size), width: Math.floor(shape.width / size) };
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

/** Vectors from one step to the next, 0 where they are the same. */
function stepVectors(shape: FeatureShape): number {
  return shape.steps === 1 ? 0 : vectorCount(shape) / shape.steps;
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
