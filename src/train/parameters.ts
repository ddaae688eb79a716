import type { Task } from '../base/progress';
import type { Checkpoint } from '../checkpoint/types';
import type { NetworkGraph } from '../network/graph';
import { expectedTensors } from '../network/weights';
import type { Parameters } from './pass';

/** Specification, section 3: the scale of every norm, and of the last one of a residual branch. */
const normScale = 0.5;
const branchNormScale = 0.1;

/** Every number that a network is trained with and its running statistics, from a checkpoint. */
export async function readParameters(graph: NetworkGraph, checkpoint: Checkpoint, task: Task): Promise<Map<string, Float32Array>> {
  const parameters = new Map<string, Float32Array>();
  for (const [name, shape] of expectedTensors(graph)) {
    const values = await checkpoint.read(name, task);
    parameters.set(name, shape.length === 4 ? toRows(values, shape) : values);
  }
  return parameters;
}

/**
 * A network before training: weights uniform within 1/sqrt(inputs of a neuron), as PyTorch draws them; norm scales of the specification,
 * section 3; detection biases such that few boxes are expected at first (Lin et al. 2017, as YOLO applies it).
 * @param random uniform in [0, 1)
 */
export function initialParameters(graph: NetworkGraph, random: () => number): Map<string, Float32Array> {
  const parameters = new Map<string, Float32Array>();
  const classes = graph.description.classNames.length;
  for (const [name, shape] of expectedTensors(graph)) {
    const [outputs = 0, inputs = 0, kernel = 0] = shape;
    if (shape.length === 4) {
      const bound = 1 / Math.sqrt(inputs * kernel * kernel);
      parameters.set(name, Float32Array.from({ length: inputs * kernel * kernel * outputs }, () => (2 * random() - 1) * bound));
    } else if (/running_mean$|bn\.bias$/.test(name)) parameters.set(name, new Float32Array(outputs));
    else if (/running_var$/.test(name)) parameters.set(name, new Float32Array(outputs).fill(1));
    else if (/residual_function\.5\.bn\.weight$/.test(name)) parameters.set(name, new Float32Array(outputs).fill(branchNormScale));
    else if (/bn\.weight$/.test(name)) parameters.set(name, new Float32Array(outputs).fill(normScale));
    else parameters.set(name, new Float32Array(outputs));
  }
  graph.scales.forEach(({ node, stride }) => {
    const convolution = graph.nodes[node];
    if (convolution?.op !== 'convolution' || convolution.shift.kind !== 'bias') return;
    const bias = parameters.get(convolution.shift.name);
    // About 8 objects in a picture of 640 pixels, and a class at random.
    for (let anchor = 0; anchor < graph.anchorsPerScale; anchor++) {
      const first = anchor * (5 + classes);
      bias?.fill(Math.log(8 / (640 / stride) ** 2), first + 4, first + 5);
      bias?.fill(Math.log(0.6 / Math.max(classes - 0.99, 0.01)), first + 5, first + 5 + classes);
    }
  });
  return parameters;
}

/** Anchors of every scale in the grid units that a checkpoint stores. */
export function anchorsInCells(graph: NetworkGraph, anchors: readonly (readonly number[])[]): number[][] {
  return graph.scales.map(({ stride }, scale) => (anchors[scale] ?? []).map((pixels) => pixels / stride));
}

/** In the released code's layout: `[out, in, k, k]`. */
export function toStateDict(graph: NetworkGraph, parameters: Parameters): Map<string, { shape: readonly number[]; values: Float32Array }> {
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const [name, shape] of expectedTensors(graph)) {
    const values = parameters.get(name);
    if (!values) throw new RangeError(`There is no parameter ${name}.`);
    tensors.set(name, { shape, values: shape.length === 4 ? fromRows(values, shape) : values });
  }
  return tensors;
}

/** `[out, in, k, k]` to `[k, k, in, out]`. */
function toRows(values: Float32Array, [outputs = 0, inputs = 0, high = 0, wide = 0]: readonly number[]): Float32Array {
  const area = high * wide;
  const rows = new Float32Array(values.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < area; k++) rows[(k * inputs + i) * outputs + o] = values[(o * inputs + i) * area + k] ?? NaN;
    }
  }
  return rows;
}

function fromRows(rows: Float32Array, [outputs = 0, inputs = 0, high = 0, wide = 0]: readonly number[]): Float32Array {
  const area = high * wide;
  const values = new Float32Array(rows.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < area; k++) values[(o * inputs + i) * area + k] = rows[(k * inputs + i) * outputs + o] ?? NaN;
    }
  }
  return values;
}
