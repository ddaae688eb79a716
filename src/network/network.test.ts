import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import { openBackend } from '../tensor/backend';
import { Network, trainedNeuron, type CarriedMembranes, type NetworkRun } from './network';

const folder = goldenCases().find(({ name }) => name === 'resnet34-cat-64')?.folder;
const side = 32;
const area = side * side * 3;

/** Five slices that differ. */
const slices = Float32Array.from({ length: 5 * area }, (_, index) => Math.abs(Math.sin(index * 1.7 + Math.floor(index / area))));

describe.each(['reference', 'wasm', 'event'] as const)('membranes carried from one run to the next, on %s', (preference) => {
  it('make two runs one', async () => {
    if (folder === undefined) throw new Error('The golden case of the repository is missing.');
    const backend = await openBackend(nodeBackend(preference));
    const network = await Network.load(await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask), backend.operations, quietTask);
    const record = new Set(network.graph.layers.map(({ index }) => index));
    const run = (first: number, steps: number, from: CarriedMembranes | undefined): Promise<NetworkRun> =>
      network.run(
        slices.slice(first * area, (first + steps) * area),
        { steps, height: side, width: side, channels: 3 },
        { mode: 'snn', steps, ...trainedNeuron, record, logitsPerStep: false, carry: { from } },
        quietTask,
      );
    const whole = await run(0, 5, undefined);
    const first = await run(0, 2, undefined);
    const second = await run(2, 3, first.carried);

    whole.recorded.forEach((layer, index) => {
      const parts = [first, second].map(({ recorded }) => recorded[index]);
      const emitted = parts.flatMap((part) => [...(part?.emitted ?? [])]);
      if (layer.emits === 'spikes') expect(emitted).toEqual([...layer.emitted]);
      else emitted.forEach((value, at) => expect(Math.abs(value - (layer.emitted[at] ?? NaN))).toBeLessThan(1e-5));
    });
    const before = backend.memory().tensors;
    for (const { carried } of [whole, first, second]) if (carried) network.releaseCarried(carried);
    if (preference !== 'reference') expect(backend.memory().tensors).toBeLessThan(before);
    network.release();
    if (preference === 'wasm') expect(backend.memory().tensors).toBe(0);
  });
});
