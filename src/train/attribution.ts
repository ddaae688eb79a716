import type { FeatureShape, NeuronParameters } from '../tensor/operations';
import type { Surrogate } from '../base/surrogate';
import { throwIfCancelled, type Task } from '../base/progress';
import type { NetworkMode } from '../checkpoint/types';
import type { NetworkGraph } from '../network/graph';
import { outputsOfBlock, type Muting } from '../network/muting';
import { normEpsilon } from '../network/weights';
import type { TrainingOperations } from '../tensor/training';
import { Pass, type Parameters, type PassGradients, type PassOutput, type PassSettings } from './pass';

/**
 * Where a score came from: the gradient of a weighted sum of logits, times what it is the gradient of (gradient x input; Simonyan et al.
 * 2013, Shrikumar et al. 2016), through a spiking network by its surrogate derivative, as in training.
 *
 * What is promised, with L = the sum of weight x logit over the weights asked for:
 * - `direct`: the gradient that passes no neuron. A network is linear between its neurons (convolutions, norms with fixed statistics,
 *   additions, concatenation, upsampling; of a max pooling the cell that won), so that L = biases + input + the sum over all
 *   neurons of direct gradient x emission, exactly but for rounding: what each layer's spikes add to the logit without a further
 *   neuron in between.
 * - `values` and `input`: the full gradient, which equals the derivative of the network in which every spike's derivative is the
 *   surrogate and the reset's factor is a constant. Its products with spikes need not add up to L: a spike is a jump, and the
 *   surrogate only stands in for its slope.
 * - `blocks`: the full gradient times what a block adds to its shortcut. To first order it is what L loses when the block is silenced; it is 0
 *   where nothing leads from the block to L, and silencing the block then leaves L as it is.
 */
export interface AttributionSettings {
  mode: NetworkMode;
  steps: number;
  neuron: NeuronParameters;
  surrogate: Surrogate;
  muting: Muting;
  /** What the network fired in the run that is explained, as a pass takes it. */
  spikes?: PassSettings['spikes'];
}

/** Weights of the logits that are explained, by scale, shaped `[height, width, anchors * (5 + classes)]`. */
export type Weights = readonly Float32Array[];

export interface LayerAttribution {
  /** Index of the neuron layer; of layers that are the same neurons, the first. */
  layer: number;
  shape: FeatureShape;
  /** `[steps, height, width, channels]`: gradient x what the neuron emitted. */
  values: Float32Array;
  /** Sums for each step: of `values`, of their magnitudes, and of what adds to L directly. */
  signed: number[];
  magnitude: number[];
  direct: number[];
}

/** Of a block that can be silenced: sums over gradient x output of its residual branches. */
export interface BlockAttribution {
  row: number;
  signed: number;
  magnitude: number;
}

export interface Attribution {
  /** L, as the forward pass gave it. */
  explained: number;
  /** `[input steps, height, width]`: gradient x input, summed over the colours. */
  input: Float32Array;
  inputShape: FeatureShape;
  layers: LayerAttribution[];
  blocks: BlockAttribution[];
  /** What adds to L without a neuron in between: from the input, and from all shifts and biases. The layers' `direct` is the rest of it. */
  directInput: number;
  biases: number;
}

/**
 * @param values the network's input, `[steps or 1, height, width, 3]`
 * @param weigh chooses the weights once the logits are known; undefined ends it there
 */
export async function attribute(
  network: { graph: NetworkGraph; parameters: Parameters; operations: TrainingOperations },
  values: Float32Array,
  shape: FeatureShape,
  settings: AttributionSettings,
  weigh: (output: PassOutput) => Weights | undefined,
  task: Task,
): Promise<Attribution | undefined> {
  const { graph, parameters, operations } = network;
  const { mode, steps, neuron, surrogate, muting, spikes } = settings;
  const pass = new Pass(graph, parameters, operations, { mode, steps, neuron, surrogate, muting, statistics: 'running', ...(spikes && { spikes }) });
  const report = (done: number): void => task.report({ label: 'Explaining the box', done, total: 3, unit: 'items' });
  try {
    report(0);
    const output = await pass.forward(values, { ...shape, images: 1 });
    throwIfCancelled(task.signal);
    const weights = weigh(output);
    if (!weights) return undefined;
    report(1);
    const none = new Set<string>();
    const outputs = graph.blocks.map(({ row }) => ({ row, nodes: outputsOfBlock(graph, row) })).filter(({ nodes }) => nodes.length > 0);
    const full = await pass.backward(weights, { ratePenalty: 0, trace: true, only: none, nodes: new Set(outputs.flatMap(({ nodes }) => nodes)) });
    throwIfCancelled(task.signal);
    report(2);
    const shifts = new Set(graph.nodes.flatMap((node) => (node.op === 'convolution' ? [shiftName(node.shift)] : [])));
    const direct = await pass.backward(weights, { ratePenalty: 0, trace: true, throughNeurons: false, only: shifts });
    const layers: LayerAttribution[] = [];
    const seen = new Set<number>();
    for (const { index, node } of graph.layers) {
      const gradient = full.emitted.get(node);
      if (seen.has(node)) continue;
      seen.add(node);
      const emitted = await pass.valueOf(node);
      const { height, width, channels } = pass.shapeOf(node);
      const layerShape = { steps: mode === 'ann' ? 1 : steps, height, width, channels };
      const products = gradient ? gradient.map((each, at) => each * (emitted[at] ?? 0)) : new Float32Array(emitted.length);
      const directGradient = direct.emitted.get(node);
      const directProducts = directGradient?.map((each, at) => each * (emitted[at] ?? 0)) ?? new Float32Array(emitted.length);
      layers.push({
        layer: index,
        shape: layerShape,
        values: products,
        signed: perStep(products, layerShape.steps, (value) => value),
        magnitude: perStep(products, layerShape.steps, Math.abs),
        direct: perStep(directProducts, layerShape.steps, (value) => value),
      });
    }
    const blocks: BlockAttribution[] = [];
    for (const { row, nodes } of outputs) {
      const block = { row, signed: 0, magnitude: 0 };
      for (const node of nodes) {
        const gradient = full.nodes.get(node);
        if (!gradient) continue;
        const value = await pass.valueOf(node);
        gradient.forEach((each, at) => {
          const product = each * (value[at] ?? 0);
          block.signed += product;
          block.magnitude += Math.abs(product);
        });
      }
      blocks.push(block);
    }
    return {
      blocks,
      explained: output.logits.reduce((sum, { data }, scale) => sum + dot(data, weights[scale]), 0),
      input: summedColours(full.input, values, shape),
      inputShape: shape,
      layers,
      directInput: direct.input ? dot(direct.input, values) : 0,
      biases: biasesOf(graph, parameters, direct),
    };
  } finally {
    pass.release();
  }
}

function shiftName(shift: { kind: 'norm'; prefix: string } | { kind: 'bias'; name: string }): string {
  return shift.kind === 'norm' ? `${shift.prefix}.bias` : shift.name;
}

/** What the constants add: a norm with fixed statistics adds `shift - mean * scale / deviation` everywhere. */
function biasesOf(graph: NetworkGraph, parameters: Parameters, { parameters: gradients }: PassGradients): number {
  let sum = 0;
  for (const node of graph.nodes) {
    if (node.op !== 'convolution') continue;
    const gradient = gradients.get(shiftName(node.shift));
    if (!gradient) continue;
    if (node.shift.kind === 'bias') {
      sum += dot(gradient, parameters.get(node.shift.name));
      continue;
    }
    const of = (part: string): Float32Array => parameters.get(`${node.shift.kind === 'norm' ? node.shift.prefix : ''}.${part}`) ?? new Float32Array();
    const [scale, shift, mean, variance] = [of('weight'), of('bias'), of('running_mean'), of('running_var')];
    gradient.forEach((each, c) => {
      sum += each * ((shift[c] ?? 0) - ((mean[c] ?? 0) * (scale[c] ?? 0)) / Math.sqrt((variance[c] ?? 0) + normEpsilon));
    });
  }
  return sum;
}

function dot(a: Float32Array, b: Float32Array | undefined): number {
  let sum = 0;
  if (b) for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}

function perStep(values: Float32Array, steps: number, of: (value: number) => number): number[] {
  const size = values.length / steps;
  return Array.from({ length: steps }, (_, step) => {
    let sum = 0;
    for (let at = step * size; at < (step + 1) * size; at++) sum += of(values[at] ?? 0);
    return sum;
  });
}

function summedColours(gradient: Float32Array | undefined, values: Float32Array, { steps, height, width, channels }: FeatureShape): Float32Array {
  const map = new Float32Array(steps * height * width);
  for (let place = 0; place < map.length; place++) {
    for (let c = 0; c < channels; c++) map[place] = (map[place] ?? 0) + (gradient?.[place * channels + c] ?? 0) * (values[place * channels + c] ?? 0);
  }
  return map;
}
