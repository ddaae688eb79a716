import { cellOfPixel, type Fit } from '../base/receptivePlace';
import { spikeMasks } from '../base/spikeMasks';
import { engine } from '../state/engine';
import {
  defaultDetection,
  setView,
  trainedRun,
  usePlayground,
  type DetectionResult,
  type EventsSource,
  type LayerDescription,
  type Neuron,
  type PaneResult,
  type PlaygroundState,
  type RequestPayload,
  type Slot,
  type Source,
  type TraceResult,
} from '../state/store';
import { underWay } from './work';

/**
 * Keeps what is shown equal to what is chosen: whenever the picture, a model or a setting changes, the networks run
 * again, and the latest wish wins.
 */

let scheduled: ReturnType<typeof setTimeout> | undefined;

/** Runs soon, once for all changes of this moment. */
export function rerun(): void {
  scheduled ??= setTimeout(() => void detectAll(), 0);
}

const followers = new Set<() => void>();

/** Whatever else depends on the present source and settings: called when both networks have run. */
export function afterRuns(follower: () => void): void {
  followers.add(follower);
}

/**
 * Runs the networks on the present source; the player waits for it. With `next`, on that: it then takes the present one's place together
 * with its boxes, so that a picture that changes all the time is never shown without.
 */
export async function detectAll(next?: Source): Promise<void> {
  // This run is also the one that was to come soon; that one would cancel it.
  clearTimeout(scheduled);
  scheduled = undefined;
  const finished = await underWay('run', 'Running the networks', async (task) => {
    const panes: [Slot, PaneResult][] = [];
    for (const slot of ['snn', 'ann'] as const) {
      const state = usePlayground.getState();
      const { models, detection } = state;
      const source = next ?? state.source;
      if (!source || !models[slot]) continue;
      const result = await engine.request(
        'detect',
        { slot, frame: frameOf(source), settings: settingsFor(state, slot), ...detection },
        task,
      );
      const pane: PaneResult = { sourceId: source.id, result, precomputed: false };
      if (next) panes.push([slot, pane]);
      else showResult(slot, pane);
    }
    if (next) takeSource(next);
    for (const [slot, pane] of panes) showResult(slot, pane);
    return true;
  });
  if (!finished) return;
  for (const follower of followers) follower();
  await readSlices();
  await traceChosenLayer();
}

/** Whatever was shown before makes way, a recording too. */
export function takeSource(source: Source): void {
  const { source: before } = usePlayground.getState();
  if (before?.kind === 'picture' && before.id !== source.id) before.bitmap.close();
  usePlayground.setState({ source, ...(source.kind === 'picture' && { recording: undefined }) });
}

/** The pictures that the network got of a window of events, one for each step. */
async function readSlices(): Promise<void> {
  const state = usePlayground.getState();
  const { source, models } = state;
  if (source?.kind !== 'events' || !models.snn) return;
  const slices = await underWay('slices', 'Reading the slices', (task) =>
    engine.request('slices', { slot: 'snn', frame: source.frame, settings: settingsFor(state, 'snn') }, task),
  );
  usePlayground.setState(({ source: now }) => (slices && now?.kind === 'events' && now.id === source.id ? { source: { ...now, slices } } : {}));
}

export function frameOf(source: Source): RequestPayload<'detect'>['frame'] {
  return source.kind === 'picture' ? { id: source.id, image: source.image } : source.frame;
}

/**
 * The page letterboxes into the model's own size; only the command line feeds pictures as they are by default. What is silenced is
 * silenced in the SNN: the others stay to compare with.
 */
export function settingsFor({ run, models }: PlaygroundState, slot: Slot): PlaygroundState['run'] {
  const own = slot === 'snn' ? run : { ...run, muted: [] };
  return run.inputSize === 'native' ? { ...own, inputSize: models[slot]?.inputSize ?? 'native' } : own;
}

/** How the present source lies on the network's input. */
export function fitOf(source: Source | undefined): Fit {
  return source?.kind === 'events' ? source.frame.fit : 'letterbox';
}

function showResult(slot: Slot, pane: PaneResult): void {
  usePlayground.setState(({ results, view, run }) => ({
    results: { ...results, [slot]: pane },
    // The views keep their place; only what no longer exists moves. The step goes by the T that is chosen, which may be more than that of a
    // result that was on its way when it was chosen.
    view: slot === 'snn' ? { ...view, step: Math.min(view.step, run.steps - 1), ...keepLayer(view, pane) } : view,
  }));
}

function keepLayer(view: PlaygroundState['view'], { result }: PaneResult): Partial<PlaygroundState['view']> {
  const layer = result.layers[view.layer] ?? result.layers[0];
  if (!layer) return {};
  const { x, y, channel } = view.neuron ?? neuronAtBestBox(result, layer);
  return {
    layer: layer.index,
    neuron: {
      x: Math.min(x, layer.width - 1),
      y: Math.min(y, layer.height - 1),
      channel: Math.min(channel, layer.channels - 1),
    },
  };
}

/** Reads the chosen layer's membranes and spikes; only a layer that is looked at is read back. */
export async function traceChosenLayer(): Promise<void> {
  const state = usePlayground.getState();
  const { source, models, view } = state;
  if (!source || !models.snn) return;
  const trace = await underWay('trace', 'Reading the layer', (task) =>
    engine.request(
      'trace',
      { slot: 'snn', frame: frameOf(source), settings: settingsFor(state, 'snn'), layer: view.layer },
      task,
    ),
  );
  if (!trace) return;
  usePlayground.setState({ trace });
  if (source.kind === 'events') remember(source, trace, settingsFor(state, 'snn'));
}

/** A raster over more windows than fit in this is not kept. */
const historyBytes = 64e6;
const historyFrames = 64;

/** Keeps the layer's spikes of windows that are looked at one after the other; another layer, recording or setting begins anew. */
function remember({ frame, frame: { fromUs, windowUs, representation, fit, recording } }: EventsSource, { layer, trace }: TraceResult, settings: PlaygroundState['run']): void {
  if (trace.emits !== 'spikes') return;
  const key = JSON.stringify([recording.id, layer, windowUs, representation, fit, frame.withoutHotPixels, settings]);
  const { masks } = spikeMasks(trace);
  const { history } = usePlayground.getState();
  const before = history.key === key ? history.frames.filter((known) => known.fromUs < fromUs) : [];
  const kept = Math.max(1, Math.min(historyFrames, Math.floor(historyBytes / masks.byteLength)));
  usePlayground.setState({ history: { key, frames: [...before, { fromUs, steps: trace.steps, masks }].slice(-kept) } });
}

export function selectLayer(layer: number): void {
  const result = usePlayground.getState().results.snn?.result;
  const described = result?.layers[layer];
  if (!described) return;
  setView({ layer, neuron: neuronAtBestBox(result, described), hoveredCell: undefined });
  void traceChosenLayer();
}

/** Where something happens: the middle of the box that the network is surest of, else of the map. */
function neuronAtBestBox(result: DetectionResult, layer: LayerDescription): Neuron {
  const best = result.detectionsPerStep.at(-1)?.[0]?.box;
  const middle = best && { x: (best[0] + best[2]) / 2, y: (best[1] + best[3]) / 2 };
  const cell = middle && cellOfPixel(middle, layer, result.input, result.picture, fitOf(usePlayground.getState().source));
  return { ...(cell ?? { x: Math.floor(layer.width / 2), y: Math.floor(layer.height / 2) }), channel: 0 };
}

export function setRun(change: Partial<PlaygroundState['run']>): void {
  const { run, view } = usePlayground.getState();
  const next = { ...run, ...change };
  usePlayground.setState({ run: next });
  // A person who looks at the end keeps looking at the end.
  if (change.steps !== undefined) {
    setView({ step: view.step === run.steps - 1 ? change.steps - 1 : Math.min(view.step, change.steps - 1) });
  }
  rerun();
}

/** Whether everything is as the network was trained and as boxes are shown by default. */
export function isAsTrained({ run, detection, models }: Pick<PlaygroundState, 'run' | 'detection' | 'models'>): boolean {
  const { muted, ...trained } = { ...trainedRun, steps: models.snn?.steps ?? trainedRun.steps, ...defaultDetection };
  const now: Record<string, unknown> = { ...run, ...detection };
  return run.muted.length === muted.length && Object.entries(trained).every(([key, value]) => now[key] === value);
}

export function putBackTrained(): void {
  const { models } = usePlayground.getState();
  usePlayground.setState({ detection: defaultDetection });
  setRun({ ...trainedRun, steps: models.snn?.steps ?? trainedRun.steps });
}

export function setDetection(change: Partial<PlaygroundState['detection']>): void {
  usePlayground.setState(({ detection }) => ({ detection: { ...detection, ...change } }));
  rerun();
}
