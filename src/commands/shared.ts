import { AppError } from '../base/errors';
import { formatAddress, formatSettings, parseAddress, parseSettings, type SharedState } from '../state/address';
import { defaultDetection, gen1Window, setView, tell, trainedRun, usePlayground, type PlaygroundState } from '../state/store';
import { loadShippedModel, shippedModels } from './models';
import { restoreWindow } from './recordings';
import { detectAll } from './run';
import { findSample } from './samples';
import { saveFile } from './saveFile';
import { tellError } from './work';

/** What leads to the same view again: the page's address, a copied link, a settings file. */

/** The layer that the inspector opens with: in the middle of the network, small enough to read at once. */
export const firstLayer = 9;

/** What a page without an address shows. */
export const firstView = { model: shippedModels[0].name, sample: 'smear-1' } as const;

/** What of the page's state a link and a settings file hold. */
export function sharedOf({ models, source, recording, run, detection, view }: PlaygroundState): SharedState {
  return {
    page: view.page,
    model: shippedModels.find(({ name }) => name === models.snn?.name)?.name,
    sample: source?.sample,
    steps: run.steps,
    layer: view.layer,
    neuron: view.neuron,
    step: view.step,
    box: view.box,
    ...changed(pick(run, 'decay', 'threshold', 'reset', 'inputSize'), trainedRun),
    muted: run.muted.length > 0 ? run.muted : undefined,
    ...changed(detection, defaultDetection),
    ...(recording && {
      fromUs: recording.fromUs,
      windowUs: recording.settings.windowUs,
      ...changed(pick(recording.settings, 'representation', 'fit', 'withoutHotPixels', 'carryMembranes'), gen1Window),
    }),
    hidden: view.hidden.length > 0 ? [...view.hidden] : undefined,
  };
}

function pick<T, K extends keyof T>(from: T, ...keys: K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, K>;
}

/** Only what differs from how the networks were trained: links stay short. */
function changed<T extends object>(values: T, defaults: T): Partial<T> {
  const keys = Object.keys(values) as (keyof T)[];
  return Object.fromEntries(keys.filter((key) => values[key] !== defaults[key]).map((key) => [key, values[key]])) as Partial<T>;
}

/** The valid parts of the page's address; the others are told. */
export function readAddress(): SharedState {
  const { shared, ignored } = parseAddress(window.location.hash);
  const unknown = [...ignored, ...removeUnknown(shared)];
  if (unknown.length > 0) {
    tell({
      tone: 'info',
      title: `Part of the link was not understood and left out: ${unknown.join(', ')}.`,
      detail: 'The rest of it was restored; ask whoever sent the link for a new one if something is missing.',
      code: undefined,
    });
  }
  return shared;
}

/** Takes out models and samples that this site does not have, and names them. */
function removeUnknown(shared: SharedState): string[] {
  const unknown: string[] = [];
  if (shared.model !== undefined && !shippedModels.some(({ name }) => name === shared.model)) {
    unknown.push(`model=${shared.model}`);
    delete shared.model;
  }
  if (shared.sample !== undefined && !findSample(shared.sample)) {
    unknown.push(`sample=${shared.sample}`);
    delete shared.sample;
  }
  return unknown;
}

/** The part that needs no engine: it is there with the first paint. */
export function applyView({ page = 'detect', layer = firstLayer, neuron, step, box, hidden = [], steps = trainedRun.steps }: SharedState): void {
  setView({ page, layer, neuron, box, hidden, step: Math.min(step ?? steps - 1, steps - 1) });
}

/**
 * Brings the page to what a link or a settings file holds, after `applyView`; what it does not name is as when the page is
 * opened. A page that a person goes to in the meantime stays.
 */
export async function applyShared(shared: SharedState): Promise<void> {
  const sample = findSample(shared.sample ?? firstView.sample);
  const fitting = shippedModels.find(({ reads }) => reads === sample?.reads)?.name ?? firstView.model;
  const model = shared.model ?? fitting;
  const present = usePlayground.getState();
  if (present.source?.sample !== sample?.name) await sample?.open();
  // What cannot be fetched leaves no empty page.
  if (!usePlayground.getState().source) await findSample(firstView.sample)?.open();
  if (usePlayground.getState().models.snn?.name !== model) await loadShippedModel(model);
  const loaded = usePlayground.getState();
  const { decay, threshold, reset, muted, inputSize } = { ...trainedRun, ...defined(shared) };
  const { confidence, iou } = { ...defaultDetection, ...defined(shared) };
  const steps = shared.steps ?? loaded.models.snn?.steps ?? trainedRun.steps;
  usePlayground.setState({ run: { steps, decay, threshold, reset, muted, inputSize }, detection: { confidence, iou } });
  if (loaded.recording) {
    const { windowUs, representation, fit, withoutHotPixels, carryMembranes } = { ...gen1Window, ...defined(shared) };
    await restoreWindow({ windowUs, representation, fit, withoutHotPixels, carryMembranes }, shared.fromUs);
  }
  applyView({ ...shared, steps, page: usePlayground.getState().view.page });
  await detectAll();
  tellMissingLayer(shared);
}

function defined(shared: SharedState): SharedState {
  return Object.fromEntries(Object.entries(shared).filter(([, value]) => value !== undefined));
}

function tellMissingLayer({ layer }: SharedState): void {
  const layers = usePlayground.getState().results.snn?.result.layers;
  if (layer === undefined || !layers || layer < layers.length) return;
  tell({
    tone: 'info',
    title: `Layer ${layer} was asked for, and the network has ${layers.length} of them, counted from 0.`,
    detail: 'The first one is shown; choose another in the network strip.',
    code: undefined,
  });
}

/** Keeps the address equal to what is shown, a moment behind, and follows links that are opened on this page. */
export function followAddress(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  usePlayground.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(writeAddress, 250);
  });
  window.addEventListener('hashchange', () => {
    const shared = readAddress();
    applyView(shared);
    void applyShared(shared);
  });
  writeAddress();
}

function writeAddress(): void {
  const fragment = `#${formatAddress(sharedOf(usePlayground.getState()))}`;
  if (fragment !== window.location.hash) window.history.replaceState(window.history.state, '', fragment);
}

/** Copies a link to what is shown, and says what a link cannot hold. */
export async function copyLink(): Promise<void> {
  writeAddress();
  const state = usePlayground.getState();
  const own = [
    ...(state.source && state.source.sample === undefined ? [`${state.source.title}`] : []),
    ...(state.models.snn && !shippedModels.some(({ name }) => name === state.models.snn?.name) ? [state.models.snn.name] : []),
  ];
  const copied = await navigator.clipboard.writeText(window.location.href).then(
    () => true,
    () => false,
  );
  tell({
    tone: 'info',
    title: copied ? 'The link was copied.' : 'The browser did not allow copying: the link is the page’s address.',
    detail:
      own.length === 0
        ? 'It opens the same model, picture, settings, layer, neuron and box.'
        : `It holds all settings, but not ${own.join(' and ')}: your own files stay on this machine. Whoever opens it sees a picture of the gallery until they drop their own.`,
    code: undefined,
  });
}

export function saveSettings(): void {
  saveFile(new Blob([formatSettings(sharedOf(usePlayground.getState()))], { type: 'application/json' }), 'ems-yolo-settings.json');
}

/** Larger files are not read: settings have a few hundred bytes. */
const maximumSettingsBytes = 100_000;

/** Restores the run of a settings file; one that is not whole changes nothing. */
export async function openSettings(file: File): Promise<void> {
  const shared = file.size <= maximumSettingsBytes ? parseSettings(await file.text()) : undefined;
  const missing = shared && removeUnknown(shared);
  if (!shared) {
    tellError(
      new AppError(
        'input/unreadable',
        `${file.name} is not a settings file of this page, or a value in it is out of range.`,
        'Choose a file that "Save the run settings" wrote; nothing was changed.',
      ),
    );
  } else if (missing && missing.length > 0) {
    tellError(
      new AppError(
        'input/unsupported',
        `${file.name} needs what this site does not have: ${missing.join(', ')}.`,
        'Take the line out of the file, or open it where it was saved; nothing was changed.',
      ),
    );
  } else {
    applyView(shared);
    await applyShared(shared);
  }
}
