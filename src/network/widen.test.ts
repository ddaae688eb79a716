import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { openBackend } from '../tensor/backend';
import { Network, trainedNeuron, type NetworkRun } from './network';
import { widenedTwice } from './widen';

describe('a network with every channel twice', () => {
  it.each(goldenCases().filter(({ half, name }) => !half && /^(res|steps)/.test(name)))('fires and answers as $name does', async ({ folder, steps, height, width }) => {
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
    const { operations } = await openBackend(nodeBackend('event'));
    const picture = Float32Array.from({ length: height * width * 3 }, (_, index) => (index * 7919) % 256 / 255);
    const run = async (source: Checkpoint): Promise<NetworkRun> => {
      const network = await Network.load(source, operations, quietTask);
      const settings = { mode: 'snn', steps, ...trainedNeuron, record: new Set<number>(), logitsPerStep: false } as const;
      return network.run(picture, { steps: 1, height, width, channels: 3 }, settings, quietTask);
    };
    const [narrow, wide] = [await run(checkpoint), await run(widenedTwice(checkpoint))];
    narrow.scales.forEach(({ mean }, scale) => {
      const other = wide.scales[scale]?.mean ?? new Float32Array();
      expect(other).toHaveLength(mean.length);
      mean.forEach((value, index) => expect(Math.abs(value - (other[index] ?? NaN))).toBeLessThan(2e-3));
    });
    narrow.firingRates.forEach((rates, layer) => rates?.forEach((rate, step) => expect(wide.firingRates[layer]?.[step]).toBeCloseTo(rate, 2)));
  });
});
