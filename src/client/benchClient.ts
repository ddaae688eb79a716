import { WorkerClient } from '../base/workerClient';
import type { WorkerLike } from '../base/workerMessages';
import type { BenchAnswers, BenchEvent, BenchRequests } from '../engine/benchProtocol';

export { benchFileSchema, contestantNames, ownBackends, wholeSweep } from '../engine/benchProtocol';

/** Talks to the worker that has benchmarks run. */
export class BenchClient extends WorkerClient<BenchRequests, BenchAnswers, BenchEvent> {
  constructor(startWorker: () => WorkerLike, onEvent: (event: BenchEvent) => void) {
    super(startWorker, { stopped: 'The benchmark stopped', remedy: 'Choose a smaller picture or fewer engines, then run it again.' }, onEvent);
  }
}
