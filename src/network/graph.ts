import { AppError } from '../base/errors';
import type { NetworkDescription, NetworkRow, RowArgument } from '../checkpoint/types';
import type { ConvolutionGeometry, FeatureShape } from '../tensor/operations';
import { convolvedShape, elementCount } from '../tensor/operations';

/**
 * EMS-YOLO as a graph of operations. Everything else (running, energy, the strip on the page) reads the network from
 * here, so that which layer is fed by spikes follows from the graph and not from block names.
 */

/** What flows out of a node while the network spikes. */
export type Emission = 'spikes' | 'values';

interface NodeBase {
  id: number;
  /** Index of the row that the node belongs to. */
  row: number;
  channels: number;
  emits: Emission;
}

export interface InputNode extends NodeBase {
  op: 'input';
}
export interface ConvolutionNode extends NodeBase {
  op: 'convolution';
  input: number;
  geometry: ConvolutionGeometry;
  /** Tensor name of the weights, `[out, in, k, k]`. */
  weightName: string;
  /** Where the shift comes from: a batch norm's tensors begin with `prefix`, or the layer has a bias of its own. */
  shift: { kind: 'norm'; prefix: string } | { kind: 'bias'; name: string };
  label: string;
  /** Within its row, where a row has several. */
  repeat: number;
}
export interface NeuronNode extends NodeBase {
  op: 'neuron';
  input: number;
  /** `lif` emits spikes, `silu` emits SiLU of the membrane (`Conv` rows). */
  neuron: 'lif' | 'silu';
}
export interface MaxPoolNode extends NodeBase {
  op: 'maxPool';
  input: number;
  size: number;
}
export interface UpsampleNode extends NodeBase {
  op: 'upsample';
  input: number;
}
export interface ConcatenateNode extends NodeBase {
  op: 'concatenate';
  inputs: readonly number[];
}
export interface AddNode extends NodeBase {
  op: 'add';
  inputs: readonly [number, number];
}
export type GraphNode =
  | InputNode
  | ConvolutionNode
  | NeuronNode
  | MaxPoolNode
  | UpsampleNode
  | ConcatenateNode
  | AddNode;

/** A neuron layer as a person counts them: in the order in which they run. Two layers that read the same current share a node. */
export interface NeuronLayer {
  index: number;
  node: number;
  row: number;
  /** Repeat within its row, where a row has several. */
  repeat: number;
  /** `shortcut`, `branch 1`, `branch 2` or `activation`. */
  label: string;
}

/** One detection scale: a 1x1 convolution whose output, averaged over the steps, holds the logits. */
export interface DetectionScale {
  node: number;
  /** Picture pixels per cell. */
  stride: number;
}

export interface NetworkBlock {
  row: number;
  block: string;
  repeats: number;
  channels: number;
  /** Picture pixels per cell of the block's output. */
  stride: number;
  inputs: readonly number[];
}

export interface NetworkGraph {
  description: NetworkDescription;
  nodes: readonly GraphNode[];
  layers: readonly NeuronLayer[];
  blocks: readonly NetworkBlock[];
  scales: readonly DetectionScale[];
  /** Tensor name of the anchors in grid units, `[scales, anchors, 2]`. */
  anchorsName: string;
  anchorsPerScale: number;
  /** The picture's sides must be multiples of this. */
  largestStride: number;
}

/** Blocks of the specification; anything else is refused by name. */
export const knownBlocks = [
  'Conv_1',
  'Conv_2',
  'Conv',
  'BasicBlock_1',
  'BasicBlock_2',
  'BasicBlock_ms',
  'Concat_res2',
  'ConcatBlock_ms',
  'Sample',
  'Concat',
  'Detect',
] as const;

/** A block with fixed hidden width keeps it whatever the width multiple. */
const basicBlock1HiddenChannels = 1024;

interface RowOutput {
  node: number;
  stride: number;
}

/**
 * Builds the graph from a checkpoint's rows.
 * @throws AppError `network/unsupported-block` for a block that is not EMS-YOLO's, `network/invalid-rows` where rows do not fit together
 */
export function buildGraph(description: NetworkDescription): NetworkGraph {
  return new GraphBuilder(description).build();
}

class GraphBuilder {
  private readonly nodes: GraphNode[] = [];
  private readonly layers: NeuronLayer[] = [];
  private readonly blocks: NetworkBlock[] = [];
  private readonly outputs: RowOutput[] = [];
  private scales: DetectionScale[] = [];
  private anchorsName = '';
  private row = 0;
  private repeat = 0;

  constructor(private readonly description: NetworkDescription) {}

  build(): NetworkGraph {
    const { rows, inputChannels, anchors } = this.description;
    this.push({ op: 'input', row: 0, channels: inputChannels, emits: 'values' });
    rows.forEach((row, index) => {
      this.row = index;
      this.buildRow(row);
    });
    if (this.scales.length === 0) throw invalidRows('no row is a Detect row');
    return {
      description: this.description,
      nodes: this.nodes,
      layers: this.layers,
      blocks: this.blocks,
      scales: this.scales,
      anchorsName: this.anchorsName,
      anchorsPerScale: (anchors[0]?.length ?? 0) / 2,
      largestStride: Math.max(...this.blocks.map((block) => block.stride)),
    };
  }

  private buildRow(row: NetworkRow): void {
    const inputs = row.from.map((from) => this.resolve(from));
    const first = inputs[0];
    if (!first) throw invalidRows(`row ${this.row} has no input`);
    const repeats = row.repeats > 1 ? Math.max(roundHalfToEven(row.repeats * this.description.depthMultiple), 1) : 1;
    let output = first;
    switch (row.block) {
      case 'Detect':
        this.detect(inputs);
        break;
      case 'Concat':
        output = this.concat(inputs);
        break;
      default:
        for (this.repeat = 0; this.repeat < repeats; this.repeat++) {
          const prefix = repeats > 1 ? `model.${this.row}.${this.repeat}` : `model.${this.row}`;
          output = this.block(row, prefix, output);
        }
        this.repeat = 0;
    }
    this.outputs.push(output);
    this.blocks.push({
      row: this.row,
      block: row.block,
      repeats,
      channels: row.block === 'Detect' ? this.node(this.scales[0]?.node ?? 0).channels : this.node(output.node).channels,
      stride: output.stride,
      inputs: row.from.map((from) => (from < 0 ? this.row + from : from)),
    });
  }

  /** Row -1 of row 0 is the picture. */
  private resolve(from: number): RowOutput {
    const index = from < 0 ? this.row + from : from;
    if (index === -1) return { node: 0, stride: 1 };
    const output = this.outputs[index];
    if (!output) throw invalidRows(`row ${this.row} reads row ${index}, which does not come before it`);
    return output;
  }

  private block(row: NetworkRow, prefix: string, input: RowOutput): RowOutput {
    switch (row.block) {
      case 'Conv_1':
      case 'Conv_2': {
        const { channels, kernel, stride } = this.threeArguments(row);
        return this.after(input, stride, this.normedConvolution(input.node, prefix, 'conv', 'bn.bn', channels, kernel, stride, 'encoder'));
      }
      case 'Conv': {
        const { channels, kernel, stride } = this.threeArguments(row);
        const current = this.normedConvolution(input.node, prefix, 'conv', 'bn.bn', channels, kernel, stride, 'convolution');
        return this.after(input, stride, this.neuron(current, 'silu', 'activation'));
      }
      case 'BasicBlock_1': {
        const channels = this.width(this.integer(row, 0));
        const stride = this.integer(row, 1);
        return this.residual(prefix, input, channels, 3, stride, basicBlock1HiddenChannels, 'spiking');
      }
      case 'BasicBlock_2':
      case 'BasicBlock_ms': {
        const { channels, kernel, stride } = this.threeArguments(row);
        return row.block === 'BasicBlock_ms'
          ? this.residual(prefix, input, channels, kernel, stride, Math.floor(channels / 2), 'membrane')
          : this.residual(prefix, input, channels, kernel, stride, channels, 'spiking');
      }
      case 'Concat_res2':
      case 'ConcatBlock_ms': {
        const { channels, kernel, stride } = this.threeArguments(row);
        const hidden = row.block === 'ConcatBlock_ms' ? Math.floor(channels / 2) : channels;
        return this.concatResidual(prefix, input, channels, kernel, stride, hidden);
      }
      case 'Sample': {
        const factor = row.args[1];
        if (factor !== 2) throw invalidRows(`row ${this.row} (Sample) scales by ${String(factor)}, and only 2 is known`);
        return {
          node: this.push({ op: 'upsample', input: input.node, row: this.row, channels: this.node(input.node).channels, emits: 'values' }),
          stride: input.stride / 2,
        };
      }
      default:
        throw new AppError(
          'network/unsupported-block',
          `Row ${this.row} of the network is a ${row.block} block, which EMS-YOLO does not have.`,
          `Load a checkpoint of EMS-YOLO; its blocks are ${knownBlocks.join(', ')}.`,
        );
    }
  }

  /** EMS-Block1 and its kin: branch + shortcut, the shortcut only where the shape changes. */
  private residual(
    prefix: string,
    input: RowOutput,
    channels: number,
    kernel: number,
    stride: number,
    hidden: number,
    shortcutKind: 'spiking' | 'membrane',
  ): RowOutput {
    const branch = this.branch(prefix, input.node, channels, kernel, stride, hidden);
    const inputChannels = this.node(input.node).channels;
    let shortcut = input.node;
    if (stride !== 1 || inputChannels !== channels) {
      // The released code puts a pooling module first even where it pools by 1, which shifts the names behind it.
      shortcut = this.maxPool(input.node, stride);
      let index = 1;
      if (shortcutKind === 'spiking') {
        shortcut = this.neuron(shortcut, 'lif', 'shortcut');
        index = 2;
      }
      shortcut = this.normedConvolution(shortcut, `${prefix}.shortcut`, String(index), `${index + 1}.bn`, channels, 1, 1, 'shortcut');
    }
    return this.after(input, stride, this.add(branch, shortcut));
  }

  /** EMS-Block2: the shortcut's new channels stand in front of the block's own input, then both are pooled. */
  private concatResidual(
    prefix: string,
    input: RowOutput,
    channels: number,
    kernel: number,
    stride: number,
    hidden: number,
  ): RowOutput {
    const inputChannels = this.node(input.node).channels;
    if (inputChannels >= channels) {
      throw invalidRows(
        `row ${this.row} concatenates to ${channels} channels but already reads ${inputChannels}, for which the released network is undefined`,
      );
    }
    const spikes = this.neuron(input.node, 'lif', 'shortcut');
    const added = this.normedConvolution(spikes, `${prefix}.shortcut`, '1', '2.bn', channels - inputChannels, 1, 1, 'shortcut');
    const joined = this.push({ op: 'concatenate', inputs: [added, input.node], row: this.row, channels, emits: 'values' });
    const shortcut = this.maxPool(joined, stride);
    const branch = this.branch(prefix, input.node, channels, kernel, stride, hidden);
    return this.after(input, stride, this.add(branch, shortcut));
  }

  private branch(prefix: string, input: number, channels: number, kernel: number, stride: number, hidden: number): number {
    const residual = `${prefix}.residual_function`;
    const first = this.neuron(input, 'lif', 'branch 1');
    const middle = this.normedConvolution(first, residual, '1', '2.bn', hidden, kernel, stride, 'branch 1');
    const second = this.neuron(middle, 'lif', 'branch 2');
    return this.normedConvolution(second, residual, '4', '5.bn', channels, kernel, 1, 'branch 2');
  }

  private concat(inputs: readonly RowOutput[]): RowOutput {
    const [first] = inputs;
    if (!first || inputs.some((input) => input.stride !== first.stride)) {
      throw invalidRows(`row ${this.row} concatenates features of different sizes`);
    }
    const channels = inputs.reduce((sum, input) => sum + this.node(input.node).channels, 0);
    return {
      node: this.push({ op: 'concatenate', inputs: inputs.map((input) => input.node), row: this.row, channels, emits: 'values' }),
      stride: first.stride,
    };
  }

  private detect(inputs: readonly RowOutput[]): void {
    if (this.scales.length > 0) throw invalidRows('there are two Detect rows');
    const { anchors, classNames } = this.description;
    if (anchors.length !== inputs.length) {
      throw invalidRows(`the Detect row reads ${inputs.length} rows but there are anchors for ${anchors.length}`);
    }
    const perScale = anchors[0]?.length ?? 0;
    if (perScale === 0 || perScale % 2 !== 0 || anchors.some((scale) => scale.length !== perScale)) {
      throw invalidRows('the anchors are not pairs of width and height, as many for each scale');
    }
    const channels = (perScale / 2) * (5 + classNames.length);
    this.anchorsName = `model.${this.row}.anchors`;
    this.scales = inputs.map((input, scale) => ({
      node: this.push({
        op: 'convolution',
        input: input.node,
        geometry: { kernel: 1, stride: 1, padding: 0, inputChannels: this.node(input.node).channels, outputChannels: channels },
        weightName: `model.${this.row}.m.${scale}.weight`,
        shift: { kind: 'bias', name: `model.${this.row}.m.${scale}.bias` },
        label: `scale ${scale + 1}`,
        repeat: 0,
        row: this.row,
        channels,
        emits: 'values',
      }),
      stride: input.stride,
    }));
  }

  private normedConvolution(
    input: number,
    prefix: string,
    convolution: string,
    norm: string,
    channels: number,
    kernel: number,
    stride: number,
    label: string,
  ): number {
    return this.push({
      op: 'convolution',
      input,
      geometry: {
        kernel,
        stride,
        padding: Math.floor(kernel / 2),
        inputChannels: this.node(input).channels,
        outputChannels: channels,
      },
      weightName: `${prefix}.${convolution}.weight`,
      shift: { kind: 'norm', prefix: `${prefix}.${norm}` },
      label,
      repeat: this.repeat,
      row: this.row,
      channels,
      emits: 'values',
    });
  }

  /** Layers on the same current have the same spikes: they count as two and are computed as one. */
  private neuron(input: number, neuron: 'lif' | 'silu', label: string): number {
    const same = this.nodes.find((node) => node.op === 'neuron' && node.input === input && node.neuron === neuron);
    const node =
      same?.id ??
      this.push({
        op: 'neuron',
        input,
        neuron,
        row: this.row,
        channels: this.node(input).channels,
        emits: neuron === 'lif' ? 'spikes' : 'values',
      });
    this.layers.push({ index: this.layers.length, node, row: this.row, repeat: this.repeat, label });
    return node;
  }

  private maxPool(input: number, size: number): number {
    if (size === 1) return input;
    return this.push({ op: 'maxPool', input, size, row: this.row, channels: this.node(input).channels, emits: 'values' });
  }

  private add(a: number, b: number): number {
    return this.push({ op: 'add', inputs: [a, b], row: this.row, channels: this.node(a).channels, emits: 'values' });
  }

  private after(input: RowOutput, stride: number, node: number): RowOutput {
    return { node, stride: input.stride * stride };
  }

  private push(node: DistributiveOmit<GraphNode, 'id'>): number {
    const id = this.nodes.length;
    this.nodes.push({ ...node, id });
    return id;
  }

  private node(id: number): GraphNode {
    const node = this.nodes[id];
    if (!node) throw new RangeError(`The graph has no node ${id}.`);
    return node;
  }

  private threeArguments(row: NetworkRow): { channels: number; kernel: number; stride: number } {
    const kernel = this.integer(row, 1);
    if (kernel % 2 === 0) throw invalidRows(`row ${this.row} (${row.block}) has an even kernel of ${kernel}`);
    return { channels: this.width(this.integer(row, 0)), kernel, stride: this.integer(row, 2, 1) };
  }

  private integer(row: NetworkRow, position: number, otherwise?: number): number {
    const value: RowArgument | undefined = row.args[position] ?? otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 8192) {
      throw invalidRows(`argument ${position + 1} of row ${this.row} (${row.block}) is ${JSON.stringify(value)} and not a size`);
    }
    return value;
  }

  /** Channel counts are scaled by the width multiple and rounded up to a multiple of 8. */
  private width(channels: number): number {
    return Math.ceil((channels * this.description.widthMultiple) / 8) * 8;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function invalidRows(what: string): AppError {
  return new AppError(
    'network/invalid-rows',
    `The rows that describe the network do not fit together: ${what}.`,
    'Load a checkpoint that EMS-YOLO itself saved, or one that this program exported.',
  );
}

/** Python's `round`, which the released code applies to repeats. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Shape of every node's output (one step) for a picture of `height` x `width`. */
export function nodeShapes(graph: NetworkGraph, height: number, width: number): FeatureShape[] {
  const shapes: FeatureShape[] = [];
  const of = (id: number): FeatureShape => {
    const shape = shapes[id];
    if (!shape) throw new RangeError(`Node ${id} is read before it is computed.`);
    return shape;
  };
  for (const node of graph.nodes) {
    shapes.push(shapeOfNode(node, of, { height, width }));
  }
  return shapes;
}

function shapeOfNode(
  node: GraphNode,
  of: (id: number) => FeatureShape,
  picture: { height: number; width: number },
): FeatureShape {
  switch (node.op) {
    case 'input':
      return { steps: 1, ...picture, channels: node.channels };
    case 'convolution':
      return convolvedShape(of(node.input), node.geometry);
    case 'neuron':
      return of(node.input);
    case 'maxPool': {
      const { height, width, ...rest } = of(node.input);
      return { ...rest, height: Math.floor(height / node.size), width: Math.floor(width / node.size) };
    }
    case 'upsample': {
      const { height, width, ...rest } = of(node.input);
      return { ...rest, height: height * 2, width: width * 2 };
    }
    case 'concatenate':
      return { ...of(node.inputs[0] ?? 0), channels: node.channels };
    case 'add':
      return of(node.inputs[0]);
  }
}

export function inputsOf(node: GraphNode): readonly number[] {
  if (node.op === 'input') return [];
  return 'inputs' in node ? node.inputs : [node.input];
}

/** Multiply-adds of a convolution for one step, and what feeds it. */
export interface ConvolutionCost {
  node: number;
  row: number;
  /** "branch 1", or "3, branch 1" where its row repeats its block. */
  label: string;
  operations: number;
  /** Values that it writes for one step. */
  outputs: number;
  /** Index of the neuron layer whose spikes it reads; undefined where its input is real-valued. */
  spikesFrom: number | undefined;
  /** Whether it reads the network's own input. */
  readsInput: boolean;
}

/** @param spiking which neurons spike: those of the trained network, or (converted) every one */
export function convolutionCosts(graph: NetworkGraph, height: number, width: number, spiking: 'trained' | 'converted' = 'trained'): ConvolutionCost[] {
  const shapes = nodeShapes(graph, height, width);
  return graph.nodes
    .filter((node) => node.op === 'convolution')
    .map((node) => {
      const { kernel, inputChannels, outputChannels } = node.geometry;
      const { height: high = 0, width: wide = 0 } = shapes[node.id] ?? {};
      const input = graph.nodes[node.input];
      const readsSpikes = input?.op === 'neuron' && (spiking === 'converted' || input.emits === 'spikes');
      return {
        node: node.id,
        row: node.row,
        label: (graph.blocks[node.row]?.repeats ?? 1) > 1 ? `${node.repeat + 1}, ${node.label}` : node.label,
        operations: high * wide * outputChannels * inputChannels * kernel * kernel,
        outputs: high * wide * outputChannels,
        spikesFrom: readsSpikes ? graph.layers.find((layer) => layer.node === input.id)?.index : undefined,
        readsInput: input?.op === 'input',
      };
    });
}

/** Neurons that are updated at every step; layers that share a node are computed once. */
export function neuronCount(graph: NetworkGraph, height: number, width: number): number {
  const shapes = nodeShapes(graph, height, width);
  return graph.nodes.filter(({ op }) => op === 'neuron').reduce((sum, { id }) => sum + elementCount(shapes[id] ?? { steps: 0, height, width, channels: 0 }), 0);
}
