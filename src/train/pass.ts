import type { Surrogate } from '../base/surrogate';
import type { NetworkMode } from '../checkpoint/types';
import { type ConvolutionNode, type GraphNode, type NetworkGraph, type NeuronNode } from '../network/graph';
import { nothingMuted, type Muting } from '../network/muting';
import { normEpsilon } from '../network/weights';
import type { NeuronParameters } from '../tensor/operations';
import type { Batch, BatchShape, FiredBatch, Normalised, TrainedNeuron, TrainedWeights, TrainingOperations } from '../tensor/training';
import { currentThatFires } from './firesAs';

/**
 * Trained numbers by the released code's tensor names. Convolution weights are `[kernel, kernel, in, out]`; running statistics
 * stand beside the norms' scale and shift, as in a state_dict.
 */
export type Parameters = ReadonlyMap<string, Float32Array>;

export interface PassSettings {
  mode: NetworkMode;
  /** Time steps; an ANN makes one pass whatever this says. */
  steps: number;
  neuron: NeuronParameters;
  surrogate: Surrogate;
  /** Batch norm over the batch, as in training, or with the running statistics, as at inference. */
  statistics: 'batch' | 'running';
  /** What is silenced; nothing where it is not said. */
  muting?: Muting;
  /**
   * By spiking node what it fired in the run that this pass is to repeat, `[steps, images, height, width, channels]`: rounding otherwise
   * than that run did changes no spike then.
   */
  spikes?: ReadonlyMap<number, ArrayLike<number>>;
}

export interface PassOutput {
  /** Per scale `[images, height, width, anchors * (5 + classes)]`: logits averaged over the steps. */
  logits: { data: Float32Array; shape: BatchShape }[];
  /** Of the batch, by the norm's prefix; what running statistics are made of, and empty where those were used. The variance is biased. */
  statistics: Map<string, BatchStatistics>;
  /** Share of neurons that fired, by layer of the graph; undefined where none spike. */
  firingRates: (number | undefined)[];
}

export interface BatchStatistics {
  /** `[channels]` each. */
  mean: Float32Array;
  variance: Float32Array;
  /** Values per channel that they were taken over. */
  places: number;
}

export interface BackwardOptions {
  /** Weight of the mean firing rate of all spiking layers in what is minimised. */
  ratePenalty: number;
  /** Also the gradients of the input and of what every neuron emitted, at all neurons. */
  trace: boolean;
  /** Nodes of which the gradient of their value is wanted too. */
  nodes?: ReadonlySet<number>;
  /** Whether gradients pass through neurons; else only what adds up to the logits without one in between has a gradient. */
  throughNeurons?: boolean;
  /** Only these parameters' gradients are computed, and nothing behind the last of them; undefined: all. */
  only?: ReadonlySet<string>;
}

export interface PassGradients {
  /** By name, in the parameters' own layout. */
  parameters: Map<string, Float32Array>;
  /** `[steps or 1, images, height, width, channels]`; only with `trace`. */
  input: Float32Array | undefined;
  /** By node of the graph: the gradient of what each neuron emitted at each step; only with `trace`. */
  emitted: Map<number, Float32Array>;
  /** Of the nodes that were asked for and that lead to the logits. */
  nodes: Map<number, Float32Array>;
}

/** Added to the current of a silenced neuron. */
const farBelow = -1e9;

/** One forward pass over a batch, kept so that gradients can go back through it. Release it in the end. */
export class Pass {
  private readonly values = new Map<number, Batch>();
  private readonly norms = new Map<number, Normalised>();
  private readonly weights = new Map<number, TrainedWeights>();
  /** Values that stand in for what is silenced. */
  private readonly replaced: Batch[] = [];
  /** Of what has not gone back yet, by node. */
  private readonly gradients = new Map<number, Batch>();
  private readonly wanted: Wanted;
  private readonly steps: number;
  private readonly muting: Muting;

  constructor(
    private readonly graph: NetworkGraph,
    private readonly parameters: Parameters,
    private readonly operations: TrainingOperations,
    private readonly settings: PassSettings,
  ) {
    this.steps = settings.mode === 'ann' ? 1 : settings.steps;
    this.muting = settings.muting ?? nothingMuted;
    this.wanted = new Wanted(operations);
  }

  /** @param shape of the pictures: one step, or one picture for each of the steps; values in [0, 1] */
  async forward(data: Float32Array, shape: BatchShape): Promise<PassOutput> {
    const { operations, graph } = this;
    const output: PassOutput = { logits: [], statistics: new Map(), firingRates: [] };
    const rates = new Map<number, number>();
    const detection = new Set(graph.scales.map(({ node }) => node));
    for (const node of graph.nodes) {
      if (detection.has(node.id)) continue;
      if (node.op === 'input') this.values.set(node.id, operations.values(data, shape));
      else {
        if (node.op === 'neuron') this.values.set(node.id, await this.fire(node));
        else this.compute(node, output);
        if (this.muting.silent.has(node.id)) this.silence(node.id);
      }
      const fired = this.values.get(node.id) as FiredBatch;
      if (node.op === 'neuron' && fired.neuron === 'lif') {
        this.wanted.once(operations.firingRate(fired), ([rate]) => rates.set(node.id, rate ?? NaN));
      }
    }
    for (const { node } of graph.scales) {
      const convolution = this.convolutionNode(node);
      const mean = operations.meanOverSteps(this.value(convolution.input));
      this.values.set(node, mean);
      const logits = operations.convolve(mean, this.loaded(convolution), this.bias(convolution));
      this.wanted.once(logits, (values) => output.logits.push({ data: values, shape: logits.shape }));
    }
    await this.wanted.read();
    output.firingRates = graph.layers.map(({ node }) => rates.get(node));
    return output;
  }

  /** @param logits gradients by scale, shaped like the logits */
  async backward(logits: readonly Float32Array[], options: BackwardOptions): Promise<PassGradients> {
    const { operations, graph, gradients } = this;
    const result: PassGradients = { parameters: new Map(), input: undefined, emitted: new Map(), nodes: new Map() };
    const last = this.lastNeeded(options);
    const spiking = graph.nodes.filter((node) => node.op === 'neuron' && (this.values.get(node.id) as FiredBatch).neuron === 'lif').length;
    const isTrained = (name: string): boolean => options.only?.has(name) ?? true;
    /** Where the gradient of a node's value is gathered; undefined where nobody needs it. */
    const target = (id: number): Batch | undefined => {
      if (id < last) return undefined;
      const known = gradients.get(id);
      if (known) return known;
      const fresh = operations.zeros(this.value(id).shape);
      gradients.set(id, fresh);
      return fresh;
    };
    const through = (node: ConvolutionNode, gradient: Batch, input: Batch): void => {
      const weights = this.loaded(node);
      if (isTrained(node.weightName)) {
        operations.addWeightGradient(gradient, weights, input);
        this.wanted.kept(weights.gradient, (values) => result.parameters.set(node.weightName, values));
      }
    };

    for (const [index, { node }] of graph.scales.entries()) {
      const convolution = this.convolutionNode(node);
      const mean = this.value(node);
      const data = logits[index] ?? new Float32Array();
      const { height, width, images } = mean.shape;
      const gradient = operations.values(data, { steps: 1, images, height, width, channels: convolution.channels });
      through(convolution, gradient, mean);
      const { shift } = convolution;
      if (shift.kind === 'bias' && isTrained(shift.name)) {
        this.wanted.once(operations.channelSums(gradient), (values) => result.parameters.set(shift.name, values));
      }
      const to = target(convolution.input);
      if (to) {
        const ofMean = operations.zeros(mean.shape);
        operations.addInputGradient(gradient, this.loaded(convolution), mean, ofMean, this.settings.surrogate, options.trace);
        operations.addScaled(ofMean, 1 / this.value(convolution.input).shape.steps, to);
        operations.release(ofMean);
      }
      operations.release(gradient);
    }
    for (const node of [...graph.nodes].reverse()) {
      const gradient = gradients.get(node.id);
      if (!gradient) continue;
      if (options.nodes?.has(node.id)) {
        const [data] = await operations.read([gradient]);
        result.nodes.set(node.id, data ?? new Float32Array());
      }
      if (this.muting.silent.has(node.id)) {
        gradients.delete(node.id);
        operations.release(gradient);
        continue;
      }
      switch (node.op) {
        case 'input': {
          const [data] = await operations.read([gradient]);
          result.input = data;
          break;
        }
        case 'convolution': {
          const norm = this.norms.get(node.id);
          if (!norm || node.shift.kind !== 'norm') throw new RangeError(`Node ${node.id} has no norm.`);
          const { scale, shift } = operations.normGradient(gradient, norm);
          const { prefix } = node.shift;
          for (const [name, values] of [[`${prefix}.weight`, scale], [`${prefix}.bias`, shift]] as const) {
            if (isTrained(name)) this.wanted.once(values, (data) => result.parameters.set(name, data));
            else operations.release(values);
          }
          const input = this.value(node.input);
          through(node, gradient, input);
          const needed = graph.nodes[node.input]?.op !== 'input' || options.trace;
          const to = needed ? target(node.input) : undefined;
          if (to) operations.addInputGradient(gradient, this.loaded(node), input, to, this.settings.surrogate, options.trace);
          break;
        }
        case 'neuron': {
          const fired = this.value(node.id) as FiredBatch;
          const { steps, images, height, width, channels } = fired.shape;
          const penalty = options.ratePenalty / (Math.max(spiking, 1) * steps * images * height * width * channels);
          if (options.trace) {
            const [data] = await operations.read([gradient]);
            result.emitted.set(node.id, data ?? new Float32Array());
          }
          const to = options.throughNeurons === false ? undefined : target(node.input);
          if (to) {
            const { neuron: parameters, surrogate } = this.settings;
            operations.addFireGradient(gradient, fired, { parameters, surrogate, penalty }, to);
          }
          break;
        }
        case 'maxPool': {
          const to = target(node.input);
          if (to) operations.addMaxPoolGradient(this.value(node.input), gradient, node.size, to);
          break;
        }
        case 'upsample': {
          const to = target(node.input);
          if (to) operations.addUpsampleGradient(gradient, to);
          break;
        }
        case 'concatenate': {
          let channel = 0;
          for (const id of node.inputs) {
            const to = target(id);
            if (to) operations.addSliceGradient(gradient, channel, to);
            channel += this.value(id).shape.channels;
          }
          break;
        }
        case 'add':
          for (const id of node.inputs) {
            const to = target(id);
            if (to) operations.addScaled(gradient, 1, to);
          }
          break;
      }
      gradients.delete(node.id);
      operations.release(gradient);
    }
    await this.wanted.read();
    return result;
  }

  /** A node's value, of a neuron layer what it emitted: `[steps, images, height, width, channels]`. */
  async valueOf(node: number): Promise<Float32Array> {
    const [data] = await this.operations.read([this.value(node)]);
    return data ?? new Float32Array();
  }

  shapeOf(node: number): BatchShape {
    return this.value(node).shape;
  }

  /** Also after a pass that failed on its way. */
  release(): void {
    this.wanted.release();
    for (const gradient of this.gradients.values()) this.operations.release(gradient);
    this.gradients.clear();
    // A norm owns its input and its output.
    for (const [id, value] of this.values) if (!this.norms.has(id)) this.operations.release(value);
    for (const norm of this.norms.values()) this.operations.releaseNorm(norm);
    for (const value of this.replaced) this.operations.release(value);
    for (const weights of this.weights.values()) this.operations.release(weights);
    this.replaced.length = 0;
    this.values.clear();
    this.norms.clear();
    this.weights.clear();
  }

  private compute(node: Exclude<GraphNode, { op: 'input' | 'neuron' }>, output: PassOutput): void {
    const { operations } = this;
    switch (node.op) {
      case 'convolution': {
        if (node.shift.kind !== 'norm') throw new RangeError(`Node ${node.id} has no norm.`);
        const { prefix } = node.shift;
        const sums = operations.convolve(this.value(node.input), this.loaded(node), undefined);
        const running =
          this.settings.statistics === 'running'
            ? { mean: this.parameter(`${prefix}.running_mean`), variance: this.parameter(`${prefix}.running_var`) }
            : undefined;
        const norm = { scale: this.parameter(`${prefix}.weight`), shift: this.parameter(`${prefix}.bias`), epsilon: normEpsilon };
        const normalised = operations.normalise(sums, norm, running);
        const { steps, images, height, width } = sums.shape;
        if (!running) {
          const statistics: BatchStatistics = { mean: new Float32Array(), variance: new Float32Array(), places: steps * images * height * width };
          output.statistics.set(prefix, statistics);
          this.wanted.kept(normalised.mean, (values) => (statistics.mean = values));
          this.wanted.kept(normalised.variance, (values) => (statistics.variance = values));
        }
        this.norms.set(node.id, normalised);
        this.values.set(node.id, normalised.output);
        return;
      }
      case 'maxPool':
        this.values.set(node.id, operations.maxPool(this.value(node.input), node.size));
        return;
      case 'upsample':
        this.values.set(node.id, operations.upsample(this.value(node.input)));
        return;
      case 'concatenate':
        this.values.set(node.id, operations.concatenate(node.inputs.map((id) => this.value(id))));
        return;
      case 'add':
        this.values.set(node.id, operations.add(this.value(node.inputs[0]), this.value(node.inputs[1])));
    }
  }

  private silence(node: number): void {
    const value = this.value(node);
    const norm = this.norms.get(node);
    if (norm) this.operations.releaseNorm(norm);
    else this.operations.release(value);
    this.norms.delete(node);
    this.values.set(node, this.operations.zeros(value.shape));
  }

  private async fire(node: NeuronNode): Promise<FiredBatch> {
    const { operations, steps, settings } = this;
    const current = this.audibleCurrent(node);
    const fired = operations.fire(current, steps, this.neuron(node), settings.neuron);
    const spikes = fired.neuron === 'lif' ? settings.spikes?.get(node.id) : undefined;
    if (!spikes) return fired;
    const [before = new Float32Array(), after = new Float32Array()] = await operations.read([current, fired]);
    const moved = currentThatFires(before, spikes, after, steps, settings.neuron);
    if (!moved) return fired;
    operations.release(fired);
    const replacement = operations.values(moved, { ...current.shape, steps });
    this.replaced.push(replacement);
    return operations.fire(replacement, steps, 'lif', settings.neuron);
  }

  /** What a neuron layer integrates: silenced neurons are held far below their threshold, and let no gradient pass. */
  private audibleCurrent({ id, input }: NeuronNode): Batch {
    const current = this.value(input);
    const audible = this.muting.audible.get(id);
    if (!audible) return current;
    const { operations } = this;
    const { images, height, width, channels } = current.shape;
    const held = new Float32Array(images * audible.length).map((_, at) => (audible[at % audible.length] === 0 ? farBelow : 0));
    const offset = operations.values(held, { steps: 1, images, height, width, channels });
    const sum = operations.add(current, offset);
    operations.release(offset);
    this.replaced.push(sum);
    return sum;
  }

  private neuron(node: NeuronNode): TrainedNeuron {
    return this.settings.mode === 'ann' ? 'relu' : node.neuron;
  }

  /** The first node whose gradient is needed: behind it there is nothing to train. */
  private lastNeeded({ only, trace }: BackwardOptions): number {
    if (!only || trace) return 0;
    const needed = this.graph.nodes.filter((node) => {
      if (node.op !== 'convolution') return false;
      const names = node.shift.kind === 'norm' ? [`${node.shift.prefix}.weight`, `${node.shift.prefix}.bias`] : [node.shift.name];
      return [node.weightName, ...names].some((name) => only.has(name));
    });
    return Math.min(...needed.map(({ id }) => id), this.graph.nodes.length);
  }

  private convolutionNode(id: number): ConvolutionNode {
    const node = this.graph.nodes[id];
    if (node?.op !== 'convolution') throw new RangeError(`Node ${id} is no convolution.`);
    return node;
  }

  private loaded(node: ConvolutionNode): TrainedWeights {
    const known = this.weights.get(node.id);
    if (known) return known;
    const weights = this.operations.weights(this.parameter(node.weightName), node.geometry);
    this.weights.set(node.id, weights);
    return weights;
  }

  private bias({ shift }: ConvolutionNode): Float32Array | undefined {
    return shift.kind === 'bias' ? this.parameter(shift.name) : undefined;
  }

  private parameter(name: string): Float32Array {
    const values = this.parameters.get(name);
    if (!values) throw new RangeError(`There is no parameter ${name}.`);
    return values;
  }

  private value(id: number): Batch {
    const value = this.values.get(id);
    if (!value) throw new RangeError(`Node ${id} has not run.`);
    return value;
  }
}

/** Values that are wanted as arrays, gathered and read in one go: on a GPU every reading waits for all that was queued before. */
class Wanted {
  private all: { value: Batch; take: (values: Float32Array) => void; owned: boolean }[] = [];

  constructor(private readonly operations: TrainingOperations) {}

  /** Released when it has been read. */
  once(value: Batch, take: (values: Float32Array) => void): void {
    this.all.push({ value, take, owned: true });
  }

  /** Belongs to something that lasts longer. */
  kept(value: Batch, take: (values: Float32Array) => void): void {
    this.all.push({ value, take, owned: false });
  }

  async read(): Promise<void> {
    const arrays = await this.operations.read(this.all.map(({ value }) => value));
    this.all.forEach(({ take }, index) => take(arrays[index] ?? new Float32Array()));
    this.release();
  }

  release(): void {
    for (const { value, owned } of this.all) if (owned) this.operations.release(value);
    this.all = [];
  }
}
