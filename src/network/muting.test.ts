import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import type { Muted } from '../base/muted';
import { resetModes } from '../base/neuron';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import { openBackend, type Backend } from '../tensor/backend';
import { mutingOf } from './muting';
import { Network, trainedNeuron, type NetworkRun } from './network';

const side = 64;
const picture = Float32Array.from({ length: side * side * 3 }, (_, index) => Math.abs(Math.sin(index * 1.7)));
const names = ['res10-ee-64', 'resnet34-cat-64'] as const;

interface Loaded {
  network: Network;
  run: (muted: readonly Muted[], settings?: Partial<Parameters<Network['run']>[2]>) => Promise<NetworkRun>;
}

async function load(name: (typeof names)[number], backend: Backend): Promise<Loaded> {
  const folder = goldenCases().find((golden) => golden.name === name)?.folder;
  if (folder === undefined) throw new Error('The golden case of the repository is missing.');
  const network = await Network.load(await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask), backend.operations, quietTask);
  const record = new Set(network.graph.layers.map(({ index }) => index));
  return {
    network,
    run: (muted, settings) =>
      network.run(picture, { steps: 1, height: side, width: side, channels: 3 }, { mode: 'snn', steps: 3, ...trainedNeuron, record, logitsPerStep: true, muted, ...settings }, quietTask),
  };
}

const difference = (a: Float32Array | undefined, b: Float32Array | undefined): number =>
  (a ?? new Float32Array()).reduce((most, value, index) => Math.max(most, Math.abs(value - (b?.[index] ?? NaN))), 0);

describe.each(['wasm', 'event'] as const)('silencing on %s', (name) => {
  let backend: Backend;
  let reference: Backend;
  beforeAll(async () => {
    backend = await openBackend(nodeBackend(name));
    reference = await openBackend(nodeBackend('reference'));
  });

  it.each(names)('is the same as on the reference, with both resets: %s', async (golden) => {
    const tested = await load(golden, backend);
    const plain = await load(golden, reference);
    const row = tested.network.graph.blocks[2]?.row ?? 0;
    const muted: Muted[] = [{ kind: 'channel', layer: 3, channel: 1 }, { kind: 'neuron', layer: 4, x: 3, y: 2, channel: 5 }, { kind: 'block', row }];
    for (const reset of resetModes) {
      const [found, expected] = [await tested.run(muted, { reset }), await plain.run(muted, { reset })];
      expected.scales.forEach(({ perStep }, scale) => expect(difference(perStep, found.scales[scale]?.perStep)).toBeLessThan(1e-3));
      expect(found.firingRates.flat().map((rate) => rate?.toFixed(6))).toEqual(expected.firingRates.flat().map((rate) => rate?.toFixed(6)));
    }
    const before = backend.memory().tensors;
    await tested.run(muted);
    expect(backend.memory().tensors).toBe(before);
    tested.network.release();
  });
});

describe('silencing', () => {
  let loaded: Loaded;
  beforeAll(async () => {
    loaded = await load('res10-ee-64', await openBackend(nodeBackend('event')));
  });

  it('takes a channel’s spikes and no others of its layer, and what comes before stays', async () => {
    const before = await loaded.run([]);
    const { emitted = new Float32Array(), shape } = before.recorded[4] ?? {};
    const channels = shape?.channels ?? 0;
    const spikes = Array.from({ length: channels }, (_, channel) => emitted.reduce((sum, spike, at) => sum + (at % channels === channel ? spike : 0), 0));
    const busiest = spikes.indexOf(Math.max(...spikes));
    const after = await loaded.run([{ kind: 'channel', layer: 4, channel: busiest }]);
    const { node } = loaded.network.graph.layers[4] ?? {};
    before.recorded.forEach((layer, index) => {
      const now = after.recorded[index]?.emitted ?? new Float32Array();
      if ((loaded.network.graph.layers[layer.index]?.node ?? 0) < (node ?? 0)) expect(now).toEqual(layer.emitted);
      if (layer.index === 4) expect(now).toEqual(layer.emitted.map((spike, at) => (at % channels === busiest ? 0 : spike)));
    });
    expect(difference(before.scales[0]?.mean, after.scales[0]?.mean) + difference(before.scales[1]?.mean, after.scales[1]?.mean)).toBeGreaterThan(0);
  });

  it('leaves alone what a block does not lead to', async () => {
    const before = await loaded.run([]);
    const { graph } = loaded.network;
    // The rows that feed only one of the two scales come last.
    const [fine, coarse] = graph.scales.map(({ node }) => node);
    const feeds = (scale: number | undefined, row: number): boolean => {
      const seen = new Set<number>();
      const visit = (id: number): boolean => {
        if (seen.has(id)) return false;
        seen.add(id);
        const each = graph.nodes[id];
        if (!each || each.op === 'input') return false;
        return (each.row === row && each.op === 'add') || ('inputs' in each ? each.inputs : [each.input]).some(visit);
      };
      return scale !== undefined && visit(scale);
    };
    const rows = graph.blocks.map(({ row }) => row).filter((row) => feeds(fine, row) !== feeds(coarse, row));
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      const after = await loaded.run([{ kind: 'block', row }]);
      [fine, coarse].forEach((scale, index) => {
        const change = difference(before.scales[index]?.mean, after.scales[index]?.mean);
        if (feeds(scale, row)) expect(change).toBeGreaterThan(0);
        else expect(change).toBe(0);
      });
    }
  });

  it('passes over what the network does not have', () => {
    const { graph } = loaded.network;
    const muted: Muted[] = [{ kind: 'channel', layer: 999, channel: 0 }, { kind: 'neuron', layer: 0, x: 9999, y: 0, channel: 0 }, { kind: 'block', row: 999 }];
    const { audible, silent } = mutingOf(graph, muted, { height: 64, width: 64 });
    expect(silent.size).toBe(0);
    for (const mask of audible.values()) expect(mask.every((each) => each === 1)).toBe(true);
  });
});
