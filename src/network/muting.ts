import type { Muted } from '../base/muted';
import type { Audible, FeatureShape } from '../tensor/operations';
import { nodeShapes, type NetworkGraph } from './graph';

/** What of a graph is silenced. */
export interface Muting {
  /** Neuron nodes of which some neurons emit nothing. Layers that share a node are the same neurons, and are silenced together. */
  audible: ReadonlyMap<number, Audible>;
  /** Nodes other than neurons whose whole output is 0. */
  silent: ReadonlySet<number>;
}

export const nothingMuted: Muting = { audible: new Map(), silent: new Set() };

/**
 * Silencing a neuron or a channel takes away what it emits; it goes on integrating unheard. Silencing a block takes away its residual
 * branch, so that only the shortcut is left; of rows without a branch, their whole output. What the graph does not have is passed over.
 */
export function mutingOf(graph: NetworkGraph, muted: readonly Muted[], { height, width }: Pick<FeatureShape, 'height' | 'width'>): Muting {
  if (muted.length === 0) return nothingMuted;
  const shapes = nodeShapes(graph, height, width);
  const audible = new Map<number, Audible>();
  const silent = new Set<number>();
  for (const each of muted) {
    if (each.kind === 'block') {
      for (const node of outputsOfBlock(graph, each.row)) {
        const { height: rows = 0, width: columns = 0, channels = 0 } = shapes[node] ?? {};
        if (graph.nodes[node]?.op === 'neuron') audible.set(node, new Uint8Array(rows * columns * channels));
        else silent.add(node);
      }
      continue;
    }
    const node = graph.layers[each.layer]?.node;
    const shape = node === undefined ? undefined : shapes[node];
    if (node === undefined || !shape || each.channel >= shape.channels) continue;
    const mask = audible.get(node) ?? new Uint8Array(shape.height * shape.width * shape.channels).fill(1);
    audible.set(node, mask);
    if (each.kind === 'channel') for (let at = each.channel; at < mask.length; at += shape.channels) mask[at] = 0;
    else if (each.x < shape.width && each.y < shape.height) mask[(each.y * shape.width + each.x) * shape.channels + each.channel] = 0;
  }
  return { audible, silent };
}

/** The residual branches of a row, one for each repeat; else the row's last node. Only rows with weights of their own can be silenced. */
export function outputsOfBlock(graph: NetworkGraph, row: number): number[] {
  const detection = new Set(graph.scales.map(({ node }) => node));
  const nodes = graph.nodes.filter((node) => node.row === row && node.op !== 'input' && !detection.has(node.id));
  const branches = nodes.flatMap((node) => (node.op === 'add' ? [node.inputs[0]] : []));
  if (branches.length > 0) return branches;
  const last = nodes.at(-1);
  return last && nodes.some(({ op }) => op === 'convolution') ? [last.id] : [];
}
