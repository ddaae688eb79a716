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
  /**
   * Runs a kernel over `items`, in at most 255 blocks of `blockItems`, of which the last may be smaller. Results do not depend on who does
   * which block.
   */
  perform<K extends DividedKernel>(kernel: K, items: number, blockItems: number, ...args: WorkArguments<K>): void;
}

/** One thread, which does everything in one piece unless it is asked for blocks. */
export function alone(kernels: Kernels): Team {
  return {
    kernels,
    threads: 1,
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
const fields = 7;
const blockBits = 8;
const mostBlocks = (1 << blockBits) - 1;
const mostArguments = 40;
/** A helper looks so often for more work before it lets go of its core. */
const looks = 2000;

/** What a helper needs to compute along, in the form of a message. */
export interface HelperSetup {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  job: SharedArrayBuffer;
  thread: number;
  threads: number;
}

/** Starts a helper and resolves when it is ready to work. */
export type StartHelper = (setup: HelperSetup) => Promise<void>;

class Job {
  private readonly fields: Int32Array;
  private readonly args: Float64Array;

  constructor(readonly buffer = new SharedArrayBuffer(mostArguments * 8 + fields * 4)) {
    this.args = new Float64Array(buffer, 0, mostArguments);
    this.fields = new Int32Array(buffer, mostArguments * 8, fields);
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

  /** Does a block that nobody else does. @returns whether there was one */
  performOne(kernels: Kernels): boolean {
    const ticket = Atomics.load(this.fields, field.ticket);
    const left = ticket & mostBlocks;
    if (left === 0) return false;
    if (Atomics.compareExchange(this.fields, field.ticket, ticket, ticket - 1) !== ticket) return true;
    const [, , kernel = 0, items = 0, blockItems = 0, blocks = 0, argumentCount = 0] = this.fields;
    const first = (blocks - left) * blockItems;
    const name = dividedKernels[kernel] ?? 'copyChannels';
    performBlock(kernels, name, first, Math.min(first + blockItems, items), Array.from(this.args.subarray(0, argumentCount)));
    if (Atomics.sub(this.fields, field.unfinished, 1) === 1) Atomics.notify(this.fields, field.unfinished);
    return true;
  }

  /** Until the blocks that others took are done. */
  waitForOthers(): void {
    for (let look = 0; look < looks; look++) if (Atomics.load(this.fields, field.unfinished) === 0) return;
    for (;;) {
      const unfinished = Atomics.load(this.fields, field.unfinished);
      if (unfinished === 0) return;
      Atomics.wait(this.fields, field.unfinished, unfinished);
    }
  }

  /** Until there is something to do. */
  waitForWork(): void {
    for (let look = 0; look < looks; look++) if ((Atomics.load(this.fields, field.ticket) & mostBlocks) !== 0) return;
    const ticket = Atomics.load(this.fields, field.ticket);
    if ((ticket & mostBlocks) === 0) Atomics.wait(this.fields, field.ticket, ticket);
  }
}

/** Several threads on one memory. Whoever performs waits for the others, so it must be a thread that may. */
export async function startTeam({ module, memory, instantiate }: SharedKernels, threads: number, startHelper: StartHelper): Promise<Team> {
  const job = new Job();
  const kernels = instantiate();
  await Promise.all(
    Array.from({ length: threads - 1 }, (_, index) => startHelper({ module, memory, job: job.buffer, thread: index + 1, threads })),
  );
  return {
    kernels,
    threads,
    perform: (kernel, items, blockItems, ...args) => {
      if (items <= blockItems) {
        if (items > 0) performBlock(kernels, kernel, 0, items, args);
        return;
      }
      job.publish(kernel, items, blockItems, args, threads - 1);
      while (job.performOne(kernels));
      job.waitForOthers();
    },
  };
}

/** What a helper does from then on: it never returns. */
export function help(kernels: Kernels, buffer: SharedArrayBuffer): never {
  const job = new Job(buffer);
  for (;;) if (!job.performOne(kernels)) job.waitForWork();
}
