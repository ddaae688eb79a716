import { AppError } from '../base/errors';
import { benchFileSchema, benchmarks, contestantNames, followRace, wholeSweep } from '../state/benchClient';
import type { BenchChoice, BenchDetail, BenchFile, BenchSetup, BenchState, ContestantName, RaceReport } from '../state/bench';
import { tell, trainedRun, usePlayground, type PlaygroundState } from '../state/store';
import { loadedSource } from './models';
import { choosePage } from './pages';
import { addCommands } from './registry';
import { saveFile } from './saveFile';
import { tellError, underWay } from './work';

export { contestantNames, ownBackends } from '../state/benchClient';

/** The Benchmark page: engines side by side, and what one engine's time depends on. */

/** What its work is called among the activities. */
export const activity = 'bench';
/** Like the command line's. */
const raceWarmUps = 3;
const costCounts = { warmUpRuns: 2, timedRuns: 7, mostMsEach: 20_000 };
/** A slow engine is not waited for longer in one race. */
const mostMsEach = 20_000;
/** Larger files are not read: a result has some ten thousand bytes. */
const maximumFileBytes = 5_000_000;

function change(changes: Partial<BenchState>): void {
  usePlayground.setState(({ bench }) => ({ bench: { ...bench, ...changes } }));
}

export function chooseBench(changes: Partial<BenchChoice>): void {
  usePlayground.setState(({ bench }) => ({ bench: { ...bench, choice: { ...bench.choice, ...changes } } }));
}

export function switchContestant(name: ContestantName, isOn: boolean): void {
  const { contestants } = usePlayground.getState().bench.choice;
  // In their own order, whatever was switched last: others are compared with the first.
  chooseBench({ contestants: contestantNames.filter((each) => (each === name ? isOn : contestants.includes(each))) });
}

/** The networks that are loaded and that this program can run on other engines. */
export function benchedNetworks({ models }: Pick<PlaygroundState, 'models'>): ('snn' | 'ann')[] {
  return (['snn', 'ann'] as const).filter((slot) => models[slot] && models[slot].head === undefined);
}

function setupOf(state: PlaygroundState): BenchSetup {
  const { picture, side, steps, twiceAsWide } = state.bench.choice;
  const networks = benchedNetworks(state).flatMap((network) => {
    const source = loadedSource(network);
    return source ? [{ network, source }] : [];
  });
  if (networks.length === 0) throw new AppError('engine/no-model', 'There is no network loaded to run.', 'Choose a model in the header.');
  const shown = picture === 'shown' && state.source?.kind === 'picture' ? state.source.image : 'smear';
  return { networks, twiceAsWide, picture: shown, ...(side !== undefined && { side }), steps };
}

function emptyFile(): BenchFile {
  const { backend } = usePlayground.getState();
  const machine = { cores: navigator.hardwareConcurrency, browser: navigator.userAgent, ...(backend?.name === 'webgpu' && { gpu: backend.label }) };
  return { machine, rows: [], details: [] };
}

/** Every chosen engine in turn on the same networks and picture; what is there when it is stopped stays. */
export async function startRace(): Promise<void> {
  const { contestants, timedRuns } = usePlayground.getState().bench.choice;
  await measuring('race', 'Running the benchmark', async (task) => {
    const setup = setupOf(usePlayground.getState());
    // What was measured before makes way when there is something in its place.
    const show = ({ rows, leftOut }: RaceReport): void => {
      const { result } = usePlayground.getState().bench;
      change({ result: { ...(result ?? emptyFile()), rows: [...rows] }, leftOut });
    };
    followRace((report) => {
      if (!task.signal.aborted) show(report);
    });
    const counts = { warmUpRuns: raceWarmUps, timedRuns, mostMsEach };
    show(await benchmarks.request('race', { setup, contestants: [...contestants], counts }, task));
  });
}

/** What an engine's time depends on: firing rate, steps, size of the picture. */
export async function startCosts(): Promise<void> {
  await measuring('costs', 'Measuring costs', async (task) => {
    const state = usePlayground.getState();
    const setup = setupOf(state);
    const { backend } = state.bench.choice;
    const detail = await benchmarks.request('costs', { setup, backend, sweep: wholeSweep, counts: costCounts }, task);
    change({ result: { ...(usePlayground.getState().bench.result ?? emptyFile()), details: [detail] }, costsOf: { setup, backend }, factor: 1 });
  });
}

/** How long the slider must rest before its threshold is measured. */
const restMs = 400;
let resting: ReturnType<typeof setTimeout> | undefined;

/** Shows the layers with the trained threshold multiplied by this, and measures that where it has not been. */
export function setFactor(factor: number): void {
  change({ factor });
  clearTimeout(resting);
  resting = setTimeout(measureShown, restMs);
}

/** While something is measured this waits for its end. */
function measureShown(): void {
  const { bench } = usePlayground.getState();
  if (bench.running === undefined && bench.costsOf && measuredAt(bench, bench.factor) === undefined) void measureFactor(bench.factor);
}

/** Where among the measured thresholds the factor is; undefined where it was not measured. */
export function measuredAt({ result }: BenchState, factor: number): number | undefined {
  const index = result?.details[0]?.costs.rates.findIndex(({ threshold }) => Math.abs(threshold - factor * trainedRun.threshold) < 1e-6) ?? -1;
  return index < 0 ? undefined : index;
}

async function measureFactor(factor: number): Promise<void> {
  const { costsOf, result } = usePlayground.getState().bench;
  if (!costsOf || !result) return;
  await measuring('costs', 'Measuring at this threshold', async (task) => {
    const sweep = { factors: [factor], atTenth: false, stepCounts: [], sideShares: [] };
    const measured = await benchmarks.request('costs', { ...costsOf, sweep, counts: costCounts }, task);
    const { bench } = usePlayground.getState();
    const [detail] = bench.result?.details ?? [];
    if (bench.result && detail) change({ result: { ...bench.result, details: [withThreshold(detail, measured)] } });
  });
}

/** The costs with those at one more threshold, in order. */
function withThreshold(detail: BenchDetail, { costs: { rates: [added], layers } }: BenchDetail): BenchDetail {
  if (!added) return detail;
  const place = detail.costs.rates.filter(({ threshold }) => threshold < added.threshold).length;
  const rates = detail.costs.rates.toSpliced(place, 0, added);
  const merged = detail.costs.layers.map((layer, index) => ({ ...layer, atThreshold: layer.atThreshold.toSpliced(place, 0, ...(layers[index]?.atThreshold ?? [])) }));
  return { ...detail, costs: { ...detail.costs, rates, layers: merged } };
}

let stop: (() => void) | undefined;

async function measuring(kind: NonNullable<BenchState['running']>, label: string, work: Parameters<typeof underWay>[2]): Promise<void> {
  const { running, factor } = usePlayground.getState().bench;
  if (running) return;
  change({ running: kind });
  const controller = new AbortController();
  stop = () => controller.abort();
  try {
    await underWay(activity, label, (task) => {
      // Stopped here or in the list of what is under way.
      task.signal.addEventListener('abort', () => controller.abort(), { once: true });
      return work({ ...task, signal: controller.signal });
    });
  } finally {
    stop = undefined;
    change({ running: undefined });
    // The slider was moved meanwhile.
    if (!controller.signal.aborted && usePlayground.getState().bench.factor !== factor) measureShown();
  }
}

export function stopBench(): void {
  stop?.();
}

function resultFile(): File | undefined {
  const { result } = usePlayground.getState().bench;
  if (result) return new File([`${JSON.stringify(result, null, 2)}\n`], 'ems-yolo-bench.json', { type: 'application/json' });
  tellError(new AppError('usage', 'There is no result to save yet.', 'Run the benchmark first.'));
  return undefined;
}

export function saveBench(): void {
  const file = resultFile();
  if (file) saveFile(file, file.name);
}

/** By what the system has for sharing files; where it has nothing, the text goes to the clipboard. */
export async function shareBench(): Promise<void> {
  const file = resultFile();
  if (!file) return;
  const data = { files: [file], title: 'EMS-YOLO Playground: benchmark' };
  if (typeof navigator.canShare === 'function' && navigator.canShare(data)) {
    // A person who closes the dialog has changed their mind.
    await navigator.share(data).catch(() => undefined);
    return;
  }
  const copied = await navigator.clipboard.writeText(await file.text()).then(
    () => true,
    () => false,
  );
  tell({
    tone: 'info',
    title: copied ? 'The result was copied as JSON text.' : 'This browser neither shares files nor allows copying.',
    detail: copied ? 'Saved in a file, it can be opened here beside another one.' : 'Save it as JSON in place of that.',
    code: undefined,
  });
}

/** Puts a saved result beside the new one; a file that is none changes nothing. */
export async function openBench(file: File): Promise<void> {
  const read = file.size > maximumFileBytes ? 'it is too large' : readBench(await file.text());
  if (typeof read !== 'string') change({ compared: { title: file.name, file: read } });
  else tellError(new AppError('input/unreadable', `${file.name} is no result of a benchmark: ${read}.`, 'Choose a file that this page or “bench --json” wrote; nothing was changed.'));
}

/** The result, or in a few words why there is none. */
function readBench(text: string): BenchFile | string {
  const value = jsonOf(text);
  if (value === undefined) return text.trim() === '' ? 'it is empty' : 'it is not JSON';
  const { success, data, error } = benchFileSchema.safeParse(value);
  if (!success) return firstProblem(error.issues);
  return data.rows.length + data.details.length === 0 ? 'nothing was measured in it' : data;
}

function firstProblem(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  const [issue] = issues;
  return issue ? `${issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : ''}${issue.message}` : 'it has another form';
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function forgetCompared(): void {
  change({ compared: undefined });
}

addCommands(() => {
  const { running, result } = usePlayground.getState().bench;
  const open = (act: () => unknown) => (): void => {
    choosePage('bench');
    void act();
  };
  return [
    ...(running
      ? [{ id: 'bench:stop', title: 'Benchmark: stop', group: 'Run' as const, run: stopBench }]
      : [
          { id: 'bench:race', title: 'Benchmark: run the engines side by side', group: 'Run' as const, run: open(startRace) },
          { id: 'bench:costs', title: 'Benchmark: measure what the time depends on', group: 'Run' as const, run: open(startCosts) },
        ]),
    ...(result ? [{ id: 'bench:save', title: 'Benchmark: save the result (JSON)', group: 'Export and share' as const, run: saveBench }] : []),
  ];
});
