import { AppError } from '../base/errors';
import type { Size } from '../base/geometry';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import type { LayerTrace } from '../base/trace';
import { parseManifest, verifySha256, type Manifest } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { NetworkMode } from '../checkpoint/types';
import { decode, type Candidates } from '../detect/decode';
import { toOriginal, type LetterboxPlacement } from '../detect/letterbox';
import { suppress } from '../detect/nonMaximumSuppression';
import { estimateEnergy, fp32At45nm, type EnergyEstimate } from '../energy/energy';
import { drawSmear } from '../input/frames/smear';
import { convolutionCosts, nodeShapes, type NetworkGraph } from '../network/graph';
import { Network, type CarriedMembranes, type NetworkRun, type RecordedLayer } from '../network/network';
import { parameterCount } from '../network/weights';
import type { Backend } from '../tensor/backend';
import type {
  BlockDescription,
  DetectionResult,
  EventsFrame,
  Frame,
  LayerDescription,
  ModelDescription,
  ModelSource,
  RequestPayload,
  ResponseOf,
  RunSettings,
  Slot,
  StepPictures,
  TraceResult,
} from './protocol';
import { Frames } from './frames';
import { Recordings } from './recordings';

/** What the session needs from where it runs: a worker in a page, or Node. */
export interface Surroundings {
  /** A file of the models folder, `bccd/manifest.json`; a new version is never taken from a cache of the old one. @throws AppError `fetch/*` */
  readModelFile(path: string, task: Task, version?: string): Promise<Blob>;
  /** @throws AppError `input/unreadable`, `input/unsupported`, `input/too-large` */
  decodePicture(image: Blob): Promise<Picture>;
  /** As a PNG. */
  encodePicture(picture: Picture): Promise<Blob>;
  /** Every frame of a video in order, scaled to `longSide`. @throws AppError `input/unreadable`, `input/unsupported` */
  decodeVideo(video: Blob, longSide: number, task: Task): AsyncIterable<VideoFrameLuminance>;
}

export interface VideoFrameLuminance {
  /** 0 to 255, `[height, width]`. */
  luminance: Uint8Array;
  width: number;
  height: number;
  timeUs: number;
  /** How much of the video is behind, in [0, 1]. */
  share: number;
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

/** For windows that carry on: what the last one began with, for looking at it again, and what it left. */
interface Membranes {
  sameRun: string;
  fromUs: number;
  toUs: number;
  before: CarriedMembranes | undefined;
  after: CarriedMembranes | undefined;
}

/** One backend, two networks (the SNN and its twin), and what was last computed with them. */
export class Session {
  private readonly models = new Map<Slot, LoadedModel>();
  private readonly finished = new Map<Slot, FinishedRun>();
  private readonly membranes = new Map<Slot, Membranes>();
  private readonly frames: Frames;
  readonly recordings = new Recordings();

  constructor(
    readonly backend: Backend,
    private readonly surroundings: Surroundings,
  ) {
    this.frames = new Frames(surroundings, this.recordings);
  }

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
      reads: manifest?.reads,
      source: manifest?.source,
    };
    this.models.set(mode, { network, description });
    return description;
  }

  unload({ slot }: RequestPayload<'unload'>): undefined {
    this.forgetMembranes(slot);
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
    const { run, placement, values, inputSteps } = await this.execute(request, task, { record: all, logitsPerStep: false });
    return {
      values,
      inputSteps,
      input: placement.input,
      run,
      candidates: decodeStep(network, run, 0),
      anchorsPerScale: network.graph.anchorsPerScale,
    };
  }

  async slices({ slot, frame, settings }: RequestPayload<'slices'>, task: Task): Promise<StepPictures> {
    const { values, steps, placement } = await this.frames.prepare(frame, settings, this.model(slot).description, task);
    return { steps, ...placement.input, values };
  }

  async simulateVideo({ video, longSide, settings, seed }: RequestPayload<'simulateVideo'>, task: Task): Promise<ResponseOf['simulateVideo']> {
    let made = { events: 0, durationUs: 0, frames: 0, width: 0, height: 0 };
    for await (const { luminance, width, height, timeUs, share } of this.surroundings.decodeVideo(video, longSide, task)) {
      throwIfCancelled(task.signal);
      if (made.frames === 0) this.recordings.startSimulator({ width, height, settings, seed });
      made = { ...this.recordings.addFrame(luminance, timeUs), frames: made.frames + 1, width, height };
      task.report({ label: 'Turning the video into events', done: Math.round(share * 100), total: 100, unit: 'items' });
    }
    return made;
  }

  draw({ seed }: RequestPayload<'draw'>): Promise<Blob> {
    return this.surroundings.encodePicture(drawSmear(seed));
  }

  memory(): { tensors: number; bytes: number } {
    return this.backend.memory();
  }

  private async locate(slot: Slot, source: ModelSource, task: Task): Promise<LocatedModel> {
    if (source.kind === 'file') return { blob: source.blob, name: source.name, manifest: undefined };
    if (source.kind === 'kept') return { blob: source.blob, name: source.name, manifest: parseManifest(source.manifest) };
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
  ): Promise<Omit<FinishedRun, 'key'> & { values: Float32Array; inputSteps: number }> {
    const { network, description } = this.model(slot);
    const started = performance.now();
    const { values, steps, placement } = await this.frames.prepare(frame, settings, description, task);
    const preprocessed = performance.now();
    const membranes = 'recording' in frame && frame.carryMembranes ? this.membranesFor(slot, frame, settings, placement.input) : undefined;
    const run = await network.run(
      values,
      { steps, ...placement.input, channels: 3 },
      {
        mode: description.mode,
        steps: settings.steps,
        decay: settings.decay,
        threshold: settings.threshold,
        record: new Set(wanted.record),
        logitsPerStep: wanted.logitsPerStep && description.mode === 'snn',
        ...(membranes && { carry: { from: membranes.before } }),
      },
      task,
    );
    if (membranes) {
      if (membranes.after) network.releaseCarried(membranes.after);
      membranes.after = run.carried;
    }
    return {
      run,
      placement,
      values,
      inputSteps: steps,
      preprocessMs: preprocessed - started,
      inferenceMs: performance.now() - preprocessed,
    };
  }

  /** What this frame starts from: the membranes that the window before it left, if that is what was seen last. */
  private membranesFor(slot: Slot, frame: EventsFrame, settings: RunSettings, input: Size): Membranes {
    const known = this.membranes.get(slot);
    const sameRun = JSON.stringify([frame.recording.id, frame.representation, settings, input]);
    if (known?.sameRun === sameRun && known.fromUs === frame.fromUs) return known;
    const continues = known?.sameRun === sameRun && Math.abs(known.toUs - frame.fromUs) < 1 && known.after !== undefined;
    const before = continues ? known.after : undefined;
    if (continues) known.after = undefined;
    this.forgetMembranes(slot);
    const membranes: Membranes = { sameRun, fromUs: frame.fromUs, toUs: frame.fromUs + frame.windowUs, before, after: undefined };
    this.membranes.set(slot, membranes);
    return membranes;
  }

  private forgetMembranes(slot: Slot): void {
    const known = this.membranes.get(slot);
    const network = this.models.get(slot)?.network;
    for (const carried of [known?.before, known?.after]) if (carried) network?.releaseCarried(carried);
    this.membranes.delete(slot);
  }
}

interface LocatedModel {
  blob: Blob;
  name: string;
  manifest: Manifest | undefined;
}

export interface Recording {
  /** The network's input, `[inputSteps, height, width, 3]`. */
  values: Float32Array;
  inputSteps: number;
  input: Size;
  run: NetworkRun;
  candidates: Candidates;
  anchorsPerScale: number;
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
