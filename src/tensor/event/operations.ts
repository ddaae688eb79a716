import type {
  Audible,
  Convolution,
  ConvolutionGeometry,
  ConvolutionWeights,
  FeatureShape,
  IntegrateAndFireParameters,
  LayerClock,
  NeuronParameters,
  Operations,
  Region,
  RegionOperations,
  Rounding,
  Signal,
  Spikes,
} from '../operations';
import { convolvedShape, elementCount, neuronsOnClock } from '../operations';
import { Heap } from './heap';
import type { Kernels } from './kernels';
import type { DividedKernel, Team, WorkArguments } from './team';
import { packWeights, packedLength, unpackWeights, type WeightLayout } from './weights';

/**
 * Some channels of a signal, owned by the signals that it is a part of: in the heap as `[steps, height, width, stride]`
 * with a stride that is a multiple of 4 (what lies beyond the channels is not read), or a convolution that
 * nobody has needed yet, which can still take on what comes after it.
 */
interface Part {
  channels: number;
  /** 1 where it is the same at every step. */
  steps: number;
  owners: number;
  content: { kind: 'stored'; address: number } | PendingSpiking | PendingDense;
}

interface PendingSpiking {
  kind: 'spiking';
  lists: SpikeLists;
  convolution: LoadedConvolution;
  /** What is added to its sums. */
  addend: StoredPart | undefined;
}

interface PendingDense {
  kind: 'dense';
  /** The input; once that has been copied with its zeros around it, the copy. */
  source: StoredPart;
  isSurrounded: boolean;
  sourceShape: FeatureShape;
  convolution: LoadedConvolution;
  rounding: Rounding;
}

interface StoredPart extends Part {
  content: { kind: 'stored'; address: number };
}

/** The neurons that read what a convolution writes, and where their bits go. */
interface Firing {
  masks: number;
  steps: number;
  parameters: NeuronParameters;
}

/** Parts lie behind each other along channels, so that a concatenation copies nothing; all but the last have a multiple of 4. */
interface EventSignal extends Signal {
  parts: Part[];
}

/** In the form of kernels/spikes.ts. */
interface SpikeLists {
  starts: number;
  active: number;
  entries: number;
  /** How many spikes there were at each step. */
  counts: Float32Array;
  /** How many spikes a neuron may fire within a step. */
  maximumSpikes: number;
  shape: FeatureShape;
  owners: number;
}
interface EventSpikes extends Spikes {
  lists: SpikeLists;
}

interface LoadedConvolution {
  name: string;
  geometry: ConvolutionGeometry;
  bias: number;
  /** As they came, until the first use tells the layout; then packed in the heap. */
  weights: { layout: undefined; values: Float32Array } | { layout: WeightLayout; address: number };
  owners: number;
}
interface EventConvolution extends Convolution {
  loaded: LoadedConvolution;
}

/** The kernels keep what happened at so many steps. */
const maximumSteps = 256;
/** Neurons are computed so many at a time, past the last ones. */
const neuronsAtOnceBytes = 64;
/** Numbers of weight rows gathered at a time where the weights fit the cache beside them, and where they do not. */
const smallRows = 8 * 1024;
const largeRows = 256 * 1024;
/** Above this a convolution's weights come from beyond the second-level cache, and are read once for many pixels. */
const largeWeightsBytes = 512 * 1024;
/** A list names a weight row with 16 bits. */
const maximumWeightRows = 65536;
/** Below this firing rate of a convolution's input the neurons behind it are asked first, 16 at a time, whether any can fire: a third of the work of letting them. */
const fewSpikes = 0.05;
/** Lists that are gathered at a time, over all pixels. */
const chunkLists = 4096;
/** Blocks of work for each thread: those who are done early, or have a core for themselves, take more of them. */
const blocksPerThread = 4;
/** What one thread does faster than several can agree on it, in vector operations. */
const smallWork = 20_000;

/**
 * The operations on the CPU with a cost that follows the spikes: spikes are lists of channels, and a convolution adds
 * the weight rows of what is on the lists (src/decisions/0009-event-driven-engine.md). A convolution runs when its
 * result is needed: one of spikes does the work of max pooling or of an addition behind it before its sums leave the registers, and neurons that read
 * a convolution or such an addition fire before its sums leave the nearer caches.
 */
export class EventOperations implements Operations, RegionOperations {
  readonly backend = 'event';
  /** An output is summed in the same order wherever its layer begins and ends. */
  readonly regions: RegionOperations = this;
  readonly threads: number;
  readonly lost: Promise<string>;
  private readonly heap: Heap;
  private readonly kernels: Kernels;
  /** Scratch of the spiking convolutions, a part for each thread. */
  private scratch: { address: number; bytes: number } | undefined;

  constructor(
    private readonly team: Team,
    private readonly clock?: LayerClock,
  ) {
    this.kernels = team.kernels;
    this.threads = team.threads;
    this.lost = team.lost;
    this.heap = new Heap(this.kernels.memory, this.kernels.start(0, team.threads));
  }

  /** Blocks and bytes of the heap that values, weights and scratch take; the most that they ever took; and how large the heap is. */
  memory(): { tensors: number; bytes: number; peakBytes: number; heapBytes: number } {
    const { blocks, bytes, peakBytes, extentBytes } = this.heap.used;
    return { tensors: blocks, bytes, peakBytes, heapBytes: extentBytes };
  }

  loadConvolution({ name, weights, bias, ...geometry }: ConvolutionWeights): Convolution {
    // Kernels read the bias of a whole block of output channels.
    const values = new Float32Array(Math.ceil(bias.length / 32) * 32);
    values.set(bias);
    const loaded: LoadedConvolution = {
      name,
      geometry,
      bias: this.heap.allocate(values.length * 4),
      weights: { layout: undefined, values: weights },
      owners: 1,
    };
    this.floats(loaded.bias, values.length).set(values);
    const convolution: EventConvolution = { kind: 'convolution', geometry, loaded };
    return convolution;
  }

  input(values: Float32Array, shape: FeatureShape): Signal {
    const { channels } = shape;
    const stride = strideOf(channels);
    const address = this.allocate(shape);
    if (stride === channels) this.floats(address, values.length).set(values);
    else {
      const dense = this.heap.allocate(values.length * 4);
      this.floats(dense, values.length).set(values);
      this.copyChannels(dense, channels * 4, values.length / channels, channels * 4, address, stride * 4);
      this.heap.release(dense);
    }
    return stored(shape, address);
  }

  denseConvolution(input: Signal, convolution: Convolution, rounding: Rounding = 'fixed'): Signal {
    const { loaded } = convolution as EventConvolution;
    const shape = convolvedShape(input.shape, loaded.geometry);
    const source = this.stored(input);
    source.owners++;
    loaded.owners++;
    return pending(shape, { kind: 'dense', source, isSurrounded: false, sourceShape: input.shape, convolution: loaded, rounding });
  }

  spikingConvolution(input: Spikes, convolution: Convolution): Signal {
    const { loaded } = convolution as EventConvolution;
    const { kernel, inputChannels } = loaded.geometry;
    if (kernel * kernel * inputChannels > maximumWeightRows) {
      const values = this.input(this.readSpikes(input), input.shape);
      const result = this.denseConvolution(values, convolution);
      this.release(values);
      return result;
    }
    const { lists } = input as EventSpikes;
    lists.owners++;
    loaded.owners++;
    return pending(convolvedShape(input.shape, loaded.geometry), { kind: 'spiking', lists, convolution: loaded, addend: undefined });
  }

  leakyIntegrateAndFire(input: Signal, steps: number, parameters: NeuronParameters, record: boolean) {
    if (steps > maximumSteps) throw new RangeError(`The neuron runs over at most ${maximumSteps} steps.`);
    const shape = { ...input.shape, steps };
    const masks = this.allocateMasks(shape, 1);
    const part = record ? undefined : unfinished(input, steps);
    if (part) this.fireBehind(part, input.shape, { masks, steps, parameters });
    else this.fire(input, shape, parameters, masks);
    const lists = this.listed(masks, shape, 1);
    this.heap.release(masks);
    const spikes: EventSpikes = { kind: 'spikes', shape, lists };
    return { spikes, membrane: record ? this.membranes(input, shape, parameters) : undefined };
  }

  private fire(input: Signal, shape: FeatureShape, parameters: NeuronParameters, masks: number): void {
    this.eachPart(input, shape, masks, (source, part, partMasks) =>
      this.perform(
        'leakyIntegrateAndFire', shape.height * shape.width, elementCount({ ...shape, channels: part.channels }),
        source, partStepBytes(part, shape), strideOf(part.channels) * 4, shape.height * shape.width, shape.steps, part.channels,
        ...neuronArguments(parameters), partMasks, maskBytes(shape.channels),
      ),
    );
  }

  /** Fires as a convolution that was put off is done. Sums with an addend are those of a trunk, which others read too. */
  private fireBehind(part: Part, shape: FeatureShape, fire: Firing): void {
    const { content } = part;
    if (content.kind === 'spiking' && !content.addend) this.convolve(content, 0, 0, { fire });
    else this.materialised(part, shape, fire);
  }

  /** Runs neurons part by part. */
  private eachPart(
    input: Signal,
    shape: FeatureShape,
    masks: number,
    run: (source: number, part: Part, masks: number, firstChannel: number) => void,
  ): void {
    // The bits of a part begin where a word begins.
    if ((input as EventSignal).parts.slice(0, -1).some(({ channels }) => channels % 16 !== 0)) this.joined(input);
    const { parts } = input as EventSignal;
    const sources = parts.map((part) => this.materialised(part, shape));
    const started = this.now();
    let firstChannel = 0;
    parts.forEach((part, index) => {
      run(sources[index] ?? 0, part, masks + firstChannel / 8, firstChannel);
      firstChannel += part.channels;
    });
    this.clock?.(neuronsOnClock, this.now() - started);
  }

  private membranes(input: Signal, shape: FeatureShape, parameters: NeuronParameters): Signal {
    const target = this.allocate(shape);
    let at = target;
    for (const part of (input as EventSignal).parts) {
      const pixelBytes = strideOf(part.channels) * 4;
      this.kernels.membranes(
        this.materialised(part, shape), partStepBytes(part, shape), pixelBytes, shape.height * shape.width, shape.steps, pixelBytes,
        ...neuronArguments(parameters), at, strideOf(shape.channels) * 4,
      );
      at += part.channels * 4;
    }
    return stored(shape, target);
  }

  /** Bits are counted sixteen bytes at a time, past the last ones. */
  private allocateMasks({ steps, height, width, channels }: FeatureShape, maximumSpikes: number): number {
    return this.heap.allocate(maximumSpikes * steps * height * width * maskBytes(channels) + 16);
  }

  /** The lists of what the bits say. */
  private listed(masks: number, shape: FeatureShape, maximumSpikes: number): SpikeLists {
    const { steps, height, width, channels } = shape;
    const started = this.now();
    const words = maskBytes(channels) / 2;
    const common = commonLists(steps);
    const lists = common + steps;
    const work = (steps * height * width * (8 + words)) / 2;
    const partRows = this.blockItems(height, work);
    const parts = Math.ceil(height / partRows);
    const listCounts = this.heap.allocate(parts * lists * 4);
    this.perform('countSpikes', height, work, masks, maximumSpikes, steps, height, width * words, partRows, listCounts);
    const partCounts = this.heap.wholeNumbers(listCounts, parts * lists);
    const onList = Array.from({ length: lists }, (_, list) => {
      let sum = 0;
      for (let part = 0; part < parts; part++) sum += partCounts[part * lists + list] ?? 0;
      return sum;
    });
    const partBytes = Array.from({ length: parts }, (_, part) =>
      partCounts.subarray(part * lists, (part + 1) * lists).reduce((bytes, count) => bytes + count * 2, lists * 16),
    );
    // The kernels write and read lists in whole vectors, past their ends.
    const entries = this.heap.allocate(partBytes.reduce((sum, bytes) => sum + bytes, 32));
    const starts = this.heap.allocate(height * (width + 1) * lists * 4 + 16);
    const active = this.heap.allocate(height * Math.ceil(width / 16) * 16);
    const partEntries = this.heap.allocate(parts * 4);
    const table = this.heap.wholeNumbers(partEntries, parts);
    partBytes.reduce((address, bytes, part) => {
      table[part] = address;
      return address + bytes;
    }, entries);
    this.perform(
      'listSpikes', height, work,
      masks, maximumSpikes, steps, height, width, words, channels, partRows, listCounts, partEntries, starts, active,
    );
    this.heap.release(partEntries);
    const counts = Float32Array.from({ length: steps }, (_, step) => {
      const [always = 0, even = 0, odd = 0] = onList.slice(0, common);
      return always + (step % 2 === 0 ? even : odd) + (onList[common + step] ?? 0);
    });
    this.heap.release(listCounts);
    this.clock?.(neuronsOnClock, this.now() - started);
    return { starts, active, entries, counts, maximumSpikes, shape, owners: 1 };
  }

  leakySilu(input: Signal, steps: number, { decay }: NeuronParameters): Signal {
    const shape = { ...input.shape, steps };
    const values = valuesPerStep(shape);
    const source = this.joined(input);
    const target = this.allocate(shape);
    this.kernels.leakySilu(source, input.shape.steps === 1 ? 0 : values * 4, values, steps, decay, target);
    return stored(shape, target);
  }

  carryOver(last: Signal, neuron: 'lif' | 'silu', { decay, threshold, reset }: NeuronParameters): Signal {
    const shape = { ...last.shape, steps: 1 };
    const values = valuesPerStep(shape);
    const source = this.joined(last) + (last.shape.steps - 1) * values * 4;
    const target = this.allocate(shape);
    if (neuron === 'silu') this.kernels.carryOverSilu(source, values, decay, target);
    else this.kernels.carryOver(source, values, decay, threshold, Number(reset === 'soft'), target);
    return stored(shape, target);
  }

  addCarried(input: Signal, steps: number, carried: Signal): Signal {
    const shape = { ...input.shape, steps };
    const values = valuesPerStep(shape);
    const source = this.joined(input);
    const left = this.joined(carried);
    const target = this.allocate(shape);
    this.kernels.add(source, left, values, target);
    const later = target + values * 4;
    if (input.shape.steps > 1) this.copyChannels(source + values * 4, 0, 1, (steps - 1) * values * 4, later, 0);
    else for (let step = 1; step < steps; step++) this.copyChannels(source, 0, 1, values * 4, target + step * values * 4, 0);
    return stored(shape, target);
  }

  integrateAndFire(input: Signal, steps: number, { thresholds, maximumSpikes }: IntegrateAndFireParameters, before: Signal) {
    if (steps > maximumSteps) throw new RangeError(`The neuron runs over at most ${maximumSteps} steps.`);
    const shape = { ...input.shape, steps };
    const stride = strideOf(shape.channels);
    const after = this.copy(before);
    const limits = this.heap.allocate(stride * 4);
    this.floats(limits, shape.channels).set(thresholds);
    const masks = this.allocateMasks(shape, maximumSpikes);
    this.eachPart(input, shape, masks, (source, part, partMasks, firstChannel) =>
      this.kernels.integrateAndFire(
        source, partStepBytes(part, shape), strideOf(part.channels) * 4, shape.height * shape.width, steps, part.channels,
        limits + firstChannel * 4, maximumSpikes, after + firstChannel * 4, stride * 4, partMasks, maskBytes(shape.channels),
      ),
    );
    const lists = this.listed(masks, shape, maximumSpikes);
    this.heap.release(masks);
    this.heap.release(limits);
    const spikes: EventSpikes = { kind: 'spikes', shape, lists };
    return { spikes, after: stored(before.shape, after) };
  }

  relu(input: Signal): Signal {
    const source = this.joined(input);
    const target = this.allocate(input.shape);
    this.kernels.relu(source, input.shape.steps * valuesPerStep(input.shape), target);
    return stored(input.shape, target);
  }

  silence<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const silenced: Signal | Spikes = value.kind === 'spikes' ? this.silenceSpikes(value, audible) : this.silenceSignal(value, audible);
    return silenced as V;
  }

  maxPool(input: Signal, size: number): Signal {
    const { height, width } = input.shape;
    const shape = { ...input.shape, height: Math.floor(height / size), width: Math.floor(width / size) };
    return this.fromParts(input, shape, (part, target, pixelBytes) => {
      if (part.content.kind === 'spiking' && !part.content.addend) {
        this.convolve(part.content, target, pixelBytes, { pool: size });
        return;
      }
      const source = this.materialised(part, input.shape);
      const bytes = strideOf(part.channels) * 4;
      const rows = part.steps * shape.height;
      this.perform('maxPool', rows, (rows * shape.width * size * size * bytes) / 16, source, bytes, height, width, size, bytes, target, pixelBytes);
    });
  }

  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal) {
    const { height, width } = input.shape;
    const shape = { ...input.shape, steps, height: Math.floor(height / size), width: Math.floor(width / size) };
    const after = this.copy(before);
    const target = this.allocate(shape);
    const targetBytes = strideOf(shape.channels) * 4;
    let offset = 0;
    for (const part of (input as EventSignal).parts) {
      const source = this.materialised(part, input.shape);
      const bytes = strideOf(part.channels) * 4;
      this.kernels.maxPoolOfSums(
        source, part.steps === 1 ? 0 : height * width * bytes, bytes, steps, height, width, size, bytes,
        after + offset, targetBytes, target + offset, targetBytes,
      );
      offset += part.channels * 4;
    }
    return { pooled: stored(shape, target), after: stored(before.shape, after) };
  }

  upsample(input: Signal): Signal {
    const { height, width } = input.shape;
    return this.fromParts(input, { ...input.shape, height: height * 2, width: width * 2 }, (part, target, pixelBytes) => {
      const source = this.materialised(part, input.shape);
      const bytes = strideOf(part.channels) * 4;
      this.kernels.upsample(source, bytes, part.steps, height, width, bytes, target, pixelBytes);
    });
  }

  concatenate(inputs: readonly Signal[]): Signal {
    const [first] = inputs;
    if (!first) throw new RangeError('Nothing to concatenate.');
    const parts = (inputs as readonly EventSignal[]).flatMap((input) => input.parts);
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
    const stepBytes = valuesPerStep(shape) * 4;
    for (const [value, other] of [[a, b], [b, a]] as const) {
      if (!waitingSpikes(value, shape.steps)) continue;
      const addend = this.stored(other);
      // Not any more where both are the same.
      const content = waitingSpikes(value, shape.steps);
      if (!content) continue;
      content.lists.owners++;
      content.convolution.owners++;
      addend.owners++;
      return pending(shape, { ...content, addend });
    }
    const first = this.joined(a);
    const second = this.joined(b);
    const target = this.allocate(shape);
    for (let step = 0; step < shape.steps; step++) {
      const offset = step * stepBytes;
      this.kernels.add(
        first + (a.shape.steps === 1 ? 0 : offset),
        second + (b.shape.steps === 1 ? 0 : offset),
        stepBytes / 4,
        target + offset,
      );
    }
    return stored(shape, target);
  }

  meanOverSteps(input: Signal): Signal {
    return this.mean(input, input.shape.steps, 'last');
  }

  runningMean(input: Signal, steps: number): Signal {
    return this.mean(input, steps, 'all');
  }

  countSpikes(input: Spikes): Signal {
    const { counts, shape } = (input as EventSpikes).lists;
    return this.input(counts, { steps: shape.steps, height: 1, width: 1, channels: 1 });
  }

  share(input: Signal): Signal {
    // As one part, so that regions of it are rows of the heap.
    this.joined(input);
    const { parts } = input as EventSignal;
    for (const part of parts) part.owners++;
    return signal(input.shape, [...parts]);
  }

  crop(input: Signal, region: Region): Signal {
    const shape = { ...input.shape, height: region.bottom - region.top, width: region.right - region.left };
    const target = this.allocate(shape);
    this.copyRegion(this.joined(input), input.shape, region, target, shape, 0, 0);
    return stored(shape, target);
  }

  paste(patch: Signal, region: Region, target: Signal, top: number, left: number): void {
    this.copyRegion(this.joined(patch), patch.shape, region, this.joined(target), target.shape, top, left);
  }

  /** A region of every step of `source` to where its corner is `top` and `left` in `target`; both have as many steps and channels. */
  private copyRegion(source: number, from: FeatureShape, { top, left, bottom, right }: Region, target: number, to: FeatureShape, toTop: number, toLeft: number): void {
    const pixelBytes = strideOf(from.channels) * 4;
    const [sourceRowBytes, targetRowBytes] = [from.width * pixelBytes, to.width * pixelBytes];
    for (let step = 0; step < from.steps; step++) {
      this.copyChannels(
        source + (step * from.height + top) * sourceRowBytes + left * pixelBytes, sourceRowBytes,
        bottom - top, (right - left) * pixelBytes,
        target + (step * to.height + toTop) * targetRowBytes + toLeft * pixelBytes, targetRowBytes,
      );
    }
  }

  spikesPerPixel(input: Spikes): Uint16Array {
    const { starts, shape: { steps, height, width } } = (input as EventSpikes).lists;
    const common = commonLists(steps);
    const lists = common + steps;
    const begins = this.heap.wholeNumbers(starts, height * (width + 1) * lists);
    const result = new Uint16Array(height * width * steps);
    const onList = (at: number): number => ((begins[at + lists] ?? 0) - (begins[at] ?? 0)) >> 1;
    let to = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const first = (y * (width + 1) + x) * lists;
        const even = (common > 0 ? onList(first) : 0) + (common > 1 ? onList(first + 1) : 0);
        const odd = (common > 0 ? onList(first) : 0) + (common > 1 ? onList(first + 2) : 0);
        for (let step = 0; step < steps; step++) result[to++] = (step % 2 === 0 ? even : odd) + onList(first + common + step);
      }
    }
    return result;
  }

  read(values: readonly (Signal | Spikes)[]): Promise<Float32Array[]> {
    return Promise.resolve(values.map((value) => (value.kind === 'spikes' ? this.readSpikes(value) : this.readSignal(value))));
  }

  release(value: Signal | Spikes | Convolution): void {
    if (value.kind === 'convolution') this.disownConvolution((value as EventConvolution).loaded);
    else if (value.kind === 'spikes') this.disownLists((value as EventSpikes).lists);
    else for (const part of (value as EventSignal).parts) this.disownPart(part);
  }

  /** The lists without what is silenced, made anew. */
  private silenceSpikes(value: Spikes, audible: Audible): Spikes {
    const { shape, lists } = value as EventSpikes;
    const { maximumSpikes } = lists;
    const { steps, height, width, channels } = shape;
    const pixels = height * width;
    const words = maskBytes(channels) / 2;
    const fired = this.readSpikes(value);
    const masks = this.allocateMasks(shape, maximumSpikes);
    const bits = new Uint16Array(this.kernels.memory.buffer, masks, maximumSpikes * steps * pixels * words).fill(0);
    for (let index = 0; index < fired.length; index++) {
      if (audible[index % (pixels * channels)] === 0) continue;
      const channel = index % channels;
      const word = Math.floor(index / channels) * words + (channel >> 4);
      for (let spike = 0; spike < (fired[index] ?? 0); spike++) {
        const at = spike * steps * pixels * words + word;
        bits[at] = (bits[at] ?? 0) | (1 << (channel & 15));
      }
    }
    const kept = this.listed(masks, shape, maximumSpikes);
    this.heap.release(masks);
    const spikes: EventSpikes = { kind: 'spikes', shape, lists: kept };
    return spikes;
  }

  private silenceSignal(value: Signal, audible: Audible): Signal {
    const { shape } = value;
    const stride = strideOf(shape.channels);
    const pixels = shape.height * shape.width;
    const length = shape.steps * valuesPerStep(shape);
    const source = this.joined(value);
    const target = this.allocate(shape);
    const from = this.floats(source, length);
    const to = this.floats(target, length);
    for (let place = 0; place < shape.steps * pixels; place++) {
      for (let channel = 0; channel < shape.channels; channel++) {
        const at = place * stride + channel;
        to[at] = (from[at] ?? 0) * (audible[(place % pixels) * shape.channels + channel] ?? 1);
      }
    }
    return stored(shape, target);
  }

  private readSpikes(value: Spikes): Float32Array {
    const { starts, shape } = (value as EventSpikes).lists;
    const { steps, height, width, channels } = shape;
    const size = elementCount(shape);
    const target = this.heap.allocate(size * 4);
    this.floats(target, size).fill(0);
    this.kernels.spread(starts, steps, height, width, channels, target);
    const result = this.floats(target, size).slice();
    this.heap.release(target);
    return result;
  }

  private readSignal(value: Signal): Float32Array {
    const { channels, steps } = value.shape;
    const stride = strideOf(channels);
    const source = this.joined(value);
    const values = this.floats(source, steps * valuesPerStep(value.shape));
    if (stride === channels) return values.slice();
    const result = new Float32Array(elementCount(value.shape));
    for (let pixel = 0; pixel * channels < result.length; pixel++) {
      result.set(values.subarray(pixel * stride, pixel * stride + channels), pixel * channels);
    }
    return result;
  }

  private mean(input: Signal, steps: number, wanted: 'all' | 'last'): Signal {
    const shape = { ...input.shape, steps: wanted === 'all' ? steps : 1 };
    const values = valuesPerStep(shape);
    const source = this.joined(input);
    const target = this.allocate(shape);
    this.kernels.runningMean(source, input.shape.steps === 1 ? 0 : values * 4, values, steps, Number(wanted === 'all'), target);
    return stored(shape, target);
  }

  /** @param target 0 where only what fires is wanted */
  private convolve(
    { lists, convolution, addend }: PendingSpiking,
    target: number,
    targetPixelBytes: number,
    { pool = 1, fire }: { pool?: number; fire?: Firing | undefined },
  ): void {
    const { geometry, bias } = convolution;
    const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
    const { starts, active, shape } = lists;
    const { height, width } = convolvedShape(shape, geometry);
    const weights = this.weights(convolution, 'spiking');
    const large = packedLength(geometry, 'spiking') * 4 > largeWeightsBytes;
    // A neuron that fires at every step is on one list only, unless it fires more than once.
    const mostEntries = lists.maximumSpikes === 1 ? Math.max(1, shape.steps - 1) : shape.steps * lists.maximumSpikes;
    const mostRows = kernel * kernel * inputChannels * pool * pool * mostEntries;
    const capacity = mostRows + (large ? largeRows : smallRows);
    const listsOfPixel = commonLists(shape.steps) + shape.steps;
    const chunkPixels = Math.max(Math.floor(chunkLists / listsOfPixel), pool * pool);
    const lineBytes = 2 * (shape.width + 2 * padding + kernel + stride * pool + 32);
    const scratch = this.scratchOf(4 * (chunkPixels * listsOfPixel + 5) + 16 * (chunkPixels + 2) + lineBytes + 2 * (capacity + 32));
    const spikes = lists.counts.reduce((sum, count) => sum + count, 0);
    const sums = (spikes * kernel * kernel) / (stride * stride);
    const started = this.now();
    this.perform(
      'spikingConvolution', Math.floor(height / pool), ((sums + shape.steps * height * width) * outputChannels) / 4,
      starts, active, shape.steps, shape.height, shape.width, inputChannels,
      kernel, stride, padding, height, width, pool,
      weights, bias, outputChannels, target, targetPixelBytes,
      addend?.content.address ?? 0, addend ? partStepBytes(addend, { height, width }) : 0, strideOf(outputChannels) * 4,
      fire?.masks ?? 0, ...neuronArguments(fire?.parameters), fire && spikes < fewSpikes * elementCount(shape) ? quietCurrent(fire.parameters) : -Infinity,
      capacity, mostRows, chunkPixels, scratch.address, scratch.bytes,
    );
    this.clock?.(convolution.name, this.now() - started);
  }

  /** Gives back the source as soon as it has been read: what it takes may be as large as the result. @returns where the result is */
  private convolveDense(pending: PendingDense, fire: Firing | undefined): number {
    const { sourceShape, convolution, rounding } = pending;
    const { geometry, bias, name } = convolution;
    const { kernel, stride, padding, inputChannels, outputChannels } = geometry;
    const { height, width } = convolvedShape(sourceShape, geometry);
    const weights = this.weights(convolution, 'dense');
    if (kernel > 1 || padding > 0) this.surround(pending);
    const { steps, content: { address: from } } = pending.source;
    const rows = sourceShape.height + 2 * padding;
    const columns = sourceShape.width + 2 * padding;
    const pixelBytes = (pending.isSurrounded ? inputChannels : strideOf(inputChannels)) * 4;
    const target = this.allocate({ steps, height, width, channels: outputChannels });
    const started = this.now();
    const places = height * width;
    this.perform(
      'denseConvolution', places, (steps * places * strideOf(outputChannels) * kernel * kernel * inputChannels) / 4,
      from, steps, rows * columns * pixelBytes, columns * pixelBytes, pixelBytes,
      kernel, kernel * inputChannels, stride, height, width,
      weights, bias, outputChannels, target, strideOf(outputChannels) * 4,
      Number(rounding === 'free'), fire?.masks ?? 0, fire?.steps ?? 0, ...neuronArguments(fire?.parameters),
    );
    this.disownPart(pending.source);
    this.disownConvolution(convolution);
    this.clock?.(name, this.now() - started);
    return target;
  }

  /** Puts a copy with zeros around in place of the source. Where there is no memory for what follows, the convolution still waits, for the copy. */
  private surround(pending: PendingDense): void {
    if (pending.isSurrounded) return;
    const { source, sourceShape: { height, width }, convolution: { geometry: { padding, inputChannels } } } = pending;
    const { steps } = source;
    const address = this.heap.allocate(steps * (height + 2 * padding) * (width + 2 * padding) * inputChannels * 4);
    this.kernels.surround(source.content.address, steps, height, width, inputChannels, strideOf(inputChannels) * 4, padding, address);
    pending.source = { channels: inputChannels, steps, owners: 1, content: { kind: 'stored', address } };
    pending.isSurrounded = true;
    this.disownPart(source);
  }

  /** Only asked where somebody listens. */
  private now(): number {
    return this.clock ? performance.now() : 0;
  }

  /** At least so many bytes for each thread. */
  private scratchOf(wanted: number): { address: number; bytes: number } {
    if (!this.scratch || this.scratch.bytes < wanted) {
      if (this.scratch) this.heap.release(this.scratch.address);
      this.scratch = undefined;
      // No two threads write into one line of the cache.
      const bytes = Math.ceil(wanted / 64) * 64;
      this.scratch = { address: this.heap.allocate(bytes * this.team.threads), bytes };
    }
    return this.scratch;
  }

  /** @param work in vector operations, roughly */
  private perform<K extends DividedKernel>(kernel: K, items: number, work: number, ...args: WorkArguments<K>): void {
    this.team.perform(kernel, items, this.blockItems(items, work), ...args);
  }

  /** In how large blocks such work is done. */
  private blockItems(items: number, work: number): number {
    if (this.team.threads === 1 || work < smallWork) return Math.max(1, items);
    return Math.ceil(items / (this.team.threads * blocksPerThread));
  }

  private copyChannels(source: number, sourcePixelBytes: number, pixels: number, bytes: number, target: number, targetPixelBytes: number): void {
    this.perform('copyChannels', pixels, (pixels * bytes) / 16, source, sourcePixelBytes, bytes, target, targetPixelBytes);
  }

  private weights(convolution: LoadedConvolution, layout: WeightLayout): number {
    const { geometry, weights } = convolution;
    if (weights.layout === layout) return weights.address;
    let plain: Float32Array;
    if (weights.layout === undefined) plain = weights.values;
    else {
      // The network ran as an SNN and now runs as an ANN, or the other way round.
      plain = unpackWeights(this.floats(weights.address, packedLength(geometry, weights.layout)), geometry, weights.layout);
      this.heap.release(weights.address);
    }
    const length = packedLength(geometry, layout);
    const address = this.heap.allocate(length * 4);
    packWeights(plain, geometry, layout, this.floats(address, length));
    convolution.weights = { layout, address };
    return address;
  }

  /** Writes every part into its channels of one new signal, and repeats it over the steps where it has only one. */
  private fromParts(input: Signal, shape: FeatureShape, write: (part: Part, target: number, pixelBytes: number) => void): Signal {
    const address = this.allocate(shape);
    const pixels = shape.height * shape.width;
    const pixelBytes = strideOf(shape.channels) * 4;
    let target = address;
    for (const part of (input as EventSignal).parts) {
      write(part, target, pixelBytes);
      for (let step = part.steps; step < shape.steps; step++) {
        this.copyChannels(target, pixelBytes, pixels, part.channels * 4, target + step * pixels * pixelBytes, pixelBytes);
      }
      target += part.channels * 4;
    }
    return stored(shape, address);
  }

  /** Where the signal lies as one part; it stays like this. */
  private joined(input: Signal): number {
    const source = input as EventSignal;
    const [only] = source.parts;
    if (only && source.parts.length === 1) return this.materialised(only, input.shape);
    const { height, width } = input.shape;
    const joined = this.fromParts(input, input.shape, (part, target, pixelBytes) => {
      const from = this.materialised(part, input.shape);
      this.copyChannels(from, strideOf(part.channels) * 4, part.steps * height * width, part.channels * 4, target, pixelBytes);
    }) as EventSignal;
    for (const part of source.parts) this.disownPart(part);
    source.parts = joined.parts;
    return this.joined(source);
  }

  /** Where the part lies; a convolution that was put off is done now. */
  private materialised(part: Part, { height, width }: FeatureShape, fire?: Firing): number {
    const { content, channels, steps } = part;
    if (content.kind === 'stored') return content.address;
    let address: number;
    if (content.kind === 'dense') address = this.convolveDense(content, fire);
    else {
      // A sum takes the place of an addend that nobody else reads: a third less passes through the caches.
      const own = content.addend?.owners === 1 && content.addend.steps === steps ? content.addend : undefined;
      address = own?.content.address ?? this.allocate({ steps, height, width, channels });
      this.convolve(content, address, strideOf(channels) * 4, { fire });
      if (own) content.addend = undefined;
      this.disownContent(content);
    }
    part.content = { kind: 'stored', address };
    return address;
  }

  /** The only part of the signal, in the heap. */
  private stored(input: Signal): StoredPart {
    this.joined(input);
    const [part] = (input as EventSignal).parts;
    if (part?.content.kind !== 'stored') throw new TypeError('A joined signal is stored.');
    return part as StoredPart;
  }

  /** A copy of a signal of one step, as one part. */
  private copy(input: Signal): number {
    const values = valuesPerStep(input.shape);
    const source = this.joined(input);
    const target = this.allocate({ ...input.shape, steps: 1 });
    this.floats(target, values).set(this.floats(source, values));
    return target;
  }

  private allocate(shape: FeatureShape): number {
    return this.heap.allocate(shape.steps * valuesPerStep(shape) * 4 + neuronsAtOnceBytes);
  }

  private floats(address: number, length: number): Float32Array {
    return this.heap.floats.subarray(address / 4, address / 4 + length);
  }

  private disownPart(part: Part): void {
    part.owners--;
    if (part.owners > 0) return;
    this.disownContent(part.content);
  }

  private disownContent(content: Part['content']): void {
    if (content.kind === 'stored') {
      this.heap.release(content.address);
      return;
    }
    this.disownConvolution(content.convolution);
    if (content.kind === 'dense') this.disownPart(content.source);
    else {
      this.disownLists(content.lists);
      if (content.addend) this.disownPart(content.addend);
    }
  }

  private disownLists(lists: SpikeLists): void {
    lists.owners--;
    if (lists.owners > 0) return;
    this.heap.release(lists.starts);
    this.heap.release(lists.active);
    this.heap.release(lists.entries);
  }

  private disownConvolution(convolution: LoadedConvolution): void {
    convolution.owners--;
    if (convolution.owners > 0) return;
    this.heap.release(convolution.bias);
    if (convolution.weights.layout !== undefined) this.heap.release(convolution.weights.address);
  }
}

function signal(shape: FeatureShape, parts: Part[]): Signal {
  const value: EventSignal = { kind: 'signal', shape, parts };
  return value;
}

function stored(shape: FeatureShape, address: number): Signal {
  const { channels, steps } = shape;
  return signal(shape, [{ channels, steps, owners: 1, content: { kind: 'stored', address } }]);
}

function pending(shape: FeatureShape, content: PendingSpiking | PendingDense): Signal {
  const { channels, steps } = shape;
  return signal(shape, [{ channels, steps, owners: 1, content }]);
}

/** The convolution that the whole signal waits for, if neurons over so many steps can read it as it is. */
function unfinished(value: Signal, steps: number): Part | undefined {
  const [part, ...others] = (value as EventSignal).parts;
  if (!part || others.length > 0 || part.content.kind === 'stored') return undefined;
  return part.steps === steps || (part.content.kind === 'dense' && part.steps === 1) ? part : undefined;
}

/** A convolution of spikes that the whole signal waits for and that can take on an addition. */
function waitingSpikes(value: Signal, steps: number): PendingSpiking | undefined {
  const content = unfinished(value, steps)?.content;
  return content?.kind === 'spiking' && !content.addend ? content : undefined;
}

/** As kernels take it; whatever where no neuron is behind them. */
function neuronArguments({ decay, threshold, reset }: NeuronParameters = { decay: 0, threshold: 0 }): [number, number, number] {
  return [decay, threshold, Number(reset === 'soft')];
}

/**
 * Of a LIF neuron that starts at 0: with no current above this it never fires, since its membrane stays at most `decay * threshold + current`.
 * Rounding moves that by less than a millionth of the threshold.
 */
function quietCurrent({ decay, threshold }: NeuronParameters): number {
  return threshold > 0 && decay >= 0 && decay <= 1 ? threshold * (1 - decay - 1e-6) : -Infinity;
}

function strideOf(channels: number): number {
  return Math.ceil(channels / 4) * 4;
}

/** Bytes of a pixel's bits at one step. */
function maskBytes(channels: number): number {
  return Math.ceil(channels / 16) * 2;
}

/** Lists that several steps have in common, as kernels/spikes.ts makes them; beside these each step has one. */
function commonLists(steps: number): number {
  if (steps === 1) return 0;
  return steps < 4 ? 1 : 3;
}

/** 0 where the part is the same at every step. */
function partStepBytes({ steps, channels }: Part, { height, width }: Pick<FeatureShape, 'height' | 'width'>): number {
  return steps === 1 ? 0 : height * width * strideOf(channels) * 4;
}

function valuesPerStep({ height, width, channels }: FeatureShape): number {
  return height * width * strideOf(channels);
}
