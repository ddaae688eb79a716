import { BenchClient } from '../client/benchClient';
import { startBenchWorker } from '../client/startWorker';
import type { BenchEvent } from '../client/types';

export { benchFileSchema, contestantNames, ownBackends, wholeSweep } from '../client/benchClient';

type Listener = (event: BenchEvent) => void;

let listener: Listener = () => undefined;

/** The page's one worker that has benchmarks run. */
export const benchmarks = new BenchClient(startBenchWorker, (event) => listener(event));

/** Whoever follows the race; there is one. */
export function followRace(follow: Listener): void {
  listener = follow;
}
