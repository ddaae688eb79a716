import { AppError } from '../base/errors';
import type { Size } from '../base/geometry';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import type { LayerTrace } from '../base/trace';
import { parseManifest, verifySha256, type Manifest } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { NetworkMode } from '../checkpoint/types';
import { decode, type Candidates } from '../detect/decode';
import { letterbox, placeInto, sideMultiple, toOriginal, type LetterboxPlacement } from '../detect/letterbox';
import { suppress } from '../detect/nonMaximumSuppression';
import { estimateEnergy, fp32At45nm, type EnergyEstimate } from '../energy/energy';
import { drawSmear } from '../input/frames/smear';
import { convolutionCosts, nodeShapes, type NetworkGraph } from '../network/graph';
import { Network, type NetworkRun, type RecordedLayer } from '../network/network';
import { parameterCount } from '../network/weights';
import type { Backend } from '../tensor/backend';
import type {
  BlockDescription,
  DetectionResult,
  Frame,
  LayerDescription,
  ModelDescription,
  ModelSource,
  RequestPayload,
  RunSettings,
  Slot,
  TraceResult,
} from './protocol';

/** What the session needs from where it runs: a worker in a page, or Node. */
export interface Surroundings {
  /** A file of the models folder, `bccd/manifest.json`; a new version is never taken from a cache of the old one. @throws AppError `fetch/*` */
  readModelFile(path: string, task: Task, version?: string): Promise<Blob>;
  /** @throws AppError `input/unreadable`, `input/unsupported`, `input/too-large` */
  decodePicture(image: Blob): Promise<Picture>;
  /** As a PNG. */
  encodePicture(picture: Picture): Promise<Blob>;
}

interface LoadedModel {
  network: Network;
  description: ModelDescription;
}

/** What a run was made with; equal keys mean equal results, so that only what changed is computed again. */
interface FinishedRun {
  key: string;
  run: NetworkRun;
  placement: LetterboxPlacement;
  preprocessMs: number;
  inferenceMs: number;
}

/** A checkpoint without a manifest does not say what it was trained at; this is the released networks' size. */
const defaultInputSize = 640;

/** One backend, two networks (the SNN and its twin), and what was last computed with them. */
export class Session {
  private readonly models = new Map<Slot, LoadedModel>();
  private readonly finished = new Map<Slot, FinishedRun>();
  private picture: { id: string; picture: Picture } | undefined;

  constructor(
    readonly backend: Backend,
    private readonly surroundings: Surroundings,
  ) {}

  /** Loads a network; the one that was in the slot stays until the new one is complete. */
  async load({ slot, source }: RequestPayload<'load'>, task: Task): Promise<ModelDescription> {
    const { blob, name, manifest } = await this.locate(slot, source, task);
    const checkpoint = await openCheckpoint(blob, task);
    const network = await Network.load(checkpoint, this.backend.operations, task);
    // A file that says which of the two it is goes where it belongs, wherever it was dropped.
    const mode = checkpoint.mode ?? slot;
    this.unload({ slot: mode });
    const description: ModelDescription = {
      name,
      mode,
      classNames: network.graph.description.classNames,
      parameters: parameterCount(network.graph),
      neuronLayers: network.graph.layers.length,
      inputSize: manifest?.inputSize,
      steps: manifest?.steps,
      source: manifest?.source,
    };
    this.models.set(mode, { network, description });
    return description;
  }

  unload({ slot }: RequestPayload<'unload'>): undefined {
    this.models.get(slot)?.network.release();
    this.models.delete(slot);
    this.finished.delete(slot);
    return undefined;
  }

  async detect(request: RequestPayload<'detect'>, task: Task): Promise<DetectionResult> {
    const { network, description } = this.model(request.slot);
    const { run, placement, preprocessMs, inferenceMs } = await this.runOnce(request, task);
    const started = performance.now();
    const steps = run.scales[0]?.perStep ? run.steps : 1;
    const detectionsPerStep = Array.from({ length: steps }, (_, step) =>
      suppress(decodeStep(network, run, step), {
        confidence: request.confidence,
        iou: request.iou,
        severalClassesPerBox: false,
      }).map(({ box, score, class: label }) => ({
        box: toOriginal(box, placement),
        score,
        class: label,
        name: description.classNames[label] ?? `class ${label}`,
      })),
    );
    return {
      model: description.name,
      backend: this.backend.choice,
      mode: description.mode,
      steps: run.steps,
      picture: placement.original,
      input: placement.input,
      detectionsPerStep,
      layers: describeLayers(network.graph, placement.input, description.mode),
      blocks: describeBlocks(network.graph, placement.input),
      firingRates: run.firingRates.map((rates) => rates ?? null),
      energy: frameEnergy(network.graph, placement.input, run),
      timing: { preprocessMs, inferenceMs, postprocessMs: performance.now() - started },
    };
  }

  /** Membranes and emissions of one neuron layer at all steps. */
  async trace(request: RequestPayload<'trace'>, task: Task): Promise<TraceResult> {
    const { network, description } = this.model(request.slot);
    if (request.layer >= network.graph.layers.length) {
      throw new AppError(
        'network/invalid-settings',
        `Neuron layer ${request.layer} was asked for, and the network has ${network.graph.layers.length}.`,
        'Choose a layer from the network strip.',
      );
    }
    const { run, placement } = await this.execute(request, task, { record: [request.layer], logitsPerStep: false });
    const [recorded] = run.recorded;
    const layer = describeLayers(network.graph, placement.input, description.mode)[request.layer];
    if (!recorded || !layer) throw new RangeError('The recorded layer is missing from the run.');
    return { layer, trace: layerTrace(recorded, request.settings.threshold) };
  }

  /** A whole run with every layer recorded, for the command line's raw output. */
  async record(request: Omit<RequestPayload<'trace'>, 'layer'>, task: Task): Promise<Recording> {
    const { network } = this.model(request.slot);
    const all = network.graph.layers.map((layer) => layer.index);
    const { run, placement, values } = await this.execute(request, task, { record: all, logitsPerStep: false });
    return {
      values,
      input: placement.input,
      run,
      candidates: decodeStep(network, run, 0),
      anchorsPerScale: network.graph.anchorsPerScale,
    };
  }

  draw({ seed }: RequestPayload<'draw'>): Promise<Blob> {
    return this.surroundings.encodePicture(drawSmear(seed));
  }

  memory(): { tensors: number; bytes: number } {
    return this.backend.memory();
  }

  private async locate(slot: Slot, source: ModelSource, task: Task): Promise<LocatedModel> {
    if (source.kind === 'file') return { blob: source.blob, name: source.name, manifest: undefined };
    const { name } = source;
    const manifestFile = await this.surroundings.readModelFile(`${name}/manifest.json`, task);
    const manifest = parseManifest(await manifestFile.text());
    const weights = manifest.weights[slot];
    if (!weights) {
      throw new AppError(
        'engine/no-model',
        `The model ${name} comes without an ${slot.toUpperCase()} network.`,
        'Load a checkpoint of the twin from a file.',
      );
    }
    const blob = await this.surroundings.readModelFile(`${name}/${weights.file}`, task, weights.sha256);
    await verifySha256(blob, weights.sha256);
    return { blob, name, manifest };
  }

  private model(slot: Slot): LoadedModel {
    const model = this.models.get(slot);
    if (model) return model;
    throw new AppError(
      'engine/no-model',
      `There is no ${slot.toUpperCase()} network loaded.`,
      'Choose a model from the list, or drop a checkpoint on the page.',
    );
  }

  /** The last run again, if nothing that it depends on has changed: a new confidence only needs a new NMS. */
  private async runOnce(request: RequestPayload<'detect'>, task: Task): Promise<FinishedRun> {
    const key = JSON.stringify([request.frame.id, request.settings]);
    const last = this.finished.get(request.slot);
    if (last?.key === key) return last;
    const { run, placement, preprocessMs, inferenceMs } = await this.execute(request, task, {
      record: [],
      logitsPerStep: true,
    });
    const finished = { key, run, placement, preprocessMs, inferenceMs };
    this.finished.set(request.slot, finished);
    return finished;
  }

  private async execute(
    { slot, frame, settings }: { slot: Slot; frame: Frame; settings: RunSettings },
    task: Task,
    wanted: { record: number[]; logitsPerStep: boolean },
  ): Promise<Omit<FinishedRun, 'key'> & { values: Float32Array }> {
    const { network, description } = this.model(slot);
    const started = performance.now();
    const picture = await this.decode(frame);
    throwIfCancelled(task.signal);
    const placement = placeInto(picture, inputSizeFor(picture, settings, description));
    const values = letterbox(picture, placement);
    const preprocessed = performance.now();
    const run = await network.run(
      values,
      { steps: 1, ...placement.input, channels: 3 },
      {
        mode: description.mode,
        steps: settings.steps,
        decay: settings.decay,
        threshold: settings.threshold,
        record: new Set(wanted.record),
        logitsPerStep: wanted.logitsPerStep && description.mode === 'snn',
      },
      task,
    );
    return {
      run,
      placement,
      values,
      preprocessMs: preprocessed - started,
      inferenceMs: performance.now() - preprocessed,
    };
  }

  private async decode(frame: Frame): Promise<Picture> {
    if (!(frame.image instanceof Blob)) return frame.image;
    if (this.picture?.id !== frame.id) {
      this.picture = { id: frame.id, picture: await this.surroundings.decodePicture(frame.image) };
    }
    return this.picture.picture;
  }
}

interface LocatedModel {
  blob: Blob;
  name: string;
  manifest: Manifest | undefined;
}

export interface Recording {
  /** The network's input, `[1, height, width, 3]`. */
  values: Float32Array;
  input: Size;
  run: NetworkRun;
  candidates: Candidates;
  anchorsPerScale: number;
}

function inputSizeFor(picture: Size, settings: RunSettings, model: ModelDescription): Size {
  if (settings.inputSize !== 'native') return { width: settings.inputSize, height: settings.inputSize };
  if (picture.width % sideMultiple === 0 && picture.height % sideMultiple === 0) {
    return { width: picture.width, height: picture.height };
  }
  const side = model.inputSize ?? defaultInputSize;
  return { width: side, height: side };
}

function decodeStep(network: Network, run: NetworkRun, step: number): Candidates {
  const heads = run.scales.map((scale, index) => {
    const size = scale.mean.length;
    return {
      height: scale.height,
      width: scale.width,
      stride: network.graph.scales[index]?.stride ?? 1,
      anchors: network.anchors[index] ?? [],
      logits: scale.perStep ? scale.perStep.subarray(step * size, (step + 1) * size) : scale.mean,
    };
  });
  return decode(heads, network.graph.description.classNames.length);
}

function describeLayers(graph: NetworkGraph, input: Size, mode: NetworkMode): LayerDescription[] {
  const shapes = nodeShapes(graph, input.height, input.width);
  return graph.layers.map(({ index, node, row, repeat, label }) => {
    const { height = 0, width = 0, channels = 0 } = shapes[node] ?? {};
    const repeats = graph.blocks[row]?.repeats ?? 1;
    return {
      index,
      row,
      label: repeats > 1 ? `${repeat + 1}, ${label}` : label,
      emits: mode === 'ann' ? 'values' : (graph.nodes[node]?.emits ?? 'values'),
      height,
      width,
      channels,
    };
  });
}

function describeBlocks(graph: NetworkGraph, input: Size): BlockDescription[] {
  return graph.blocks.map(({ row, block, repeats, channels, stride }) => ({
    row,
    block,
    repeats,
    channels,
    height: input.height / stride,
    width: input.width / stride,
  }));
}

function layerTrace({ emits, shape, membrane, emitted }: RecordedLayer, threshold: number): LayerTrace {
  return { emits, ...shape, membrane, emitted, threshold };
}

/** The paper's formula on this frame's firing rates. */
function frameEnergy(graph: NetworkGraph, input: Size, run: NetworkRun): EnergyEstimate {
  const layers = convolutionCosts(graph, input.height, input.width).map(({ operations, spikesFrom }) => ({
    operationsPerStep: operations,
    readsSpikes: spikesFrom !== undefined,
    inputFiringRate: spikesFrom === undefined ? undefined : mean(run.firingRates[spikesFrom]),
  }));
  return estimateEnergy(layers, run.steps, fp32At45nm, 'once');
}

function mean(values: readonly number[] | undefined): number | undefined {
  if (!values || values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
