import { throwIfCancelled, type Task } from '../../base/progress';
import type { NetworkMode } from '../../checkpoint/types';
import type { RaceRow, RunCounts, Spread } from '../benchProtocol';

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
  /** Milliseconds that one run takes, reading back included. */
  time(): Promise<number>;
  release(): Promise<void> | void;
}

/** Milliseconds that work takes here. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/**
 * Compares what the contestants compute, then times them in turn, round by round, so that what else the machine does meets all of
 * them alike.
 * @param onRound hears the rows so far, after the comparison and after every round
 * @throws AppError `cancelled`
 */
export async function race(contestants: readonly Contestant[], counts: RunCounts, task: Task, onRound: (rows: RaceRow[]) => void = () => undefined): Promise<RaceRow[]> {
  const outputs: ContestantOutput[] = [];
  for (const [index, contestant] of contestants.entries()) {
    throwIfCancelled(task.signal);
    task.report({ label: 'Comparing what they compute', done: index, total: contestants.length, unit: 'items' });
    outputs.push(await contestant.run());
  }
  const rows = (spreads: readonly Spread[]): RaceRow[] => contestants.map((contestant, index) => rowOf(contestant, spreads[index] ?? spreadOf([]), contestants, outputs));
  onRound(rows([]));
  const cases = contestants.map((contestant) => () => contestant.time());
  return rows(await interleaved(cases, counts, task, (spreads) => onRound(rows(spreads))));
}

function rowOf(contestant: Contestant, spread: Spread, contestants: readonly Contestant[], outputs: readonly ContestantOutput[]): RaceRow {
  const { network, engine, backend, threads } = contestant;
  const ofNetwork = outputs.filter((_, other) => contestants[other]?.network === network);
  return {
    network,
    engine,
    backend,
    threads,
    ...spread,
    maxOutputDifference: outputDifference(outputs[contestants.indexOf(contestant)], ofNetwork[0]),
    firingRate: ofNetwork.find(({ firingRate }) => firingRate !== undefined)?.firingRate ?? null,
  };
}

/**
 * Times every case once a round, all of them in each round that they have time for.
 * @param cases each runs once and tells how many milliseconds it took
 * @throws AppError `cancelled`
 */
export async function interleaved(
  cases: readonly (() => Promise<number>)[],
  { warmUpRuns, timedRuns, mostMsEach = Infinity }: RunCounts,
  task: Task,
  onRound: (spreads: Spread[]) => void = () => undefined,
): Promise<Spread[]> {
  const times = cases.map(() => [] as number[]);
  const spent = cases.map(() => 0);
  const rounds = warmUpRuns + timedRuns;
  for (let round = 0; round < rounds; round++) {
    for (const [index, time] of cases.entries()) {
      throwIfCancelled(task.signal);
      const own = times[index] ?? [];
      const isSpent = (spent[index] ?? 0) >= mostMsEach;
      // A slow one is spared the rest of the warming up, too, but must be timed once.
      const isDue = round < warmUpRuns ? !isSpent : !isSpent || own.length === 0;
      if (isDue) {
        const durationMs = await time();
        spent[index] = (spent[index] ?? 0) + durationMs;
        if (round >= warmUpRuns) own.push(durationMs);
      }
      task.report({ label: 'Measuring', done: round * cases.length + index + 1, total: rounds * cases.length, unit: 'items' });
    }
    if (round >= warmUpRuns) onRound(times.map(spreadOf));
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
