import { z } from '../base/schema';
import { AppError } from '../base/errors';
import type { NetworkDescription, RowArgument } from './types';

/** What `models/NAME/manifest.json` says about a shipped network. */

const scalarSchema = z.union([z.number(), z.string().max(200), z.boolean(), z.null()]);
/** Lists of lists (anchors) are the deepest; a schema without end would follow a hostile file until the stack is full. */
export const rowArgumentSchema: z.ZodType<RowArgument> = z.union([
  scalarSchema,
  z.array(z.union([scalarSchema, z.array(scalarSchema).max(64)])).max(64),
]);

export const networkDescriptionSchema: z.ZodType<NetworkDescription> = z.object({
  rows: z
    .array(
      z.object({
        from: z.array(z.int()).min(1).max(32),
        repeats: z.int().positive().max(100),
        block: z.string().max(100),
        args: z.array(rowArgumentSchema).max(32),
      }),
    )
    .min(1)
    .max(1000),
  depthMultiple: z.number().positive().max(10),
  widthMultiple: z.number().positive().max(10),
  inputChannels: z.int().positive().max(64),
  classNames: z.array(z.string().max(200)).min(1).max(10000),
  anchors: z.array(z.array(z.number().positive().max(1e5)).min(2).max(64)).min(1).max(8),
});

const weightsSchema = z.object({
  file: z.string().regex(/^[\w.-]+$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().positive(),
});

export const manifestSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  title: z.string(),
  summary: z.string(),
  /** What it was trained on. */
  reads: z.enum(['pictures', 'events']).default('pictures'),
  /** Side of the square input in pixels. */
  inputSize: z.int().positive(),
  /** Steps that it was trained with, and that it runs with unless told otherwise. */
  steps: z.int().positive(),
  description: networkDescriptionSchema,
  /** At least one of them. */
  weights: z.object({ snn: weightsSchema.optional(), ann: weightsSchema.optional() }),
  licence: z.string(),
  source: z.object({ data: z.string(), url: z.string(), licence: z.string() }),
  training: z.string(),
  scores: z.array(
    z.object({
      weights: z.enum(['snn', 'ann']),
      data: z.string(),
      pictures: z.int().positive(),
      steps: z.int().positive(),
      rule: z.string(),
      map50: z.number(),
      map: z.number(),
    }),
  ),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** @throws AppError `checkpoint/malformed` */
export function parseManifest(text: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'checkpoint/malformed',
      'The model’s manifest cannot be read.',
      'Reload the page; if that does not help, the site is incomplete.',
      cause,
    );
  }
}

/** In hexadecimal digits. */
export async function sha256Of(blob: Blob): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @throws AppError `checkpoint/hash-mismatch` */
export async function verifySha256(blob: Blob, expected: string): Promise<void> {
  if ((await sha256Of(blob)) === expected) return;
  throw new AppError(
    'checkpoint/hash-mismatch',
    'The model’s file is not the one that its manifest names: its checksum differs.',
    'Reload the page to fetch it again.',
  );
}
