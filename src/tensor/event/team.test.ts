import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kernels, SharedKernels } from './kernels';
import { startTeam, type StartHelper, type Team } from './team';

/** What a helper does with the first block that it takes. */
type Fate = 'work' | 'fail' | 'exit';

const items = 24;
/** Shared between threads: how often each item was done, and how many blocks helpers took. */
const taken = items;
const newTally = (): Int32Array => new Int32Array(new SharedArrayBuffer((items + 1) * 4));

/** A kernel in TypeScript is enough: only who does which block is tested here. */
const helperProgram = `
const { parentPort, workerData } = require('node:worker_threads');
import('tsx/esm/api').then(async ({ register }) => {
  register();
  const { help } = await import(workerData.team);
  const { job, thread, fate, tally } = workerData;
  const copyChannels = (first, last) => {
    Atomics.add(tally, ${taken}, 1);
    Atomics.notify(tally, ${taken});
    if (fate === 'fail') throw new Error('a trap');
    if (fate === 'exit') process.exit();
    for (let item = first; item < last; item++) Atomics.add(tally, item, 1);
  };
  parentPort.postMessage('ready');
  help({ copyChannels }, job, thread);
});
`;

describe('a team of threads', () => {
  const workers: Worker[] = [];
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
  });

  /** @param waitFor blocks that helpers must have taken before this thread does one */
  async function teamOf(fates: readonly Fate[], tally: Int32Array, waitFor = { blocks: 0, fails: false }): Promise<Team> {
    const startHelper: StartHelper = async ({ job, thread }) => {
      const workerData = { job, thread, fate: fates[thread - 1], tally, team: new URL('team.ts', import.meta.url).href };
      const worker = new Worker(helperProgram, { eval: true, workerData });
      workers.push(worker);
      await once(worker, 'message');
    };
    const copyChannels = (first: number, last: number): void => {
      for (let blocks = Atomics.load(tally, taken); blocks < waitFor.blocks; blocks = Atomics.load(tally, taken)) Atomics.wait(tally, taken, blocks);
      if (waitFor.fails) throw new Error('a trap here');
      for (let item = first; item < last; item++) Atomics.add(tally, item, 1);
    };
    const shared: SharedKernels = {
      module: new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
      memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
      instantiate: () => ({ copyChannels }) as unknown as Kernels,
    };
    return startTeam(shared, fates.length + 1, startHelper);
  }

  const perform = (team: Team): void => team.perform('copyChannels', items, 2, 0, 0, 0, 0, 0);
  const isLost = (team: Team): Promise<string | undefined> => Promise.race([team.lost, new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))]);

  it('does every block once, again and again', async () => {
    const tally = newTally();
    const team = await teamOf(['work', 'work'], tally);
    for (let job = 1; job <= 50; job++) {
      perform(team);
      expect([...tally.subarray(0, items)]).toEqual(new Array(items).fill(job));
    }
    expect(await isLost(team)).toBeUndefined();
  });

  it('does not miss helpers that were killed between two jobs', async () => {
    const tally = newTally();
    const team = await teamOf(['work', 'work'], tally);
    perform(team);
    await Promise.all(workers.map((worker) => worker.terminate()));
    perform(team);
    perform(team);
    expect([...tally.subarray(0, items)]).toEqual(new Array(items).fill(3));
    expect(await isLost(team)).toBeUndefined();
  });

  it('does the block of a helper whose kernel failed, and goes on without it', async () => {
    const tally = newTally();
    const team = await teamOf(['fail', 'fail'], tally, { blocks: 2, fails: false });
    perform(team);
    perform(team);
    expect([...tally.subarray(0, items)]).toEqual(new Array(items).fill(2));
    expect(tally[taken]).toBe(2);
    expect(await isLost(team)).toBeUndefined();
  });

  it('does not wait for ever for a helper that was killed in the middle of a block', async () => {
    const tally = newTally();
    const team = await teamOf(['exit'], tally, { blocks: 1, fails: false });
    expect(() => perform(team)).toThrow(expect.objectContaining({ code: 'backend/lost', remedy: expect.stringContaining('one thread') }));
    // One block of two items is missing, and the memory may still be written to.
    expect(tally.subarray(0, items).filter((times) => times === 0)).toHaveLength(2);
    expect(await isLost(team)).toBe('one of its threads ended');
    expect(() => perform(team)).toThrow(expect.objectContaining({ code: 'backend/lost' }));
  });

  it('starts no other job where its own kernel failed while helpers are at work', async () => {
    const team = await teamOf(['work'], newTally(), { blocks: 1, fails: true });
    expect(() => perform(team)).toThrow('a trap here');
    expect(await isLost(team)).toBe('its computation failed');
    expect(() => perform(team)).toThrow(expect.objectContaining({ code: 'backend/lost' }));
  });
});
