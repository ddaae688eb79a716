import { WorkerClient } from '../base/workerClient';
import type { WorkerLike } from '../base/workerMessages';
import type { TrainingEvent, TrainingRequests, TrainingResponseOf } from '../engine/trainingProtocol';

/**
 * Talks to the worker that trains. A run whose worker dies is lost only back to its last stored state: the next request starts another
 * worker, and `resume` goes on from there. A cancelled run stores its state before it says that it was cancelled.
 */
export class TrainingClient extends WorkerClient<TrainingRequests, TrainingResponseOf, TrainingEvent> {
  constructor(startWorker: () => WorkerLike, onEvent: (event: TrainingEvent) => void) {
    super(startWorker, { stopped: 'Training stopped', remedy: 'Resume it: the run goes on from the state that was stored last.' }, onEvent);
  }
}
