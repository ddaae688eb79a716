import { z } from '../base/schema';
import { usableThreads } from '../base/threads';
import { engine } from '../state/engine';
import { usePlayground, type BackendPreference, type KeptModel, type ModelDescription, type ModelSource, type Slot } from '../state/store';
import { readKeptModel } from './keptModels';
import { rerun, setRun } from './run';
import { underWay } from './work';

/** The model that reads handwritten digits. */
export const digitsModel = { name: 'digits', title: 'Handwritten digits (EMS-Res10, 224 px)', reads: 'pictures', slots: ['snn', 'ann'] } as const;

/** A model that the site ships, as its list names it. */
export const shippedModels = [
  { name: 'bccd', title: 'Blood cells (EMS-Res10, 320 px)', reads: 'pictures', slots: ['snn', 'ann'] },
  digitsModel,
  { name: 'cards', title: 'Playing cards (EMS-Res10, 256 px)', reads: 'pictures', slots: ['snn', 'ann'] },
  { name: 'digits-events', title: 'Digits from events (EMS-Res10, 192 px)', reads: 'events', slots: ['snn', 'ann'] },
  { name: 'nmnist-scenes', title: 'Digits from events, released code (EMS-Res10, 128 px)', reads: 'events', slots: ['snn'] },
] as const;

export async function startEngine(): Promise<void> {
  await underWay('engine', 'Starting the engine', () => engine.open('auto', usePlayground.getState().threads));
}

/** Threads of the CPU engine to choose from. */
export const mostThreads = usableThreads();

/** A backend that cannot be had leaves the one that works. */
export async function chooseBackend(preference: BackendPreference, threads = usePlayground.getState().threads): Promise<void> {
  const { backendPreference, threads: threadsBefore } = usePlayground.getState();
  usePlayground.setState({ backendPreference: preference, threads });
  const opened = await underWay('engine', 'Starting the engine', async () => {
    await engine.open(preference, threads);
    return true;
  });
  if (opened) rerun();
  else usePlayground.setState({ backendPreference, threads: threadsBefore });
}

export async function chooseShippedModel(name: string): Promise<void> {
  await loadShippedModel(name);
  rerun();
}

/** A shipped model for the other kind of input makes way for one of this kind; what a person loaded stays. */
export async function chooseModelFor(reads: 'pictures' | 'events'): Promise<void> {
  const { models } = usePlayground.getState();
  const present = shippedModels.find(({ name }) => name === models.snn?.name);
  if (models.snn && (!present || present.reads === reads)) return;
  const fitting = shippedModels.find((model) => model.reads === reads);
  if (fitting) await loadShippedModel(fitting.name);
}

/** A shipped model for something else makes way for this one; what a person loaded stays. */
export async function preferShippedModel(name: string): Promise<void> {
  const { models } = usePlayground.getState();
  if (models.snn?.name === name) return;
  if (!models.snn || shippedModels.some((known) => known.name === models.snn?.name)) await loadShippedModel(name);
}

/** The SNN and, where it has one, its twin; nothing runs yet. */
export async function loadShippedModel(name: string): Promise<void> {
  const shipped = shippedModels.find((known) => known.name === name);
  if (!shipped) return;
  if (!(await load('snn', { kind: 'shipped', name }))) return;
  if (shipped.slots.some((slot) => slot === 'ann')) await load('ann', { kind: 'shipped', name });
  else await dropTwin();
  const { models, run } = usePlayground.getState();
  if (models.snn?.steps !== undefined && models.snn.steps !== run.steps) setRun({ steps: models.snn.steps });
}

/**
 * A checkpoint from a file. When another SNN takes the place of a shipped one, the twin in the other pane belongs to
 * a network that is gone, and goes too.
 */
export async function loadCheckpointFile(slot: 'snn' | 'ann', file: File): Promise<void> {
  const loaded = await load(slot, { kind: 'file', name: file.name, blob: file });
  if (!loaded) return;
  if (loaded.mode === 'snn') await dropForeignTwin();
  if (loaded.mode === 'converted') usePlayground.setState(({ converted }) => ({ converted: { ...converted, isOn: true, points: [] } }));
  rerun();
}

async function dropForeignTwin(): Promise<void> {
  const { models } = usePlayground.getState();
  if (!models.snn || !models.ann || models.ann.classNames.join('\n') === models.snn.classNames.join('\n')) return;
  await dropTwin();
}

async function dropTwin(): Promise<void> {
  if (!usePlayground.getState().models.ann) return;
  await engine.request('unload', { slot: 'ann' });
  usePlayground.setState(({ models: current, results }) => ({
    models: { ...current, ann: undefined },
    results: { ...results, ann: undefined },
  }));
}

/** What is loaded in each slot, for whoever needs the file itself. */
const loadedSources = new Map<Slot, ModelSource>();

export function loadedSource(slot: Slot): ModelSource | undefined {
  return loadedSources.get(slot);
}

/** A model that was trained on this machine: its networks take the slots that they have, the others stay. */
export async function chooseKeptModel({ name, slots }: KeptModel): Promise<void> {
  for (const slot of slots) {
    const source = await underWay('load', 'Reading the model', () => readKeptModel(name, slot));
    if (source) await load(slot, source);
  }
  if (!slots.includes('ann')) await dropForeignTwin();
  const { models, run } = usePlayground.getState();
  if (models.snn?.steps !== undefined && models.snn.steps !== run.steps) setRun({ steps: models.snn.steps });
  rerun();
}

/** Files of a shipped model that are on their way since before the engine was there, each for one use. */
const underWayFiles = new Map<string, Promise<{ manifest: Blob; weights: Blob } | undefined>>();

const fileOfManifest = z.object({ weights: z.partialRecord(z.enum(['snn', 'ann']), z.object({ file: z.string(), sha256: z.string() })) });

/** Fetches a model while the engine's program is fetched, read and compiled, so that neither waits for the other. */
export function fetchAhead(name: string): void {
  const manifest = blobFrom(manifestAddress(name));
  // Whatever goes wrong: the engine fetches by itself then, and tells.
  for (const slot of ['snn', 'ann'] as const) underWayFiles.set(`${name}/${slot}`, filesOf(name, slot, manifest).catch(() => undefined));
}

/** Fetches what is loaded once more, by way of the service worker, which stores what it has not. */
export async function keepLoadedModels(): Promise<void> {
  for (const slot of ['snn', 'ann'] as const) {
    const source = loadedSource(slot);
    if (source?.kind === 'shipped') await filesOf(source.name, slot, blobFrom(manifestAddress(source.name)));
  }
}

function manifestAddress(name: string): string {
  return `${import.meta.env.BASE_URL}models/${name}/manifest.json`;
}

async function filesOf(name: string, slot: 'snn' | 'ann', manifest: Promise<Blob>): Promise<{ manifest: Blob; weights: Blob } | undefined> {
  const whole = await manifest;
  const file = fileOfManifest.parse(JSON.parse(await whole.text())).weights[slot];
  return file && { manifest: whole, weights: await blobFrom(`${import.meta.env.BASE_URL}models/${name}/${file.file}?${file.sha256}`) };
}

async function blobFrom(address: string): Promise<Blob> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return response.blob();
}

/** What was fetched ahead, once: from then on the engine has it. */
async function withFiles(slot: 'snn' | 'ann', source: ModelSource, signal: AbortSignal): Promise<ModelSource> {
  if (source.kind !== 'shipped') return source;
  const key = `${source.name}/${slot}`;
  const coming = underWayFiles.get(key);
  underWayFiles.delete(key);
  const cancelled = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
  const files = await Promise.race([coming, cancelled]);
  return files ? { ...source, files } : source;
}

/** Nothing changes on the page before the whole model is there. */
async function load(slot: 'snn' | 'ann', source: ModelSource): Promise<ModelDescription | undefined> {
  const label = `Loading the ${slot.toUpperCase()}`;
  const model = await underWay('load', label, async (task) => engine.request('load', { slot, source: await withFiles(slot, source, task.signal) }, task));
  if (!model) return undefined;
  loadedSources.set(model.mode, source);
  usePlayground.setState(({ models }) => ({ models: { ...models, [model.mode]: model } }));
  return model;
}
