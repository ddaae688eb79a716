import { AppError } from '../base/errors';
import type { Box } from '../base/geometry';
import type { Task } from '../base/progress';
import { defaultSurrogate } from '../base/surrogate';
import type { Checkpoint } from '../checkpoint/types';
import { anchorCellOf, bestCandidate, type AnchorCell } from '../detect/candidates';
import { decode, type DetectionHead } from '../detect/decode';
import { toOriginal, type LetterboxPlacement } from '../detect/letterbox';
import { mutingOf, type Muting } from '../network/muting';
import type { Network } from '../network/network';
import { exactField } from '../network/receptive';
import type { FeatureShape } from '../tensor/operations';
import { EventTraining } from '../tensor/event/training';
import { startTrainingKernels } from '../tensor/event/trainingKernels';
import { attribute, type Attribution, type Weights } from '../train/attribution';
import { readParameters } from '../train/parameters';
import { Pass, type Parameters, type PassOutput } from '../train/pass';
import type { PreparedInput } from './frames';
import type { Explanation, LayerExplanation, RequestPayload, RunSettings, TracedBack } from './protocol';

/** What an explanation needs of a loaded network. */
export interface Explained {
  network: Network;
  /** Its file, from which the numbers are read when somebody first asks why. */
  checkpoint: Checkpoint;
}

/** Above this, what the last explanation took is given back to the machine: a WebAssembly memory only grows. */
const keptBytes = 300e6;

/** Spikes are traced back one by one, which is for small inputs. */
const tracedSide = 320;

/** Answers why: attribution and traced spikes, on an engine of its own (that of training), which starts when it is first asked. */
export class Explainer {
  private operations: Promise<EventTraining> | undefined;
  private parameters: { network: Network; values: Promise<Parameters> } | undefined;
  private last: { key: string; attribution: Attribution; found: Found } | undefined;

  /** @param kernels the compiled program of training */
  constructor(private readonly kernels: () => Promise<BufferSource>) {}

  /** @throws AppError `input/unsupported` where nothing overlaps the box; `backend/*` */
  async explain(
    explained: Explained,
    prepared: PreparedInput,
    { frame, settings, target, upTo, layer }: RequestPayload<'explain'>,
    task: Task,
  ): Promise<Explanation> {
    const { graph } = explained.network;
    const { input } = prepared.placement;
    const steps = Math.min(upTo, settings.steps);
    const key = JSON.stringify([frame.id, settings, target, steps]);
    if (this.last?.key !== key || this.parameters?.network !== explained.network) {
      const { values, shape } = firstSteps(prepared, steps);
      const spikes = await firedIn(explained, prepared, settings, steps, task);
      const chosen: { found: Found | undefined } = { found: undefined };
      const attribution = await this.with(explained, task, (operations, parameters) =>
        attribute(
          { graph, parameters, operations },
          values,
          shape,
          { mode: 'snn', steps, neuron: settings, surrogate: defaultSurrogate, muting: mutingFor(explained, settings, input), spikes },
          (output) => {
            chosen.found = find(explained.network, output, target, prepared.placement);
            return chosen.found && weightsOf(output, chosen.found, graph.description.classNames.length);
          },
          task,
        ),
      );
      if (!attribution || !chosen.found) {
        throw new AppError('input/unsupported', 'No anchor of the network reaches this box, so there is no score to explain.', 'Choose a larger box, or one nearer to the middle of the picture.');
      }
      this.last = { key, attribution, found: chosen.found };
    }
    const { attribution, found } = this.last;
    const layers = attribution.layers.map(
      ({ layer: index, signed, magnitude, direct }): LayerExplanation => ({ layer: index, row: graph.layers[index]?.row ?? 0, signed, magnitude, direct }),
    );
    const wanted = attribution.layers.find((each) => graph.layers[each.layer]?.node === graph.layers[layer]?.node);
    if (!wanted) throw new AppError('network/invalid-settings', `Layer ${layer} was asked for, and the network has no such layer.`, 'Choose a layer from the network strip.');
    const { cell, slopes, logits, match } = found;
    return {
      found: {
        box: toOriginal(match.box, prepared.placement),
        iou: match.iou,
        class: target.class,
        objectness: match.objectness,
        probability: match.probability,
        score: match.objectness * match.probability,
        stride: graph.scales[cell.scale]?.stride ?? 1,
        ...cell,
      },
      upTo: steps,
      slopes,
      logits,
      explained: attribution.explained,
      directInput: attribution.directInput,
      biases: attribution.biases,
      layers,
      blocks: attribution.blocks,
      withoutCarried: 'recording' in frame && frame.carryMembranes,
      inputMap: { ...input, values: summedSteps(attribution.input, input.width * input.height) },
      layerMap: { layer, ...wanted.shape, values: wanted.values.slice() },
    };
  }

  /** @throws AppError `input/too-large` */
  async traceBack(explained: Explained, prepared: PreparedInput, { settings, neuron, step }: RequestPayload<'traceBack'>, task: Task): Promise<TracedBack> {
    const { graph } = explained.network;
    const { input } = prepared.placement;
    if (Math.max(input.width, input.height) > tracedSide) {
      throw new AppError(
        'input/too-large',
        `Spikes are traced back one by one up to ${tracedSide} × ${tracedSide} pixels, and the network’s input is ${input.width} × ${input.height}.`,
        'Choose a smaller network input in the run settings.',
      );
    }
    const node = graph.layers[neuron.layer]?.node;
    if (node === undefined) throw new AppError('network/invalid-settings', `The network has no layer ${neuron.layer}.`, 'Choose a layer from the network strip.');
    const steps = step + 1;
    const { values, shape } = firstSteps(prepared, steps);
    const spikes = await firedIn(explained, prepared, settings, steps, task);
    return this.with(explained, task, async (operations, parameters) => {
      const muting = mutingFor(explained, settings, input);
      const pass = new Pass(graph, parameters, operations, { mode: 'snn', steps, neuron: settings, surrogate: defaultSurrogate, statistics: 'running', muting, spikes });
      try {
        await pass.forward(values, { ...shape, images: 1 });
        const { height, width, channels } = pass.shapeOf(node);
        const active = new Uint8Array(steps * height * width * channels);
        const at = ((step * height + Math.min(neuron.y, height - 1)) * width + Math.min(neuron.x, width - 1)) * channels + Math.min(neuron.channel, channels - 1);
        active[at] = 1;
        const field = await exactField(
          graph,
          { shapeOf: (id) => pass.shapeOf(id), valuesOf: (id) => pass.valueOf(id) },
          { decay: settings.decay, reset: settings.reset ?? 'hard' },
          { node, active },
          task,
        );
        const layers = graph.layers.flatMap(({ index, node: other }) => {
          const marks = other === node ? undefined : field.neurons.get(other);
          return marks ? [{ layer: index, count: marks.reduce((sum, mark) => sum + mark, 0), of: marks.length }] : [];
        });
        const pixels = new Uint8Array(input.width * input.height);
        field.input.forEach((mark, place) => (pixels[place % pixels.length] = Math.max(pixels[place % pixels.length] ?? 0, mark)));
        return { input: { ...input, values: pixels }, layers, fired: (await pass.valueOf(node))[at] !== 0 };
      } finally {
        pass.release();
      }
    });
  }

  private async with<T>(explained: Explained, task: Task, work: (operations: EventTraining, parameters: Parameters) => Promise<T>): Promise<T> {
    const { network, checkpoint } = explained;
    if (this.parameters?.network !== network) {
      this.last = undefined;
      this.parameters = { network, values: readParameters(network.graph, checkpoint, task) };
    }
    const values = this.parameters.values;
    // One that failed or was cancelled is read again.
    void values.catch(() => (this.parameters = undefined));
    const operations = await (this.operations ??= this.start());
    try {
      return await work(operations, await values);
    } finally {
      if (operations.memory().bytes > keptBytes) this.operations = undefined;
    }
  }

  private async start(): Promise<EventTraining> {
    try {
      return new EventTraining(await startTrainingKernels(await this.kernels()));
    } catch (cause) {
      this.operations = undefined;
      throw new AppError(
        'backend/unavailable',
        'What explains boxes cannot run here: it needs WebAssembly with SIMD, and its program must be there.',
        'Use a current browser, and go online once if the page was never fully loaded.',
        cause,
      );
    }
  }
}

interface Found {
  cell: AnchorCell;
  class: number;
  match: { box: Box; iou: number; objectness: number; probability: number };
  /** Of the score over the logits. */
  slopes: { objectness: number; class: number };
  logits: { objectness: number; class: number };
}

function firstSteps({ values, steps: given, placement: { input } }: PreparedInput, steps: number): { values: Float32Array; shape: FeatureShape } {
  const kept = given === 1 ? 1 : steps;
  return { values: values.subarray(0, kept * input.width * input.height * 3), shape: { steps: kept, ...input, channels: 3 } };
}

/**
 * What the network fired up to a step, by node. The engine of training rounds otherwise, and one membrane on the other side of its
 * threshold would change what comes after it: what is explained is the run that the person saw. All steps are run, since how many
 * there are decides in which order an engine adds.
 */
async function firedIn({ network }: Explained, { values, steps: given, placement: { input } }: PreparedInput, settings: RunSettings, upTo: number, task: Task): Promise<Map<number, Uint8Array>> {
  const { steps, decay, threshold, reset = 'hard', muted = [] } = settings;
  const run = await network.run(
    values,
    { steps: given, ...input, channels: 3 },
    { mode: 'snn', steps, decay, threshold, reset, muted, record: new Set(), logitsPerStep: false, keepSpikes: true },
    task,
  );
  return new Map(Array.from(run.spikes ?? [], ([node, fired]) => [node, fired.subarray(0, (fired.length / steps) * upTo)]));
}

function mutingFor({ network }: Explained, settings: RunSettings, input: { width: number; height: number }): Muting {
  return mutingOf(network.graph, settings.muted ?? [], input);
}

function find({ graph, anchors }: Network, { logits }: PassOutput, target: { class: number; box: Box }, placement: LetterboxPlacement): Found | undefined {
  const classes = graph.description.classNames.length;
  const heads = logits.map(({ data, shape: { height, width } }, scale): DetectionHead => ({
    height,
    width,
    stride: graph.scales[scale]?.stride ?? 1,
    anchors: anchors[scale] ?? [],
    logits: data,
  }));
  const match = bestCandidate(decode(heads, classes), target.box, target.class, (box) => toOriginal(box, placement));
  if (!match || target.class >= classes) return undefined;
  const cell = anchorCellOf(match.candidate, heads);
  const { objectness, probability } = match;
  const at = firstLogit(cell, heads, classes);
  const of = (index: number): number => heads[cell.scale]?.logits[at + index] ?? 0;
  return {
    cell,
    class: target.class,
    match,
    // score = sigmoid(a) sigmoid(b), so its slope over a is score (1 - sigmoid(a)).
    slopes: { objectness: objectness * probability * (1 - objectness), class: objectness * probability * (1 - probability) },
    logits: { objectness: of(4), class: of(5 + target.class) },
  };
}

function firstLogit({ scale, anchor, x, y }: AnchorCell, heads: readonly { width: number; anchors: readonly number[] }[], classes: number): number {
  const { width = 0, anchors = [] } = heads[scale] ?? {};
  return ((y * width + x) * (anchors.length / 2) + anchor) * (5 + classes);
}

function weightsOf({ logits }: PassOutput, found: Found, classes: number): Weights {
  const heads = logits.map(({ data, shape: { height, width } }) => ({ width, anchors: new Array<number>((2 * data.length) / (height * width * (5 + classes))) }));
  const weights = logits.map(({ data }) => new Float32Array(data.length));
  const at = firstLogit(found.cell, heads, classes);
  weights[found.cell.scale]?.fill(found.slopes.objectness, at + 4, at + 5);
  weights[found.cell.scale]?.fill(found.slopes.class, at + 5 + found.class, at + 6 + found.class);
  return weights;
}

function summedSteps(values: Float32Array, size: number): Float32Array {
  const sum = new Float32Array(size);
  values.forEach((value, at) => (sum[at % size] = (sum[at % size] ?? 0) + value));
  return sum;
}
