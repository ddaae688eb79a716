import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quietTask, type Task } from '../../base/progress';
import { WorkerClient } from '../../base/workerClient';
import type { FromTellingWorker, FromWorker, ToWorker, WorkerLike } from '../../base/workerMessages';
import { nodeBackend } from '../../../e2e/kernels';
import { benchFileSchema, type BenchAnswers, type BenchEvent, type BenchRequests, type BenchSetup } from '../benchProtocol';
import { BenchMessages } from './benchMessages';
import { ContestantMessages } from './contestantMessages';
import { factorForRate } from './costs';
import { interleaved, race, spreadOf, type Contestant } from './race';

/** A worker whose other end runs here. */
class PairedWorker implements WorkerLike {
  terminated = false;
  private readonly listeners: ((event: { data: unknown }) => void)[] = [];
  private readonly receiver: { receive(data: unknown): void };

  constructor(open: (post: (message: FromTellingWorker | FromWorker) => void) => { receive(data: unknown): void }) {
    this.receiver = open((data) => {
      queueMicrotask(() => {
        if (!this.terminated) for (const listener of this.listeners) listener({ data });
      });
    });
  }
  postMessage(message: ToWorker): void {
    queueMicrotask(() => {
      if (!this.terminated) this.receiver.receive(message);
    });
  }
  terminate(): void {
    this.terminated = true;
  }
  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    if (type === 'message') this.listeners.push(listener);
  }
}

const readModelFile = (path: string): Promise<Blob> => openAsBlob(resolve(import.meta.dirname, '../../../models', path));

function setUp() {
  const workers: PairedWorker[] = [];
  const events: BenchEvent[] = [];
  const programs = nodeBackend('event');
  const client = new WorkerClient<BenchRequests, BenchAnswers, BenchEvent>(
    () =>
      new PairedWorker(
        (post) =>
          new BenchMessages(
            {
              readModelFile,
              decodePicture: () => Promise.reject(new Error('No picture is given.')),
              startContestant: () => {
                const worker = new PairedWorker((answer) => new ContestantMessages({ programs, openOnnxRuntime: () => import('onnxruntime-web') }, answer));
                workers.push(worker);
                return worker;
              },
            },
            post,
          ),
      ),
    { stopped: 'The benchmark stopped', remedy: 'Try again.' },
    (event) => events.push(event),
  );
  return { client, workers, events };
}

const source = { kind: 'shipped', name: 'bccd' } as const;
const setup: BenchSetup = {
  networks: [
    { network: 'ann', source },
    { network: 'snn', source },
  ],
  twiceAsWide: false,
  picture: 'smear',
  side: 64,
  steps: 2,
};

describe('a benchmark of the page', () => {
  it('has every contestant run both networks, compares them, and leaves out who cannot run', async () => {
    const { client, workers, events } = setUp();
    const labels = new Set<string>();
    const { rows, leftOut } = await client.request(
      'race',
      { setup, contestants: ['this event', 'this webgpu', 'onnxruntime-web wasm'], counts: { warmUpRuns: 1, timedRuns: 2 } },
      { ...quietTask, report: ({ label }) => labels.add(label) },
    );
    expect(rows.map(({ network, engine, backend, runs }) => `${network} ${engine} ${backend} ${runs}`)).toEqual([
      'snn this event 2',
      'snn onnxruntime-web wasm 2',
      'ann this event 2',
      'ann onnxruntime-web wasm 2',
    ]);
    expect(rows.every(({ model, width, height, steps }) => model === 'bccd' && width === 64 && height === 64 && steps === 2)).toBe(true);
    for (const { medianMs, minMs, maxMs, maxOutputDifference } of rows) {
      expect(minMs).toBeGreaterThan(0);
      expect(medianMs).toBeGreaterThanOrEqual(minMs);
      expect(maxMs).toBeGreaterThanOrEqual(medianMs);
      expect(maxOutputDifference).toBeLessThan(1e-3);
    }
    expect(rows[0]?.firingRate).toBeGreaterThan(0.01);
    expect(rows[2]?.firingRate).toBeNull();
    expect(leftOut).toEqual([{ contestant: 'this webgpu', reason: expect.stringContaining('there is no WebGPU here') as string }]);
    // Compared first, then one report for each timed round.
    expect(events.map(({ rows: sofar }) => sofar.map(({ runs }) => runs))).toEqual([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]]);
    expect([...labels]).toEqual(expect.arrayContaining(['Starting this event', 'Comparing what they compute', 'Measuring']));
    expect(workers.every(({ terminated }) => terminated)).toBe(true);
  });

  it('stops at once, with what it has been told', async () => {
    const { client, workers, events } = setUp();
    const controller = new AbortController();
    const task: Task = {
      signal: controller.signal,
      report: ({ label, done }) => {
        if (label === 'Measuring' && done >= 4) controller.abort();
      },
    };
    const request = client.request('race', { setup, contestants: ['this event'], counts: { warmUpRuns: 0, timedRuns: 1000 } }, task);
    await expect(request).rejects.toMatchObject({ code: 'cancelled' });
    expect(events.at(-1)?.rows[0]?.runs).toBeGreaterThan(0);
    expect(workers.map(({ terminated }) => terminated)).toEqual([true]);
  });

  it('says so when nobody can run', async () => {
    const { client } = setUp();
    const request = client.request('race', { setup, contestants: ['this webgpu'], counts: { warmUpRuns: 0, timedRuns: 1 } });
    await expect(request).rejects.toMatchObject({ code: 'backend/unavailable', message: expect.stringContaining('no WebGPU') as string });
  });

  it('measures what an engine’s time depends on, layer by layer, and its file reads back', async () => {
    const { client } = setUp();
    const sweep = { factors: [1, 2], atTenth: true, stepCounts: [1, 2], sideShares: [0.5, 1] };
    const detail = await client.request('costs', { setup: { ...setup, networks: setup.networks.slice(1) }, backend: 'event', sweep, counts: { warmUpRuns: 1, timedRuns: 3 } });
    const { rates, layers, steps, sizes, stepsFit } = detail.costs;
    expect(rates).toHaveLength(3);
    expect(rates.map(({ threshold }) => threshold).slice(0, 2)).toEqual([0.5, 1]);
    const [usual, , tenth] = rates;
    expect((tenth?.firingRate ?? NaN) / (usual?.firingRate ?? NaN)).toBeGreaterThan(0.05);
    expect((tenth?.firingRate ?? NaN) / (usual?.firingRate ?? NaN)).toBeLessThanOrEqual(0.1);
    expect(usual?.spikingLayers?.runs).toBe(3);
    expect(steps.map(({ steps: count, run }) => `${count}: ${run.runs}`)).toEqual(['1: 3', '2: 3']);
    expect(sizes.map(({ width }) => width)).toEqual([32, 64]);
    // Through two points the line goes exactly.
    expect((stepsFit?.intercept ?? NaN) + 2 * (stepsFit?.slope ?? NaN)).toBeCloseTo(steps[1]?.run.medianMs ?? NaN);
    expect(layers.filter(({ reads }) => reads === 'spikes').length).toBeGreaterThan(5);
    expect(layers.every(({ atThreshold }) => atThreshold.length === 3)).toBe(true);
    expect(detail.memory.peakBytes).toBeLessThan(1.5 * (detail.memory.weightBytes + detail.memory.twoLargestLayersBytes));
    const file = { machine: { cores: 2, browser: 'a test' }, rows: [], details: [detail] };
    expect(benchFileSchema.parse(JSON.parse(JSON.stringify(file)))).toEqual(file);
  });

  it('runs a file that somebody dropped at the size that is assumed for it', async () => {
    const { client } = setUp();
    const blob = await readModelFile('bccd/snn.safetensors');
    const own = { ...setup, side: undefined, networks: [{ network: 'snn' as const, source: { kind: 'file' as const, name: 'mine.safetensors', blob } }] };
    const { rows } = await client.request('race', { setup: own, contestants: ['this event'], counts: { warmUpRuns: 0, timedRuns: 1 } });
    expect(rows.map(({ model, width }) => `${model} ${width}`)).toEqual(['mine.safetensors 256']);
  });
});

describe('interleaving', () => {
  it('gives every case its turn in every round, and spares those that have spent their time', async () => {
    const turns: string[] = [];
    const turn = (name: string, ms: number) => () => {
      turns.push(name);
      return Promise.resolve(ms);
    };
    const spreads = await interleaved([turn('fast', 1), turn('slow', 100)], { warmUpRuns: 1, timedRuns: 4, mostMsEach: 150 }, quietTask);
    expect(turns.join(' ')).toBe('fast slow fast slow fast fast fast');
    expect(spreads.map(({ runs, medianMs }) => [runs, medianMs])).toEqual([[4, 1], [1, 100]]);
  });

  it('times even the slowest once', async () => {
    const [spread] = await interleaved([() => Promise.resolve(1e6)], { warmUpRuns: 3, timedRuns: 5, mostMsEach: 10 }, quietTask);
    expect(spread?.runs).toBe(1);
  });

  it('finds the middle and the ends of any times', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (times) => {
        const { medianMs, minMs, maxMs, runs } = spreadOf(times);
        expect(runs).toBe(times.length);
        expect(times.filter((time) => time < medianMs).length).toBeLessThanOrEqual(times.length / 2);
        expect(times.filter((time) => time > medianMs).length).toBeLessThanOrEqual(times.length / 2);
        expect([minMs, maxMs]).toEqual([Math.min(...times), Math.max(...times)]);
      }),
    );
    expect(spreadOf([]).medianMs).toBeNaN();
  });

  it('compares each contestant with the first of its network', async () => {
    const contestant = (network: 'snn' | 'ann', logits: number[]): Contestant => ({
      network,
      engine: 'this',
      backend: 'event',
      threads: 1,
      run: () => Promise.resolve({ logits: [Float32Array.from(logits)], firingRate: undefined }),
      time: () => Promise.resolve(1),
      release: () => undefined,
    });
    const rows = await race(
      [contestant('snn', [1, 2]), contestant('ann', [5, 5]), contestant('snn', [1, 1.5]), contestant('ann', [5])],
      { warmUpRuns: 0, timedRuns: 1 },
      quietTask,
    );
    expect(rows.map(({ maxOutputDifference }) => maxOutputDifference)).toEqual([0, 0, 0.5, NaN]);
  });
});

describe('the threshold that leaves a share of the spikes', () => {
  it('is found where rates fall', async () => {
    const factor = await factorForRate((times) => Promise.resolve(0.3 / times ** 2), 0.1, quietTask);
    expect(factor).toBeGreaterThanOrEqual(Math.sqrt(10));
    expect(factor).toBeLessThan(Math.sqrt(10) * 1.01);
  });

  it.each([
    ['nothing spikes', 0],
    ['spikes do not mind the threshold', 0.2],
    ['nothing is known', NaN],
  ])('is not there where %s', async (_, rate) => {
    expect(await factorForRate(() => Promise.resolve(rate), 0.1, quietTask)).toBeUndefined();
  });
});
