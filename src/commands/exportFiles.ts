import { AppError } from '../base/errors';
import { csvFile } from '../base/csv';
import { pairBoxes } from '../base/boxDifference';
import type { Detection } from '../base/geometry';
import { npyFile } from '../base/npy';
import { stepHistogram } from '../base/stepHistogram';
import { usePlayground, type PaneResult, type Slot, type TraceResult } from '../state/store';
import { annBoxes, convertedPoints, trainedPoints } from './convergence';
import { energyCsv } from './energyCsv';
import { knownLabels } from './labels';
import { saveFile } from './saveFile';
import { tellError } from './work';

/** Files of what is on the screen: boxes at the chosen step, the chosen layer, the chosen neuron. */

interface Shown {
  slot: Slot;
  pane: PaneResult;
  /** 0-based; the ANN has one pass. */
  step: number;
  detections: readonly Detection[];
}

const networkNames: Record<Slot, string> = { snn: 'SNN', ann: 'ANN', converted: 'converted SNN' };

/** Each network's boxes as its pane shows them. */
function shownBoxes(): Shown[] {
  const { results, view, source, converted } = usePlayground.getState();
  return (['snn', 'ann', 'converted'] as const).flatMap((slot) => {
    const pane = results[slot];
    if (!pane || pane.sourceId !== source?.id || (slot === 'converted' && !converted.isOn)) return [];
    const { detectionsPerStep } = pane.result;
    const step = Math.min(slot === 'snn' ? view.step : 0, detectionsPerStep.length - 1);
    return [{ slot, pane, step, detections: detectionsPerStep[step] ?? [] }];
  });
}

/** "smear-1" of the picture's title, for names of files. */
function stem(): string {
  const title = usePlayground.getState().source?.title ?? 'picture';
  return title.replace(/\.[a-z0-9]{1,5}$/i, '').replaceAll(/[^\p{L}\p{N}._-]+/gu, '-');
}

function missing(what: string, remedy: string): void {
  tellError(new AppError('engine/no-model', `There is nothing to save yet: ${what}.`, remedy));
}

function boxes(): Shown[] | undefined {
  const shown = shownBoxes();
  if (shown.length > 0) return shown;
  missing('no network has run', 'Choose a picture and a model first.');
  return undefined;
}

export function saveDetectionsJson(): void {
  const shown = boxes();
  if (!shown) return;
  const { source, run, detection } = usePlayground.getState();
  const networks = shown.map(({ slot, pane: { result }, step, detections }) => ({
    network: slot,
    model: result.model,
    backend: result.backend.label,
    steps: result.steps,
    step: step + 1,
    detections: detections.map(({ box, score, class: label, name }) => ({ box, score, class: label, name })),
  }));
  const file = { picture: source?.title, ...source?.size, boxes: 'x1, y1, x2, y2 in pixels of the picture', run, ...detection, networks };
  saveFile(new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' }), `${stem()}-detections.json`);
}

export function saveDetectionsCsv(): void {
  const shown = boxes();
  if (!shown) return;
  const rows = shown.flatMap(({ slot, step, detections }) =>
    detections.map(({ box, score, class: label, name }) => [slot, slot === 'snn' ? step + 1 : undefined, label, name, score, ...box]),
  );
  saveFile(csvFile(['network', 'step', 'class', 'name', 'score', 'x1', 'y1', 'x2', 'y2'], rows), `${stem()}-detections.csv`);
}

/** COCO numbers its 80 classes from 1 to 90 and leaves these out. */
const unusedCocoCategories = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);
const cocoCategories = Array.from({ length: 90 }, (_, index) => index + 1).filter((category) => !unusedCocoCategories.has(category));

/** Class numbers as COCO's own categories where the network knows COCO's 80 classes, else counted from 1. */
function categoryOf(label: number, classNames: readonly string[]): number {
  const isCoco = classNames.length === cocoCategories.length && classNames[0] === 'person' && classNames[79] === 'toothbrush';
  return (isCoco ? cocoCategories[label] : undefined) ?? label + 1;
}

/** The list that COCO's evaluation reads; a picture whose name is a number has that number, as in COCO. */
export function saveCocoResults(slot: Slot): void {
  const shown = boxes()?.find((each) => each.slot === slot);
  if (!shown) {
    if (shownBoxes().length > 0) missing(`there is no result of the ${networkNames[slot]}`, 'Load such a network first.');
    return;
  }
  const { source, models } = usePlayground.getState();
  const name = stem();
  const image = /^\d+$/.test(name) ? Number(name) : (source?.title ?? name);
  const results = shown.detections.map(({ box: [x1, y1, x2, y2], score, class: label }) => ({
    image_id: image,
    category_id: categoryOf(label, models[slot]?.classNames ?? []),
    bbox: [x1, y1, x2 - x1, y2 - y1],
    score,
  }));
  saveFile(new Blob([`${JSON.stringify(results)}\n`], { type: 'application/json' }), `${name}-${slot}-coco.json`);
}

export function saveRates(): void {
  const pane = usePlayground.getState().results.snn;
  if (!pane) return missing('the SNN has not run', 'Choose a picture and a model first.');
  const { layers, blocks, firingRates, steps } = pane.result;
  const rows = layers.map(({ index, row, label, height, width, channels }) => {
    const rates = firingRates[index];
    const mean = rates ? rates.reduce((sum, rate) => sum + rate, 0) / rates.length : undefined;
    return [index, row, blocks[row]?.block, label, height * width * channels, mean, ...Array.from({ length: steps }, (_, step) => rates?.[step])];
  });
  const header = ['layer', 'row', 'block', 'label', 'neurons', 'mean rate', ...Array.from({ length: steps }, (_, step) => `step ${step + 1}`)];
  saveFile(csvFile(header, rows), `${stem()}-rates.csv`);
}

/** A row for each T of each network that has run: the paper's few steps against the many of conversion. */
export function saveConvergence(): void {
  const state = usePlayground.getState();
  const [ann, labels] = [annBoxes(state), knownLabels(state)];
  const rows = (['snn', 'converted'] as const).flatMap((network) => {
    const points = network === 'snn' ? trainedPoints : convertedPoints;
    const withLabels = points(state, labels.length > 0 ? labels : undefined);
    const convention = state.energy.estimates[network]?.chosen.convention;
    return points(state, ann).map(({ steps, agreement, spikes, energyPj }, index) => [network, steps, agreement ?? undefined, withLabels[index]?.agreement ?? undefined, spikes, energyPj ?? undefined, convention]);
  });
  if (rows.length === 0) return missing('no network has run', 'Choose a picture and a model first.');
  saveFile(csvFile(['network', 'T', 'agreement_with_ann', 'agreement_with_labels', 'spikes', 'energy_pj', 'convention'], rows), `${stem()}-by-T.csv`);
}

/** Of the SNN or of the converted network, layer by layer, under the convention that is chosen on the page. */
export function saveEnergy(network: 'snn' | 'converted'): void {
  const { results, energy } = usePlayground.getState();
  const result = results[network]?.result;
  const estimate = energy.estimates[network];
  if (!result || !estimate) return missing('this network has not run', 'Choose a picture and a model first.');
  saveFile(energyCsv(result, estimate.chosen), `${stem()}-energy-${network}.csv`);
}

function chosenTrace(): TraceResult | undefined {
  const { trace, view } = usePlayground.getState();
  if (trace?.layer.index === view.layer) return trace;
  missing('the chosen layer has not been read', 'Choose a layer in the network strip and wait for its maps.');
  return undefined;
}

export function saveTrace(): void {
  const traced = chosenTrace();
  const { neuron } = usePlayground.getState().view;
  if (!traced || !neuron) return;
  const { layer, trace } = traced;
  const { x, y, channel } = neuron;
  const neurons = trace.height * trace.width * trace.channels;
  const at = (y * trace.width + x) * trace.channels + channel;
  const rows = Array.from({ length: trace.steps }, (_, step) => [
    layer.index,
    x,
    y,
    channel,
    step + 1,
    trace.membrane[step * neurons + at],
    trace.emitted[step * neurons + at],
    trace.emits === 'spikes' ? trace.threshold : undefined,
  ]);
  const header = ['layer', 'x', 'y', 'channel', 'step', 'membrane', trace.emits === 'spikes' ? 'spike' : 'emitted', 'threshold'];
  saveFile(csvFile(header, rows), `${stem()}-layer${layer.index}-neuron.csv`);
}

/** `[T, H, W, C]`; spikes as bytes. */
export function saveLayer(array: 'membrane' | 'emitted'): void {
  const traced = chosenTrace();
  if (!traced) return;
  const { layer, trace } = traced;
  const shape = [trace.steps, trace.height, trace.width, trace.channels];
  const spikes = array === 'emitted' && trace.emits === 'spikes';
  const values = trace[array].slice();
  saveFile(npyFile(spikes ? Uint8Array.from(values) : values, shape), `${stem()}-layer${layer.index}-${spikes ? 'spikes' : array}.npy`);
}

const histogramBins = 60;

/** Shares of the chosen layer's membranes, from the lowest to the highest; one bin ends at the threshold. */
export function saveHistogram(): void {
  const traced = chosenTrace();
  if (!traced) return;
  const { layer, trace } = traced;
  let [low, high] = [Infinity, -Infinity];
  for (const value of trace.membrane) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const histogram = stepHistogram(trace.membrane, trace.steps, { low, high }, histogramBins, trace.threshold);
  const width = (histogram.high - histogram.low) / histogram.bins;
  const rows = Array.from({ length: histogram.bins }, (_, bin) => [histogram.low + bin * width, histogram.low + (bin + 1) * width, ...histogram.shares.map((shares) => shares[bin])]);
  const header = ['above', 'up to', ...histogram.shares.map((_, step) => `step ${step + 1}`)];
  saveFile(csvFile(header, rows), `${stem()}-layer${layer.index}-histogram.csv`);
}

/** Spikes of the chosen layer in the windows that the raster shows, one after the other: `[windows x T, H, W, C]` as bytes. */
export function saveRaster(): void {
  const traced = chosenTrace();
  if (!traced) return;
  const { layer, trace } = traced;
  const neurons = trace.height * trace.width * trace.channels;
  const { history, recording } = usePlayground.getState();
  const windows = recording ? history.frames.filter(({ masks }) => masks.length === neurons) : [];
  if (windows.length === 0) return missing('no window of a recording was looked at', 'Open a recording and play it, or save the layer’s spikes.');
  const steps = windows.reduce((sum, window) => sum + window.steps, 0);
  const spikes = new Uint8Array(steps * neurons);
  let first = 0;
  for (const window of windows) {
    for (let step = 0; step < window.steps; step++, first += neurons) window.masks.forEach((mask, neuron) => (spikes[first + neuron] = (mask >>> step) & 1));
  }
  saveFile(npyFile(spikes, [steps, trace.height, trace.width, trace.channels]), `${stem()}-layer${layer.index}-windows.npy`);
}

/** A row for each layer: gradient x spike and its magnitude per step, and what adds to the explained sum directly. */
export function saveExplanation(): void {
  const { explain, results } = usePlayground.getState();
  const result = explain.explanation?.result;
  if (!result) return missing('no box is explained', 'Choose a box in a picture first.');
  const steps = Array.from({ length: result.upTo }, (_, step) => step + 1);
  const rows = result.layers.map(({ layer, row, signed, magnitude, direct }) => [
    layer,
    row,
    results.snn?.result.layers[layer]?.label,
    ...signed,
    ...magnitude,
    ...direct,
  ]);
  const others = [
    [undefined, undefined, 'input directly', ...steps.flatMap(() => [undefined, undefined]), result.directInput],
    [undefined, undefined, 'biases', ...steps.flatMap(() => [undefined, undefined]), result.biases],
    [undefined, undefined, 'explained sum', ...steps.flatMap(() => [undefined, undefined]), result.explained],
  ];
  const of = (name: string): string[] => steps.map((step) => `${name} step ${step}`);
  saveFile(csvFile(['layer', 'row', 'label', ...of('gradient x spike'), ...of('magnitude'), ...of('direct')], [...rows, ...others]), `${stem()}-explanation.csv`);
}

/** Gradient x spike of every neuron of the layer, `[T, H, W, C]`. */
export function saveAttribution(): void {
  const map = usePlayground.getState().explain.explanation?.result.layerMap;
  if (!map) return missing('no box is explained', 'Choose a box in a picture first.');
  saveFile(npyFile(map.values.slice(), [map.steps, map.height, map.width, map.channels]), `${stem()}-layer${map.layer}-explanation.npy`);
}

/** Boxes that both networks have, and those that only one has. */
export function saveDifference(): void {
  const [snn, ann] = ['snn', 'ann'].map((slot) => shownBoxes().find((each) => each.slot === slot));
  if (!snn || !ann) return missing('both networks must have run', 'Load an SNN and its ANN twin first.');
  const rows = pairBoxes(snn.detections, ann.detections).map(({ first, second, iou }) => {
    const [a, b] = [snn.detections[first ?? -1], ann.detections[second ?? -1]];
    const box = (a ?? b)?.box ?? [];
    return [a && b ? 'both' : a ? 'only SNN' : 'only ANN', (a ?? b)?.name, a?.score, b?.score, iou, ...box];
  });
  saveFile(csvFile(['found by', 'name', 'SNN score', 'ANN score', 'IoU', 'x1', 'y1', 'x2', 'y2'], rows), `${stem()}-difference.csv`);
}
