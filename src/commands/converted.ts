import { maximumCalibrationFrames, type ConversionOptions } from '../base/conversionOptions';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { engine } from '../state/engine';
import { tell, usePlayground, type ConvertedState, type PlaygroundState, type RequestPayload } from '../state/store';
import { afterRuns, frameOf, settingsFor } from './run';
import { drawnPictures } from './sources';
import { underWay } from './work';

/**
 * The converted network: made of the ANN twin when it is switched on, then run a few steps at a time, so that its boxes are
 * seen to settle. It follows whatever the other two run on.
 */

/** Steps after which boxes are looked at, and the positions of the control: four to each doubling. */
export const convertedSteps: readonly number[] = [
  1, 2, 3,
  ...[4, 8, 16, 32, 64, 128, 256, 512].flatMap((octave) => [0, 1, 2, 3].map((quarter) => octave + (octave / 4) * quarter)),
  1024,
];

/** What the points on the page were computed with; with another key they are of no use. */
let pointsKey = '';

export function startConverted(): void {
  afterRuns(followRuns);
  usePlayground.subscribe((now, before) => {
    // What was converted from a twin that is gone goes too.
    if (now.models.ann !== before.models.ann && now.models.converted && !isFromFile(now)) void dropConverted();
  });
}

export function switchConverted(isOn: boolean): void {
  change({ isOn });
  if (isOn) followRuns();
  else void dropConverted();
}

/** Further steps run on from where the network is; fewer show the boxes that it had then. */
export function setConvertedSteps(steps: number): void {
  change({ steps });
  showPoint();
  if ((usePlayground.getState().converted.points.at(-1)?.steps ?? 0) < steps) followRuns();
}

/** Goes on after a cancel. */
export function resumeConverted(): void {
  followRuns();
}

export function setConversion(options: Partial<ConversionOptions>): void {
  change({ options: { ...usePlayground.getState().converted.options, ...options } });
  void convertAgain();
}

export function setCalibration(calibration: ConvertedState['calibration'], files: readonly File[] = []): void {
  change({ calibration, files: files.slice(0, maximumCalibrationFrames) });
  void convertAgain();
}

async function convertAgain(): Promise<void> {
  await dropConverted();
  followRuns();
}

function change(converted: Partial<ConvertedState>): void {
  usePlayground.setState((state) => ({ converted: { ...state.converted, ...converted } }));
}

/** A converted network that a person opened is of no twin on this page. */
function isFromFile({ models }: PlaygroundState): boolean {
  return models.converted !== undefined && models.converted.convertedFrom === undefined;
}

async function dropConverted(): Promise<void> {
  usePlayground.setState(({ models, results }) => ({
    models: { ...models, converted: undefined },
    results: { ...results, converted: undefined },
  }));
  change({ points: [], sourceId: undefined });
  await engine.request('unload', { slot: 'converted' });
}

/** Which of the runs that were started is the last. */
let lastRun = 0;

function followRuns(): void {
  const { converted, source, recording } = usePlayground.getState();
  // While a recording plays, the next window comes before a hundred steps are through.
  if (!converted.isOn || !source || recording?.playing) return;
  const run = ++lastRun;
  change({ running: true });
  void underWay('converted', 'Converting the ANN', async (task) => {
    try {
      if (await convertTwin(task)) await runOn(task);
    } finally {
      if (run === lastRun) change({ running: false });
    }
  });
}

/** @returns whether there is a converted network now */
async function convertTwin(task: Task): Promise<boolean> {
  const state = usePlayground.getState();
  if (state.models.converted) return true;
  if (!state.models.ann || state.models.ann.head !== undefined) {
    change({ isOn: false });
    tell({ tone: 'info', title: 'There is no ANN twin to convert.', detail: 'Load the twin of this network into the ANN pane first.', code: undefined });
    return false;
  }
  const payload = { calibration: await calibrationFrames(state, task), options: state.converted.options, settings: settingsFor(state, 'ann') };
  const converted = await engine.request('convert', payload, task);
  usePlayground.setState(({ models }) => ({ models: { ...models, converted } }));
  return true;
}

/** A network that reads events is measured on events: pictures would say nothing of it. */
async function calibrationFrames({ converted, source, recording }: PlaygroundState, task: Task): Promise<RequestPayload<'convert'>['calibration']> {
  if (recording && source) return [frameOf(source)];
  if (converted.calibration === 'files' && converted.files.length > 0) {
    return converted.files.map((file, index) => ({ id: `calibration ${index} ${file.name}`, image: file }));
  }
  if (converted.calibration === 'shown' && source) return [frameOf(source)];
  return Promise.all(
    drawnPictures.map(async ({ file }) => {
      const response = await fetch(file, { signal: task.signal });
      if (response.ok) return { id: `calibration ${file}`, image: await response.blob() };
      throw new AppError('fetch/failed', 'The gallery’s pictures could not be fetched.', 'Measure on what is shown, or on pictures of your own.');
    }),
  );
}

async function runOn(task: Task): Promise<void> {
  const state = usePlayground.getState();
  const { source, detection, models } = state;
  if (!source) return;
  const settings = settingsFor(state, 'converted');
  const key = JSON.stringify([source.id, detection, settings.inputSize, models.converted?.name, state.converted.options]);
  if (key !== pointsKey || state.converted.sourceId !== source.id) {
    pointsKey = key;
    change({ points: [], sourceId: source.id });
  }
  for (const steps of convertedSteps) {
    const { points, steps: wanted } = usePlayground.getState().converted;
    if (steps > wanted) break;
    if (steps <= (points.at(-1)?.steps ?? 0)) continue;
    const result = await engine.request(
      'detect',
      { slot: 'converted', frame: frameOf(source), settings: { ...settings, steps }, ...detection },
      { signal: task.signal, report: () => undefined },
    );
    change({ points: [...points, result] });
    showPoint();
    task.report({ label: `Running the converted network, T = ${steps}`, done: steps, total: wanted, unit: 'steps' });
  }
}

/** The boxes after the chosen number of steps, or the last before it. */
function showPoint(): void {
  const { converted } = usePlayground.getState();
  const shown = converted.points.findLast(({ steps }) => steps <= converted.steps);
  const { sourceId } = converted;
  if (!shown || sourceId === undefined) return;
  usePlayground.setState(({ results }) => ({ results: { ...results, converted: { sourceId, result: shown, precomputed: false } } }));
}
