import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import { letterbox, placeInto } from '../detect/letterbox';
import { drawSmear } from '../input/frames/smear';
import { Network, trainedNeuron, type NetworkRun } from '../network/network';
import { openBackend } from '../tensor/backend';
import type { StartHelper } from '../tensor/event/team';
import { nodeSurroundings } from './surroundings';
import { nodeThreads } from './threads';

const size = 256;
const networks: Network[] = [];
afterAll(() => networks.forEach((network) => network.release()));

async function onThreads(threads: number, startHelper?: StartHelper): Promise<{ label: string; network: Network }> {
  const eventThreads = { ...nodeThreads(threads), ...(startHelper && { startHelper }) };
  const { choice, operations } = await openBackend({ ...nodeBackend('event'), eventThreads });
  const checkpoint = await openCheckpoint(await nodeSurroundings.readModelFile('bccd/snn.safetensors', quietTask), quietTask);
  const network = await Network.load(checkpoint, operations, quietTask);
  networks.push(network);
  return { label: choice.label, network };
}

/** One picture for all steps, or one for each. */
function input(steps: number): Float32Array {
  const pictures = Array.from({ length: steps }, (_, index) => {
    const picture = drawSmear(index + 1);
    return letterbox(picture, placeInto(picture, { width: size, height: size }));
  });
  return Float32Array.from(pictures.flatMap((picture) => Array.from(picture)));
}

it('computes the same bits on any number of threads', async () => {
  const one = await onThreads(1);
  const several = [await onThreads(2), await onThreads(3)];
  expect(one.label).not.toContain('threads');
  expect(several.map(({ label }) => /\d threads/.exec(label)?.[0])).toEqual(['2 threads', '3 threads']);
  for (const [mode, steps, slices] of [['snn', 4, 1], ['snn', 3, 3], ['snn', 1, 1], ['ann', 1, 1]] as const) {
    const values = input(slices);
    const record = new Set(one.network.graph.layers.map(({ index }) => index));
    const run = ({ network }: { network: Network }): Promise<NetworkRun> =>
      network.run(values, { steps: slices, height: size, width: size, channels: 3 }, { mode, steps, ...trainedNeuron, record, logitsPerStep: true }, quietTask);
    const expected = await run(one);
    for (const other of several) {
      const found = await run(other);
      expect(found.firingRates).toEqual(expected.firingRates);
      found.scales.forEach(({ mean, perStep }, scale) => {
        expect(sameBits(mean, expected.scales[scale]?.mean)).toBe(true);
        expect(sameBits(perStep, expected.scales[scale]?.perStep)).toBe(true);
      });
      found.recorded.forEach(({ membrane, emitted }, layer) => {
        expect(sameBits(membrane, expected.recorded[layer]?.membrane)).toBe(true);
        expect(sameBits(emitted, expected.recorded[layer]?.emitted)).toBe(true);
      });
      expect(found.recorded).toHaveLength(expected.recorded.length);
    }
    // Runs that watch nothing take other kernels: neurons are fused with the convolutions before them.
    const fused = await Promise.all([one, ...several].map(({ network }) =>
      network.run(values, { steps: slices, height: size, width: size, channels: 3 }, { mode, steps, ...trainedNeuron, record: new Set(), logitsPerStep: true }, quietTask),
    ));
    for (const { scales } of fused) scales.forEach(({ mean }, scale) => expect(sameBits(mean, expected.scales[scale]?.mean)).toBe(true));
  }
});

it('computes the same bits after its helpers were killed between two frames', async () => {
  const one = await onThreads(1);
  const workers: Worker[] = [];
  const startHelper: StartHelper = async (setup) => {
    const worker = new Worker(new URL('helperThread.mjs', import.meta.url), { workerData: setup });
    workers.push(worker);
    await once(worker, 'message');
  };
  const three = await onThreads(3, startHelper);
  const values = input(1);
  const run = ({ network }: { network: Network }): Promise<NetworkRun> =>
    network.run(values, { steps: 1, height: size, width: size, channels: 3 }, { mode: 'snn', steps: 4, ...trainedNeuron, record: new Set(), logitsPerStep: false }, quietTask);
  const expected = await run(one);
  for (const alive of [true, false]) {
    if (!alive) await Promise.all(workers.map((worker) => worker.terminate()));
    (await run(three)).scales.forEach(({ mean }, scale) => expect(sameBits(mean, expected.scales[scale]?.mean)).toBe(true));
  }
  expect(workers).toHaveLength(2);
});

it('goes on alone where a helper cannot be started', async () => {
  const failing = { ...nodeThreads(2), startHelper: () => Promise.reject(new Error('no more threads')) };
  const { choice } = await openBackend({ ...nodeBackend('event'), eventThreads: failing });
  expect(choice.label).toBe('CPU (event-driven WASM SIMD)');
});

function sameBits(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}
