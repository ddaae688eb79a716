import { AppError } from '../base/errors';
import type { Muted } from '../base/muted';
import { throwIfCancelled, type Task } from '../base/progress';
import type { Checkpoint, NetworkMode } from '../checkpoint/types';
import type { Audible, Convolution, FeatureShape, NeuronParameters, Operations, Rounding, Signal, Spikes } from '../tensor/operations';
import { inputsOf, type GraphNode, type NetworkGraph } from './graph';
import { mutingOf, nothingMuted, type Muting } from './muting';
import { cropOf, FrameMemory, isEmpty, type Patch } from './reuse';
import { anchorsOfCheckpoint, graphOfCheckpoint, loadConvolutions, refuseConverted } from './weights';

/** What the released code trains with; not stored in checkpoints. */
export const trainedNeuron: NeuronParameters = { decay: 0.25, threshold: 0.5 };
export const maximumSteps = 16;

export interface RunSettings extends NeuronParameters {
  mode: NetworkMode;
  /** 1 to 16; the ANN twin makes one pass whatever this says. */
  steps: number;
  /** Indices of the neuron layers whose membranes and emissions are wanted. */
  record: ReadonlySet<number>;
  /** Also return the logits after 1, 2, ... T steps. */
  logitsPerStep: boolean;
  /** What is silenced; nothing where it is not said. */
  muted?: readonly Muted[];
  /** Also keep what every spiking neuron fired, layer by layer, without its membrane. */
  keepSpikes?: boolean;
  /** Goes on from what an earlier run left in its membranes, and keeps what this one leaves; both stay the caller's. */
  carry?: { from: CarriedMembranes | undefined };
  /**
   * Takes over what is the same as in the last such run, as far as the backend can: results are those of a run from the start. The input
   * is kept to compare the next one with, and must stay as it is. Without effect where neurons are watched, muted or carried on, or their spikes kept.
   */
  reuse?: boolean;
}

/** What a run left in each neuron after its last step, by node; of one network on one size of input. */
export type CarriedMembranes = ReadonlyMap<number, Signal>;

export interface RecordedLayer {
  index: number;
  emits: 'spikes' | 'values';
  shape: FeatureShape;
  /** `[steps, height, width, channels]`; what it emits where that is SiLU, its input current where the network is an ANN. */
  membrane: Float32Array;
  /** Spikes, or what a SiLU or ReLU neuron emits; the same shape. */
  emitted: Float32Array;
}

export interface ScaleLogits {
  height: number;
  width: number;
  /** Mean over all steps: `[height, width, anchors * (5 + classes)]`. */
  mean: Float32Array;
  /** `[steps, height, width, ...]`: at step t the mean over the steps up to t; only when asked for. */
  perStep: Float32Array | undefined;
}

export interface NetworkRun {
  steps: number;
  scales: ScaleLogits[];
  /**
   * Share of neurons that fired, `[layer][step]`; undefined for layers that do not emit spikes (SiLU, or ReLU in the
   * ANN twin).
   */
  firingRates: (number[] | undefined)[];
  recorded: RecordedLayer[];
  /** By node, 0 or 1, `[steps, height, width, channels]`; only where the settings ask for it. */
  spikes: ReadonlyMap<number, Uint8Array> | undefined;
  /** Only where the settings ask for it; give it back with `releaseCarried`. */
  carried: CarriedMembranes | undefined;
}

/** How often a long run lets messages (a cancel) through. */
export const yieldIntervalMs = 24;

/** A loaded network: its graph, and its convolutions on one backend. */
export class Network {
  /** Nobody's while a run has it. */
  private memory: FrameMemory | undefined;
  private isReleased = false;

  private constructor(
    readonly graph: NetworkGraph,
    /** Pixels per scale, `[w, h, ...]`. */
    readonly anchors: readonly (readonly number[])[],
    private readonly convolutions: ReadonlyMap<number, Convolution>,
    private readonly operations: Operations,
  ) {}

  /** @throws AppError `checkpoint/*`, `network/*`, `cancelled`; nothing stays loaded then */
  static async load(checkpoint: Checkpoint, operations: Operations, task: Task): Promise<Network> {
    refuseConverted(checkpoint);
    const graph = graphOfCheckpoint(checkpoint);
    const anchors = await anchorsOfCheckpoint(graph, checkpoint, task);
    const convolutions = await loadConvolutions(graph, checkpoint, operations, task);
    return new Network(graph, anchors, convolutions, operations);
  }

  release(): void {
    this.isReleased = true;
    this.memory?.release();
    for (const convolution of this.convolutions.values()) this.operations.release(convolution);
  }

  /**
   * Runs the network on a picture `[1, H, W, 3]`, or on one picture per step `[steps, H, W, 3]`, values in [0, 1].
   * @throws AppError `network/invalid-settings`, `cancelled`
   */
  async run(values: Float32Array, shape: FeatureShape, settings: RunSettings, task: Task): Promise<NetworkRun> {
    this.check(shape, settings);
    const memory = this.takeMemory(settings);
    const execution = new Execution(this.graph, this.convolutions, this.operations, settings, mutingOf(this.graph, settings.muted ?? [], shape), memory);
    let complete = false;
    try {
      const run = await execution.run(values, shape, task);
      complete = true;
      return run;
    } finally {
      execution.releaseAll();
      if (memory) this.giveBack(memory, complete);
    }
  }

  private takeMemory({ reuse, record, muted, carry, keepSpikes }: RunSettings): FrameMemory | undefined {
    const { regions } = this.operations;
    if (!reuse || !regions || record.size > 0 || keepSpikes || (muted && muted.length > 0) || carry) return undefined;
    const memory = this.memory ?? new FrameMemory(this.graph, regions, (signal) => this.operations.release(signal));
    this.memory = undefined;
    return memory;
  }

  /** After a run that did not end, some of it belongs to that frame and some to the one before. */
  private giveBack(memory: FrameMemory, complete: boolean): void {
    if (!complete || this.isReleased || this.memory) memory.release();
    if (!this.isReleased) this.memory ??= memory;
  }

  releaseCarried(carried: CarriedMembranes): void {
    for (const value of carried.values()) this.operations.release(value);
  }

  private check(shape: FeatureShape, settings: RunSettings): void {
    const { largestStride, description } = this.graph;
    const problem = invalidSetting(settings);
    if (problem) throw problem;
    if (shape.height % largestStride !== 0 || shape.width % largestStride !== 0 || shape.height * shape.width === 0) {
      throw invalidSettings(
        `the picture is ${shape.width} x ${shape.height} pixels, and the network needs multiples of ${largestStride}`,
        'Letterbox the picture to such a size first.',
      );
    }
    if (shape.channels !== description.inputChannels) {
      throw invalidSettings(
        `the picture has ${shape.channels} channels and the network reads ${description.inputChannels}`,
        'Choose a picture of that kind, or another model.',
      );
    }
    const steps = settings.mode === 'ann' ? 1 : settings.steps;
    if (shape.steps !== 1 && shape.steps !== steps) {
      throw invalidSettings(
        `there are ${shape.steps} input slices for ${steps} steps`,
        'Give one picture, or one slice for each step.',
      );
    }
  }
}

/** The reason why a run cannot have these settings, if there is one. */
export function invalidSetting(settings: Pick<RunSettings, 'steps' | 'decay' | 'threshold'>): AppError | undefined {
  if (!Number.isInteger(settings.steps) || settings.steps < 1 || settings.steps > maximumSteps) {
    return invalidSettings(
      `${settings.steps} time steps were asked for`,
      `Choose a whole number of steps from 1 to ${maximumSteps}.`,
    );
  }
  if (!(settings.decay >= 0 && settings.decay <= 1)) {
    return invalidSettings(`the decay is ${settings.decay}`, 'Choose a decay from 0 to 1; the networks are trained with 0.25.');
  }
  if (!Number.isFinite(settings.threshold)) {
    return invalidSettings(`the threshold is ${settings.threshold}`, 'Choose a number; the networks are trained with 0.5.');
  }
  return undefined;
}

function invalidSettings(what: string, remedy: string): AppError {
  return new AppError('network/invalid-settings', `The network cannot run like this: ${what}.`, remedy);
}

/** Notices a cancel before a node; from time to time it is to be waited for, so that messages come through. */
type Breather = (node: number) => Promise<void> | undefined;

/** One pass over the graph. Every value is released after its last reader, so that only what is still needed is alive. */
class Execution {
  private readonly values = new Map<number, Signal | Spikes>();
  private readonly readersLeft: number[];
  private readonly recordings: { index: number; node: number; membrane: Signal; emitted: Signal | Spikes }[] = [];
  /** Spike counts per step by node, and how many neurons they are counted over. */
  private readonly counts = new Map<number, { spikes: Signal; neurons: number }>();
  private readonly spikes = new Map<number, Uint8Array>();
  private readonly carried = new Map<number, Signal>();
  private readonly steps: number;
  /** Activations of the ANN that somebody looks at may become the thresholds of a converted network. */
  private readonly rounding: Rounding;

  constructor(
    private readonly graph: NetworkGraph,
    private readonly convolutions: ReadonlyMap<number, Convolution>,
    private readonly operations: Operations,
    private readonly settings: RunSettings,
    private readonly muting: Muting,
    private readonly memory: FrameMemory | undefined,
  ) {
    this.steps = settings.mode === 'ann' ? 1 : settings.steps;
    this.rounding = settings.mode === 'ann' && settings.record.size === 0 ? 'free' : 'fixed';
    this.readersLeft = graph.nodes.map(() => 0);
    for (const node of graph.nodes) for (const id of inputsOf(node)) this.addReader(id, 1);
  }

  async run(values: Float32Array, shape: FeatureShape, task: Task): Promise<NetworkRun> {
    const { memory, graph } = this;
    const plan = memory?.begin(values, shape, this.settings);
    if (plan && 'scales' in plan) return plan;
    const detection = new Set(graph.scales.map((scale) => scale.node));
    const breathe = this.breather(task);
    let known = 0;
    for (const patch of plan?.patches ?? []) {
      await this.patch(patch, values, shape, breathe);
      known = patch.segment.to;
    }
    if (!memory || known === 0) this.values.set(0, this.operations.input(values, shape));
    else for (const { segment } of plan?.patches ?? []) this.values.set(segment.to, memory.share(segment.to));
    for (const node of graph.nodes.slice(known + 1)) {
      const pause = breathe(node.id);
      if (pause) await pause;
      if (detection.has(node.id)) continue;
      const value = this.computeNode(node);
      if (plan?.keep.has(node.id)) memory?.keep(node.id, value);
      if (value.kind === 'spikes' && this.settings.keepSpikes) {
        // One layer at a time, since all of them as numbers are many times what the network takes.
        const [fired = []] = await this.operations.read([value], task);
        this.spikes.set(node.id, Uint8Array.from(fired));
      }
    }
    const run = await this.collect(task);
    memory?.finish(values, run);
    return run;
  }

  /** Computes what of a segment has changed, and puts it to the rest. */
  private async patch(patch: Patch, values: Float32Array, shape: FeatureShape, breathe: Breather): Promise<void> {
    const { memory, graph, operations } = this;
    const { segment, crop } = patch;
    if (!memory || isEmpty(crop)) return;
    const part = new Execution(graph, this.convolutions, operations, this.settings, nothingMuted, undefined);
    try {
      part.values.set(segment.from, segment.from === 0 ? operations.input(...cropOf(values, shape, crop)) : memory.crop(segment.from, crop));
      for (const node of segment.nodes) {
        const pause = breathe(node.id);
        if (pause) await pause;
        memory.patch(patch, node.id, part.computeNode(node));
      }
    } finally {
      part.releaseAll();
    }
  }

  /** @throws AppError `cancelled` */
  private breather(task: Task): Breather {
    let lastYield = performance.now();
    return (node) => {
      throwIfCancelled(task.signal);
      if (performance.now() - lastYield <= yieldIntervalMs) return undefined;
      task.report({ label: 'Running the network', done: node, total: this.graph.nodes.length, unit: 'layers' });
      return new Promise((resolve) => setTimeout(resolve, 0)).then(() => {
        lastYield = performance.now();
        throwIfCancelled(task.signal);
      });
    };
  }

  /** Computes a node, and lets go of what nobody reads after it. */
  private computeNode(node: GraphNode): Signal | Spikes {
    const value = this.computeAudible(node);
    this.values.set(node.id, value);
    for (const id of inputsOf(node)) this.addReader(id, -1);
    return value;
  }

  /** Frees whatever is alive, after a run as after a failure. */
  releaseAll(): void {
    const alive = new Set<Signal | Spikes>(this.values.values());
    for (const { spikes } of this.counts.values()) alive.add(spikes);
    for (const { membrane, emitted } of this.recordings) alive.add(membrane).add(emitted);
    for (const value of this.carried.values()) alive.add(value);
    for (const value of alive) this.operations.release(value);
    this.values.clear();
    this.counts.clear();
    this.carried.clear();
    this.recordings.length = 0;
  }

  private addReader(id: number, change: 1 | -1): void {
    const left = (this.readersLeft[id] ?? 0) + change;
    this.readersLeft[id] = left;
    const value = this.values.get(id);
    if (left > 0 || !value) return;
    this.values.delete(id);
    if (!this.recordings.some((recording) => recording.emitted === value)) this.operations.release(value);
  }

  private computeAudible(node: GraphNode): Signal | Spikes {
    const value = this.compute(node);
    if (!this.muting.silent.has(node.id)) return value;
    const { height, width, channels } = value.shape;
    return this.silenced(value, new Uint8Array(height * width * channels));
  }

  /** In place of a value, which is released. */
  private silenced<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const silenced = this.operations.silence(value, audible);
    this.operations.release(value);
    return silenced;
  }

  private compute(node: GraphNode): Signal | Spikes {
    const { operations } = this;
    switch (node.op) {
      case 'input':
        throw new RangeError('The input is given, not computed.');
      case 'convolution': {
        const convolution = this.convolution(node.id);
        const input = this.value(node.input);
        return input.kind === 'spikes'
          ? operations.spikingConvolution(input, convolution)
          : operations.denseConvolution(input, convolution, this.rounding);
      }
      case 'neuron':
        return this.fire(node.id, node.neuron, this.signal(node.input));
      case 'maxPool':
        return operations.maxPool(this.signal(node.input), node.size);
      case 'upsample':
        return operations.upsample(this.signal(node.input));
      case 'concatenate':
        return operations.concatenate(node.inputs.map((id) => this.signal(id)));
      case 'add':
        return operations.add(this.signal(node.inputs[0]), this.signal(node.inputs[1]));
    }
  }

  private fire(node: number, neuron: 'lif' | 'silu', current: Signal): Signal | Spikes {
    const { operations, settings, steps } = this;
    const left = settings.mode === 'snn' ? settings.carry?.from?.get(node) : undefined;
    if (!left) return this.fireOn(node, neuron, current);
    const continued = operations.addCarried(current, steps, left);
    try {
      return this.fireOn(node, neuron, continued);
    } finally {
      operations.release(continued);
    }
  }

  private fireOn(node: number, neuron: 'lif' | 'silu', current: Signal): Signal | Spikes {
    const { operations, settings, steps } = this;
    const wanted = this.graph.layers.filter((layer) => layer.node === node && settings.record.has(layer.index));
    const record = wanted.length > 0;
    const audible = this.muting.audible.get(node);
    const heard = <V extends Signal | Spikes>(value: V): V => (audible ? this.silenced(value, audible) : value);
    let emitted: Signal | Spikes;
    let membrane: Signal | undefined;
    if (settings.mode === 'ann') {
      emitted = heard(operations.relu(current));
      // A copy, since the current itself is released with its own readers.
      membrane = record ? operations.meanOverSteps(current) : undefined;
    } else if (neuron === 'silu') {
      const own = operations.leakySilu(current, steps, settings);
      if (settings.carry) this.carried.set(node, operations.carryOver(own, neuron, settings));
      emitted = heard(own);
      membrane = record ? emitted : undefined;
    } else {
      const fired = operations.leakyIntegrateAndFire(current, steps, settings, record || settings.carry !== undefined);
      const { height, width, channels } = fired.spikes.shape;
      const spikes = heard(fired.spikes);
      this.counts.set(node, { spikes: operations.countSpikes(spikes), neurons: height * width * channels });
      emitted = spikes;
      ({ membrane } = fired);
      if (settings.carry && membrane) {
        this.carried.set(node, operations.carryOver(membrane, neuron, settings));
        if (!record) operations.release(membrane);
      }
    }
    if (membrane && record) for (const { index } of wanted) this.recordings.push({ index, node, membrane, emitted });
    return emitted;
  }

  /** The detection convolutions and the one read-back of everything that somebody asked for. */
  private async collect(task: Task): Promise<NetworkRun> {
    const { operations, graph, steps } = this;
    const logits: Signal[] = [];
    for (const { node } of graph.scales) {
      const [input] = inputsOf(graph.nodes[node] ?? neverNode());
      const features = this.signal(input ?? 0);
      // The convolution is linear, so averaging over the steps first gives the averaged logits with one pass.
      const averaged = this.settings.logitsPerStep
        ? operations.runningMean(features, steps)
        : operations.meanOverSteps(features);
      logits.push(operations.denseConvolution(averaged, this.convolution(node), 'free'));
      operations.release(averaged);
    }
    try {
      const arrays = await operations.read([
        ...logits,
        ...Array.from(this.counts.values(), ({ spikes }) => spikes),
        ...this.recordings.flatMap(({ membrane, emitted }) => [membrane, emitted]),
      ], task);
      const take = (): Float32Array => arrays.shift() ?? new Float32Array();
      const scales = logits.map(({ shape }) => splitSteps(take(), shape, this.settings.logitsPerStep));
      const rates = new Map([
        ...(this.memory?.firingRates() ?? []),
        ...Array.from(this.counts, ([node, { neurons }]): [number, number[]] => [node, Array.from(take(), (count) => count / neurons)]),
      ]);
      const recorded = this.recordings.map(({ index, emitted }): RecordedLayer => {
        return { index, emits: emitted.kind === 'spikes' ? 'spikes' : 'values', shape: emitted.shape, membrane: take(), emitted: take() };
      });
      const carried = this.settings.carry && this.settings.mode === 'snn' ? new Map(this.carried) : undefined;
      // From here on they are the caller's.
      this.carried.clear();
      return { steps, scales, recorded, spikes: this.settings.keepSpikes ? this.spikes : undefined, firingRates: graph.layers.map(({ node }) => rates.get(node)), carried };
    } finally {
      for (const value of logits) operations.release(value);
    }
  }

  private convolution(node: number): Convolution {
    const convolution = this.convolutions.get(node);
    if (!convolution) throw new RangeError(`Node ${node} has no weights.`);
    return convolution;
  }

  private value(id: number): Signal | Spikes {
    const value = this.values.get(id);
    if (!value) throw new RangeError(`Node ${id} was read after its last reader or before it ran.`);
    return value;
  }

  private signal(id: number): Signal {
    const value = this.value(id);
    if (value.kind !== 'signal') throw new TypeError(`Node ${id} emits spikes where a current is needed.`);
    return value;
  }
}

function neverNode(): never {
  throw new RangeError('A detection scale names a node that does not exist.');
}

function splitSteps(data: Float32Array, { steps, height, width }: FeatureShape, perStep: boolean): ScaleLogits {
  const size = data.length / steps;
  return { height, width, mean: data.slice(data.length - size), perStep: perStep ? data : undefined };
}
