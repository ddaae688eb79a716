import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import type { Muted } from '../base/muted';
import { quietTask } from '../base/progress';
import { reachOf } from '../base/reach';
import { openCheckpoint } from '../checkpoint/open';
import { openBackend } from '../tensor/backend';
import { ReferenceOperations } from '../tensor/reference';
import type { NetworkGraph } from './graph';
import { nodeShapes } from './graph';
import { Network, trainedNeuron, type NetworkRun } from './network';
import { exactField, reachBackFrom, type RecordedRun } from './receptive';

const side = 64;
const steps = 3;
const settings = { mode: 'snn', steps, ...trainedNeuron, logitsPerStep: false } as const;
const shape = { steps: 1, height: side, width: side, channels: 3 };
const picture = Float32Array.from({ length: side * side * 3 }, (_, index) => Math.abs(Math.sin(index * 1.7 + Math.floor(index / 500))));

/** A run whose neuron layers are recorded; what lies between them is computed again from what they emitted. */
function recordedOf(graph: NetworkGraph, run: NetworkRun, values: Map<number, Float32Array>): RecordedRun {
  const shapes = nodeShapes(graph, side, side);
  const neurons = new Map(run.recorded.map((layer) => [graph.layers[layer.index]?.node, layer]));
  return {
    shapeOf: (node) => {
      const recorded = neurons.get(node)?.shape;
      const own = shapes[node];
      if (!own) throw new RangeError(`no node ${node}`);
      return recorded ?? { ...own, steps: (values.get(node)?.length ?? 0) / (own.height * own.width * own.channels) || 1 };
    },
    valuesOf: (node) => Promise.resolve(values.get(node) ?? neurons.get(node)?.emitted ?? new Float32Array()),
  };
}

/** The network once more on the reference, keeping every value. */
class Keeping extends ReferenceOperations {
  readonly kept: Float32Array[] = [];
  override input(...given: Parameters<ReferenceOperations['input']>) {
    return this.keep(super.input(...given));
  }
  override denseConvolution(...given: Parameters<ReferenceOperations['denseConvolution']>) {
    return this.keep(super.denseConvolution(...given));
  }
  override spikingConvolution(...given: Parameters<ReferenceOperations['spikingConvolution']>) {
    return this.keep(super.spikingConvolution(...given));
  }
  override leakyIntegrateAndFire(...given: Parameters<ReferenceOperations['leakyIntegrateAndFire']>) {
    const fired = super.leakyIntegrateAndFire(...given);
    this.keep(fired.spikes);
    return fired;
  }
  override maxPool(...given: Parameters<ReferenceOperations['maxPool']>) {
    return this.keep(super.maxPool(...given));
  }
  override upsample(...given: Parameters<ReferenceOperations['upsample']>) {
    return this.keep(super.upsample(...given));
  }
  override concatenate(...given: Parameters<ReferenceOperations['concatenate']>) {
    return this.keep(super.concatenate(...given));
  }
  override add(...given: Parameters<ReferenceOperations['add']>) {
    return this.keep(super.add(...given));
  }
  private keep<V extends object>(value: V): V {
    this.kept.push((value as unknown as { data: Float32Array }).data);
    return value;
  }
}

describe('receptive fields', () => {
  let network: Network;
  let run: NetworkRun;
  let recorded: RecordedRun;
  const runWith = (muted: readonly Muted[], values = picture): Promise<NetworkRun> =>
    network.run(values, shape, { ...settings, muted, record: new Set(network.graph.layers.map(({ index }) => index)) }, quietTask);

  beforeAll(async () => {
    const folder = goldenCases().find(({ name }) => name === 'res10-ee-64')?.folder ?? '';
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
    network = await Network.load(checkpoint, (await openBackend(nodeBackend('event'))).operations, quietTask);
    run = await runWith([]);
    const keeping = new Keeping();
    const slow = await Network.load(checkpoint, keeping, quietTask);
    await slow.run(picture, shape, { ...settings, record: new Set() }, quietTask);
    const nodes = network.graph.nodes.filter(({ id }) => network.graph.scales.every(({ node }) => node !== id));
    const values = new Map(nodes.map(({ id }, index) => [id, keeping.kept[index] ?? new Float32Array()]));
    recorded = recordedOf(network.graph, run, values);
  });

  it('by strides and kernels of two convolutions are those worked by hand', () => {
    const { graph } = network;
    // The stem: kernel 3, stride 2, padding 1. Cell i reads pixels 2i - 1 to 2i + 1.
    const stem = graph.nodes.find(({ op }) => op === 'convolution')?.id ?? 0;
    expect(reachBackFrom(graph, stem).get(0)).toEqual({ scale: 2, first: -1, last: 1 });
    expect(reachOf({ scale: 2, first: -1, last: 1 }, { x: 0, y: 3 }, { width: 64, height: 6 })).toEqual({ left: 0, top: 5, right: 1, bottom: 5 });
    // A branch of stride 2 behind it: 2 (2i + k - 1) - 1 for k = 0 up to 2 (2i + k - 1) + 1 for k = 2.
    const second = graph.nodes.find((node) => node.op === 'convolution' && node.label === 'branch 1')?.id ?? 0;
    expect(reachBackFrom(graph, second).get(0)).toEqual({ scale: 4, first: -3, last: 3 });
  });

  it('leads back to whole cells through upsampling', () => {
    const { graph } = network;
    const upsample = graph.nodes.find(({ op }) => op === 'upsample');
    const reach = upsample && 'input' in upsample ? reachBackFrom(graph, upsample.id).get(upsample.input) : undefined;
    if (!reach) throw new Error('The network of this case upsamples.');
    const map = { width: 8, height: 8 };
    for (let x = 0; x < 16; x++) expect(reachOf(reach, { x, y: 0 }, map)).toMatchObject({ left: x >> 1, right: x >> 1 });
  });

  it('by recorded spikes hold all spikes that a membrane comes from, and nothing beyond the kernels', async () => {
    const { graph } = network;
    const layer = 6;
    const below = 4;
    const { node = 0 } = graph.layers[layer] ?? {};
    const target = run.recorded[layer];
    if (!target) throw new Error('no layer');
    const at = target.membrane.length - 5;
    const active = new Uint8Array(target.emitted.length);
    active[at] = 1;
    const field = await exactField(graph, recorded, { decay: trainedNeuron.decay, reset: 'hard' }, { node, active }, quietTask);
    const marks = field.neurons.get(graph.layers[below]?.node ?? 0) ?? new Uint8Array();
    const source = run.recorded[below];
    if (!source) throw new Error('no layer');
    const { width, channels } = source.shape;
    const neurons = marks.length / steps;
    const muted = (wanted: (neuron: number) => boolean): Muted[] =>
      Array.from({ length: neurons }, (_, neuron) => neuron)
        .filter(wanted)
        .map((neuron) => ({ kind: 'neuron', layer: below, channel: neuron % channels, x: Math.floor(neuron / channels) % width, y: Math.floor(neuron / channels / width) }));
    const leads = (neuron: number): boolean => Array.from({ length: steps }, (_, step) => marks[step * neurons + neuron]).includes(1);
    const fired = (neuron: number): boolean => Array.from({ length: steps }, (_, step) => source.emitted[step * neurons + neuron]).includes(1);
    // Every mark is a spike, and spikes that are not marked may be taken away: the membrane stays the same to the last bit.
    expect(marks.every((mark, index) => mark === 0 || source.emitted[index] === 1)).toBe(true);
    const others = muted((neuron) => fired(neuron) && !leads(neuron));
    expect(others.length).toBeGreaterThan(50);
    expect((await runWith(others)).recorded[layer]?.membrane[at]).toBe(target.membrane[at]);
    const marked = muted(leads);
    expect(marked.length).toBeGreaterThan(0);
    expect((await runWith(marked)).recorded[layer]?.membrane[at]).not.toBe(target.membrane[at]);

    const range = reachOf(
      reachBackFrom(graph, node).get(0) ?? { scale: 1, first: 0, last: 0 },
      { x: Math.floor((at % (active.length / steps)) / target.shape.channels) % target.shape.width, y: Math.floor((at % (active.length / steps)) / target.shape.channels / target.shape.width) },
      { width: side, height: side },
    );
    field.input.forEach((mark, place) => {
      if (mark === 0 || !range) return;
      expect(place % side).toBeGreaterThanOrEqual(range.left);
      expect(place % side).toBeLessThanOrEqual(range.right);
      expect(Math.floor(place / side)).toBeGreaterThanOrEqual(range.top);
      expect(Math.floor(place / side)).toBeLessThanOrEqual(range.bottom);
    });
  });
});
