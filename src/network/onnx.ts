import { throwIfCancelled, type Task } from '../base/progress';
import { writeOnnx, type OnnxNode, type OnnxTensor } from '../checkpoint/onnx';
import type { Checkpoint, NetworkMode } from '../checkpoint/types';
import type { NeuronParameters } from '../tensor/operations';
import { inputsOf, type ConvolutionNode, type GraphNode, type NeuronNode } from './graph';
import { anchorsOfCheckpoint, foldedConvolution, graphOfCheckpoint, refuseConverted } from './weights';

export interface OnnxSettings extends NeuronParameters {
  mode: NetworkMode;
  /** The network is unrolled over so many; the ANN twin has one pass whatever this says. */
  steps: number;
  /** One picture for every step in place of one that stays. */
  pictureForEachStep: boolean;
  /** Sides of the picture in pixels; a network without them takes any multiple of its largest stride. */
  size: { width: number; height: number } | undefined;
}

/**
 * The network as an ONNX file for other runtimes. It computes what {@link Network} does, from elementary operators: batch norm is
 * folded, steps lie along the batch axis so that a convolution is one operator, neurons are split into steps, and what is the
 * same at every step is computed once.
 *
 * Input `images` `[1 or steps, channels, height, width]` in [0, 1]; outputs `logits.N`, one for each scale,
 * `[1, anchors * (5 + classes), height / stride, width / stride]`, the mean over the steps.
 * @throws AppError `checkpoint/*`, `network/*`, `cancelled`
 */
export async function exportOnnx(checkpoint: Checkpoint, settings: OnnxSettings, task: Task): Promise<Blob> {
  // As an ANN it is the twin that its weights come from.
  if (settings.mode === 'snn') refuseConverted(checkpoint);
  const graph = graphOfCheckpoint(checkpoint);
  const anchors = await anchorsOfCheckpoint(graph, checkpoint, task);
  const unrolled = new Unrolled(settings);
  const detection = new Map(graph.scales.map(({ node }, scale) => [node, `logits.${scale}`]));
  for (const node of graph.nodes) {
    throwIfCancelled(task.signal);
    if (node.op === 'convolution') await unrolled.convolve(node, checkpoint, detection.get(node.id), task);
    else unrolled.compute(node);
    task.report({ label: 'Writing the network', done: node.id + 1, total: graph.nodes.length, unit: 'layers' });
  }
  const { width, height } = settings.size ?? { width: undefined, height: undefined };
  return writeOnnx(
    {
      name: `EMS-YOLO ${settings.mode.toUpperCase()}`,
      inputs: [{ name: imagesName, shape: [unrolled.inputSteps, graph.description.inputChannels, height ?? 'height', width ?? 'width'] }],
      outputs: graph.scales.map(({ node, stride }, scale) => ({
        name: `logits.${scale}`,
        shape: [1, graph.nodes[node]?.channels ?? 0, height ? height / stride : `height ${stride}`, width ? width / stride : `width ${stride}`],
      })),
      nodes: unrolled.nodes,
      initializers: unrolled.initializers,
    },
    { 'ems-yolo': JSON.stringify({ format: 1, mode: settings.mode, description: { ...graph.description, anchors } }) },
  );
}

const imagesName = 'images';

interface Value {
  name: string;
  /** 1 where it is the same at every step. */
  steps: number;
}

class Unrolled {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly inputSteps: number;
  private readonly steps: number;
  private readonly values = new Map<number, Value>();

  constructor(private readonly settings: OnnxSettings) {
    this.steps = settings.mode === 'ann' ? 1 : settings.steps;
    this.inputSteps = settings.pictureForEachStep ? this.steps : 1;
  }

  async convolve(node: ConvolutionNode, checkpoint: Checkpoint, logits: string | undefined, task: Task): Promise<void> {
    const { kernel, stride, padding, inputChannels, outputChannels } = node.geometry;
    const { weights, bias } = await foldedConvolution(node, checkpoint, task);
    const weightName = node.weightName;
    const biasName = node.weightName.replace(/weight$/, 'bias');
    this.initializers.push(
      { name: weightName, shape: [outputChannels, inputChannels, kernel, kernel], data: outputsFirst(weights, node.geometry) },
      { name: biasName, shape: [outputChannels], data: bias },
    );
    let input = this.value(node.input);
    // The convolution is linear, so averaging over the steps first gives the averaged logits with one pass.
    if (logits !== undefined && input.steps > 1) {
      input = { name: this.emit('ReduceMean', [input.name], `${logits}.mean`, { axes: [0], keepdims: 1 }), steps: 1 };
    }
    const name = this.emit('Conv', [input.name, weightName, biasName], logits ?? nameOf(node), {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    });
    this.values.set(node.id, { name, steps: input.steps });
  }

  compute(node: Exclude<GraphNode, ConvolutionNode>): void {
    const inputs = inputsOf(node).map((id) => this.value(id));
    const steps = Math.max(...inputs.map((input) => input.steps), 1);
    const names = inputs.map((input) => input.name);
    const name = nameOf(node);
    switch (node.op) {
      case 'input':
        this.values.set(node.id, { name: imagesName, steps: this.inputSteps });
        return;
      case 'neuron':
        this.values.set(node.id, this.fire(node, this.value(node.input)));
        return;
      case 'maxPool':
        this.emit('MaxPool', names, name, { kernel_shape: [node.size, node.size], strides: [node.size, node.size] });
        break;
      case 'upsample':
        this.emit('Resize', [...names, '', this.constant('twice', [4], [1, 1, 2, 2])], name, {
          mode: 'nearest',
          nearest_mode: 'floor',
          coordinate_transformation_mode: 'asymmetric',
        });
        break;
      case 'concatenate':
        this.emit('Concat', inputs.map((input) => this.repeated(input, steps)), name, { axis: 1 });
        break;
      case 'add':
        // What has one step is repeated by the operator itself.
        this.emit('Add', names, name);
        break;
    }
    this.values.set(node.id, { name, steps });
  }

  private fire(node: NeuronNode, current: Value): Value {
    const name = nameOf(node);
    if (this.settings.mode === 'ann') return { name: this.emit('Relu', [current.name], name), steps: current.steps };
    const currents = this.perStep(current);
    const emitted = node.neuron === 'lif' ? this.leakyIntegrateAndFire(name, currents) : this.leakySilu(name, currents);
    if (emitted.length > 1) this.emit('Concat', emitted, name, { axis: 0 });
    return { name: emitted.length > 1 ? name : (emitted[0] ?? name), steps: this.steps };
  }

  /** `v[t] = decay * v[t-1] * (1 - s[t-1]) + x[t]`, `s[t] = v[t] > threshold`. */
  private leakyIntegrateAndFire(name: string, currents: readonly string[]): string[] {
    const threshold = this.scalar('threshold', this.settings.threshold);
    let before: { membrane: string; fired: string } | undefined;
    return currents.map((current, step) => {
      let membrane = current;
      if (before) {
        const kept = this.emit('Where', [before.fired, this.scalar('zero', 0), before.membrane], `${name}.kept.${step}`);
        const decayed = this.emit('Mul', [kept, this.decay()], `${name}.decayed.${step}`);
        membrane = this.emit('Add', [decayed, current], `${name}.membrane.${step}`);
      }
      const fired = this.emit('Greater', [membrane, threshold], `${name}.fired.${step}`);
      before = { membrane, fired };
      return this.emit('Cast', [fired], `${name}.spikes.${step}`, { to: 1 });
    });
  }

  /** `v[t] = decay * s[t-1] * (1 - s[t-1]) + x[t]`, `s[t] = v[t] * sigmoid(v[t])` (src/decisions/0003-silu-in-place.md). */
  private leakySilu(name: string, currents: readonly string[]): string[] {
    let before: string | undefined;
    return currents.map((current, step) => {
      let membrane = current;
      if (before !== undefined) {
        const decayed = this.emit('Mul', [this.decay(), before], `${name}.decayed.${step}`);
        const rest = this.emit('Sub', [this.scalar('one', 1), before], `${name}.rest.${step}`);
        const kept = this.emit('Mul', [decayed, rest], `${name}.kept.${step}`);
        membrane = this.emit('Add', [kept, current], `${name}.membrane.${step}`);
      }
      const sigmoid = this.emit('Sigmoid', [membrane], `${name}.sigmoid.${step}`);
      before = this.emit('Mul', [membrane, sigmoid], `${name}.emitted.${step}`);
      return before;
    });
  }

  /** One name for each step, the same ones where nothing changes. */
  private perStep({ name, steps }: Value): string[] {
    const names = Array.from({ length: this.steps }, (_, step) => (steps === 1 ? name : `${name}.${step}`));
    if (steps > 1) this.nodes.push({ operator: 'Split', inputs: [name], outputs: names, attributes: { axis: 0 } });
    return names;
  }

  private repeated({ name, steps }: Value, wanted: number): string {
    if (steps === wanted) return name;
    return this.emit('Concat', Array.from({ length: wanted }, () => name), `${name}.repeated.${this.nodes.length}`, { axis: 0 });
  }

  private emit(operator: string, inputs: readonly string[], output: string, attributes: OnnxNode['attributes'] = {}): string {
    this.nodes.push({ operator, inputs, outputs: [output], attributes });
    return output;
  }

  /** Only where a step follows another: runtimes warn of what nobody reads. */
  private decay(): string {
    return this.scalar('decay', this.settings.decay);
  }

  private scalar(name: string, value: number): string {
    return this.constant(name, [], [value]);
  }

  private constant(name: string, shape: readonly number[], values: readonly number[]): string {
    const isThere = this.initializers.some((tensor) => tensor.name === name);
    if (!isThere) this.initializers.push({ name, shape, data: Float32Array.from(values) });
    return name;
  }

  private value(id: number): Value {
    const value = this.values.get(id);
    if (!value) throw new RangeError(`Node ${id} is read before it is computed.`);
    return value;
  }
}

function nameOf({ id, row, op }: GraphNode): string {
  return `row.${row}.${op}.${id}`;
}

/** `[kernel, kernel, in, out]` to `[out, in, kernel, kernel]`. */
function outputsFirst(weights: Float32Array, { kernel, inputChannels, outputChannels }: ConvolutionNode['geometry']): Float32Array {
  const area = kernel * kernel;
  const result = new Float32Array(weights.length);
  for (let place = 0; place < area; place++) {
    for (let input = 0; input < inputChannels; input++) {
      for (let output = 0; output < outputChannels; output++) {
        result[(output * inputChannels + input) * area + place] = weights[(place * inputChannels + input) * outputChannels + output] ?? NaN;
      }
    }
  }
  return result;
}
