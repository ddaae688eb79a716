import type { Task } from '../base/progress';
import type { Checkpoint, TensorEntry } from '../checkpoint/types';
import { buildGraph, inputsOf, type NetworkGraph } from './graph';
import { expectedTensors, graphOfCheckpoint, shiftNames } from './weights';

/**
 * The same network with every channel twice: its width multiple is doubled, each copy carries half of the weight, and so every neuron
 * fires exactly as the one that it copies does (Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016, section 2.3). It has the cost of a
 * network of that width at the firing rates of a trained one.
 * @throws AppError `checkpoint/*`, `network/*`
 */
export function widenedTwice(checkpoint: Checkpoint): Checkpoint {
  const narrow = graphOfCheckpoint(checkpoint);
  const description = { ...narrow.description, widthMultiple: narrow.description.widthMultiple * 2 };
  const wide = buildGraph(description);
  const origins = channelOrigins(narrow, wide);
  const readers = new Map<string, (task: Task) => Promise<Float32Array>>();
  for (const node of wide.nodes) {
    if (node.op !== 'convolution') continue;
    const outputs = origins[node.id] ?? [];
    const inputs = origins[node.input] ?? [];
    const narrowInputs = narrow.nodes[node.input]?.channels ?? 0;
    readers.set(node.weightName, async (task) =>
      widenedWeights(await checkpoint.read(node.weightName, task), outputs, inputs, narrowInputs, node.geometry.kernel ** 2),
    );
    for (const name of shiftNames(node)) {
      readers.set(name, async (task) => {
        const source = await checkpoint.read(name, task);
        return Float32Array.from(outputs, (channel) => source[channel] ?? NaN);
      });
    }
  }
  const tensors = new Map<string, TensorEntry>();
  for (const [name, shape] of expectedTensors(wide)) tensors.set(name, { name, shape, storedAs: 'float32' });
  const anchors = checkpoint.tensors.get(narrow.anchorsName);
  if (anchors) tensors.set(anchors.name, anchors);
  return {
    ...checkpoint,
    description,
    tensors,
    read: (name, task) => readers.get(name)?.(task) ?? checkpoint.read(name, task),
  };
}

/** `[out, in, area]`, where the copies of one input share its weight. */
function widenedWeights(source: Float32Array, outputs: readonly number[], inputs: readonly number[], narrowInputs: number, area: number): Float32Array {
  const copies = new Map<number, number>();
  for (const input of inputs) copies.set(input, (copies.get(input) ?? 0) + 1);
  const weights = new Float32Array(outputs.length * inputs.length * area);
  let at = 0;
  for (const output of outputs) {
    for (const input of inputs) {
      const from = (output * narrowInputs + input) * area;
      for (let place = 0; place < area; place++) weights[at++] = (source[from + place] ?? NaN) / (copies.get(input) ?? 1);
    }
  }
  return weights;
}

/**
 * For every node and each of its channels the channel that it copies. Copies stand behind all originals, not beside their own, where
 * weights of neurons that fire together would lie side by side; both inputs of an addition have the same order.
 */
function channelOrigins(narrow: NetworkGraph, wide: NetworkGraph): number[][] {
  const detection = new Set(wide.scales.map(({ node }) => node));
  const origins: number[][] = [];
  for (const node of wide.nodes) {
    const channels = narrow.nodes[node.id]?.channels ?? 0;
    const sum = wide.nodes.find((other) => other.op === 'add' && other.inputs.includes(node.id));
    const partner = sum && origins[inputsOf(sum).find((input) => input !== node.id) ?? node.id];
    if (node.op === 'concatenate') {
      let offset = 0;
      origins.push(
        node.inputs.flatMap((input) => {
          const first = offset;
          offset += narrow.nodes[input]?.channels ?? 0;
          return (origins[input] ?? []).map((channel) => first + channel);
        }),
      );
    } else if (node.op === 'convolution' && !detection.has(node.id)) {
      origins.push(partner ?? Array.from({ length: node.channels }, (_, channel) => channel % channels));
    } else if (node.op === 'input' || node.op === 'convolution') {
      origins.push(Array.from({ length: node.channels }, (_, channel) => channel));
    } else {
      origins.push(origins[inputsOf(node)[0] ?? 0] ?? []);
    }
  }
  return origins;
}
