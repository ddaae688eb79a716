import { z } from '../base/schema';
import { backendNames, maximumThreads } from '../base/backendName';
import { largestBurst, maximumCalibrationFrames, maximumConvertedSteps, normalisations } from '../base/conversionOptions';
import { energyConventionSchema } from '../base/energyConvention';
import { datasetFormats, datasetParts, type DatasetFormat } from '../base/datasetOptions';
import { blockKinds, deepestStack, stackKinds, stackSettingsSchema, type BlockSpectrum, type GradientProfile } from '../base/blockStacks';
import { maximumMuted, mutedSchema } from '../base/muted';
import { resetModes } from '../base/neuron';
import type { Reach } from '../base/reach';
import type { Box, Size } from '../base/geometry';
import {
  columnNames,
  maximumSensorSide,
  representations,
  sceneKinds,
  simulatorSettingsSchema,
  timeUnits,
  writableFormatIds,
} from '../base/eventOptions';
import type { LayerTrace } from '../base/trace';
import type { BackendChoice } from '../tensor/backend';
import type { EnergyBreakdown, EnergyEstimate, OperationCounts } from '../energy/energy';
import type { Dataset, DatasetProblem } from '../evaluate/datasets/dataset';
import type { TallyResult, WorstSample } from '../evaluate/tally';
import type { RecordingSummary, ScanProgress } from '../input/events/recording';
import type { TableInterpretation } from '../input/events/source';
import type { TruthBox } from '../base/truth';
import type { WindowStatistics } from '../input/events/window';

/**
 * What the page and the engine say to each other. Requests are parsed with these schemas on arrival; answers carry the
 * types below. Every request stands on its own (it names its frame and settings), so that it can be repeated on a new
 * worker after a crash.
 */

export const backendPreferenceSchema = z.enum(['auto', ...backendNames]);

const slotSchema = z.enum(['snn', 'ann', 'converted']);
/** Which of the three networks: the spiking one, its twin with ReLU, or the spiking network that the twin was converted to. */
export type Slot = z.infer<typeof slotSchema>;

export const blobSchema = z.custom<Blob>((value) => value instanceof Blob);

export const modelSourceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('shipped'),
    name: z.string().regex(/^[a-z0-9-]+$/),
    /** Where the page has fetched them already, while the engine was starting. */
    files: z.object({ manifest: blobSchema, weights: blobSchema }).optional(),
  }),
  /** `manifest` is the text of one that lies beside it and names it. */
  z.object({ kind: z.literal('file'), name: z.string(), blob: blobSchema, manifest: z.string().optional() }),
  /** Trained on this machine; `manifest` is the text of its file. */
  z.object({ kind: z.literal('kept'), name: z.string(), manifest: z.string(), blob: blobSchema }),
]);
export type ModelSource = z.infer<typeof modelSourceSchema>;

const pictureFrameSchema = z.object({
  /** The engine keeps the decoded picture of the last frame under this name. */
  id: z.string(),
  image: z.union([
    blobSchema,
    z.object({ width: z.int().positive(), height: z.int().positive(), data: z.instanceof(Uint8Array) }),
  ]),
});
export type PictureFrame = z.infer<typeof pictureFrameSchema>;

const tableSchema = z.object({
  columns: z.array(z.enum([...columnNames, 'other'])),
  timeUnit: z.enum(timeUnits),
});

/** A recording says all that it takes to open it again; the engine keeps the one that was used last open under `id`. */
const recordingRefSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), id: z.string(), name: z.string(), blob: blobSchema, table: tableSchema.partial().optional() }),
  z.object({ kind: z.literal('scene'), id: z.string(), scene: z.enum(sceneKinds), seed: z.int().nonnegative() }),
  /** What the simulator has made since it was last started. */
  z.object({ kind: z.literal('live'), id: z.string() }),
]);
export type { TruthBox };
export type RecordingRef = z.infer<typeof recordingRefSchema>;

const microseconds = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

const eventsFrameSchema = z.object({
  id: z.string(),
  recording: recordingRefSchema,
  fromUs: microseconds,
  windowUs: z.number().positive(),
  representation: z.enum(representations),
  fit: z.enum(['stretch', 'letterbox']),
  /** Leaves out pixels that fire far more often than the others. */
  withoutHotPixels: z.boolean(),
  /** Goes on from the membranes of the window before, if that is what the network saw last. */
  carryMembranes: z.boolean(),
});
export type EventsFrame = z.infer<typeof eventsFrameSchema>;

const frameSchema = z.union([pictureFrameSchema, eventsFrameSchema]);
export type Frame = z.infer<typeof frameSchema>;

const runSettingsSchema = z.object({
  /** A trained network takes up to 16; only a converted one takes more. */
  steps: z.int().min(1).max(maximumConvertedSteps),
  decay: z.number().min(0).max(1),
  threshold: z.number(),
  /** Hard where it is not said: EMS-YOLO is trained with it. */
  reset: z.enum(resetModes).optional(),
  /** What is silenced; what the network does not have is passed over. */
  muted: z.array(mutedSchema).max(maximumMuted).optional(),
  /** Side of the square that the picture is letterboxed into; `native` feeds a picture whose sides are multiples of 32 as it is. */
  inputSize: z.union([z.int().positive().max(2048), z.literal('native')]),
});
export type RunSettings = z.infer<typeof runSettingsSchema>;

/** Corners in pixels of the original picture. */
const boxSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]).readonly();

const operationCountsSchema: z.ZodType<OperationCounts> = z.object({
  steps: z.int().positive(),
  layers: z.array(
    z.object({
      name: z.string(),
      operationsPerStep: z.number(),
      outputsPerStep: z.number(),
      readsSpikes: z.boolean(),
      readsInput: z.boolean(),
      inputRates: z.array(z.number()).nullable(),
    }),
  ),
  neurons: z.number(),
  neuronKind: z.enum(['leaky', 'integrate']),
});

/** A data set as a person opened it. */
export const datasetContentSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('files'), files: z.array(z.object({ path: z.string(), blob: blobSchema })) }),
  z.object({ kind: z.literal('zip'), name: z.string(), blob: blobSchema }),
]);
export type DatasetContent = z.infer<typeof datasetContentSchema>;

/** Empty: what the network was trained with. An ANN has one pass whatever they are. */
const evaluatedSteps = z.array(z.int().min(1).max(maximumConvertedSteps)).max(16);

/** The network that is loaded in a slot, or one of its own from a source. */
const evaluatedNetworkSchema = z.union([
  z.object({ slot: slotSchema.exclude(['converted']), source: modelSourceSchema, steps: evaluatedSteps }),
  z.object({ slot: slotSchema, source: z.undefined().optional(), steps: evaluatedSteps }),
]);

export const requestSchemas = {
  /** `threads`: of the CPU engine. */
  open: z.object({ preference: backendPreferenceSchema, avoid: z.array(z.enum(backendNames)), threads: z.int().min(1).max(maximumThreads) }),
  /** A file of a converted network finds its own slot. */
  load: z.object({ slot: slotSchema.exclude(['converted']), source: modelSourceSchema }),
  /** Makes the converted network of the ANN twin that is loaded. */
  convert: z.object({
    /** Frames that the twin's activations are measured on. */
    calibration: z.array(frameSchema).min(1).max(maximumCalibrationFrames),
    options: z.object({
      normalisation: z.enum(normalisations),
      percentile: z.number().positive().max(100),
      maximumSpikes: z.int().min(1).max(largestBurst),
    }),
    settings: runSettingsSchema,
  }),
  unload: z.object({ slot: slotSchema }),
  /** A converted network goes on from where it is, if it is asked for more steps on the same frame. */
  detect: z.object({
    slot: slotSchema,
    frame: frameSchema,
    settings: runSettingsSchema,
    confidence: z.number().min(0).max(1),
    iou: z.number().min(0).max(1),
  }),
  trace: z.object({ slot: slotSchema, frame: frameSchema, settings: runSettingsSchema, layer: z.int().nonnegative() }),
  /**
   * Where a box of the SNN came from: the score of the candidate that overlaps `target` most (the box itself where it was found, else the
   * anchor that was nearest to finding it), from the mean logits over the steps 1 to `upTo`.
   */
  explain: z.object({
    frame: frameSchema,
    settings: runSettingsSchema,
    target: z.object({ class: z.int().nonnegative(), box: boxSchema }),
    upTo: z.int().min(1).max(16),
    /** Whose neurons are wanted one by one. */
    layer: z.int().nonnegative(),
  }),
  /** What led to a neuron at a step by the recorded spikes, for small inputs only. */
  traceBack: z.object({
    frame: frameSchema,
    settings: runSettingsSchema,
    neuron: z.object({ layer: z.int().nonnegative(), x: z.int().nonnegative(), y: z.int().nonnegative(), channel: z.int().nonnegative() }),
    /** 0-based. */
    step: z.int().min(0).max(15),
  }),
  /** Whether a file is an event recording. */
  identify: z.object({ name: z.string(), blob: blobSchema }),
  /** Reads on in a recording for about `budgetMs`, from where the last call ended; repeat until it is `finished`. */
  scanRecording: z.object({ recording: recordingRefSchema, budgetMs: z.number().positive() }),
  /** What a person sees of the events from `fromUs` to `toUs`. */
  viewRecording: z.object({
    recording: recordingRefSchema,
    fromUs: microseconds,
    toUs: microseconds,
    view: z.enum(['polarity', 'surface']),
    withoutHotPixels: z.boolean(),
  }),
  /** The pictures that the network gets, one for each step. */
  slices: z.object({ slot: slotSchema, frame: eventsFrameSchema, settings: runSettingsSchema }),
  /** Boxes from a file beside a recording. */
  readTruth: z.object({ name: z.string(), blob: blobSchema, sensor: z.object({ width: z.int().positive(), height: z.int().positive() }) }),
  /** The whole recording in another format. */
  saveRecording: z.object({ recording: recordingRefSchema, format: z.enum(writableFormatIds) }),
  /** A new simulated camera; the events that it makes are the recording of kind `live`. */
  startSimulator: z.object({
    width: z.int().min(1).max(maximumSensorSide),
    height: z.int().min(1).max(maximumSensorSide),
    settings: simulatorSettingsSchema,
    seed: z.int().nonnegative(),
  }),
  /** One frame for the simulated camera, RGBA; times must rise. */
  simulateFrame: z.object({ rgba: z.instanceof(Uint8ClampedArray), timeUs: microseconds }),
  /** A still drawing, moved over the sensor in three saccades; a new simulated camera. */
  simulateSketch: z.object({
    luminance: z.instanceof(Uint8Array),
    width: z.int().min(1).max(maximumConvertedSteps),
    height: z.int().min(1).max(maximumConvertedSteps),
    settings: simulatorSettingsSchema,
    seed: z.int().nonnegative(),
  }),
  /** A whole video through a new simulated camera. */
  simulateVideo: z.object({ video: blobSchema, longSide: z.int().min(16).max(1024), settings: simulatorSettingsSchema, seed: z.int().nonnegative() }),
  /** The gradient by depth of one drawn stack, and what theory expects of it. */
  measureGradient: z.object({ kind: z.enum(stackKinds), settings: stackSettingsSchema, seed: z.int().nonnegative() }),
  predictGradient: z.object({ kind: z.enum(stackKinds), settings: stackSettingsSchema }),
  /** The Jacobian of block number `place` (from 1) of a drawn stack. */
  measureSpectrum: z.object({ kind: z.enum(blockKinds), place: z.int().min(1).max(deepestStack), settings: stackSettingsSchema, seed: z.int().nonnegative() }),
  /** A drawn smear as a PNG, and the cells that were drawn. */
  draw: z.object({ seed: z.int().nonnegative() }),
  /** Estimates of energy under a convention; nothing runs for them. */
  estimateEnergy: z.object({ runs: z.array(operationCountsSchema).max(1000), convention: energyConventionSchema }),
  /** Reads a data set's labels; the engine holds the last one under this id. */
  openDataset: z.object({
    id: z.string(),
    content: datasetContentSchema,
    format: z.enum(datasetFormats).optional(),
  }),
  /** Goes on with an evaluation for about `budgetMs`; another id begins another one. Repeat until it is `finished`. */
  evaluate: z.object({
    id: z.string(),
    dataset: z.string(),
    part: z.enum(datasetParts).optional(),
    limit: z.int().positive().optional(),
    networks: z.array(evaluatedNetworkSchema).min(1).max(16),
    /** Side of the square; undefined: the network's own. */
    inputSize: z.int().positive().max(2048).optional(),
    budgetMs: z.number().positive(),
  }),
  /** A sample of the evaluation as a picture. */
  evaluatedPicture: z.object({ id: z.string(), sample: z.int().nonnegative() }),
  /** The detections of one case of the evaluation in COCO's format for results. */
  evaluationDetections: z.object({ id: z.string(), case: z.int().nonnegative() }),
  memory: z.object({}),
} as const;

export type RequestKind = keyof typeof requestSchemas;
export type RequestPayload<K extends RequestKind> = z.infer<(typeof requestSchemas)[K]>;

const sizeSchema = z.object({ width: z.number(), height: z.number() });

const detectionSchema = z.object({
  box: boxSchema,
  score: z.number(),
  class: z.int(),
  name: z.string(),
  cell: z.object({ scale: z.int(), x: z.int(), y: z.int() }).exactOptional(),
});

const layerSchema = z.object({
  index: z.int(),
  row: z.int(),
  label: z.string(),
  emits: z.enum(['spikes', 'values']),
  height: z.int(),
  width: z.int(),
  channels: z.int(),
});
/** A neuron layer of a network on a picture of a given size. */
export type LayerDescription = z.infer<typeof layerSchema>;

const blockSchema = z.object({
  row: z.int(),
  block: z.string(),
  repeats: z.int(),
  channels: z.int(),
  height: z.number(),
  width: z.number(),
});
export type BlockDescription = z.infer<typeof blockSchema>;

export interface ModelDescription {
  name: string;
  /** Which slot it was loaded into: a file that says what it is decides for itself. */
  mode: Slot;
  /** The ANN twin that it was converted from since the page was opened; undefined for everything that comes from a file. */
  convertedFrom: string | undefined;
  /** Of a detector that is no EMS-YOLO: "YOLOv8 head, ONNX". */
  head: string | undefined;
  classNames: readonly string[];
  /** Undefined where nobody counts. */
  parameters: number | undefined;
  neuronLayers: number;
  /** What its manifest says; a bare checkpoint does not know. */
  inputSize: number | undefined;
  steps: number | undefined;
  /** What it was trained on; undefined where nobody says. */
  reads: 'pictures' | 'events' | undefined;
  source: { data: string; url: string; licence: string } | undefined;
}

const backendChoiceSchema: z.ZodType<BackendChoice> = z.object({
  name: z.enum(backendNames),
  label: z.string(),
  reason: z.string(),
});

const energySchema: z.ZodType<EnergyEstimate> = z.object({
  convention: z.string(),
  acOpsPerStep: z.number(),
  macOpsPerStep: z.number(),
  snnPj: z.number().nullable(),
  annPj: z.number(),
});

/** Also the form of the stored example that the page shows first. */
export const detectionResultSchema = z.object({
  model: z.string(),
  backend: backendChoiceSchema,
  mode: slotSchema,
  steps: z.int(),
  /** The original picture. */
  picture: sizeSchema,
  /** What the network saw. */
  input: sizeSchema,
  /** Boxes on the original picture from the mean logits over the steps 1..t, one list for each t; the last is the result. */
  detectionsPerStep: z.array(z.array(detectionSchema)),
  layers: z.array(layerSchema),
  blocks: z.array(blockSchema),
  /** `[layer][step]`, of a converted network `[layer][0]`, the mean over its steps; null for layers that do not spike. */
  firingRates: z.array(z.array(z.number()).nullable()),
  /** Of the whole network; empty for an ANN. */
  spikesPerStep: z.array(z.number()),
  /** What an estimate of energy counts, so that another convention needs no other run. */
  operations: operationCountsSchema,
  energy: energySchema,
  timing: z.object({ preprocessMs: z.number(), inferenceMs: z.number(), postprocessMs: z.number() }),
});
export type DetectionResult = z.infer<typeof detectionResultSchema>;

export interface TraceResult {
  layer: LayerDescription;
  trace: LayerTrace;
  /** What of the network's input leads to a cell of the layer, by strides and kernels. */
  inputReach: Reach;
  /** What of the layer leads to a cell of each detection scale; undefined where nothing does. */
  scaleReaches: (Reach | undefined)[];
}

/** One neuron layer's part in a score, per step. `train/attribution.ts` says what is promised. */
export interface LayerExplanation {
  layer: number;
  row: number;
  /** Gradient x emission, summed. */
  signed: number[];
  /** Its magnitudes, summed. */
  magnitude: number[];
  /** What the layer's spikes add to the explained sum with no neuron in between. */
  direct: number[];
}

export interface Explanation {
  /** The candidate whose score is explained. */
  found: {
    /** In pixels of the original picture. */
    box: Box;
    /** Overlap with the target. */
    iou: number;
    class: number;
    objectness: number;
    probability: number;
    score: number;
    scale: number;
    stride: number;
    anchor: number;
    x: number;
    y: number;
  };
  upTo: number;
  /** Slopes of the score over its two logits, objectness and class, and the logits. */
  slopes: { objectness: number; class: number };
  logits: { objectness: number; class: number };
  /** slope x logit of both, which is the layers' `direct` + `directInput` + `biases`. */
  explained: number;
  directInput: number;
  biases: number;
  layers: LayerExplanation[];
  /** Of each block that can be silenced: gradient x what it adds to its shortcut, summed; to first order what silencing it takes away. */
  blocks: { row: number; signed: number; magnitude: number }[];
  /** The page's run went on from the membranes of the window before, and this one did not. */
  withoutCarried: boolean;
  /** On the network's input, `[height, width]`: gradient x input, summed over colours and steps. */
  inputMap: { width: number; height: number; values: Float32Array };
  /** Of the layer that was asked for: gradient x emission, `[steps, height, width, channels]`. */
  layerMap: { layer: number; steps: number; height: number; width: number; channels: number; values: Float32Array };
}

export interface TracedBack {
  /** On the network's input, `[height, width]`: 1 where a pixel led to the neuron. */
  input: { width: number; height: number; values: Uint8Array };
  /** Spikes (or values) that led to it, by layer; undefined where none could. */
  layers: { layer: number; count: number; of: number }[];
  fired: boolean;
}

export interface RecordingState extends ScanProgress {
  format: string;
  summary: RecordingSummary;
  /** Where the file does not describe its own columns: how they were understood. */
  table: TableInterpretation | undefined;
  /** Boxes that came with the recording. */
  truth: readonly TruthBox[];
}

export interface RecordingView {
  sensor: Size;
  pixels: { kind: 'polarity'; last: Int8Array } | { kind: 'surface'; value: Float32Array };
  statistics: WindowStatistics;
  /** How many pixels were left out as hot. */
  hotPixels: number;
}

export interface StepPictures {
  steps: number;
  width: number;
  height: number;
  /** `[steps, height, width, 3]`, as the network reads them. */
  values: Float32Array;
}

export interface DatasetSummary extends Pick<Dataset, 'classNames' | 'partSizes'> {
  id: string;
  format: DatasetFormat;
  samples: number;
  /** The first of them, and how many there are. */
  problems: readonly DatasetProblem[];
  problemCount: number;
}

/** One network at one number of steps, over the samples so far. */
export interface EvaluatedCase extends Omit<TallyResult, 'worst'> {
  network: string;
  mode: Slot;
  steps: number;
  /** `native`: the sensor's own size. */
  inputSize: number | 'native';
  /** `assumption`: nobody says what the network was trained at; its number of parameters decided. */
  sizeChosenBy: 'request' | 'network' | 'sensor' | 'assumption';
  classNames: readonly string[];
  matchedBy: 'name' | 'order';
  /** Classes of the data set that the network does not know. */
  unknownClasses: readonly string[];
  worst: readonly (WorstSample & { title: string })[];
}

export interface EvaluationState {
  id: string;
  /** Samples, of all cases. */
  done: number;
  total: number;
  finished: boolean;
  dataset: DatasetSummary;
  /** What the figures of energy count. */
  energyConvention: string;
  cases: readonly EvaluatedCase[];
}

export interface ResponseOf {
  open: BackendChoice;
  load: ModelDescription;
  convert: ModelDescription;
  unload: undefined;
  detect: DetectionResult;
  trace: TraceResult;
  explain: Explanation;
  traceBack: TracedBack;
  identify: boolean;
  scanRecording: RecordingState;
  viewRecording: RecordingView;
  slices: StepPictures;
  readTruth: readonly TruthBox[];
  saveRecording: Blob;
  startSimulator: undefined;
  simulateFrame: { events: number; durationUs: number };
  simulateSketch: { events: number; durationUs: number };
  simulateVideo: { events: number; durationUs: number; frames: number; width: number; height: number };
  measureGradient: GradientProfile;
  predictGradient: GradientProfile;
  measureSpectrum: BlockSpectrum;
  draw: { image: Blob; truth: readonly TruthBox[] };
  estimateEnergy: readonly EnergyBreakdown[];
  openDataset: DatasetSummary;
  evaluate: EvaluationState;
  evaluatedPicture: Blob;
  evaluationDetections: Blob;
  memory: { tensors: number; bytes: number };
}
