import { z } from '../base/schema';
import { backendNames } from '../base/backendName';
import { errorCodes } from '../base/errors';
import type { LayerTrace } from '../base/trace';
import type { BackendChoice } from '../tensor/backend';
import type { NetworkMode } from '../checkpoint/types';
import type { EnergyEstimate } from '../energy/energy';

/**
 * What the page and the engine say to each other. Requests are parsed with these schemas on arrival; answers carry the
 * types below. Every request stands on its own (it names its frame and settings), so that it can be repeated on a new
 * worker after a crash.
 */

export const backendPreferenceSchema = z.enum(['auto', ...backendNames]);

const slotSchema = z.enum(['snn', 'ann']);
/** Which of the two networks: the spiking one, or its twin with ReLU. */
export type Slot = z.infer<typeof slotSchema>;

const blobSchema = z.custom<Blob>((value) => value instanceof Blob);

const modelSourceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('shipped'), name: z.string().regex(/^[a-z0-9-]+$/) }),
  z.object({ kind: z.literal('file'), name: z.string(), blob: blobSchema }),
]);
export type ModelSource = z.infer<typeof modelSourceSchema>;

const frameSchema = z.object({
  /** The engine keeps the decoded picture of the last frame under this name. */
  id: z.string(),
  image: z.union([
    blobSchema,
    z.object({ width: z.int().positive(), height: z.int().positive(), data: z.instanceof(Uint8Array) }),
  ]),
});
export type Frame = z.infer<typeof frameSchema>;

const runSettingsSchema = z.object({
  steps: z.int().min(1).max(16),
  decay: z.number().min(0).max(1),
  threshold: z.number(),
  /** Side of the square that the picture is letterboxed into; `native` feeds a picture whose sides are multiples of 32 as it is. */
  inputSize: z.union([z.int().positive().max(2048), z.literal('native')]),
});
export type RunSettings = z.infer<typeof runSettingsSchema>;

export const requestSchemas = {
  open: z.object({ preference: backendPreferenceSchema, avoid: z.array(z.enum(backendNames)) }),
  load: z.object({ slot: slotSchema, source: modelSourceSchema }),
  unload: z.object({ slot: slotSchema }),
  detect: z.object({
    slot: slotSchema,
    frame: frameSchema,
    settings: runSettingsSchema,
    confidence: z.number().min(0).max(1),
    iou: z.number().min(0).max(1),
  }),
  trace: z.object({ slot: slotSchema, frame: frameSchema, settings: runSettingsSchema, layer: z.int().nonnegative() }),
  /** A drawn smear as a PNG. */
  draw: z.object({ seed: z.int().nonnegative() }),
  memory: z.object({}),
} as const;

export type RequestKind = keyof typeof requestSchemas;
export type RequestPayload<K extends RequestKind> = z.infer<(typeof requestSchemas)[K]>;

const sizeSchema = z.object({ width: z.number(), height: z.number() });

const detectionSchema = z.object({
  box: z.tuple([z.number(), z.number(), z.number(), z.number()]).readonly(),
  score: z.number(),
  class: z.int(),
  name: z.string(),
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
  mode: NetworkMode;
  classNames: readonly string[];
  parameters: number;
  neuronLayers: number;
  /** What its manifest says; a bare checkpoint does not know. */
  inputSize: number | undefined;
  steps: number | undefined;
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
  /** `[layer][step]`; null for layers that do not spike. */
  firingRates: z.array(z.array(z.number()).nullable()),
  energy: energySchema,
  timing: z.object({ preprocessMs: z.number(), inferenceMs: z.number(), postprocessMs: z.number() }),
});
export type DetectionResult = z.infer<typeof detectionResultSchema>;

export interface TraceResult {
  layer: LayerDescription;
  trace: LayerTrace;
}

export interface ResponseOf {
  open: BackendChoice;
  load: ModelDescription;
  unload: undefined;
  detect: DetectionResult;
  trace: TraceResult;
  draw: Blob;
  memory: { tensors: number; bytes: number };
}

const progressSchema = z.object({
  label: z.string(),
  done: z.number(),
  total: z.number().optional(),
  unit: z.enum(['bytes', 'layers', 'items']),
});

export const toWorkerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('request'), id: z.int(), kind: z.string(), payload: z.unknown() }),
  z.object({ type: z.literal('cancel'), id: z.int() }),
]);
export type ToWorker = z.infer<typeof toWorkerSchema>;

export const fromWorkerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), id: z.int(), progress: progressSchema }),
  z.object({ type: z.literal('result'), id: z.int(), value: z.unknown() }),
  z.object({
    type: z.literal('error'),
    id: z.int(),
    error: z.object({ code: z.enum(errorCodes), message: z.string(), remedy: z.string() }),
  }),
  /** The device behind the backend is gone; the worker cannot go on. */
  z.object({ type: z.literal('lost'), reason: z.string() }),
]);
export type FromWorker = z.infer<typeof fromWorkerSchema>;
