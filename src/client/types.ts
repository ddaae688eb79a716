/** The engine's words that the page speaks too. */
export type {
  BlockDescription,
  DetectionResult,
  LayerDescription,
  ModelDescription,
  ModelSource,
  RunSettings,
  Slot,
  TraceResult,
} from '../engine/protocol';
import type { ResponseOf } from '../engine/protocol';

export { detectionResultSchema } from '../engine/protocol';

export type BackendChoice = ResponseOf['open'];
