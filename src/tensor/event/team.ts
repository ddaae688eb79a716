import { AppError } from '../../base/errors';
import type { Kernels, SharedKernels } from './kernels';

/** Kernels whose work can be done in parts: the first two arguments say which part. */
export const dividedKernels = [
  'countSpikes',
  'listSpikes',
  'leakyIntegrateAndFire',
  'spikingConvolution',
  'denseConvolution',
  'copyChannels',
  'maxPool',
] as const;
export type DividedKernel = (typeof dividedKernels)[number];

/** Arguments of a kernel after the part. */
export type WorkArguments<K extends DividedKernel> = Parameters<Kernels[K]> extends [number, number, ...infer Rest extends number[]] ? Rest : never;

/** Those who compute together. */
export interface Team {
  readonly kernels: Kernels;
  readonly threads: number;
  /** Resolves with the reason, once the team cannot go on; never for one thread. */
  readonly lost: Promise<string>;
  /**
   * Runs a kernel over `items`, in at most 255 blocks of `blockItems`, of which the last may be smaller. Results do not depend on who does
   * which block.
   * @throws AppError `backend/lost` where a thread ended with a block in its hands, then and from then on
   */
  perform<K extends DividedKernel>(kernel: K, items: number, blockItems: number, ...args: WorkArguments<K>): void;
}

/** One thread, which does everything in one piece unless it is asked for blocks. */
export function alone(kernels: Kernels): Team {
  return {
    kernels,
    threads: 1,
    lost: new Promise(() => undefined),
    perform: (kernel, items, blockItems, ...args) => {
      for (let first = 0; first < items; first += blockItems) performBlock(kernels, kernel, first, Math.min(first + blockItems, items), args);
    },
  };
}

function performBlock(kernels: Kernels, kernel: DividedKernel, first: number, last: number, args: readonly number[]): void {
  // A kernel and its arguments belong together, which the type system cannot follow through the union.
  (kernels[kernel] as (...values: number[]) => void)(first, last, ...args);
}

/**
 * The job under way, as helpers read it. `ticket` holds how many blocks are left in its low bits and the job's number above them: whoever
 * lowers it by one owns a block, and the job's other fields do not change before all blocks are done.
 */
const field = { ticket: 0, unfinished: 1, kernel: 2, items: 3, blockItems: 4, blocks: 5, argumentCount: 6 } as const;
/** Behind them, for each helper: 1 + the block that it failed at and gave back. */
const fields = 7;
const blockBits = 8;
const mostBlocks = (1 << blockBits) - 1;
const mostArguments = 40;
/** A helper looks so often for more work before it lets go of its core. */
const looks = 2000;

/**
 * Nobody can see from here whether a thread is dead or only waits for a core. When so many looks in a row, so far apart, find no
 * block done (each takes milliseconds), it is taken for dead. One long wait would also end where the whole machine had slept.
 */
const patientLooks = 20;
const patienceMs = 250;

/** What a helper needs to compute along, in the form of a message. */
export interface HelperSetup {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  job: SharedArrayBuffer;
  thread: number;
  threads: number;
}

/** Starts a helper and resolves when it is ready to work. How it ends later is nobody's business: the team notices what it left undone. */
export type StartHelper = (setup: HelperSetup) => Promise<void>;

class Job {
  private readonly fields: Int32Array;
  private readonly args: Float64Array;
  private readonly givenBack: Int32Array;

  static bufferFor(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(mostArguments * 8 + (fields + threads) * 4);
  }

  constructor(readonly buffer: SharedArrayBuffer) {
    this.args = new Float64Array(buffer, 0, mostArguments);
    this.fields = new Int32Array(buffer, mostArguments * 8, fields);
    this.givenBack = new Int32Array(buffer, mostArguments * 8 + fields * 4);
  }

  /** Only when the job before is finished. */
  publish(kernel: DividedKernel, items: number, blockItems: number, args: readonly number[], helpers: number): void {
    const blocks = Math.ceil(items / blockItems);
    this.args.set(args);
    this.fields[field.kernel] = dividedKernels.indexOf(kernel);
    this.fields[field.items] = items;
    this.fields[field.blockItems] = blockItems;
    this.fields[field.blocks] = blocks;
    this.fields[field.argumentCount] = args.length;
    Atomics.store(this.fields, field.unfinished, blocks);
    const number = (Atomics.load(this.fields, field.ticket) >> blockBits) + 1;
    Atomics.store(this.fields, field.ticket, (number << blockBits) | blocks);
    Atomics.notify(this.fields, field.ticket, Math.min(helpers, blocks - 1));
  }

  /** Takes a block that nobody else does. @returns its number, or undefined where none is left */
  take(): number | undefined {
    for (;;) {
      const ticket = Atomics.load(this.fields, field.ticket);
      const left = ticket & mostBlocks;
      if (left === 0) return undefined;
      if (Atomics.compareExchange(this.fields, field.ticket, ticket, ticket - 1) === ticket) return (this.fields[field.blocks] ?? 0) - left;
    }
  }

  perform(kernels: Kernels, block: number): void {
    const [, , kernel = 0, items = 0, blockItems = 0, , argumentCount = 0] = this.fields;
    const first = block * blockItems;
    const name = dividedKernels[kernel] ?? 'copyChannels';
    performBlock(kernels, name, first, Math.min(first + blockItems, items), Array.from(this.args.subarray(0, argumentCount)));
    if (Atomics.sub(this.fields, field.unfinished, 1) === 1) Atomics.notify(this.fields, field.unfinished);
  }

  giveBack(thread: number, block: number): void {
    Atomics.store(this.givenBack, thread, block + 1);
    Atomics.notify(this.fields, field.unfinished);
  }

  /** Until the blocks that others took are done; those that they gave back are done here. @returns false where others do not come back */
  waitForOthers(kernels: Kernels): boolean {
    for (let look = 0; look < looks; look++) if (Atomics.load(this.fields, field.unfinished) === 0) return true;
    let before = Infinity;
    let patience = patientLooks;
    for (;;) {
      for (let thread = 0; thread < this.givenBack.length; thread++) {
        const block = Atomics.exchange(this.givenBack, thread, 0) - 1;
        if (block >= 0) this.perform(kernels, block);
      }
      const unfinished = Atomics.load(this.fields, field.unfinished);
      if (unfinished === 0) return true;
      patience = unfinished < before ? patientLooks : patience - 1;
      if (patience === 0) return false;
      before = unfinished;
      Atomics.wait(this.fields, field.unfinished, unfinished, patienceMs);
    }
  }

  /** Until there is something to do. */
  waitForWork(): void {
    for (let look = 0; look < looks; look++) if ((Atomics.load(this.fields, field.ticket) & mostBlocks) !== 0) return;
    const ticket = Atomics.load(this.fields, field.ticket);
    if ((ticket & mostBlocks) === 0) Atomics.wait(this.fields, field.ticket, ticket);
  }
}

/**
 * Several threads on one memory. Whoever performs waits for the others, so it must be a thread that may.
 *
 * A helper that ends between two jobs is not missed: others take its blocks. One whose kernel fails gives its block back. One that is
 * killed in the middle of a block cannot say so, and if it only was without a core for long, it goes on writing into the memory
 * afterwards: so the team and its memory are given up.
 */
export async function startTeam({ module, memory, instantiate }: SharedKernels, threads: number, startHelper: StartHelper): Promise<Team> {
  const job = new Job(Job.bufferFor(threads));
  const kernels = instantiate();
  await Promise.all(
    Array.from({ length: threads - 1 }, (_, index) => startHelper({ module, memory, job: job.buffer, thread: index + 1, threads })),
  );
  let tellLost: (reason: string) => void = () => undefined;
  const lost = new Promise<string>((resolve) => (tellLost = resolve));
  let reason: string | undefined;
  const giveUp = (why: string): void => tellLost((reason = why));
  return {
    kernels,
    threads,
    lost,
    perform: (kernel, items, blockItems, ...args) => {
      if (reason !== undefined) throw lostError(reason);
      if (items <= blockItems) {
        if (items > 0) performBlock(kernels, kernel, 0, items, args);
        return;
      }
      job.publish(kernel, items, blockItems, args, threads - 1);
      try {
        for (let block = job.take(); block !== undefined; block = job.take()) job.perform(kernels, block);
        if (job.waitForOthers(kernels)) return;
      } catch (failure) {
        // Helpers may still be at it, so that no other job can follow.
        giveUp('its computation failed');
        throw failure;
      }
      giveUp('one of its threads ended');
      throw lostError('one of its threads ended');
    },
  };
}

function lostError(reason: string): AppError {
  return new AppError('backend/lost', `The CPU engine cannot go on: ${reason}.`, 'Start it again, with one thread if this happens again.');
}

/** What a helper does from then on. It returns only when a kernel failed; the others go on without it. */
export function help(kernels: Kernels, buffer: SharedArrayBuffer, thread: number): void {
  const job = new Job(buffer);
  for (;;) {
    const block = job.take();
    if (block === undefined) {
      job.waitForWork();
      continue;
    }
    try {
      job.perform(kernels, block);
    } catch {
      // Whoever does the block in its place meets the same failure, or there is none.
      job.giveBack(thread, block);
      return;
    }
  }
}
