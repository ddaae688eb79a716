import { errorCodes } from './errors';
import { z } from './schema';

/** What passes between whoever asks and a worker that answers; each kind of request has a schema of its own. */

const progressSchema = z.object({
  label: z.string(),
  done: z.number(),
  total: z.number().optional(),
  unit: z.enum(['bytes', 'layers', 'steps', 'items']),
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

/** For workers that also tell what nobody asked for. */
export const fromTellingWorkerSchema = z.union([fromWorkerSchema, z.object({ type: z.literal('event'), event: z.unknown() })]);
export type FromTellingWorker = z.infer<typeof fromTellingWorkerSchema>;

/** What is used of a worker, for tests to stand in for one. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'error' | 'messageerror', listener: (event: unknown) => void): void;
}
