import { AppError } from '../base/errors';
import { z } from '../base/schema';
import { defaultSurrogate, surrogateShapes } from '../base/surrogate';
import { configurations } from '../network/configurations';

/** How a network is trained: what a configuration file holds. Everything has a default that trains a small detector on pictures. */

const share = z.number().min(0).max(1);

const stageSchema = z.strictObject({
  epochs: z.int().min(1).max(100_000),
  /** Side of the square input in pixels. */
  size: z.int().min(32).max(1280).multipleOf(32),
  /** Time steps; an ANN makes one pass whatever this says. */
  steps: z.int().min(1).max(16),
});
export type TrainingStage = z.infer<typeof stageSchema>;

const augmentationSchema = z.strictObject({
  /** Probability that four pictures are joined around a random centre; the others stay single, in the same batch. */
  mosaic: share.default(0.5),
  /** Pictures are scaled by a factor in [1 - scale, 1 + scale]. */
  scale: z.number().min(0).max(0.9).default(0.3),
  /** And moved by up to this share of the side. */
  translate: share.default(0.1),
  /** And turned by up to so many degrees. */
  degrees: z.number().min(0).max(180).default(0),
  flipHorizontally: share.default(0.5),
  flipVertically: share.default(0),
  /** Largest relative change of hue, saturation and value. */
  hue: share.default(0.015),
  saturation: share.default(0.7),
  value: share.default(0.4),
});
export type Augmentation = z.infer<typeof augmentationSchema>;

const dataSchema = z.discriminatedUnion('kind', [
  /** A data set in a folder; `validation` of it is kept aside, chosen by the seed. */
  z.strictObject({ kind: z.literal('folder'), validation: z.number().gt(0).lt(1).default(0.2) }),
  /** Scenes composed of handwritten digits (MNIST). */
  z.strictObject({
    kind: z.literal('digits'),
    scenesPerEpoch: z.int().min(1).default(1000),
    validationScenes: z.int().min(1).default(200),
    digits: z.tuple([z.int().min(1), z.int().max(64)]).default([1, 8]),
  }),
  /** Scenes composed of single-object event recordings: a folder with `recordings` and `labels.csv`. */
  z.strictObject({
    kind: z.literal('recordings'),
    scenesPerEpoch: z.int().min(1).default(1000),
    validationScenes: z.int().min(1).default(200),
    validation: z.number().gt(0).lt(1).default(0.1),
    objects: z.tuple([z.int().min(1), z.int().max(64)]).default([1, 4]),
    windowUs: z.int().positive().default(250_000),
    /** Side of the scenes' square sensor in pixels; without it as large as the input. Smaller ones are enlarged to it, as at inference. */
    sensor: z.int().min(34).max(1280).optional(),
    /** How far each recording may be changed in the scenes that train; those that measure show it as it is. */
    variation: z
      .strictObject({ degrees: z.number().min(0).max(180), scale: z.number().min(0).max(0.9), shear: z.number().min(0).max(1), loss: z.number().min(0).lt(1) })
      .optional(),
  }),
]);
export type TrainingData = z.infer<typeof dataSchema>;

export const trainingConfigSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/).max(60).default('trained'),
  /** For the manifest and whoever reads it. */
  title: z.string().max(200).default('Trained here'),
  summary: z.string().max(1000).default(''),
  licence: z.string().max(200).default(''),
  source: z.strictObject({ data: z.string().max(500), url: z.string().max(500), licence: z.string().max(200) }).default({ data: '', url: '', licence: '' }),
  mode: z.enum(['snn', 'ann']).default('snn'),
  network: z
    .strictObject({
      configuration: z.string().refine((name) => Object.hasOwn(configurations, name), { error: 'there is no such configuration' }).default('res10-ee'),
      widthMultiple: z.number().positive().max(4).default(0.5),
    })
    .prefault({}),
  /** Trains on from a checkpoint: a path relative to the configuration file, or a shipped model's name. */
  startFrom: z.string().optional(),
  /** `head`: only the detection convolutions, everything before them stays as it is, norms too. */
  train: z.enum(['all', 'head']).default('all'),
  data: dataSchema.default({ kind: 'folder', validation: 0.2 }),
  stages: z.array(stageSchema).min(1).default([{ epochs: 60, size: 256, steps: 4 }]),
  batch: z.int().min(1).max(256).default(8),
  /** Batches whose gradients are added up before a step of the optimiser. */
  accumulate: z.int().min(1).max(256).default(1),
  optimiser: z
    .strictObject({
      kind: z.enum(['adamw', 'sgd']).default('adamw'),
      learningRate: z.number().positive().max(10).default(2e-3),
      weightDecay: z.number().min(0).max(1).default(5e-3),
      /** Of SGD, with Nesterov's look ahead; of AdamW the decay of the first moment. */
      momentum: z.number().min(0).lt(1).default(0.9),
      /** The gradient of a step is scaled down to this norm. */
      clipNorm: z.number().positive().default(10),
    })
    .prefault({}),
  schedule: z
    .strictObject({
      /** The rate rises linearly over so many epochs, then falls along a cosine to `finalShare` of its peak. */
      warmUpEpochs: z.number().min(0).default(2),
      finalShare: share.default(0.02),
    })
    .prefault({}),
  /** Decay of the moving average of the weights, which is what is evaluated and exported. */
  averageDecay: z.number().min(0).lt(1).default(0.998),
  gains: z.strictObject({ box: z.number().min(0), objectness: z.number().min(0), class: z.number().min(0) }).default({ box: 0.05, objectness: 0.24, class: 0.03 }),
  augmentation: augmentationSchema.prefault({}),
  surrogate: z
    .strictObject({ shape: z.enum(surrogateShapes), parameter: z.number().positive().max(100) })
    .default({ ...defaultSurrogate }),
  /** Weight of the mean firing rate in what is minimised: fewer spikes, less energy, less time. */
  ratePenalty: z.number().min(0).max(1e4).default(0),
  /** `default`: those of the released code; `fit`: k-means on the training labels; or pixels, by scale. */
  anchors: z.union([z.enum(['default', 'fit']), z.array(z.array(z.number().positive()).min(2).max(32)).min(1).max(8)]).default('default'),
  seed: z.int().min(0).max(0xffffffff).default(1),
  /** mAP on what is kept aside, every so many epochs and after the last one. */
  evaluateEvery: z.int().min(1).default(5),
  checkpointMinutes: z.number().positive().default(3),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/** @throws AppError `train/invalid-settings` that names the first setting that is wrong */
export function parseTrainingConfig(value: unknown): TrainingConfig {
  const parsed = trainingConfigSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AppError(
    'train/invalid-settings',
    `The training settings cannot be used: ${issue?.path.join('.') || 'they'}: ${issue?.message ?? 'not understood'}.`,
    'Correct the setting; src/train/config.ts and the README list them all.',
    parsed.error,
  );
}

export function totalEpochs({ stages }: Pick<TrainingConfig, 'stages'>): number {
  return stages.reduce((sum, { epochs }) => sum + epochs, 0);
}

/** The stage that an epoch belongs to. */
export function stageOf({ stages }: Pick<TrainingConfig, 'stages'>, epoch: number): TrainingStage {
  let first = 0;
  for (const stage of stages) {
    first += stage.epochs;
    if (epoch < first) return stage;
  }
  return stages.at(-1) ?? { epochs: 1, size: 256, steps: 4 };
}
