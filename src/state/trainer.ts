import { TrainingClient } from '../client/trainingClient';
import { startTrainingWorker } from '../client/startWorker';
import type { TrainingEvent } from '../client/types';

type Listener = (event: TrainingEvent) => void;

let listener: Listener = () => undefined;

/** The page's one worker that trains. */
export const trainer = new TrainingClient(startTrainingWorker, (event) => listener(event));

/** Whoever follows the run; there is one. */
export function followRun(follow: Listener): void {
  listener = follow;
}
