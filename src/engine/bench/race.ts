import { throwIfCancelled, type Task } from '../../base/progress';
import type { NetworkMode } from '../../checkpoint/types';

export interface RunCounts {
  /** Untimed: compilers finish and memory grows in them. */
  warmUpRuns: number;
  timedRuns: number;
}

export interface Spread {
  medianMs: number;
  minMs: number;
  maxMs: number;
  runs: number;
}

export interface ContestantOutput {
  /** For each scale `[height, width, anchors * (5 + classes)]`, the mean over the steps. */
  logits: readonly Float32Array[];
  /** Share of neurons that fired, the mean over layers and steps; undefined where the engine does not tell or nothing spikes. */
  firingRate: number | undefined;
}

/** A network on an engine, with its input at hand. */
export interface Contestant {
  network: NetworkMode;
  engine: string;
  backend: string;
  threads: number;
  run(): Promise<ContestantOutput>;
  release(): Promise<void> | void;
}

export interface RaceRow extends Spread {
  network: NetworkMode;
  engine: string;
  backend: string;
  threads: number;
  /** Largest absolute difference of a logit from the first contestant's of this network. */
  maxOutputDifference: number;
  /** That of the network on this picture, by the first contestant that tells; null for the ANN. */
  firingRate: number | null;
}

/**
 * Compares what the contestants compute, then times them in turn, round by round, so that what else the machine does meets all of
 * them alike.
 * @throws AppError `cancelled`
 */
export async function race(contestants: readonly Contestant[], counts: RunCounts, task: Task): Promise<RaceRow[]> {
  const outputs: ContestantOutput[] = [];
  for (const contestant of contestants) outputs.push(await contestant.run());
  const spreads = await interleaved(contestants.map((contestant) => () => contestant.run()), counts, task);
  return contestants.map(({ network, engine, backend, threads }, index) => {
    const ofNetwork = outputs.filter((_, other) => contestants[other]?.network === network);
    return {
      network,
      engine,
      backend,
      threads,
      ...(spreads[index] ?? spreadOf([])),
      maxOutputDifference: outputDifference(outputs[index], ofNetwork[0]),
      firingRate: ofNetwork.find(({ firingRate }) => firingRate !== undefined)?.firingRate ?? null,
    };
  });
}

/** Times every case once a round, all of them in each round. @throws AppError `cancelled` */
export async function interleaved(cases: readonly (() => Promise<unknown>)[], { warmUpRuns, timedRuns }: RunCounts, task: Task): Promise<Spread[]> {
  const times = cases.map(() => [] as number[]);
  const rounds = warmUpRuns + timedRuns;
  for (let round = 0; round < rounds; round++) {
    for (const [index, run] of cases.entries()) {
      throwIfCancelled(task.signal);
      const started = performance.now();
      await run();
      if (round >= warmUpRuns) times[index]?.push(performance.now() - started);
      task.report({ label: 'Measuring', done: round * cases.length + index + 1, total: rounds * cases.length, unit: 'items' });
    }
  }
  return times.map(spreadOf);
}

/** With an even number of times the median is the upper one of the middle two. */
export function spreadOf(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: sorted[sorted.length >> 1] ?? NaN, minMs: sorted[0] ?? NaN, maxMs: sorted.at(-1) ?? NaN, runs: sorted.length };
}

/** NaN where the outputs have different shapes. */
function outputDifference(a: ContestantOutput | undefined, b: ContestantOutput | undefined): number {
  if (!a || !b || a.logits.length !== b.logits.length) return NaN;
  return a.logits.reduce((largest, values, scale) => {
    const others = b.logits[scale];
    if (others?.length !== values.length) return NaN;
    return values.reduce((most, value, index) => Math.max(most, Math.abs(value - (others[index] ?? NaN))), largest);
  }, 0);
}
