/** The engine's words that the page speaks too. */
export type {
  BlockDescription,
  DatasetSummary,
  DetectionResult,
  EvaluatedCase,
  EvaluationState,
  EventsFrame,
  LayerDescription,
  ModelDescription,
  ModelSource,
  RecordingRef,
  RecordingState as ScannedRecording,
  RecordingView,
  RunSettings,
  Slot,
  StepPictures,
  TraceResult,
  TruthBox,
} from '../engine/protocol';
import type { ResponseOf } from '../engine/protocol';

export type { RequestPayload } from '../engine/protocol';

export { detectionResultSchema } from '../engine/protocol';

export type BackendChoice = ResponseOf['open'];
