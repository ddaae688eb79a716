import { usableThreads } from '../base/threads';
import { create } from 'zustand';
import type { ErrorReport } from '../base/errors';
import type { Progress } from '../base/progress';
import type { Size } from '../base/geometry';
import { emptySketch, type Sketch } from '../base/sketch';
import type { BackendPreference } from '../client/engineClient';
import type { ChosenBox } from './address';
import { firstExplainState, firstRasterHistory, type ExplainState, type RasterHistory } from './explain';
import type { PageName, PanelName } from './names';
import { defaultSimulatorSettings, type Representation, type SimulatorSettings } from '../base/eventOptions';
import { firstConvertedState, firstEnergyState, type ConvertedState, type EnergyState } from './comparison';
import type {
  BackendChoice,
  DatasetContent,
  DetectionResult,
  EnergyBreakdown,
  EvaluatedCase,
  EventsFrame,
  LayerDescription,
  ModelDescription,
  ModelSource,
  OperationCounts,
  RecordingRef,
  RecordingView,
  RequestPayload,
  RunSettings,
  ScannedRecording,
  Slot,
  StepPictures,
  TraceResult,
  TruthBox,
} from '../client/types';
import { initialBench, type BenchState } from './bench';
import { initialEvaluate, type EvaluateState } from './evaluate';
import { initialLearn, type LearnState } from './learn';
import { initialLabelling, initialTraining, type KeptModel, type LabellingState, type TrainingState } from './training';

export type { ConvertedState, EnergyState, KeptModel };
export { detectionResultSchema } from '../client/types';
export type {
  BackendChoice,
  BackendPreference,
  DatasetContent,
  DetectionResult,
  EnergyBreakdown,
  EvaluatedCase,
  EventsFrame,
  LayerDescription,
  ModelDescription,
  ModelSource,
  OperationCounts,
  RecordingRef,
  RequestPayload,
  RunSettings,
  ScannedRecording,
  Slot,
  TraceResult,
  TruthBox,
};
export type { ChosenBox, ExplainState, PageName, PanelName };

/**
 * What the page knows, each shape of it in one slice with one owner. Views read it with selectors; only commands write.
 */

interface SourceBase {
  /** Changes with the pixels. */
  id: string;
  title: string;
  /** Where it comes from: "drawn for this page", a file, or a repository with its licence. */
  origin: string;
  originUrl: string | undefined;
  /** Under which name a link finds it again; undefined for what lies only on this machine. */
  sample: string | undefined;
  size: Size;
}

/** A picture that a person chose. */
export interface PictureSource extends SourceBase {
  kind: 'picture';
  image: Blob;
  bitmap: ImageBitmap;
  /** What is known to be on it: drawn by this program, or read from files of labels. Empty where nothing is known. */
  truth: readonly TruthBox[];
}

/** A window of the recording that is open. */
export interface EventsSource extends SourceBase {
  kind: 'events';
  frame: EventsFrame;
  view: RecordingView;
  /** What the network sees of it; undefined until it was asked for with the present settings. */
  slices: StepPictures | undefined;
}

export type Source = PictureSource | EventsSource;

/** An open recording, how it is looked at, and where. */
export interface RecordingState {
  ref: RecordingRef;
  title: string;
  origin: string;
  /** As of a source. */
  sample: string | undefined;
  /** What has been read so far. */
  scanned: ScannedRecording;
  truth: readonly TruthBox[];
  fromUs: number;
  settings: RecordingSettings;
  playing: boolean;
}

export interface RecordingSettings {
  windowUs: number;
  /** How far one step on the recording's clock goes. */
  cadenceUs: number;
  representation: Representation;
  fit: 'stretch' | 'letterbox';
  withoutHotPixels: boolean;
  carryMembranes: boolean;
  view: 'polarity' | 'surface';
  /** Recorded seconds a second. */
  speed: number;
  detectWhilePlaying: boolean;
}

/** The camera that is being turned into events. */
export interface CameraState {
  settings: SimulatorSettings;
  running: boolean;
}

/** A result and what it was made from, so that a view never pairs boxes with another picture. */
export interface PaneResult {
  sourceId: string;
  result: DetectionResult;
  /** Computed when the page was built, shown until the engine has done the same. */
  precomputed: boolean;
}

export interface Neuron {
  x: number;
  y: number;
  channel: number;
}

export interface Activity {
  progress: Progress;
  cancel: () => void;
}

export interface Message {
  id: number;
  tone: 'error' | 'info';
  title: string;
  /** What to do. */
  detail: string;
  code: ErrorReport['code'] | undefined;
}

export type ModelState = Record<Slot, ModelDescription | undefined>;

export interface DetectionSettings {
  confidence: number;
  iou: number;
}

export interface PlaygroundState {
  backendPreference: BackendPreference;
  /** How many threads the CPU engine is asked to use; one where the page may not have more. */
  threads: number;
  backend: BackendChoice | undefined;
  models: ModelState;
  source: Source | undefined;
  recording: RecordingState | undefined;
  camera: CameraState;
  run: Required<RunSettings>;
  detection: DetectionSettings;
  results: Record<Slot, PaneResult | undefined>;
  converted: ConvertedState;
  energy: EnergyState;
  trace: TraceResult | undefined;
  evaluate: EvaluateState;
  bench: BenchState;
  history: RasterHistory;
  explain: ExplainState;
  learn: LearnState;
  /** What was drawn to be detected. */
  sketch: Sketch;
  training: TrainingState;
  labelling: LabellingState;
  /** Models that were trained on this machine, by name. */
  keptModels: readonly KeptModel[];
  /** What is under way, by what started it. */
  activities: Record<string, Activity>;
  messages: Message[];
  view: {
    page: PageName;
    /** 0-based; every view shows this one. */
    step: number;
    playing: boolean;
    /** Steps a second while playing. */
    speed: number;
    layer: number;
    /** Undefined until a network has run and there is something to choose from. */
    neuron: Neuron | undefined;
    theme: 'system' | 'light' | 'dark';
    /** What `theme` comes to on this system now. */
    shownTheme: 'light' | 'dark';
    /** Pixel of the original picture under the pointer. */
    pixel: { x: number; y: number } | undefined;
    /** Cell under the pointer, in the chosen layer; a view of single neurons also knows the channel. */
    hoveredCell: { x: number; y: number; channel?: number } | undefined;
    hoveredBox: { slot: Slot; index: number } | undefined;
    /** The box that is explained. */
    box: ChosenBox | undefined;
    /** Whether a picture's boxes are compared with its labels; a recording's always are. */
    labels: boolean;
    hidden: readonly PanelName[];
    dialog: 'help' | 'commands' | undefined;
    /** How the layer's maps combine its channels, or which one they show. */
    channelView: 'mean' | 'neuron';
    rasterOrder: 'rate' | 'place' | 'channel';
  };
}

/** The paper's steps, neuron and default display thresholds (specification, sections 2, 3 and 6). */
export const trainedRun: Required<RunSettings> = { steps: 4, decay: 0.25, threshold: 0.5, reset: 'hard', muted: [], inputSize: 'native' };
export const defaultDetection: DetectionSettings = { confidence: 0.25, iou: 0.45 };

/** Gen1's window (specification, section 8), moved on by a slice at a time. */
export const gen1Window: RecordingSettings = {
  windowUs: 250_000,
  cadenceUs: 50_000,
  representation: 'gen1',
  fit: 'stretch',
  withoutHotPixels: false,
  carryMembranes: false,
  view: 'polarity',
  speed: 0.1,
  detectWhilePlaying: true,
};

export const usePlayground = create<PlaygroundState>()(() => ({
  backendPreference: 'auto',
  threads: usableThreads(),
  backend: undefined,
  models: { snn: undefined, ann: undefined, converted: undefined },
  source: undefined,
  recording: undefined,
  camera: { settings: defaultSimulatorSettings, running: false },
  run: trainedRun,
  detection: defaultDetection,
  results: { snn: undefined, ann: undefined, converted: undefined },
  converted: firstConvertedState,
  energy: firstEnergyState,
  trace: undefined,
  evaluate: initialEvaluate,
  bench: initialBench,
  history: firstRasterHistory,
  explain: firstExplainState,
  learn: initialLearn,
  sketch: emptySketch,
  training: initialTraining,
  labelling: initialLabelling,
  keptModels: [],
  activities: {},
  messages: [],
  view: {
    page: 'detect',
    step: trainedRun.steps - 1,
    playing: false,
    speed: 2,
    layer: 0,
    neuron: undefined,
    theme: 'system',
    shownTheme: 'light',
    pixel: undefined,
    hoveredCell: undefined,
    hoveredBox: undefined,
    box: undefined,
    labels: false,
    hidden: [],
    dialog: undefined,
    channelView: 'neuron',
    rasterOrder: 'rate',
  },
}));

let nextMessage = 1;

export function tell(message: Omit<Message, 'id'>): void {
  usePlayground.setState(({ messages }) => ({
    // The same words twice help nobody, and more than three are not read.
    messages: [...messages.filter(({ title }) => title !== message.title), { ...message, id: nextMessage++ }].slice(-3),
  }));
}

/** Changes part of the view; everything else stays. */
export function setView(change: Partial<PlaygroundState['view']>): void {
  usePlayground.setState(({ view }) => ({ view: { ...view, ...change } }));
}
