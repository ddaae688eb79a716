import { AppError } from '../base/errors';
import { defaultConvertedSteps } from '../base/conversionOptions';
import { paperConvention } from '../base/energyConvention';
import type { Size } from '../base/geometry';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import { ownCell } from '../base/reach';
import type { LayerTrace } from '../base/trace';
import { looksLikeOnnx } from '../checkpoint/onnxMetadata';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint, NetworkMode } from '../checkpoint/types';
import type { Candidates } from '../detect/decode';
import type { LetterboxPlacement } from '../detect/letterbox';
import { estimateEnergy } from '../energy/energy';
import { drawLabelledSmear } from '../input/frames/smear';
import { calibrate, conversionOfCheckpoint, type Conversion } from '../network/conversion';
import { ConvertedNetwork } from '../network/converted';
import type { NetworkGraph } from '../network/graph';
import { Network, type CarriedMembranes, type NetworkRun, type RecordedLayer } from '../network/network';
import { reachBackFrom } from '../network/receptive';
import { parameterCount } from '../network/weights';
import type { Backend } from '../tensor/backend';
import type { FeatureShape } from '../tensor/operations';
import type {
  DetectionResult,
  EventsFrame,
  Explanation,
  Frame,
  ModelDescription,
  ModelSource,
  RequestPayload,
  ResponseOf,
  TruthBox,
  RunSettings,
  Slot,
  StepPictures,
  TracedBack,
  TraceResult,
} from './protocol';
import type { OnnxRuntime } from './bench/contestants';
import { ConvertedModel } from './convertedModel';
import { cellsOf, decodeScales, describeBlocks, describeLayers, detectionsOf, spikesPerStep } from './describe';
import { Evaluations, type FrameOutcome, type PreparedFrame } from './evaluation';
import { Explainer } from './explain';
import { Frames } from './frames';
import { locateModel, type LocatedModel } from './locate';
import { OnnxDetector } from './onnxDetector';
import { frameCosts, operationCounts } from './operationCounts';
import { Recordings } from './recordings';

/** What the session needs from where it runs: a worker in a page, or Node. */
export interface Surroundings {
  /** A file of the models folder, `bccd/manifest.json`; a new version is never taken from a cache of the old one. @throws AppError `fetch/*` */
  readModelFile(path: string, task: Task, version?: string): Promise<Blob>;
  /** @throws AppError `input/unreadable`, `input/unsupported`, `input/too-large` */
  decodePicture(image: Blob): Promise<Picture>;
  /** As a PNG. */
  encodePicture(picture: Picture): Promise<Blob>;
  /** Loaded when it is first needed. */
  openOnnxRuntime(): Promise<OnnxRuntime>;
  /** Every frame of a video in order, scaled to `longSide`. @throws AppError `input/unreadable`, `input/unsupported` */
  decodeVideo(video: Blob, longSide: number, task: Task): AsyncIterable<VideoFrameLuminance>;
  /** The compiled program of training, which also explains boxes. */
  trainingKernels(): Promise<BufferSource>;
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
  /** For converting and explaining it. */
  checkpoint: Checkpoint;
  description: ModelDescription & { mode: NetworkMode };
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

/** One backend, up to three networks (the SNN, its twin, and what the twin was converted to), and what was last computed with them. */
export class Session {
  private readonly models = new Map<Slot, LoadedModel>();
  private converted: ConvertedModel | undefined;
  /** In the place of the ANN twin. */
  private detector: OnnxDetector | undefined;
  private readonly finished = new Map<Slot, FinishedRun>();
  private readonly membranes = new Map<Slot, Membranes>();
  private readonly frames: Frames;
  private readonly explainer: Explainer;
  readonly recordings = new Recordings();
  readonly evaluations: Evaluations<LoadedModel | ConvertedModel>;

  constructor(
    readonly backend: Backend,
    private readonly surroundings: Surroundings,
  ) {
    this.frames = new Frames(surroundings, this.recordings);
    this.explainer = new Explainer(() => surroundings.trainingKernels());
    this.evaluations = new Evaluations({
      surroundings,
      network: async (wanted, task) => (wanted.source ? this.read(wanted, task) : this.loaded(wanted.slot)),
      isLoaded: (model, { slot, source }) => source !== undefined || model === (slot === 'converted' ? this.converted : this.models.get(slot)),
      run: (model, frame, task) => (model instanceof ConvertedModel ? model.evaluate(frame, task) : evaluateFrame(model, frame, task)),
      release: (model) => (model instanceof ConvertedModel ? model.release() : model.network.release()),
    });
  }

  /** Loads a network; the one that was in the slot stays until the new one is complete. */
  async load({ slot, source }: RequestPayload<'load'>, task: Task): Promise<ModelDescription> {
    const located = await this.locate(slot, source, task);
    if (looksLikeOnnx(new Uint8Array(await located.blob.slice(0, 16).arrayBuffer()))) return this.loadOnnx(located, task);
    const checkpoint = await openCheckpoint(located.blob, task);
    const conversion = await conversionOfCheckpoint(checkpoint, task);
    if (conversion) {
      return this.loadConverted(checkpoint, conversion, { name: located.name, inputSize: located.manifest?.inputSize, convertedFrom: undefined }, task);
    }
    const model = await this.networkOf(checkpoint, located, slot, task);
    const { description } = model;
    this.unload({ slot: description.mode });
    this.models.set(description.mode, model);
    return description;
  }

  /** Only the ANN has a place for a detector that is no EMS-YOLO. */
  private async loadOnnx({ blob, name }: LocatedModel, task: Task): Promise<ModelDescription> {
    const detector = await OnnxDetector.load(blob, name, () => this.surroundings.openOnnxRuntime(), this.backend, task);
    this.unload({ slot: 'ann' });
    this.detector = detector;
    return detector.description;
  }

  /** A network for one use, in no slot. */
  private async read({ slot, source }: RequestPayload<'load'>, task: Task): Promise<LoadedModel> {
    const located = await this.locate(slot, source, task);
    return this.networkOf(await openCheckpoint(located.blob, task), located, slot, task);
  }

  private async networkOf(checkpoint: Checkpoint, { name, manifest }: LocatedModel, slot: NetworkMode, task: Task): Promise<LoadedModel> {
    const network = await Network.load(checkpoint, this.backend.operations, task);
    // A file that says which of the two it is goes where it belongs, wherever it was dropped.
    const mode = checkpoint.mode ?? slot;
    const description = {
      name,
      mode,
      convertedFrom: undefined,
      head: undefined,
      ...countsOf(network.graph),
      inputSize: manifest?.inputSize,
      steps: manifest?.steps,
      reads: manifest?.reads,
      source: manifest?.source,
    };
    return { network, checkpoint, description };
  }

  /** Makes the converted network of the ANN twin; an earlier one stays until it is complete. */
  async convert(request: RequestPayload<'convert'>, task: Task): Promise<ModelDescription> {
    const { checkpoint, description } = this.model('ann');
    return this.loadConverted(checkpoint, await this.measure(request, task), { ...description, convertedFrom: description.name }, task);
  }

  /** What the conversion of the ANN twin needs to know of its activations. */
  async measure({ calibration, options, settings }: RequestPayload<'convert'>, task: Task): Promise<Conversion> {
    const { network, description } = this.model('ann');
    const inputs: { values: Float32Array; shape: FeatureShape }[] = [];
    for (const frame of calibration) {
      const { values, steps, placement } = await this.frames.prepare(frame, settings, description, task);
      inputs.push({ values, shape: { steps, ...placement.input, channels: 3 } });
    }
    return calibrate(network, inputs, options, task);
  }

  private async loadConverted(
    checkpoint: Checkpoint,
    conversion: Conversion,
    { name, inputSize, convertedFrom }: Pick<ModelDescription, 'name' | 'inputSize' | 'convertedFrom'>,
    task: Task,
  ): Promise<ModelDescription> {
    const network = await ConvertedNetwork.load(checkpoint, conversion, this.backend.operations, task);
    this.unload({ slot: 'converted' });
    const description: ModelDescription = {
      name,
      mode: 'converted',
      convertedFrom,
      head: undefined,
      ...countsOf(network.graph),
      inputSize,
      steps: defaultConvertedSteps,
      reads: undefined,
      source: undefined,
    };
    this.converted = new ConvertedModel(network, description, this.backend);
    return description;
  }

  unload({ slot }: RequestPayload<'unload'>): undefined {
    if (slot === 'converted') {
      this.converted?.release();
      this.converted = undefined;
      return undefined;
    }
    if (slot === 'ann') {
      void this.detector?.release();
      this.detector = undefined;
    }
    this.forgetMembranes(slot);
    this.models.get(slot)?.network.release();
    this.models.delete(slot);
    this.finished.delete(slot);
    return undefined;
  }

  async detect(request: RequestPayload<'detect'>, task: Task): Promise<DetectionResult> {
    if (request.slot === 'converted') {
      const model = this.convertedModel();
      return model.detect(request, () => this.frames.prepare(request.frame, request.settings, model.description, task), task);
    }
    if (request.slot === 'ann' && this.detector) return this.detectWith(this.detector, request, task);
    const { network, description } = this.model(request.slot);
    const { run, placement, preprocessMs, inferenceMs } = await this.runOnce(request, task);
    const started = performance.now();
    const operations = operationCounts(network.graph, placement.input, { ...run, neuronKind: 'leaky' });
    const steps = run.scales[0]?.perStep ? run.steps : 1;
    const detectionsPerStep = Array.from({ length: steps }, (_, step) =>
      detectionsOf(decodeStep(network, run, step), cellsOf(network, run.scales), placement, request, description),
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
      spikesPerStep: description.mode === 'snn' ? spikesPerStep(network.graph, placement.input, run.steps, run.firingRates) : [],
      operations,
      energy: estimateEnergy(operations, paperConvention),
      timing: { preprocessMs, inferenceMs, postprocessMs: performance.now() - started },
    };
  }

  private async detectWith(detector: OnnxDetector, request: RequestPayload<'detect'>, task: Task): Promise<DetectionResult> {
    const started = performance.now();
    const prepared = await this.frames.prepare(request.frame, request.settings, { ...detector.description, fixedInput: detector.input }, task);
    return detector.detect(request, prepared, performance.now() - started);
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
    return { layer, trace: layerTrace(recorded, request.settings.threshold), ...reachesOf(network.graph, request.layer) };
  }

  /** Where a box of the SNN came from. */
  async explain(request: RequestPayload<'explain'>, task: Task): Promise<Explanation> {
    const model = this.model('snn');
    return this.explainer.explain(model, await this.frames.prepare(request.frame, request.settings, model.description, task), request, task);
  }

  /** What led to a neuron's spike. */
  async traceBack(request: RequestPayload<'traceBack'>, task: Task): Promise<TracedBack> {
    const model = this.model('snn');
    return this.explainer.traceBack(model, await this.frames.prepare(request.frame, request.settings, model.description, task), request, task);
  }

  /** A whole run with every layer recorded, for the command line's raw output. */
  async record(request: Omit<RequestPayload<'trace'>, 'layer'>, task: Task): Promise<Recording> {
    if (request.slot === 'converted') return this.recordConverted(request, task);
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

  /** Without its neurons: over hundreds of steps they would take gigabytes. */
  private async recordConverted(request: Omit<RequestPayload<'trace'>, 'layer'>, task: Task): Promise<Recording> {
    const model = this.convertedModel();
    const { values, steps: inputSteps, placement } = await this.frames.prepare(request.frame, request.settings, model.description, task);
    const { state } = await model.advance(request, () => Promise.resolve({ values, steps: inputSteps, placement }), task);
    const scales = state.scales.map((scale) => ({ ...scale, perStep: undefined }));
    return {
      values,
      inputSteps,
      input: placement.input,
      run: { steps: state.steps, scales, recorded: [], spikes: undefined, firingRates: [], carried: undefined },
      candidates: model.candidates(state),
      anchorsPerScale: model.network.graph.anchorsPerScale,
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

  async draw({ seed }: RequestPayload<'draw'>): Promise<ResponseOf['draw']> {
    const { picture, boxes } = drawLabelledSmear(seed);
    const truth = boxes.map(({ name, box }): TruthBox => ({ name, box, class: undefined, timeUs: undefined }));
    return { image: await this.surroundings.encodePicture(picture), truth };
  }

  memory(): { tensors: number; bytes: number } {
    return this.backend.memory();
  }

  private locate(slot: NetworkMode, source: ModelSource, task: Task): Promise<LocatedModel> {
    return locateModel(slot, source, (...file) => this.surroundings.readModelFile(...file), task);
  }

  private convertedModel(): ConvertedModel {
    if (this.converted) return this.converted;
    throw new AppError('engine/no-model', 'There is no converted network.', 'Convert the ANN twin first, or open the file of a converted network.');
  }

  private loaded(slot: Slot): LoadedModel | ConvertedModel {
    return slot === 'converted' ? this.convertedModel() : this.model(slot);
  }

  private model(slot: Slot): LoadedModel {
    if (slot === 'converted') {
      throw new AppError('network/invalid-settings', 'A converted network keeps no membranes to look into.', 'Look into the SNN or the ANN.');
    }
    if (slot === 'ann' && this.detector) {
      throw new AppError('engine/no-model', 'An ONNX network is in the ANN’s place, and only its boxes are known.', 'Load the ANN twin of this network.');
    }
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
        reset: settings.reset ?? 'hard',
        muted: settings.muted ?? [],
        record: new Set(wanted.record),
        logitsPerStep: wanted.logitsPerStep && description.mode === 'snn',
        ...(membranes && { carry: { from: membranes.before } }),
        reuse: true,
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

function countsOf(graph: NetworkGraph): Pick<ModelDescription, 'classNames' | 'parameters' | 'neuronLayers'> {
  return { classNames: graph.description.classNames, parameters: parameterCount(graph), neuronLayers: graph.layers.length };
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

function reachesOf(graph: NetworkGraph, layer: number): Pick<TraceResult, 'inputReach' | 'scaleReaches'> {
  const node = graph.layers[layer]?.node ?? 0;
  return {
    inputReach: reachBackFrom(graph, node).get(0) ?? ownCell,
    scaleReaches: graph.scales.map((scale) => reachBackFrom(graph, scale.node).get(node)),
  };
}

function decodeStep(network: Network, run: NetworkRun, step: number): Candidates {
  return decodeScales(
    network,
    run.scales.map(({ height, width, mean, perStep }) => ({
      height,
      width,
      logits: perStep ? perStep.subarray(step * mean.length, (step + 1) * mean.length) : mean,
    })),
  );
}

/** One frame as an evaluation wants it: the final boxes' candidates, and what the run took. */
async function evaluateFrame({ network, description }: LoadedModel, { input: { values, steps: inputSteps, placement }, settings }: PreparedFrame, task: Task): Promise<FrameOutcome> {
  const started = performance.now();
  const run = await network.run(
    values,
    { steps: inputSteps, ...placement.input, channels: 3 },
    { ...settings, mode: description.mode, record: new Set(), logitsPerStep: false },
    task,
  );
  const inferenceMs = performance.now() - started;
  const operations = operationCounts(network.graph, placement.input, { ...run, neuronKind: 'leaky' });
  return { candidates: decodeStep(network, run, 0), inferenceMs, ...frameCosts(operations) };
}

function layerTrace({ emits, shape, membrane, emitted }: RecordedLayer, threshold: number): LayerTrace {
  return { emits, ...shape, membrane, emitted, threshold };
}
