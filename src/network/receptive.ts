import { throwIfCancelled, type Task } from '../base/progress';
import { ownCell, type Reach } from '../base/reach';
import type { FeatureShape } from '../tensor/operations';
import type { GraphNode, NetworkGraph } from './graph';

/** Receptive fields: as strides and kernels allow, and as the recorded spikes of one run made them. */

/** What of every node before it leads to a cell of `target`, by strides and kernels. */
export function reachBackFrom(graph: NetworkGraph, target: number): ReadonlyMap<number, Reach> {
  const reaches = new Map<number, Reach>([[target, ownCell]]);
  const widen = (node: number, reach: Reach): void => {
    const known = reaches.get(node);
    reaches.set(node, known ? { scale: reach.scale, first: Math.min(known.first, reach.first), last: Math.max(known.last, reach.last) } : reach);
  };
  for (const node of backwards(graph, target)) {
    const reach = reaches.get(node.id);
    if (!reach) continue;
    const { scale, first, last } = reach;
    switch (node.op) {
      case 'input':
        break;
      case 'convolution': {
        const { stride, kernel, padding } = node.geometry;
        widen(node.input, { scale: scale * stride, first: first * stride - padding, last: last * stride - padding + kernel - 1 });
        break;
      }
      case 'maxPool':
        widen(node.input, { scale: scale * node.size, first: first * node.size, last: last * node.size + node.size - 1 });
        break;
      case 'upsample':
        widen(node.input, { scale: scale / 2, first: (first - 1) / 2, last: last / 2 });
        break;
      case 'neuron':
        widen(node.input, reach);
        break;
      case 'concatenate':
      case 'add':
        for (const input of node.inputs) widen(input, reach);
    }
  }
  return reaches;
}

function backwards(graph: NetworkGraph, target: number): GraphNode[] {
  return graph.nodes.filter(({ id }) => id <= target).reverse();
}

/** What was recorded of one run: every node's values and their shape. */
export interface RecordedRun {
  shapeOf(node: number): FeatureShape;
  valuesOf(node: number): Promise<Float32Array>;
}

export interface ExactField {
  /** `[input steps, height, width]`: 1 where a pixel led to the target. */
  input: Uint8Array;
  inputShape: FeatureShape;
  /** By neuron node, `[steps, height, width, channels]`: 1 where a spike (or, of SiLU, a value) led to it. */
  neurons: Map<number, Uint8Array>;
}

/**
 * Everything that led to some values by the recorded run: a convolution's output leads back to the spikes in its window and to no
 * silent neuron, a max pooling to the cell that won, a neuron to its currents since its last hard reset.
 * @param active the values that are asked about, of one node, in its shape
 */
export async function exactField(
  graph: NetworkGraph,
  run: RecordedRun,
  settings: { decay: number; reset: 'hard' | 'soft' },
  target: { node: number; active: Uint8Array },
  task: Task,
): Promise<ExactField> {
  const marks = new Map<number, Uint8Array>([[target.node, target.active]]);
  const neurons = new Map<number, Uint8Array>();
  let input: Uint8Array | undefined;
  const marksOf = (node: number): Uint8Array => {
    const known = marks.get(node);
    if (known) return known;
    const fresh = new Uint8Array(count(run.shapeOf(node)));
    marks.set(node, fresh);
    return fresh;
  };
  const nodes = backwards(graph, target.node);
  for (const [done, node] of nodes.entries()) {
    throwIfCancelled(task.signal);
    task.report({ label: 'Tracing spikes back', done, total: nodes.length, unit: 'layers' });
    const active = marks.get(node.id);
    if (!active) continue;
    marks.delete(node.id);
    const shape = run.shapeOf(node.id);
    switch (node.op) {
      case 'input':
        input = anyChannel(active, shape);
        break;
      case 'convolution':
        throughConvolution(active, shape, node.geometry, run.shapeOf(node.input), await run.valuesOf(node.input), marksOf(node.input));
        break;
      case 'neuron': {
        const emitted = await run.valuesOf(node.id);
        neurons.set(node.id, active);
        throughNeuron(active, shape, emitted, node.neuron === 'lif' && settings.reset === 'hard', settings.decay > 0, run.shapeOf(node.input), marksOf(node.input));
        break;
      }
      case 'maxPool':
        throughMaxPool(active, shape, node.size, run.shapeOf(node.input), await run.valuesOf(node.input), marksOf(node.input));
        break;
      case 'upsample':
        mapBack(active, shape, run.shapeOf(node.input), marksOf(node.input), (t, y, x, c) => [t, y >> 1, x >> 1, c]);
        break;
      case 'concatenate': {
        let first = 0;
        for (const id of node.inputs) {
          const from = run.shapeOf(id);
          const start = first;
          mapBack(active, shape, from, marksOf(id), (t, y, x, c) => (c >= start && c < start + from.channels ? [t, y, x, c - start] : undefined));
          first += from.channels;
        }
        break;
      }
      case 'add':
        for (const id of node.inputs) mapBack(active, shape, run.shapeOf(id), marksOf(id), (t, y, x, c) => [t, y, x, c]);
    }
  }
  const inputShape = run.shapeOf(0);
  return { input: input ?? new Uint8Array(inputShape.steps * inputShape.height * inputShape.width), inputShape, neurons };
}

function count({ steps, height, width, channels }: FeatureShape): number {
  return steps * height * width * channels;
}

function anyChannel(active: Uint8Array, { channels }: FeatureShape): Uint8Array {
  const places = new Uint8Array(active.length / channels);
  active.forEach((mark, at) => {
    if (mark) places[Math.floor(at / channels)] = 1;
  });
  return places;
}

type Place = readonly [t: number, y: number, x: number, c: number];

/** What has one step is the same at every step. */
function indexIn({ steps, height, width, channels }: FeatureShape, [t, y, x, c]: Place): number {
  return (((steps === 1 ? 0 : t) * height + y) * width + x) * channels + c;
}

function mapBack(active: Uint8Array, shape: FeatureShape, source: FeatureShape, marks: Uint8Array, from: (...place: Place) => Place | undefined): void {
  const { height, width, channels } = shape;
  active.forEach((mark, at) => {
    if (!mark) return;
    const c = at % channels;
    const place = Math.floor(at / channels);
    const x = place % width;
    const y = Math.floor(place / width) % height;
    const back = from(Math.floor(place / width / height), y, x, c);
    if (back) marks[indexIn(source, back)] = 1;
  });
}

function throughConvolution(
  active: Uint8Array,
  shape: FeatureShape,
  { kernel, stride, padding }: { kernel: number; stride: number; padding: number },
  source: FeatureShape,
  values: Float32Array,
  marks: Uint8Array,
): void {
  // Every output channel reads every input channel, so that only the places matter.
  const places = anyChannel(active, shape);
  places.forEach((mark, place) => {
    if (!mark) return;
    const x = (place % shape.width) * stride - padding;
    const y = (Math.floor(place / shape.width) % shape.height) * stride - padding;
    const t = Math.floor(place / shape.width / shape.height);
    for (let sy = Math.max(y, 0); sy < Math.min(y + kernel, source.height); sy++) {
      for (let sx = Math.max(x, 0); sx < Math.min(x + kernel, source.width); sx++) {
        const first = indexIn(source, [t, sy, sx, 0]);
        for (let at = first; at < first + source.channels; at++) if (values[at] !== 0) marks[at] = 1;
      }
    }
  });
}

function throughMaxPool(active: Uint8Array, shape: FeatureShape, size: number, source: FeatureShape, values: Float32Array, marks: Uint8Array): void {
  mapBack(active, shape, source, marks, (t, y, x, c) => {
    let best: Place = [t, y * size, x * size, c];
    for (let dy = 0; dy < size; dy++) {
      for (let dx = 0; dx < size; dx++) {
        const place: Place = [t, y * size + dy, x * size + dx, c];
        if ((values[indexIn(source, place)] ?? 0) > (values[indexIn(source, best)] ?? 0)) best = place;
      }
    }
    return best;
  });
}

/** A step's emission comes from the currents of this step and, through the membrane, of those before, back to the last reset. */
function throughNeuron(
  active: Uint8Array,
  shape: FeatureShape,
  emitted: Float32Array,
  resetsHard: boolean,
  keepsMembrane: boolean,
  source: FeatureShape,
  marks: Uint8Array,
): void {
  const neurons = active.length / shape.steps;
  active.forEach((mark, at) => {
    if (!mark) return;
    const n = at % neurons;
    for (let t = Math.floor(at / neurons); t >= 0; t--) {
      marks[source.steps === 1 ? n : t * neurons + n] = 1;
      const spikedBefore = t > 0 && emitted[(t - 1) * neurons + n] !== 0;
      if (!keepsMembrane || (resetsHard && spikedBefore)) break;
    }
  });
}
