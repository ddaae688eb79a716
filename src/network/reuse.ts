import { elementCount, type FeatureShape, type Region, type RegionOperations, type Signal, type Spikes } from '../tensor/operations';
import { inputsOf, nodeShapes, type GraphNode, type NetworkGraph } from './graph';
import type { NetworkRun, RunSettings } from './network';

/**
 * What does not change from one frame to the next is not computed again. A neuron starts anew with every frame, so that where the input
 * under it is the same at every step as it was in the frame before, all that it does is the same. The graph is cut where all that follows
 * depends on one signal. Of a segment between two cuts a rectangle is computed, around what changed and as much wider that its borders do
 * not matter, and its result put into the signal that the frame before left at the cut. Once too much has changed, the rest of the
 * network runs as ever.
 */

/** Nodes that read one signal from before them, and of which only the last one is read behind them. */
interface Segment {
  from: number;
  to: number;
  nodes: readonly GraphNode[];
}

/** What of a segment is computed again. */
export interface Patch {
  segment: Segment;
  /** Of the signal that the segment reads. */
  crop: Region;
  /** By how much a node's map is smaller than that signal. */
  scales: ReadonlyMap<number, number>;
  /** What may have changed, by node. */
  changed: ReadonlyMap<number, Region>;
}

/** How a frame is to be run. */
interface Plan {
  /** Segments from the first on that are computed in part. */
  patches: readonly Patch[];
  /** Nodes of the segments behind them of which the next frame may need what they do now. */
  keep: ReadonlySet<number>;
}

/** Of a layer; where more changes, the copying is hardly worth it. */
const mostOfLayer = 0.7;

const nothing: Plan = { patches: [], keep: new Set() };

export class FrameMemory {
  private segments: readonly Segment[] = [];
  private last: { key: string; values: Float32Array; run: NetworkRun } | undefined;
  /** What the last frame left at the cuts, from the first on, and how often the neurons before them fired. */
  private readonly signals = new Map<number, Signal>();
  private readonly counts = new Map<number, { perPixel: Uint16Array; perStep: number[]; shape: FeatureShape }>();
  private key = '';

  constructor(
    private readonly graph: NetworkGraph,
    private readonly regions: RegionOperations,
    private readonly releaseSignal: (signal: Signal) => void,
  ) {}

  /** The last frame's results where this is the same frame again, or how to run it. Ends with `finish`, or the memory is released. */
  begin(values: Float32Array, shape: FeatureShape, settings: RunSettings): NetworkRun | Plan {
    const { mode, steps, decay, threshold, reset, logitsPerStep } = settings;
    this.key = JSON.stringify([shape, mode, steps, decay, threshold, reset ?? 'hard', logitsPerStep]);
    if (this.last?.key !== this.key) {
      this.release();
      return nothing;
    }
    const patches = this.patchesSince(this.last.values, values, shape);
    if (!patches) return copyOf(this.last.run);
    const known = patches.findIndex(({ segment }) => !this.signals.has(segment.to));
    const fresh = known < 0 ? [] : patches.slice(known);
    const ends = new Set(patches.map(({ segment }) => segment.to));
    for (const { to, nodes } of this.segments) if (!ends.has(to)) this.forget(to, nodes);
    return {
      patches: known < 0 ? patches : patches.slice(0, known),
      keep: new Set(fresh.flatMap(({ segment }) => segment.nodes.map(({ id }) => id))),
    };
  }

  /** Undefined where nothing has changed. */
  private patchesSince(before: Float32Array, now: Float32Array, shape: FeatureShape): Patch[] | undefined {
    const most = mostOfLayer * shape.height * shape.width;
    if (areaOf(changedSamples(before, now, shape)) > most) return [];
    const changed = changedRegion(before, now, shape, most);
    if (!changed) return undefined;
    if (areaOf(changed) > most) return [];
    const shapes = nodeShapes(this.graph, shape.height, shape.width);
    this.segments = segmentsOf(this.graph, shapes);
    return patchesOf(this.segments, shapes, changed);
  }

  /** @param values are compared with the next frame's */
  finish(values: Float32Array, run: NetworkRun): void {
    this.last = { key: this.key, values, run: copyOf(run) };
  }

  release(): void {
    for (const { to, nodes } of this.segments) this.forget(to, nodes);
    this.last = undefined;
  }

  /** What the last frame left at a cut, for the caller to release. */
  share(node: number): Signal {
    return this.regions.share(this.signal(node));
  }

  /** A region of it. */
  crop(node: number, region: Region): Signal {
    return this.regions.crop(this.signal(node), region);
  }

  /** What a node was in this frame, as a whole. */
  keep(node: number, value: Signal | Spikes): void {
    if (value.kind === 'signal') {
      if (this.segments.some(({ to }) => to === node)) this.signals.set(node, this.regions.share(value));
      return;
    }
    const { shape } = value;
    const perPixel = this.regions.spikesPerPixel(value);
    const perStep = Array.from({ length: shape.steps }, (_, step) => {
      let sum = 0;
      for (let at = step; at < perPixel.length; at += shape.steps) sum += perPixel[at] ?? 0;
      return sum;
    });
    this.counts.set(node, { perPixel, perStep, shape });
  }

  /** Puts what a node of a patch was in this frame to what is kept of the last one. */
  patch({ segment, crop, scales, changed }: Patch, node: number, value: Signal | Spikes): void {
    const region = changed.get(node);
    if (!region || isEmpty(region)) return;
    const scale = scales.get(node) ?? 1;
    const [top, left] = [crop.top / scale, crop.left / scale];
    if (value.kind === 'spikes') this.patchCounts(node, region, value, top, left);
    else if (node === segment.to) {
      const within = { top: region.top - top, left: region.left - left, bottom: region.bottom - top, right: region.right - left };
      this.regions.paste(value, within, this.signal(node), region.top, region.left);
    }
  }

  private patchCounts(node: number, region: Region, spikes: Spikes, top: number, left: number): void {
    const counts = this.counts.get(node);
    if (!counts) throw new RangeError(`Nothing is known of the spikes of node ${node}.`);
    const { perPixel, perStep, shape: { steps, width } } = counts;
    const fired = this.regions.spikesPerPixel(spikes);
    for (let y = region.top; y < region.bottom; y++) {
      for (let x = region.left; x < region.right; x++) {
        for (let step = 0; step < steps; step++) {
          const at = (y * width + x) * steps + step;
          const now = fired[((y - top) * spikes.shape.width + x - left) * steps + step] ?? 0;
          perStep[step] = (perStep[step] ?? 0) + now - (perPixel[at] ?? 0);
          perPixel[at] = now;
        }
      }
    }
  }

  /** Share of a layer's neurons that fire at each step, rounded as what is read back. */
  firingRates(): Map<number, number[]> {
    const ratesOf = ({ height, width, channels }: FeatureShape, perStep: readonly number[]): number[] =>
      perStep.map((count) => Math.fround(count) / (height * width * channels));
    return new Map(Array.from(this.counts, ([node, { perStep, shape }]) => [node, ratesOf(shape, perStep)]));
  }

  private signal(node: number): Signal {
    const signal = this.signals.get(node);
    if (!signal) throw new RangeError(`Nothing is kept of node ${node}.`);
    return signal;
  }

  private forget(to: number, nodes: readonly GraphNode[]): void {
    const signal = this.signals.get(to);
    if (signal) this.releaseSignal(signal);
    this.signals.delete(to);
    for (const { id } of nodes) this.counts.delete(id);
  }
}

/**
 * From the input on, as far as cuts reach and nothing is made larger. A cut is where the first block at a resolution ends: what is kept at
 * all of them together is less than one layer at the first one's input. What is read behind a cut is the cut itself, or one before it.
 * @param shapes of the nodes
 */
export function segmentsOf({ nodes, scales }: Pick<NetworkGraph, 'nodes' | 'scales'>, shapes: readonly FeatureShape[]): Segment[] {
  const lastReader = nodes.map(({ id }) => id);
  for (const node of nodes) for (const id of inputsOf(node)) lastReader[id] = Math.max(lastReader[id] ?? 0, node.id);
  const firstLogits = Math.min(...scales.map(({ node }) => node));
  const segments: Segment[] = [];
  let from = 0;
  let lastRead = 0;
  for (const node of nodes.slice(1)) {
    const { id, op } = node;
    if (op === 'upsample' || id >= firstLogits || inputsOf(node).some((input) => input < from)) break;
    if (op === 'add' && lastRead <= id && (shapes[id]?.width ?? 0) < (shapes[from]?.width ?? 0)) {
      segments.push({ from, to: id, nodes: nodes.slice(from + 1, id + 1) });
      from = id;
    } else lastRead = Math.max(lastRead, lastReader[id] ?? 0);
  }
  return segments;
}

/** For every segment what is computed again, up to the first one of which it is too much. */
export function patchesOf(segments: readonly Segment[], shapes: readonly FeatureShape[], changedInput: Region): Patch[] {
  const patches: Patch[] = [];
  let changed = changedInput;
  for (const segment of segments) {
    const patch = patchOf(segment, shapes, changed);
    if (!patch) break;
    patches.push(patch);
    changed = patch.changed.get(segment.to) ?? changed;
  }
  return patches;
}

function patchOf(segment: Segment, shapes: readonly FeatureShape[], changedInput: Region): Patch | undefined {
  const { from, to, nodes } = segment;
  const shapeOf = (node: number): FeatureShape => shapes[node] ?? { steps: 0, height: 0, width: 0, channels: 0 };
  const scales = new Map([[from, 1]]);
  for (const node of nodes) scales.set(node.id, (scales.get(inputsOf(node)[0] ?? from) ?? 1) * windowOf(node).stride);
  const changed = through(segment, changedInput, (node, region) => reached(windowOf(node), region, shapeOf(node.id)), enclosing);
  // The corner must be a cell of every map in the segment.
  const scale = scales.get(to) ?? 1;
  const whole = shapeOf(from);
  let crop = changedInput;
  if (!isEmpty(changedInput)) {
    crop = alignedTo(scale, changedInput, whole);
    const holds = (): boolean => {
      const right = through(segment, crop, (node, region) => filled(windowOf(node), region, shapeOf(inputsOf(node)[0] ?? from), shapeOf(node.id)), common);
      return nodes.every(({ id }) => contains(right.get(id), changed.get(id)));
    };
    while (!holds()) crop = alignedTo(scale, { top: crop.top - scale, left: crop.left - scale, bottom: crop.bottom + scale, right: crop.right + scale }, whole);
  }
  if (areaOf(crop) > mostOfLayer * whole.height * whole.width) return undefined;
  return { segment, crop, scales, changed };
}

/** How a region of a segment's input shows in its nodes. @param join what a node with several inputs makes of theirs */
function through(
  { from, nodes }: Segment,
  region: Region,
  map: (node: GraphNode, region: Region) => Region,
  join: (a: Region, b: Region) => Region,
): Map<number, Region> {
  const regions = new Map([[from, region]]);
  for (const node of nodes) {
    const [first = region, ...others] = inputsOf(node).map((id) => regions.get(id) ?? region);
    regions.set(node.id, map(node, others.reduce(join, first)));
  }
  return regions;
}

interface Window {
  kernel: number;
  stride: number;
  padding: number;
}

/** What an output of a node reads along each side. */
function windowOf(node: GraphNode): Window {
  if (node.op === 'convolution') return node.geometry;
  return node.op === 'maxPool' ? { kernel: node.size, stride: node.size, padding: 0 } : { kernel: 1, stride: 1, padding: 0 };
}

/** The outputs that read anything of a region. */
function reached({ kernel, stride, padding }: Window, { top, left, bottom, right }: Region, { height, width }: FeatureShape): Region {
  const first = (side: number): number => Math.max(0, Math.ceil((side + padding - kernel + 1) / stride));
  const end = (side: number, most: number): number => Math.min(most, Math.floor((side - 1 + padding) / stride) + 1);
  return { top: first(top), left: first(left), bottom: end(bottom, height), right: end(right, width) };
}

/** The outputs that read nothing but a region; beyond the borders of the whole is padding for every one. */
function filled({ kernel, stride, padding }: Window, { top, left, bottom, right }: Region, input: FeatureShape, output: FeatureShape): Region {
  const first = (side: number): number => (side === 0 ? 0 : Math.ceil((side + padding) / stride));
  const end = (side: number, inputSide: number, outputSide: number): number =>
    side === inputSide ? outputSide : Math.floor((side - kernel + padding) / stride) + 1;
  return { top: first(top), left: first(left), bottom: end(bottom, input.height, output.height), right: end(right, input.width, output.width) };
}

function alignedTo(scale: number, { top, left, bottom, right }: Region, { height, width }: FeatureShape): Region {
  return {
    top: Math.max(0, Math.floor(top / scale) * scale),
    left: Math.max(0, Math.floor(left / scale) * scale),
    bottom: Math.min(height, Math.ceil(bottom / scale) * scale),
    right: Math.min(width, Math.ceil(right / scale) * scale),
  };
}

export function isEmpty({ top, left, bottom, right }: Region): boolean {
  return bottom <= top || right <= left;
}

function areaOf(region: Region): number {
  return isEmpty(region) ? 0 : (region.bottom - region.top) * (region.right - region.left);
}

function enclosing(a: Region, b: Region): Region {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return { top: Math.min(a.top, b.top), left: Math.min(a.left, b.left), bottom: Math.max(a.bottom, b.bottom), right: Math.max(a.right, b.right) };
}

function common(a: Region, b: Region): Region {
  return { top: Math.max(a.top, b.top), left: Math.max(a.left, b.left), bottom: Math.min(a.bottom, b.bottom), right: Math.min(a.right, b.right) };
}

function contains(outer: Region | undefined, inner: Region | undefined): boolean {
  if (!outer || !inner) return false;
  return isEmpty(inner) || (outer.top <= inner.top && outer.left <= inner.left && outer.bottom >= inner.bottom && outer.right >= inner.right);
}

/** The bits of a frame: all of them count, and whole numbers are compared faster. */
function bitsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/** Of every eighth pixel of every eighth row those that have changed, and what lies between them. Tells quickly where much has changed. */
function changedSamples(before: Float32Array, now: Float32Array, { steps, height, width, channels }: FeatureShape): Region {
  const [a, b] = [bitsOf(before), bitsOf(now)];
  const region = { top: height, left: width, bottom: 0, right: 0 };
  for (let row = 0; row < steps * height; row += 8) {
    const y = row % height;
    for (let x = 0; x < width; x += 8) {
      const at = (row * width + x) * channels;
      if (a[at] === b[at]) continue;
      region.top = Math.min(region.top, y);
      region.bottom = Math.max(region.bottom, y + 1);
      region.left = Math.min(region.left, x);
      region.right = Math.max(region.right, x + 1);
    }
  }
  return region;
}

/**
 * The smallest rectangle outside of which two frames are equal at every step, bit by bit; undefined where they are everywhere.
 * @param most pixels that are of interest: where the rectangle has more, it may be too small
 */
export function changedRegion(before: Float32Array, now: Float32Array, { steps, height, width, channels }: FeatureShape, most = Infinity): Region | undefined {
  const [a, b] = [bitsOf(before), bitsOf(now)];
  const rowLength = width * channels;
  let region: Region | undefined;
  for (let row = 0; row < steps * height; row++) {
    const start = row * rowLength;
    const end = start + rowLength;
    let first = start;
    while (first < end && a[first] === b[first]) first++;
    if (first === end) continue;
    let last = end - 1;
    while (a[last] === b[last]) last--;
    const y = row % height;
    const left = Math.floor((first - start) / channels);
    const right = Math.floor((last - start) / channels) + 1;
    region = enclosing(region ?? { top: y, left, bottom: y + 1, right }, { top: y, left, bottom: y + 1, right });
    if (areaOf(region) > most) break;
  }
  return region;
}

/** A region of a frame. */
export function cropOf(values: Float32Array, shape: FeatureShape, { top, left, bottom, right }: Region): [values: Float32Array, shape: FeatureShape] {
  const { steps, height, width, channels } = shape;
  const cropped = { steps, height: bottom - top, width: right - left, channels };
  const rowLength = cropped.width * channels;
  const result = new Float32Array(elementCount(cropped));
  let to = 0;
  for (let step = 0; step < steps; step++) {
    for (let y = top; y < bottom; y++) {
      const from = ((step * height + y) * width + left) * channels;
      result.set(values.subarray(from, from + rowLength), to);
      to += rowLength;
    }
  }
  return [result, cropped];
}

/** What is kept is not the caller's to change. */
function copyOf(run: NetworkRun): NetworkRun {
  return {
    ...run,
    scales: run.scales.map(({ mean, perStep, ...scale }) => ({ ...scale, mean: mean.slice(), perStep: perStep?.slice() })),
    firingRates: run.firingRates.map((rates) => rates?.slice()),
  };
}
