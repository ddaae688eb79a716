import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import type { Checkpoint } from '../checkpoint/types';
import type { Convolution, ConvolutionWeights, FeatureShape, Operations, Signal, Spikes } from '../tensor/operations';
import { elementCount } from '../tensor/operations';
import type { Conversion } from './conversion';
import { inputsOf, nodeShapes, type ConvolutionNode, type GraphNode, type NetworkGraph } from './graph';
import { LiveValues } from './liveValues';
import { yieldIntervalMs } from './network';
import { anchorsOfCheckpoint, graphOfCheckpoint, loadConvolutions } from './weights';

/** At most so many steps pass through the network at a time, and so many values through one node. */
const stepsAtATime = 32;
const valuesAtATime = 8_000_000;

/** What a converted network has come to after some steps. */
export interface ConvertedState {
  /** Since the start. */
  steps: number;
  /** Logits averaged over all steps so far. */
  scales: { height: number; width: number; mean: Float32Array }[];
  /** Spikes per neuron and step, the mean over all steps so far, for each neuron layer. */
  meanRates: number[];
  /** Spikes of the whole network, for each step so far. */
  spikesPerStep: number[];
}

/**
 * An ANN twin run with spikes. Weights are the twin's, scaled by the threshold of the neurons that a convolution reads, since
 * a spike stands for one threshold. Additions, concatenations and upsampling work on the currents of each step: they are
 * linear, so that means over time go through them unchanged. Max pooling is not, and pools sums over time
 * (src/decisions/0014-conversion.md).
 */
export class ConvertedNetwork {
  private constructor(
    readonly graph: NetworkGraph,
    readonly anchors: readonly (readonly number[])[],
    readonly conversion: Conversion,
    private readonly convolutions: ReadonlyMap<number, Convolution>,
    /** For neurons whose spikes something else than a convolution reads: one that turns them back into a current. */
    private readonly currents: ReadonlyMap<number, Convolution>,
    private readonly operations: Operations,
  ) {}

  /**
   * @param checkpoint of the ANN twin
   * @throws AppError `checkpoint/*`, `cancelled`; nothing stays loaded then
   */
  static async load(checkpoint: Checkpoint, conversion: Conversion, operations: Operations, task: Task): Promise<ConvertedNetwork> {
    const graph = graphOfCheckpoint(checkpoint);
    const anchors = await anchorsOfCheckpoint(graph, checkpoint, task);
    const convolutions = await loadConvolutions(graph, checkpoint, operations, task, conversion.thresholds);
    const currents = new Map(
      graph.nodes
        .filter(({ id, op }) => op === 'neuron' && graph.nodes.some((reader) => reader.op !== 'convolution' && inputsOf(reader).includes(id)))
        .map(({ id }) => [id, operations.loadConvolution(diagonal(conversion.thresholds.get(id) ?? new Float32Array()))]),
    );
    return new ConvertedNetwork(graph, anchors, conversion, convolutions, currents, operations);
  }

  /** Starts on a picture `[1, H, W, 3]`, with every membrane at half its threshold. Give the run back with `release`. */
  start(values: Float32Array, shape: FeatureShape): ConvertedRun {
    const { largestStride, description } = this.graph;
    if (shape.steps !== 1 || shape.channels !== description.inputChannels || shape.height % largestStride !== 0 || shape.width % largestStride !== 0) {
      throw new AppError(
        'network/invalid-settings',
        `The converted network cannot run on an input of ${shape.steps} x ${shape.height} x ${shape.width} x ${shape.channels}.`,
        `Give one picture of ${description.inputChannels} channels, its sides multiples of ${largestStride}.`,
      );
    }
    return new ConvertedRun(this.graph, this.conversion, this.convolutions, this.currents, this.operations, values, shape);
  }

  release(): void {
    for (const convolution of [...this.convolutions.values(), ...this.currents.values()]) this.operations.release(convolution);
  }
}

/** A run that can be taken further, a few steps at a time. */
export class ConvertedRun {
  private steps = 0;
  /** Membranes of the neurons, and the sums that max pooling keeps, after the last step. */
  private states: Map<number, Signal>;
  /** Values that are the same at every step, computed once. */
  private readonly constants: Map<number, Signal>;
  /** Nodes whose value changes from step to step, without the detection layers. */
  private readonly changing: readonly GraphNode[];
  private readonly logitSums: (Float64Array | undefined)[] = [];
  private readonly logitShapes: { height: number; width: number }[] = [];
  private readonly spikesOfNode = new Map<number, number>();
  private readonly spikesPerStep: number[] = [];
  private readonly shapes: readonly FeatureShape[];
  private readonly stepsPerPass: number;

  constructor(
    private readonly graph: NetworkGraph,
    private readonly conversion: Conversion,
    private readonly convolutions: ReadonlyMap<number, Convolution>,
    private readonly currents: ReadonlyMap<number, Convolution>,
    private readonly operations: Operations,
    values: Float32Array,
    shape: FeatureShape,
  ) {
    this.shapes = nodeShapes(graph, shape.height, shape.width);
    this.stepsPerPass = Math.max(1, Math.min(stepsAtATime, Math.floor(valuesAtATime / Math.max(...this.shapes.map(elementCount)))));
    const fixed = fixedNodes(graph);
    const detection = new Set(graph.scales.map(({ node }) => node));
    this.changing = graph.nodes.filter(({ id }) => !fixed.has(id) && !detection.has(id));
    this.constants = this.computeConstants(values, shape, fixed);
    this.states = this.firstStates();
  }

  get stepsDone(): number {
    return this.steps;
  }

  /**
   * Runs on by `steps` steps. Cancelled in between, it stays where the last finished pass ended.
   * @throws AppError `cancelled`, `backend/*`
   */
  async advance(steps: number, task: Task): Promise<ConvertedState> {
    const target = this.steps + steps;
    let lastYield = performance.now();
    const breathe = async (): Promise<void> => {
      if (performance.now() - lastYield > yieldIntervalMs) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        lastYield = performance.now();
      }
      throwIfCancelled(task.signal);
    };
    while (this.steps < target) {
      await this.pass(Math.min(this.stepsPerPass, target - this.steps), breathe);
      task.report({ label: 'Running the converted network', done: steps - (target - this.steps), total: steps, unit: 'steps' });
    }
    return this.state();
  }

  release(): void {
    for (const value of [...this.states.values(), ...this.constants.values()]) this.operations.release(value);
    this.states.clear();
    this.constants.clear();
  }

  private state(): ConvertedState {
    const { steps, graph } = this;
    return {
      steps,
      scales: this.logitShapes.map((shape, scale) => ({ ...shape, mean: Float32Array.from(this.logitSums[scale] ?? [], (sum) => sum / steps) })),
      meanRates: graph.layers.map(({ node }) => (this.spikesOfNode.get(node) ?? 0) / (elementCount(this.shapeOf(node)) * steps)),
      spikesPerStep: [...this.spikesPerStep],
    };
  }

  private computeConstants(values: Float32Array, shape: FeatureShape, fixed: ReadonlySet<number>): Map<number, Signal> {
    const { graph, operations } = this;
    const computed = new Map<number, Signal>();
    const get = (id: number): Signal => computed.get(id) ?? missing(id);
    for (const node of graph.nodes) {
      if (!fixed.has(node.id)) continue;
      computed.set(node.id, node.op === 'input' ? operations.input(values, shape) : this.fixedValue(node, get));
    }
    const read = new Set(graph.nodes.filter(({ id }) => !fixed.has(id)).flatMap(inputsOf));
    for (const [id, value] of computed) {
      if (read.has(id)) continue;
      operations.release(value);
      computed.delete(id);
    }
    return computed;
  }

  private fixedValue(node: GraphNode, get: (id: number) => Signal): Signal {
    const { operations } = this;
    switch (node.op) {
      case 'convolution':
        return operations.denseConvolution(get(node.input), this.convolution(node.id));
      case 'maxPool':
        return operations.maxPool(get(node.input), node.size);
      case 'upsample':
        return operations.upsample(get(node.input));
      case 'concatenate':
        return operations.concatenate(node.inputs.map(get));
      case 'add':
        return operations.add(get(node.inputs[0]), get(node.inputs[1]));
      case 'input':
      case 'neuron':
        throw new RangeError(`Node ${node.id} is not computed from values that stay the same.`);
    }
  }

  /** Half a threshold in every membrane, nothing in the sums. */
  private firstStates(): Map<number, Signal> {
    const states = new Map<number, Signal>();
    for (const node of this.changing) {
      if (node.op !== 'neuron' && node.op !== 'maxPool') continue;
      const shape = this.shapeOf(node.op === 'maxPool' ? node.input : node.id);
      const values = new Float32Array(elementCount(shape));
      if (node.op === 'neuron') {
        const halves = this.thresholds(node.id).map((threshold) => threshold / 2);
        for (let at = 0; at < values.length; at += halves.length) values.set(halves, at);
      }
      states.set(node.id, this.operations.input(values, shape));
    }
    return states;
  }

  /** One pass of `steps` steps; nothing changes unless it gets through. */
  private async pass(steps: number, breathe: () => Promise<void>): Promise<void> {
    const { graph, operations } = this;
    const detection = graph.scales.map(({ node }) => graph.nodes[node]).filter((node) => node?.op === 'convolution');
    const pass = new Pass(operations, [...this.changing, ...detection], this.constants, this.currents);
    const next = new Map<number, Signal>();
    const counts: { node: number; value: Signal }[] = [];
    const logits: Signal[] = [];
    try {
      for (const node of this.changing) {
        await breathe();
        pass.set(node, this.step(node, steps, pass, next, counts));
      }
      for (const node of detection) logits.push(this.meanLogits(node, pass));
      const arrays = await operations.read([...logits, ...counts.map(({ value }) => value)]);
      this.commit(steps, next, { counts, logits }, arrays);
    } catch (error) {
      for (const value of next.values()) operations.release(value);
      throw error;
    } finally {
      pass.releaseAll();
      for (const value of [...logits, ...counts.map(({ value: count }) => count)]) operations.release(value);
    }
  }

  private commit(
    steps: number,
    next: Map<number, Signal>,
    { counts, logits }: { counts: readonly { node: number }[]; logits: readonly Signal[] },
    arrays: readonly Float32Array[],
  ): void {
    for (const value of this.states.values()) this.operations.release(value);
    this.states = next;
    this.steps += steps;
    logits.forEach(({ shape: { height, width } }, scale) => {
      const mean = arrays[scale] ?? new Float32Array();
      const sums = (this.logitSums[scale] ??= new Float64Array(mean.length));
      mean.forEach((value, index) => (sums[index] = (sums[index] ?? 0) + value * steps));
      this.logitShapes[scale] = { height, width };
    });
    const ofPass = new Float64Array(steps);
    counts.forEach(({ node }, index) => {
      const perStep = arrays[logits.length + index] ?? new Float32Array();
      perStep.forEach((count, step) => (ofPass[step] = (ofPass[step] ?? 0) + count));
      this.spikesOfNode.set(node, (this.spikesOfNode.get(node) ?? 0) + perStep.reduce((sum, count) => sum + count, 0));
    });
    this.spikesPerStep.push(...ofPass);
  }

  private step(node: GraphNode, steps: number, pass: Pass, next: Map<number, Signal>, counts: { node: number; value: Signal }[]): Signal | Spikes {
    const { operations, conversion } = this;
    switch (node.op) {
      case 'neuron': {
        const parameters = { thresholds: this.thresholds(node.id), maximumSpikes: conversion.maximumSpikes };
        const { spikes, after } = pass.onCurrents([node.input], ([input = missing(node.input)]) =>
          operations.integrateAndFire(input, steps, parameters, this.stateOf(node.id)),
        );
        next.set(node.id, after);
        counts.push({ node: node.id, value: operations.countSpikes(spikes) });
        return spikes;
      }
      case 'maxPool': {
        const { pooled, after } = pass.onCurrents([node.input], ([input = missing(node.input)]) =>
          operations.maxPoolOfSums(input, node.size, steps, this.stateOf(node.id)),
        );
        next.set(node.id, after);
        return pooled;
      }
      case 'convolution': {
        const input = pass.get(node.input);
        if (input.kind === 'spikes') return operations.spikingConvolution(input, this.convolution(node.id));
        return operations.denseConvolution(input, this.convolution(node.id));
      }
      case 'upsample':
        return pass.onCurrents([node.input], ([input = missing(node.input)]) => operations.upsample(input));
      case 'concatenate':
        return pass.onCurrents(node.inputs, (inputs) => operations.concatenate(inputs));
      case 'add':
        return pass.onCurrents(node.inputs, ([a = missing(node.inputs[0]), b = missing(node.inputs[1])]) => operations.add(a, b));
      case 'input':
        throw new RangeError('The picture does not change from step to step.');
    }
  }

  /** The convolution is linear: of values it is made once, of their mean over the steps. */
  private meanLogits(node: ConvolutionNode, pass: Pass): Signal {
    const { operations } = this;
    const input = pass.get(node.input);
    const before = input.kind === 'spikes' ? operations.spikingConvolution(input, this.convolution(node.id)) : operations.meanOverSteps(input);
    const after = input.kind === 'spikes' ? operations.meanOverSteps(before) : operations.denseConvolution(before, this.convolution(node.id));
    operations.release(before);
    return after;
  }

  private shapeOf(node: number): FeatureShape {
    return this.shapes[node] ?? missing(node);
  }

  private thresholds(node: number): Float32Array {
    return this.conversion.thresholds.get(node) ?? missing(node);
  }

  private stateOf(node: number): Signal {
    return this.states.get(node) ?? missing(node);
  }

  private convolution(node: number): Convolution {
    return this.convolutions.get(node) ?? missing(node);
  }
}

/** The values of one pass, those that never change among them. */
class Pass {
  private readonly live: LiveValues;

  constructor(
    private readonly operations: Operations,
    nodes: readonly GraphNode[],
    private readonly constants: ReadonlyMap<number, Signal>,
    private readonly currents: ReadonlyMap<number, Convolution>,
  ) {
    this.live = new LiveValues(operations, nodes);
  }

  get(id: number): Signal | Spikes {
    return this.constants.get(id) ?? this.live.get(id);
  }

  set(node: GraphNode, value: Signal | Spikes): void {
    this.live.set(node.id, value);
    this.live.finish(node);
  }

  /** Hands over values as currents, spikes as the thresholds that they stand for. */
  onCurrents<T>(ids: readonly number[], use: (currents: Signal[]) => T): T {
    const made: Signal[] = [];
    const currents = ids.map((id) => {
      const value = this.get(id);
      if (value.kind === 'signal') return value;
      const current = this.operations.spikingConvolution(value, this.currents.get(id) ?? missing(id));
      made.push(current);
      return current;
    });
    try {
      return use(currents);
    } finally {
      for (const current of made) this.operations.release(current);
    }
  }

  releaseAll(): void {
    this.live.releaseAll();
  }
}

/** Nodes that no neuron comes before: of a still picture they are the same at every step. */
function fixedNodes(graph: NetworkGraph): ReadonlySet<number> {
  const fixed = new Set<number>();
  for (const node of graph.nodes) {
    if (node.op !== 'neuron' && inputsOf(node).every((id) => fixed.has(id))) fixed.add(node.id);
  }
  return fixed;
}

/** A convolution that gives each channel its own factor. */
function diagonal(factors: Float32Array): ConvolutionWeights {
  const channels = factors.length;
  const weights = new Float32Array(channels * channels);
  factors.forEach((factor, channel) => (weights[channel * channels + channel] = factor));
  return { name: 'diagonal', kernel: 1, stride: 1, padding: 0, inputChannels: channels, outputChannels: channels, weights, bias: new Float32Array(channels) };
}

function missing(node: number): never {
  throw new RangeError(`Node ${node} is not there.`);
}
