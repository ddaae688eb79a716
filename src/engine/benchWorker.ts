import { BenchMessages } from './bench/benchMessages';
import { decodePicture, readModelFile } from './pageFiles';

/** Benchmarks in a page: a worker that has others run (decisions/0016). */

const messages = new BenchMessages(
  {
    readModelFile,
    decodePicture,
    startContestant: () => new Worker(new URL('./contestantWorker.ts', import.meta.url), { type: 'module', name: 'contestant' }),
  },
  (message) => self.postMessage(message),
);

self.addEventListener('message', (event: MessageEvent<unknown>) => messages.receive(event.data));
