import { AppError, asAppError } from '../base/errors';
import type { Task } from '../base/progress';
import { engine } from '../state/engine';
import type { EvaluateState, Evaluation, EvaluationChoice, OpenDataset } from '../state/evaluate';
import { usePlayground, type PlaygroundState, type RequestPayload, type Slot } from '../state/store';
import { chooseFolder, chooseZip, type GivenDataset } from './datasetFiles';
import { shippedModels } from './models';
import { tellError, underWay } from './work';

/** The Evaluate page: a data set, the networks that are measured on it, and what came of it. */

function setEvaluate(change: Partial<EvaluateState>): void {
  usePlayground.setState(({ evaluate }) => ({ evaluate: { ...evaluate, ...change } }));
}

let nextId = 1;

/** Reads a data set's labels. One that cannot be read leaves the page as it is. */
export async function openDataset(give: (task: Task) => Promise<GivenDataset | undefined>): Promise<void> {
  const dataset = await underWay('dataset', 'Opening the data set', async (task): Promise<OpenDataset | undefined> => {
    const given = await give(task);
    return given && { ...given, summary: await engine.request('openDataset', { id: `data set ${nextId++}`, content: given.content }, task) };
  });
  if (!dataset) return;
  stopEvaluation();
  const { choice } = usePlayground.getState().evaluate;
  setEvaluate({ dataset, choice: { ...choice, part: undefined } });
}

export function openDatasetFolder(): void {
  void chooseFolder().then((given) => given && openDataset(() => Promise.resolve(given)));
}

export function openDatasetZip(): void {
  void chooseZip().then((given) => given && openDataset(() => Promise.resolve(given)));
}

export function chooseEvaluation(change: Partial<EvaluationChoice>): void {
  setEvaluate({ choice: { ...usePlayground.getState().evaluate.choice, ...change } });
}

export function switchNetwork(id: string, isOn: boolean): void {
  const { networks } = usePlayground.getState().evaluate.choice;
  chooseEvaluation({ networks: { ...networks, [id]: isOn } });
}

/** A network that can be evaluated. */
export interface OfferedNetwork {
  id: string;
  title: string;
  isOn: boolean;
  network: { slot: Slot; source?: { kind: 'shipped'; name: string } };
}

const slotTitles: Record<Slot, string> = { snn: 'SNN', ann: 'ANN', converted: 'Converted SNN' };

/** Those that are loaded, and those of the list that are not; without a word from the person, the loaded ones are on. */
export function offeredNetworks({ models, evaluate }: Pick<PlaygroundState, 'models' | 'evaluate'>): readonly OfferedNetwork[] {
  const { networks } = evaluate.choice;
  const loaded = (['snn', 'ann', 'converted'] as const).flatMap((slot) => {
    const model = models[slot];
    const id = `loaded ${slot}`;
    return model ? [{ id, title: `${slotTitles[slot]} of ${model.name}, as loaded`, isOn: networks[id] ?? true, network: { slot } }] : [];
  });
  const listed = shippedModels.flatMap(({ name, slots }) =>
    slots.flatMap((slot: 'snn' | 'ann') => {
      const id = `${name} ${slot}`;
      if (models[slot]?.name === name) return [];
      return [{ id, title: `${slotTitles[slot]} of ${name}`, isOn: networks[id] ?? false, network: { slot, source: { kind: 'shipped' as const, name } } }];
    }),
  );
  return [...loaded, ...listed];
}

/** Evaluates what is chosen, from the first sample on. */
export async function startEvaluation(): Promise<void> {
  const state = usePlayground.getState();
  const { dataset, choice } = state.evaluate;
  if (!dataset) {
    tellError(new AppError('dataset/unknown', 'There is no data set yet.', 'Drop a folder or a zip with pictures and their labels.'));
    return;
  }
  const networks = offeredNetworks(state)
    .filter(({ isOn }) => isOn)
    .map(({ network }) => ({ ...network, steps: [...(network.slot === 'converted' ? choice.convertedSteps : choice.steps)] }));
  if (networks.length === 0) {
    tellError(new AppError('engine/no-model', 'No network is chosen.', 'Switch one on.'));
    return;
  }
  const { part, limit, inputSize } = choice;
  const request = { id: `evaluation ${nextId++}`, dataset: dataset.summary.id, networks: networks as Evaluation['request']['networks'], part, limit, inputSize };
  setEvaluate({ shownCase: 0 });
  await run({ request, title: dataset.title, state: undefined, isRunning: true });
}

/** Goes on where it was stopped; an engine that has forgotten it begins again. */
export async function continueEvaluation(): Promise<void> {
  const { evaluation } = usePlayground.getState().evaluate;
  if (evaluation && !evaluation.isRunning) await run({ ...evaluation, isRunning: true });
}

/** What was found so far stays. */
export function stopEvaluation(): void {
  usePlayground.getState().activities[activity]?.cancel();
}

export const activity = 'evaluation';
/** Between two portions the engine does what else it is asked for, and the page shows what it has. */
const portionMs = 700;

async function run(evaluation: Evaluation): Promise<void> {
  setEvaluate({ evaluation });
  const { id } = evaluation.request;
  const change = (now: Partial<Evaluation>): void => {
    const { evaluation: shown } = usePlayground.getState().evaluate;
    if (shown?.request.id === id) setEvaluate({ evaluation: { ...shown, ...now } });
  };
  await underWay(activity, 'Evaluating', async (task) => {
    for (;;) {
      const state = await portion({ ...evaluation.request, budgetMs: portionMs }, task);
      change({ state });
      if (state.finished) return;
    }
  });
  change({ isRunning: false });
}

async function portion(request: RequestPayload<'evaluate'>, task: Task): ReturnType<typeof engine.request<'evaluate'>> {
  try {
    return await engine.request('evaluate', request, task);
  } catch (thrown) {
    // An engine that was started again holds no data set.
    const { dataset } = usePlayground.getState().evaluate;
    if (asAppError(thrown).code !== 'engine/no-dataset' || dataset?.summary.id !== request.dataset) throw thrown;
    await engine.request('openDataset', { id: request.dataset, content: dataset.content }, task);
    return engine.request('evaluate', request, task);
  }
}

export function showCase(shownCase: number): void {
  setEvaluate({ shownCase });
}

export function showRule(shownRule: EvaluateState['shownRule']): void {
  setEvaluate({ shownRule });
}

/** A sample's picture, small enough for a gallery; undefined where it cannot be had. */
export async function samplePicture(evaluation: string, sample: number, widthPx: number): Promise<ImageBitmap | undefined> {
  try {
    const blob = await engine.request('evaluatedPicture', { id: evaluation, sample });
    return await createImageBitmap(blob, { resizeWidth: widthPx, resizeQuality: 'high' });
  } catch {
    // Its boxes are shown without it.
    return undefined;
  }
}
