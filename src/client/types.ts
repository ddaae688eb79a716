/** The engine's words that the page speaks too. */
export type {
  BlockDescription,
  DatasetSummary,
  DetectionResult,
  EvaluatedCase,
  EvaluationState,
  EventsFrame,
  Explanation,
  LayerDescription,
  ModelDescription,
  ModelSource,
  RecordingRef,
  RecordingState as ScannedRecording,
  RecordingView,
  RunSettings,
  Slot,
  StepPictures,
  TracedBack,
  TraceResult,
  TruthBox,
} from '../engine/protocol';
import type { DetectionResult, ResponseOf } from '../engine/protocol';

export type { RequestPayload } from '../engine/protocol';

export { detectionResultSchema } from '../engine/protocol';

export type BackendChoice = ResponseOf['open'];
export type EnergyBreakdown = ResponseOf['estimateEnergy'][number];
export type OperationCounts = DetectionResult['operations'];
export type {
  DatasetOverview,
  KeptRun,
  LoggedEpoch,
  RunShape,
  StepReport,
  TrainingConfig,
  TrainingEvent,
  TrainingStart,
} from '../engine/trainingProtocol';
export type { DatasetContent } from '../engine/protocol';
export type {
  BenchAnswers,
  BenchDetail,
  BenchEvent,
  BenchFile,
  BenchRequests,
  BenchRow,
  BenchSetup,
  ContestantName,
  OwnBackend,
  RaceReport,
  Spread,
} from '../engine/benchProtocol';
