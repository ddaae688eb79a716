import type { EventThreads } from '../tensor/backend';
import { fetchThreadedKernels } from '../tensor/event/kernelsFile';
import type { StartHelper } from '../tensor/event/team';

/** A helper ends with the engine's worker, which started it. */
const startHelper: StartHelper = (setup) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./helperWorker.ts', import.meta.url), { type: 'module', name: `engine, thread ${setup.thread + 1}` });
    worker.addEventListener('message', () => resolve(), { once: true });
    worker.addEventListener('error', (event) => {
      // It would end the engine's own worker. What the thread leaves undone, the team notices.
      event.preventDefault();
      reject(new Error('a worker of the CPU engine did not start'));
    });
    worker.postMessage(setup);
  });

/** What more than one thread takes in a page; undefined where it has no memory that threads may share. */
export function pageThreads(threads: number): EventThreads | undefined {
  return crossOriginIsolated && threads > 1 ? { threads, kernels: fetchThreadedKernels, startHelper } : undefined;
}
