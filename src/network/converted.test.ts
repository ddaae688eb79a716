import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { defaultConversion } from '../base/conversionOptions';
import { quietTask, type Task } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { openBackend, type Backend } from '../tensor/backend';
import { calibrate, conversionOfCheckpoint, conversionTensors, LargestValues, type Conversion } from './conversion';
import { ConvertedNetwork, type ConvertedState } from './converted';
import { convolutionCosts } from './graph';
import { Network, trainedNeuron, type NetworkRun } from './network';

const projectFolder = resolve(import.meta.dirname, '../..');

interface Input {
  values: Float32Array;
  shape: { steps: number; height: number; width: number; channels: number };
}

/** A shipped sample as the shipped network sees it: 640 x 480 scaled to 320 x 240, letterboxed with grey. */
async function shippedSample(seed: number): Promise<Input> {
  const data = await sharp(resolve(projectFolder, `public/gallery/smear-${seed}.jpg`))
    .resize(320, 240, { kernel: 'linear' })
    .extend({ top: 40, bottom: 40, background: { r: 114, g: 114, b: 114 } })
    .raw()
    .toBuffer();
  return { values: Float32Array.from(data, (byte) => byte / 255), shape: { steps: 1, height: 320, width: 320, channels: 3 } };
}

const runTwin = (network: Network, { values, shape }: Input): Promise<NetworkRun> =>
  network.run(values, shape, { mode: 'ann', steps: 1, ...trainedNeuron, record: new Set(), logitsPerStep: false }, quietTask);

function largestDifference(state: ConvertedState, twin: NetworkRun): number {
  return Math.max(
    ...state.scales.map(({ mean }, scale) =>
      mean.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (twin.scales[scale]?.mean[index] ?? NaN))), 0),
    ),
  );
}

/** What fires at every step of a pass is added first, so that another division of the steps rounds sums differently: a few spikes may move. */
function expectSameSpikes(actual: ConvertedState, expected: ConvertedState): void {
  expect(actual.spikesPerStep).toHaveLength(expected.spikesPerStep.length);
  actual.spikesPerStep.forEach((spikes, step) => expect(Math.abs(spikes / (expected.spikesPerStep[step] ?? NaN) - 1)).toBeLessThan(0.02));
}

async function openShipped(): Promise<Checkpoint> {
  return openCheckpoint(await openAsBlob(resolve(projectFolder, 'models/bccd/ann.safetensors')), quietTask);
}

describe('the shipped ANN twin, converted', () => {
  let backend: Backend;
  let checkpoint: Checkpoint;
  let twin: Network;
  let samples: Input[];
  let conversion: Conversion;
  beforeAll(async () => {
    backend = await openBackend(nodeBackend('event'));
    checkpoint = await openShipped();
    twin = await Network.load(checkpoint, backend.operations, quietTask);
    samples = await Promise.all([1, 2, 3, 4, 5, 6].map(shippedSample));
    conversion = await calibrate(twin, samples, defaultConversion, quietTask);
  });
  const load = (of: Conversion = conversion): Promise<ConvertedNetwork> => ConvertedNetwork.load(checkpoint, of, backend.operations, quietTask);

  it('comes to the logits of the ANN as T grows', async () => {
    const network = await load();
    for (const sample of samples.slice(0, 2)) {
      const expected = await runTwin(twin, sample);
      const run = network.start(sample.values, sample.shape);
      // Logits lie between -17 and 8; the error of a rate over T steps falls with 1 / T.
      for (const [steps, bound] of [
        [32, 3],
        [128, 0.8],
        [512, 0.2],
      ] as const) {
        const state = await run.advance(steps - run.stepsDone, quietTask);
        expect(state.steps).toBe(steps);
        expect(state.spikesPerStep).toHaveLength(steps);
        expect(largestDifference(state, expected), `after ${steps} steps`).toBeLessThan(bound);
      }
      run.release();
    }
    network.release();
  });

  it('is the same however its steps are taken', async () => {
    const network = await load();
    const [sample] = samples;
    if (!sample) throw new Error('no sample');
    const [once, often] = [network.start(sample.values, sample.shape), network.start(sample.values, sample.shape)];
    const whole = await once.advance(11, quietTask);
    for (const steps of [1, 2, 7]) await often.advance(steps, quietTask);
    const parts = await often.advance(1, quietTask);
    expectSameSpikes(parts, whole);
    parts.meanRates.forEach((rate, layer) => expect(rate).toBeCloseTo(whole.meanRates[layer] ?? NaN, 3));
    once.release();
    often.release();
    network.release();
  });

  it('can be cancelled, goes on from there, and leaves nothing in memory', async () => {
    const before = backend.memory();
    const network = await load();
    const [sample] = samples;
    if (!sample) throw new Error('no sample');
    const run = network.start(sample.values, sample.shape);
    await run.advance(2, quietTask);
    const controller = new AbortController();
    const seen: number[] = [];
    const task: Task = {
      signal: controller.signal,
      report: ({ done, total }) => {
        seen.push(done);
        expect(total).toBe(200);
        if (done >= 64) controller.abort();
      },
    };
    await expect(run.advance(200, task)).rejects.toMatchObject({ code: 'cancelled' });
    const passed = seen.at(-1) ?? 0;
    expect(passed).toBeGreaterThanOrEqual(64);
    expect(passed).toBeLessThan(100);
    expect(run.stepsDone).toBe(2 + passed);
    const after = await run.advance(4, quietTask);
    const other = network.start(sample.values, sample.shape);
    expectSameSpikes(after, await other.advance(6 + passed, quietTask));
    run.release();
    other.release();
    network.release();
    // Scratch of the kernels may have grown once.
    expect(backend.memory().tensors).toBe(before.tensors);
  });

  it('fires fewer spikes with one threshold for a whole layer, and keeps up in fewer steps with bursts', async () => {
    const [sample] = samples;
    if (!sample) throw new Error('no sample');
    const expected = await runTwin(twin, sample);
    const after = async (options: Partial<typeof defaultConversion>, steps: number): Promise<{ difference: number; rate: number }> => {
      const network = await load(await calibrate(twin, [sample], { ...defaultConversion, ...options }, quietTask));
      const run = network.start(sample.values, sample.shape);
      const state = await run.advance(steps, quietTask);
      run.release();
      network.release();
      return { difference: largestDifference(state, expected), rate: state.meanRates.reduce((sum, rate) => sum + rate, 0) / state.meanRates.length };
    };
    const channelwise = await after({}, 16);
    expect((await after({ normalisation: 'layer' }, 16)).rate).toBeLessThan(channelwise.rate);
    // Low thresholds make sense only where a neuron may fire more than once a step.
    const low = { percentile: 90 };
    expect((await after(low, 16)).difference).toBeLessThan((await after({ ...low, maximumSpikes: 1 }, 16)).difference / 2);
  });

  it('is written into a checkpoint and read from it', async () => {
    const tensors = new Map(checkpoint.tensors);
    const written = conversionTensors(twin.graph, conversion);
    for (const { name, shape } of written) tensors.set(name, { name, shape, storedAs: 'float32' });
    const withConversion: Checkpoint = {
      ...checkpoint,
      tensors,
      read: (name, task) => {
        const own = written.find((tensor) => tensor.name === name);
        return own ? Promise.resolve(own.data) : checkpoint.read(name, task);
      },
    };
    expect(await conversionOfCheckpoint(checkpoint, quietTask)).toBeUndefined();
    const read = await conversionOfCheckpoint(withConversion, quietTask);
    expect(read).toMatchObject({ normalisation: 'channel', maximumSpikes: 5 });
    expect([...(read?.thresholds ?? [])]).toEqual([...conversion.thresholds]);

    for (const [broken, code] of [
      [Float32Array.of(-1), 'checkpoint/misshapen-tensor'],
      [new Float32Array(conversion.thresholds.get(twin.graph.layers[0]?.node ?? 0)?.length ?? 0), 'checkpoint/malformed'],
    ] as const) {
      const damaged: Checkpoint = { ...withConversion, read: (name, task) => (name === 'conversion.thresholds.0' ? Promise.resolve(broken) : withConversion.read(name, task)) };
      await expect(conversionOfCheckpoint(damaged, quietTask)).rejects.toMatchObject({ code });
    }
  });

  it('refuses what makes no sense', async () => {
    for (const options of [{ percentile: 0 }, { percentile: 101 }, { maximumSpikes: 0 }, { maximumSpikes: 1.5 }]) {
      await expect(calibrate(twin, samples, { ...defaultConversion, ...options }, quietTask)).rejects.toMatchObject({ code: 'network/invalid-settings' });
    }
    await expect(calibrate(twin, [], defaultConversion, quietTask)).rejects.toMatchObject({ code: 'network/invalid-settings' });
    const network = await load();
    expect(() => network.start(new Float32Array(3), { steps: 1, height: 1, width: 1, channels: 3 })).toThrow(expect.objectContaining({ code: 'network/invalid-settings' }));
    network.release();
  });
});

describe('a network with SiLU neurons and concatenation before pooling, converted', () => {
  const golden = goldenCases().find(({ name }) => name === 'resnet34-cat-64');
  const side = 64;
  const picture: Input = {
    values: Float32Array.from({ length: side * side * 3 }, (_, index) => Math.abs(Math.sin(index * 1.7))),
    shape: { steps: 1, height: side, width: side, channels: 3 },
  };

  it.each(['event', 'wasm', 'reference'] as const)('comes to the logits of its ANN on %s', async (preference) => {
    if (!golden) throw new Error('The golden case of the repository is missing.');
    const backend = await openBackend(nodeBackend(preference));
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(golden.folder, 'checkpoint.pt')), quietTask);
    const twin = await Network.load(checkpoint, backend.operations, quietTask);
    const conversion = await calibrate(twin, [picture], { ...defaultConversion, percentile: 100 }, quietTask);
    const network = await ConvertedNetwork.load(checkpoint, conversion, backend.operations, quietTask);
    const expected = await runTwin(twin, picture);
    const run = network.start(picture.values, picture.shape);
    const few = largestDifference(await run.advance(8, quietTask), expected);
    const many = largestDifference(await run.advance(184, quietTask), expected);
    expect(many).toBeLessThan(few / 4);
    // Its weights are random, and its logits lie between -800 and 800.
    const largest = Math.max(...expected.scales.flatMap(({ mean }) => Array.from(mean, Math.abs)));
    expect(many).toBeLessThan(largest / 16);
    run.release();
    network.release();
    twin.release();
    // Every neuron spikes now: only the encoder and the convolutions of `Conv` rows read membranes.
    const reads = convolutionCosts(twin.graph, side, side, 'converted').filter(({ spikesFrom }) => spikesFrom === undefined);
    expect(reads.map(({ label }) => label)).toEqual(['encoder', 'convolution', 'convolution']);
  });
});

describe('the largest values', () => {
  it('give the percentile of all positive ones by nearest rank, for each channel and for the layer', () => {
    const cases = fc.record({
      calls: fc.array(fc.array(fc.tuple(fc.integer({ min: -20, max: 300 }), fc.integer({ min: -300, max: 20 })), { minLength: 40, maxLength: 400 }), { minLength: 1, maxLength: 4 }),
      percentile: fc.constantFrom(50, 90, 99, 99.9, 100),
    });
    fc.assert(
      fc.property(cases, ({ calls, percentile }) => {
        const largest = new LargestValues(2, percentile);
        const places = calls.reduce((sum, call) => sum + call.length, 0);
        for (const call of calls) largest.add(Float32Array.from(call.flat()), places);
        const rank = (values: readonly number[]): number | undefined => {
          const positive = values.filter((value) => value > 0).sort((a, b) => a - b);
          return positive[Math.max(Math.ceil((percentile / 100) * positive.length), 1) - 1];
        };
        const all = calls.flat();
        const ofLayer = rank(all.flat()) ?? 1;
        expect([...largest.thresholds('layer')]).toEqual([ofLayer, ofLayer]);
        expect([...largest.thresholds('channel')]).toEqual([0, 1].map((channel) => rank(all.map((pair) => pair[channel] ?? 0)) ?? ofLayer));
      }),
      { numRuns: 200 },
    );
  });
});
