import type { RecordingSettings, RecordingRef, RecordingState, ScannedRecording, TruthBox } from '../state/store';
import { engine } from '../state/engine';
import { gen1Window, usePlayground } from '../state/store';
import { readLabels } from './labels';
import { chooseModelFor } from './models';
import { detectAll, rerun, takeSource } from './run';
import { saveFile } from './saveFile';
import { underWay } from './work';
import type { WritableFormatId } from '../base/eventOptions';

/** The recording that is open: where it is looked at, how, and its player. */

/** So long a portion of reading holds up what else the engine is asked for. */
const scanBudgetMs = 120;

/** The recording whose end is not known yet, as more of it is to be read. */
let beingRead: string | undefined;

/** Opens a recording and shows its beginning at once; the rest is read in portions. One that cannot be read changes nothing. */
export async function openRecording(ref: RecordingRef, about: Pick<RecordingState, 'title' | 'origin' | 'sample'>, given: { labels?: readonly File[]; truth?: readonly TruthBox[] } = {}): Promise<void> {
  const scanned = await underWay('recording', 'Opening the recording', (task) => engine.request('scanRecording', { recording: ref, budgetMs: scanBudgetMs }, task));
  if (!scanned) return;
  pauseRecording();
  const startUs = scanned.summary.minUs ?? 0;
  const recording: RecordingState = {
    ref,
    title: about.title,
    origin: about.origin,
    sample: about.sample,
    scanned,
    truth: given.truth ?? scanned.truth,
    fromUs: startUs,
    settings: { ...(usePlayground.getState().recording?.settings ?? gen1Window) },
    playing: false,
  };
  usePlayground.setState({ recording });
  beingRead = ref.id;
  await chooseModelFor('events');
  const labelUs = recording.truth.find(({ timeUs }) => timeUs !== undefined)?.timeUs;
  const { windowUs } = usePlayground.getState().recording?.settings ?? recording.settings;
  const firstUs = Math.round(labelUs === undefined ? startUs : labelUs - windowUs);
  // Whoever has moved on while the model came, or the rest was read, stays where they are.
  if (isAt(ref.id, startUs)) await showWindow(firstUs);
  await readOn(ref);
  if (beingRead === ref.id) beingRead = undefined;
  if (given.labels && given.labels.length > 0) await openLabels(given.labels, () => isAt(ref.id, firstUs));
}

function isAt(id: string, fromUs: number): boolean {
  const { recording } = usePlayground.getState();
  return recording?.ref.id === id && recording.fromUs === fromUs && !recording.playing;
}

/** Another reading of the same file: for tables whose columns were not understood. */
export async function reinterpret(table: NonNullable<Extract<RecordingRef, { kind: 'file' }>['table']>): Promise<void> {
  const { recording } = usePlayground.getState();
  if (recording?.ref.kind !== 'file') return;
  const id = `${recording.ref.id.split(' as ')[0] ?? ''} as ${JSON.stringify(table)}`;
  await openRecording({ ...recording.ref, id, table }, recording);
}

/** Reads to the end, so that rate and statistics are those of the whole recording. */
async function readOn(ref: RecordingRef): Promise<void> {
  await underWay('scan', 'Reading the recording', async (task) => {
    for (;;) {
      const current = usePlayground.getState().recording;
      if (current?.ref.id !== ref.id || current.scanned.finished) return;
      const scanned = await engine.request('scanRecording', { recording: ref, budgetMs: scanBudgetMs }, task);
      task.report({ label: 'Reading the recording', done: scanned.done, total: scanned.total, unit: scanned.unit });
      change({ scanned }, ref.id);
    }
  });
}

/** Boxes from files beside the recording, and the window before the first of them, if then it still may take the place of what is shown. */
export async function openLabels(files: readonly File[], mayMove = () => true): Promise<void> {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  const { sensor } = recording.scanned.summary;
  const truth = await readLabels(files, sensor);
  if (!truth || usePlayground.getState().recording?.ref.id !== recording.ref.id) return;
  change({ truth }, recording.ref.id);
  const first = truth.find(({ timeUs }) => timeUs !== undefined)?.timeUs;
  if (first !== undefined && mayMove()) await showWindow(first - recording.settings.windowUs);
}

function change(changes: Partial<RecordingState>, id: string): void {
  usePlayground.setState(({ recording }) => (recording?.ref.id === id ? { recording: { ...recording, ...changes } } : {}));
}

/**
 * Shows the window that begins at `fromUs` and runs the networks on it. While another is on its way, only the last wish counts.
 * @returns false where the window could not be shown
 */
export async function showWindow(fromUs: number, detect: 'soon' | 'wait' | 'no' = 'soon'): Promise<boolean> {
  const state = usePlayground.getState();
  const { recording } = state;
  if (!recording) return false;
  const { ref, settings, title, origin, sample, scanned } = recording;
  const from = Math.round(fromUs);
  change({ fromUs: from }, ref.id);
  const view = await underWay('window', 'Reading the window', (task) =>
    engine.request(
      'viewRecording',
      { recording: ref, fromUs: from, toUs: from + settings.windowUs, view: settings.view, withoutHotPixels: settings.withoutHotPixels },
      task,
    ),
  );
  if (!view) return false;
  const { windowUs, representation, fit, withoutHotPixels, carryMembranes } = settings;
  const id = JSON.stringify([ref.id, scanned.format, from, windowUs, representation, fit, withoutHotPixels, carryMembranes]);
  const { source } = usePlayground.getState();
  takeSource({
    kind: 'events',
    id,
    title,
    origin,
    originUrl: undefined,
    sample,
    size: view.sensor,
    frame: { id, recording: ref, fromUs: from, windowUs, representation, fit, withoutHotPixels, carryMembranes },
    view,
    slices: source?.kind === 'events' && source.id === id ? source.slices : undefined,
  });
  if (detect === 'wait') await detectAll();
  else if (detect === 'soon') rerun();
  return true;
}

/** The window on the timeline, as a person drew it. */
export function setWindow(fromUs: number, toUs: number): void {
  setRecordingSettings({ windowUs: Math.max(toUs - fromUs, 1) }, fromUs);
}

/** Another window with other settings, shown but not run; for what a link or a file restores. */
export async function restoreWindow(settings: Partial<RecordingSettings>, fromUs: number | undefined): Promise<void> {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  change({ settings: { ...recording.settings, ...settings } }, recording.ref.id);
  await showWindow(fromUs ?? recording.fromUs, 'no');
}

export function setRecordingSettings(settings: Partial<RecordingSettings>, fromUs?: number): void {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  change({ settings: { ...recording.settings, ...settings } }, recording.ref.id);
  const onlyPlaying = Object.keys(settings).every((key) => key === 'speed' || key === 'cadenceUs' || key === 'detectWhilePlaying');
  if (!onlyPlaying) void showWindow(fromUs ?? recording.fromUs);
}

export function stepWindow(direction: 1 | -1): void {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  pauseRecording();
  void showWindow(within(recording.fromUs + direction * recording.settings.cadenceUs, recording.scanned, recording.settings.windowUs));
}

function within(fromUs: number, { summary }: ScannedRecording, windowUs: number): number {
  const first = summary.minUs ?? 0;
  return Math.min(Math.max(fromUs, first), Math.max((summary.maxUs ?? first) + 1 - windowUs, first));
}

export function toggleRecording(): void {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  if (recording.playing) pauseRecording();
  else void playRecording(recording.ref.id);
}

export function pauseRecording(): void {
  usePlayground.setState(({ recording }) => (recording?.playing ? { recording: { ...recording, playing: false } } : {}));
}

/**
 * Moves the window on by whole cadences, at the chosen speed of the recording's clock; where the networks are slower than that,
 * windows are left out, except where membranes are carried over from each to the next.
 */
async function playRecording(id: string): Promise<void> {
  change({ playing: true }, id);
  for (;;) {
    const started = performance.now();
    const { recording } = usePlayground.getState();
    if (recording?.ref.id !== id || !recording.playing) return;
    const { settings, scanned, fromUs } = recording;
    const next = within(fromUs + settings.cadenceUs, scanned, settings.windowUs);
    const ended = next <= fromUs;
    if (ended && beingRead === id) {
      // Only what has been read so far is at its end.
      await new Promise((resolve) => setTimeout(resolve, scanBudgetMs));
      continue;
    }
    const shown = ended || (await showWindow(next, settings.detectWhilePlaying ? 'wait' : 'no'));
    if (ended || !shown) {
      pauseRecording();
      return;
    }
    const dueMs = settings.cadenceUs / 1000 / settings.speed;
    const lateMs = performance.now() - started - dueMs;
    if (lateMs <= 0) await new Promise((resolve) => setTimeout(resolve, -lateMs));
    else if (!settings.carryMembranes && lateMs > dueMs) skip(Math.floor(lateMs / dueMs), id);
  }
}

/** Leaves out so many windows. */
function skip(windows: number, id: string): void {
  const { recording } = usePlayground.getState();
  if (recording?.ref.id !== id) return;
  const { fromUs, settings, scanned } = recording;
  change({ fromUs: within(fromUs + windows * settings.cadenceUs, scanned, settings.windowUs) }, id);
}

export async function saveRecordingAs(format: WritableFormatId, ending: string): Promise<void> {
  const { recording } = usePlayground.getState();
  if (!recording) return;
  const blob = await underWay('save', 'Writing the recording', (task) => engine.request('saveRecording', { recording: recording.ref, format }, task));
  if (blob) saveFile(blob, `${recording.title.replace(/\.[^.]*$/, '')}${ending}`);
}
