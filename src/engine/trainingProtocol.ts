import type { Box } from '../base/geometry';
import { z } from '../base/schema';
import type { DatasetFormat } from '../base/datasetOptions';
import type { NetworkMode } from '../checkpoint/types';
import type { DatasetProblem } from '../evaluate/datasets/dataset';
import type { BackendChoice } from '../tensor/backend';
import type { TrainingConfig } from '../train/config';
import type { EpochReport, StepReport } from '../train/log';
import type { FromWorker } from '../base/workerMessages';
import { datasetContentSchema, modelSourceSchema } from './protocol';

/**
 * What the page and the worker that trains say to each other. The messages are those of `protocol.ts` (a cancelled run is one
 * that pauses: its answer comes when its state is stored), and events while a run goes on.
 */

/** `digits` come with the site. */
const trainingDataSchema = z.union([z.object({ kind: z.literal('digits') }), datasetContentSchema]);
export type TrainingDataSource = z.infer<typeof trainingDataSchema>;

/** The network that training goes on from, and which of its two forms. */
const startSchema = z.object({ source: modelSourceSchema, mode: z.enum(['snn', 'ann']) });
export type TrainingStart = z.infer<typeof startSchema>;

export const trainingRequestSchemas = {
  /** Looks through a data set without reading its pictures. */
  inspect: z.object({ data: datasetContentSchema }),
  /** Fills in what a configuration leaves out. */
  check: z.object({ config: z.unknown() }),
  /** The run that is kept on this machine, if there is one. */
  keptRun: z.object({}),
  /** A new run, which takes the place of the one that is kept; `title` is the data's. */
  begin: z.object({ config: z.unknown(), data: trainingDataSchema, title: z.string(), startFrom: startSchema.optional() }),
  /** Goes on with the run that is kept. */
  resume: z.object({}),
  discard: z.object({}),
} as const;

export type TrainingRequestKind = keyof typeof trainingRequestSchemas;
export type TrainingRequest<K extends TrainingRequestKind> = z.infer<(typeof trainingRequestSchemas)[K]>;
export type TrainingRequests = { [K in TrainingRequestKind]: TrainingRequest<K> };

export interface DatasetOverview {
  format: DatasetFormat;
  classNames: readonly string[];
  samples: number;
  /** The first of them, and how many there are. */
  problems: readonly DatasetProblem[];
  problemCount: number;
}

/** A run as it was when its state was last stored. */
export interface KeptRun {
  config: TrainingConfig;
  /** Of the data: "Handwritten digits", a folder's or a zip's name. */
  title: string;
  /** Steps that are behind. */
  step: number;
  shape: RunShape;
  steps: readonly StepReport[];
  epochs: readonly LoggedEpoch[];
}

export type { StepReport, TrainingConfig };
export type LoggedEpoch = EpochReport & { step: number };

/** What a run's size follows from. */
export interface RunShape {
  steps: number;
  stepsPerEpoch: number;
  /** Pictures in each part. */
  training: number;
  validation: number;
  classNames: readonly string[];
  /** Of the network's neuron layers, in order: row and place in its block. */
  layers: readonly string[];
  parameters: number;
}

/** A picture that was kept aside, as the network saw it. */
export interface SamplePrediction {
  size: number;
  /** `[size, size, 4]`. */
  rgba: Uint8ClampedArray<ArrayBuffer>;
  truth: readonly { box: Box; class: number }[];
  found: readonly { box: Box; class: number; score: number }[];
}

export type TrainingEvent =
  /** The run is open, with what it has logged so far. */
  | { kind: 'opened'; run: KeptRun; backend: BackendChoice; leftOut: readonly { title: string; reason: string }[] }
  | { kind: 'step'; report: StepReport }
  | { kind: 'epoch'; report: LoggedEpoch }
  | { kind: 'samples'; epoch: number; samples: readonly SamplePrediction[] };

export interface TrainingResponseOf {
  inspect: DatasetOverview;
  check: TrainingConfig;
  keptRun: KeptRun | undefined;
  /** The kept model's name, and which of its two networks was trained. */
  begin: { name: string; mode: NetworkMode };
  resume: { name: string; mode: NetworkMode };
  discard: undefined;
}

export type FromTrainer = FromWorker | { type: 'event'; event: TrainingEvent };
