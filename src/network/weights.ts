import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import type { Checkpoint, NetworkDescription } from '../checkpoint/types';
import type { Convolution, Operations } from '../tensor/operations';
import { configurations, defaultAnchors } from './configurations';
import { buildGraph, type ConvolutionNode, type NetworkGraph } from './graph';

/** Added to the variance by every batch norm of the released code; not stored in a state_dict. */
export const normEpsilon = 1e-5;

/** The shape of every tensor that a network reads, by name. */
export function expectedTensors(graph: NetworkGraph): Map<string, readonly number[]> {
  const expected = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'convolution') continue;
    const { outputChannels, inputChannels, kernel } = node.geometry;
    expected.set(node.weightName, [outputChannels, inputChannels, kernel, kernel]);
    for (const name of shiftNames(node)) expected.set(name, [outputChannels]);
  }
  return expected;
}

/** Trained numbers: weights, biases and the norms' scale and shift, but not their running statistics. */
export function parameterCount(graph: NetworkGraph): number {
  let count = 0;
  for (const [name, shape] of expectedTensors(graph)) {
    if (!/running_(mean|var)$/.test(name)) count += shape.reduce((product, side) => product * side, 1);
  }
  return count;
}

/** Scale, shift, mean, variance of a norm; or the one bias. */
export function shiftNames({ shift }: ConvolutionNode): string[] {
  if (shift.kind === 'bias') return [shift.name];
  return ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${shift.prefix}.${part}`);
}

/** The tensor by which a file says that its network was converted from an ANN (conversion.ts). */
export const conversionMark = 'conversion.maximum_spikes';

/**
 * A converted network has the twin's weights and other neurons: run with those of training it finds nothing, and says nothing of it.
 * @throws AppError `network/invalid-settings` for the file of a converted network
 */
export function refuseConverted(checkpoint: Checkpoint): void {
  if (!checkpoint.tensors.has(conversionMark)) return;
  throw new AppError(
    'network/invalid-settings',
    'The file holds a network converted from an ANN, whose neurons this does not run.',
    'Detect or evaluate with it, or give the checkpoint of the ANN twin here.',
  );
}

/**
 * The network that a checkpoint belongs to: from the rows that it carries, else (a bare state_dict) the released
 * configuration whose tensors have exactly the names and shapes found.
 * @throws AppError `checkpoint/other-network`, `checkpoint/missing-tensor`, `checkpoint/misshapen-tensor`, `network/*`
 */
export function graphOfCheckpoint(checkpoint: Checkpoint): NetworkGraph {
  const graph = checkpoint.description
    ? buildGraph(checkpoint.description)
    : graphByNames(checkpoint);
  const problem = firstProblem(graph, checkpoint);
  if (problem) throw problem;
  return graph;
}

function firstProblem(graph: NetworkGraph, checkpoint: Checkpoint): AppError | undefined {
  for (const [name, shape] of expectedTensors(graph)) {
    const found = checkpoint.tensors.get(name);
    if (!found) {
      return new AppError(
        'checkpoint/missing-tensor',
        `The checkpoint lacks the tensor ${name}, which its network needs.`,
        'Save the whole model again, or check that nothing was removed from the file.',
      );
    }
    if (found.shape.join() !== shape.join()) {
      return new AppError(
        'checkpoint/misshapen-tensor',
        `The tensor ${name} has the shape [${found.shape.join(', ')}], but the network needs [${shape.join(', ')}].`,
        'Check that rows, width and classes in the checkpoint are those that it was trained with.',
      );
    }
  }
  return undefined;
}

function graphByNames(checkpoint: Checkpoint): NetworkGraph {
  for (const rows of Object.values(configurations)) {
    const detectRow = rows.length - 1;
    const stem = checkpoint.tensors.get('model.0.conv.weight')?.shape;
    const head = checkpoint.tensors.get(`model.${detectRow}.m.0.weight`)?.shape;
    const fullWidth = rows[0]?.args[0];
    if (!stem?.[0] || !stem[1] || !head?.[0] || typeof fullWidth !== 'number') continue;
    const anchorsPerScale = (defaultAnchors[0]?.length ?? 0) / 2;
    const description: NetworkDescription = {
      rows,
      depthMultiple: 1,
      widthMultiple: stem[0] / fullWidth,
      inputChannels: stem[1],
      classNames: Array.from({ length: head[0] / anchorsPerScale - 5 }, (_, index) => `class ${index}`),
      anchors: defaultAnchors,
    };
    if (!Number.isInteger(head[0] / anchorsPerScale) || description.classNames.length === 0) continue;
    const graph = buildGraph(description);
    if (firstProblem(graph, checkpoint) === undefined) return graph;
  }
  throw new AppError(
    'checkpoint/other-network',
    'The file holds weights but not the rows of its network, and their names and shapes fit none of the released EMS-YOLO configurations.',
    `Save the whole model with PyTorch (it then carries its rows), or load weights of ${Object.keys(configurations).join(', ')}.`,
  );
}

/**
 * Reads every convolution of the graph, one at a time, with its batch norm folded in, and hands it to the backend.
 * When anything fails or is cancelled, whatever was loaded so far is released.
 * @param unitOf what one unit of each channel stands for, by the node that a convolution reads (a converted network's spikes)
 */
export async function loadConvolutions(
  graph: NetworkGraph,
  checkpoint: Checkpoint,
  operations: Operations,
  task: Task,
  unitOf: ReadonlyMap<number, Float32Array> = new Map(),
): Promise<Map<number, Convolution>> {
  const nodes = graph.nodes.filter((node) => node.op === 'convolution');
  const totalBytes = nodes.reduce((sum, node) => sum + weightCount(node) * 4, 0);
  const loaded = new Map<number, Convolution>();
  let bytes = 0;
  try {
    for (const node of nodes) {
      throwIfCancelled(task.signal);
      const { weights, bias } = await foldedConvolution(node, checkpoint, task, unitOf.get(node.input));
      loaded.set(node.id, operations.loadConvolution({ name: node.weightName, ...node.geometry, weights, bias }));
      bytes += weightCount(node) * 4;
      task.report({ label: 'Loading weights', done: bytes, total: totalBytes, unit: 'bytes' });
    }
  } catch (error) {
    for (const convolution of loaded.values()) operations.release(convolution);
    throw error;
  }
  return loaded;
}

function weightCount({ geometry }: ConvolutionNode): number {
  return geometry.outputChannels * geometry.inputChannels * geometry.kernel ** 2;
}

/**
 * `[out, in, k, k]` to `[k, k, in, out]`, scaled by the norm: `w * gamma / sqrt(var + eps)`, `beta - mean * gamma / sqrt(var + eps)`,
 * and by the units of what is read, `[in]`, where there are any.
 */
export async function foldedConvolution(
  node: ConvolutionNode,
  checkpoint: Checkpoint,
  task: Task,
  units?: Float32Array,
): Promise<{ weights: Float32Array; bias: Float32Array }> {
  const { outputChannels, inputChannels, kernel } = node.geometry;
  const source = await checkpoint.read(node.weightName, task);
  const shift = await Promise.all(shiftNames(node).map((name) => checkpoint.read(name, task)));
  const scale = new Float64Array(outputChannels).fill(1);
  const bias = new Float32Array(outputChannels);
  if (node.shift.kind === 'bias') bias.set(shift[0] ?? []);
  else {
    const [gamma, beta, mean, variance] = shift;
    for (let o = 0; o < outputChannels; o++) {
      const factor = (gamma?.[o] ?? NaN) / Math.sqrt((variance?.[o] ?? NaN) + normEpsilon);
      scale[o] = factor;
      bias[o] = (beta?.[o] ?? NaN) - (mean?.[o] ?? NaN) * factor;
    }
  }
  const area = kernel * kernel;
  const weights = new Float32Array(source.length);
  for (let o = 0; o < outputChannels; o++) {
    const factor = scale[o] ?? NaN;
    for (let i = 0; i < inputChannels; i++) {
      const unit = units?.[i] ?? 1;
      for (let k = 0; k < area; k++) {
        weights[(k * inputChannels + i) * outputChannels + o] = (source[(o * inputChannels + i) * area + k] ?? NaN) * factor * unit;
      }
    }
  }
  return { weights, bias };
}

/** Anchors in pixels per scale, `[w, h, ...]`: the checkpoint's own (stored in grid units), else those of its rows. */
export async function anchorsOfCheckpoint(
  graph: NetworkGraph,
  checkpoint: Checkpoint,
  task: Task,
): Promise<readonly (readonly number[])[]> {
  const perScale = graph.anchorsPerScale * 2;
  const stored = checkpoint.tensors.get(graph.anchorsName);
  if (!stored) return graph.description.anchors;
  if (stored.shape.join() !== [graph.scales.length, graph.anchorsPerScale, 2].join()) {
    throw new AppError(
      'checkpoint/misshapen-tensor',
      `The anchors have the shape [${stored.shape.join(', ')}], but the network has ${graph.scales.length} scales of ${graph.anchorsPerScale} anchors.`,
      'Check that the checkpoint was saved by EMS-YOLO.',
    );
  }
  const values = await checkpoint.read(graph.anchorsName, task);
  return graph.scales.map(({ stride }, scale) =>
    Array.from(values.subarray(scale * perScale, (scale + 1) * perScale), (value) => value * stride),
  );
}
