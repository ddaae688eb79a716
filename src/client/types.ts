/** The engine's words that the page speaks too. */
export type {
  BlockDescription,
  DetectionResult,
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
import type { DetectionResult, ResponseOf } from '../engine/protocol';

export type { RequestPayload } from '../engine/protocol';

export { detectionResultSchema } from '../engine/protocol';

export type BackendChoice = ResponseOf['open'];
export type EnergyBreakdown = ResponseOf['estimateEnergy'][number];
export type OperationCounts = DetectionResult['operations'];
