import { intersectionOverUnion, type Box } from '../base/geometry';
import { matchBoxes } from '../base/matchBoxes';
import type { Muted } from '../base/muted';
import { engine } from '../state/engine';
import { firstExplainState } from '../state/explain';
import { setView, tell, usePlayground, type ChosenBox, type PlaygroundState } from '../state/store';
import { knownLabels, labelName } from './labels';
import { afterRuns, frameOf, setRun, settingsFor } from './run';
import { underWay } from './work';

/** Why a box is there: which one is chosen, what its score came from, and what happens when parts of the network fall silent. */

/** The explanation follows the step that is looked at, once it rests there. */
const restMs = 250;

export function startExplaining(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  afterRuns(() => void explainChosen());
  usePlayground.subscribe(({ view: now, source, models, run }, { view: before, source: sourceBefore, models: modelsBefore, run: runBefore }) => {
    if (source?.id !== sourceBefore?.id && sourceBefore) forget();
    // Another network numbers its layers anew.
    if (models.snn !== modelsBefore.snn && modelsBefore.snn) {
      forget();
      usePlayground.setState(({ run }) => (run.muted.length > 0 ? { run: { ...run, muted: [] } } : {}));
    }
    // What led to a spike is another matter with another T, threshold or silence; the box is explained anew by itself.
    if (run !== runBefore && usePlayground.getState().explain.traced) forgetTraced();
    const changed = now.box !== before.box || now.layer !== before.layer || now.step !== before.step || now.playing !== before.playing;
    if (!changed || !now.box || now.playing) return;
    clearTimeout(timer);
    timer = setTimeout(() => void explainChosen(), now.box !== before.box ? 0 : restMs);
  });
}

function forget(): void {
  usePlayground.setState({ explain: firstExplainState });
  setView({ box: undefined });
}

export function chooseBox(box: ChosenBox | undefined): void {
  setView({ box });
  if (!box) usePlayground.setState(({ explain }) => ({ explain: { ...explain, explanation: undefined } }));
}

/** The box that the SNN is surest of at the chosen step. */
export function chooseSurestBox(): void {
  const { results, view } = usePlayground.getState();
  const lists = results.snn?.result.detectionsPerStep ?? [];
  const surest = (lists[view.step] ?? lists.at(-1))?.[0];
  if (surest) chooseBox({ of: 'snn', class: surest.class, box: surest.box });
}

/** A labelled box, by the name of its class: why it was found, or why not. */
export function chooseLabel({ name, box }: { name: string; box: Box }): void {
  const label = usePlayground.getState().models.snn?.classNames.indexOf(name) ?? -1;
  if (label >= 0) chooseBox({ of: 'truth', class: label, box });
  else tell({ tone: 'info', title: `The network has no class ${name}.`, detail: 'It has no score for this box that could be explained; choose another.', code: undefined });
}

/** The labels that the SNN did not find at the chosen step, one after the other. */
export function chooseMissedBox(): void {
  const state = usePlayground.getState();
  const { results, view, models } = state;
  const labels = knownLabels(state);
  const lists = results.snn?.result.detectionsPerStep ?? [];
  const missed = matchBoxes(lists[view.step] ?? lists.at(-1) ?? [], labels).missed.flatMap((index) => labels.slice(index, index + 1));
  const now = view.box?.of === 'truth' ? missed.findIndex(({ box }) => box.join() === view.box?.box.join()) : -1;
  const next = missed[(now + 1) % Math.max(missed.length, 1)];
  if (next) {
    setView({ labels: true });
    chooseLabel({ name: labelName(next, models.snn?.classNames), box: next.box });
  } else {
    const title = labels.length > 0 ? 'No labelled box was missed.' : 'Nothing is known to be here: there are no labels.';
    tell({ tone: 'info', title, detail: 'Choose another step or picture, or drop a file of labels (VOC, YOLO, Gen1).', code: undefined });
  }
}

/** Boxes of two steps are the same where they overlap by this much. */
const sameBox = 0.5;

/** Which of these boxes is the chosen one, also when it has moved a little since. */
export function indexOfChosen(boxes: readonly { box: Box; class: number }[], chosen: ChosenBox | undefined): number | undefined {
  if (!chosen) return undefined;
  let best: number | undefined;
  let bestOverlap = sameBox;
  boxes.forEach(({ box, class: label }, index) => {
    const overlap = label === chosen.class ? intersectionOverUnion(box, chosen.box) : 0;
    if (overlap >= bestOverlap) {
      best = index;
      bestOverlap = overlap;
    }
  });
  return best;
}

/** Asks the engine where the chosen box's score came from, up to the step that is looked at. */
export async function explainChosen(): Promise<void> {
  const state = usePlayground.getState();
  const { source, models, view, results } = state;
  const { box } = view;
  if (!box || !source || !models.snn || results.snn?.sourceId !== source.id || results.snn.precomputed) return;
  const target = { class: box.class, box: currentBox(state, box) };
  const result = await underWay('explain', 'Explaining the box', (task) =>
    engine.request('explain', { frame: frameOf(source), settings: settingsFor(state, 'snn'), target, upTo: view.step + 1, layer: view.layer }, task),
  );
  if (result && usePlayground.getState().view.box === box) {
    usePlayground.setState(({ explain }) => ({ explain: { ...explain, explanation: { sourceId: source.id, result } } }));
  }
}

/** Where the SNN's own box is at this step; boxes of others are where they were. */
function currentBox({ results, view }: PlaygroundState, chosen: ChosenBox): Box {
  if (chosen.of !== 'snn') return chosen.box;
  const boxes = results.snn?.result.detectionsPerStep[view.step] ?? [];
  return boxes[indexOfChosen(boxes, chosen) ?? -1]?.box ?? chosen.box;
}

/** What led to the chosen neuron's spike at the chosen step, spike by spike. */
export async function traceNeuronBack(): Promise<void> {
  const state = usePlayground.getState();
  const { source, models, view } = state;
  if (!source || !models.snn || !view.neuron) return;
  const neuron = { layer: view.layer, ...view.neuron };
  const { step } = view;
  const result = await underWay('traceBack', 'Tracing spikes back', (task) =>
    engine.request('traceBack', { frame: frameOf(source), settings: settingsFor(state, 'snn'), neuron, step }, task),
  );
  const now = usePlayground.getState();
  if (!result || now.source?.id !== source.id || now.run !== state.run) return;
  usePlayground.setState(({ explain }) => ({ explain: { ...explain, traced: { sourceId: source.id, ...neuron, step, result } } }));
}

export function forgetTraced(): void {
  usePlayground.setState(({ explain }) => ({ explain: { ...explain, traced: undefined } }));
}

export function isMuted(muted: readonly Muted[], wanted: Muted): boolean {
  return muted.some((each) => isSame(each, wanted));
}

/** Silences a neuron, a channel or a block of the SNN, or lets it speak again; the boxes follow. */
export function toggleMuted(wanted: Muted): void {
  const { muted } = usePlayground.getState().run;
  setRun({ muted: isMuted(muted, wanted) ? muted.filter((each) => !isSame(each, wanted)) : [...muted, wanted] });
}

/** Lets everything speak again. */
export function restoreMuted(): void {
  setRun({ muted: [] });
}

function isSame(a: Muted, b: Muted): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

/** "block 2", "channel 3 of layer 5", "neuron x 10, y 12, channel 3 of layer 5". */
export function mutedName(muted: Muted): string {
  if (muted.kind === 'block') return `block ${muted.row}`;
  if (muted.kind === 'channel') return `channel ${muted.channel} of layer ${muted.layer}`;
  return `neuron x ${muted.x}, y ${muted.y}, channel ${muted.channel} of layer ${muted.layer}`;
}
