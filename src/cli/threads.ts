/** Threads of the CPU engine in Node. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { EventThreads } from '../tensor/backend';
import type { StartHelper } from '../tensor/event/team';
import { readKernels } from './kernels';

const startHelper: StartHelper = async (setup) => {
  const worker = new Worker(new URL('helperThread.mjs', import.meta.url), { workerData: setup });
  await once(worker, 'message');
  // Without a listener the program would end with it. What the thread leaves undone, the team notices.
  worker.on('error', () => undefined);
  // It waits for work for ever, which must not keep the program from ending.
  worker.unref();
};

export function nodeThreads(threads: number): EventThreads {
  return { threads, kernels: () => readKernels('threads'), startHelper };
}
