import { z } from '../base/schema';
import { blobSchema, modelSourceSchema } from './protocol';

/**
 * What a benchmark measures, the file that it is saved as (`cli bench --json` writes the same), and what the page and the workers that
 * measure say to each other.
 */

/** A day, in which nothing here runs, ends the range of a file that is to be believed. */
const milliseconds = z.number().nonnegative().max(86_400_000).nullable().transform(numberOrNaN);

export const spreadSchema = z.object({
  /** NaN, which JSON writes as null, where nothing was timed yet. */
  medianMs: milliseconds,
  minMs: milliseconds,
  maxMs: milliseconds,
  runs: z.int().nonnegative(),
});
export type Spread = z.infer<typeof spreadSchema>;

function numberOrNaN(value: number | null): number {
  return value ?? NaN;
}

const networkSchema = z.enum(['snn', 'ann']);

const raceRowSchema = spreadSchema.extend({
  network: networkSchema,
  engine: z.string(),
  backend: z.string(),
  threads: z.int().positive(),
  /** Largest absolute difference of a logit from the first contestant's of this network; NaN where the shapes differ. */
  maxOutputDifference: z.number().nullable().transform(numberOrNaN),
  /** That of the network on this picture, by the first contestant that tells; null for the ANN. */
  firingRate: z.number().nullable(),
});
export type RaceRow = z.infer<typeof raceRowSchema>;

/** What was run. */
const benchedSchema = z.object({ model: z.string().max(1000), width: z.int().positive(), height: z.int().positive(), steps: z.int().positive() });

const rateCostSchema = z.object({
  threshold: z.number(),
  firingRate: z.number().nullable().transform(numberOrNaN),
  run: spreadSchema,
  /** The convolutions that read spikes: each layer's median, shortest and longest time, added up; null where the engine does not tell its layers apart. */
  spikingLayers: spreadSchema.nullable(),
  /** All neurons together, which an engine may also do within its convolutions. */
  neurons: spreadSchema.nullable(),
});
export type RateCost = z.infer<typeof rateCostSchema>;

const layerCostSchema = z.object({
  /** Name of its weights. */
  name: z.string(),
  reads: z.enum(['spikes', 'values']),
  /** Multiply-adds for one step. */
  operations: z.int().nonnegative(),
  /** One for each of {@link Costs.rates}; the firing rate of what it reads is null for real values. */
  atThreshold: z.array(z.object({ firingRate: z.number().nullable(), run: spreadSchema })),
});
export type LayerCost = z.infer<typeof layerCostSchema>;

const fitSchema = z.object({ intercept: z.number(), slope: z.number(), explained: z.number() });

const costsSchema = z.object({
  /** From the trained threshold up. */
  rates: z.array(rateCostSchema),
  steps: z.array(z.object({ steps: z.int().positive(), run: spreadSchema })),
  /** Milliseconds against steps. */
  stepsFit: fitSchema.nullable(),
  sizes: z.array(z.object({ width: z.int().positive(), height: z.int().positive(), run: spreadSchema })),
  /** Milliseconds against millions of pixels. */
  sizesFit: fitSchema.nullable(),
  /** Empty where the engine does not tell its layers apart. */
  layers: z.array(layerCostSchema),
  /** Share of their time that the spiking layers take at a tenth of the rate, between the two measured rates around it; NaN where that is not known. */
  spikingShareAtTenth: z.number().nullable().transform(numberOrNaN),
});
/** What one engine's time depends on. */
export type Costs = z.infer<typeof costsSchema>;

const memorySchema = z.object({
  /** Folded weights and biases. */
  weightBytes: z.number().nonnegative(),
  /** The two largest neuron layers as float32 at all steps. */
  twoLargestLayersBytes: z.number().nonnegative(),
  /** Blocks in use at most during a frame, weights included, and how far they reach into the memory; null where the engine does not tell. */
  peakBytes: z.number().nonnegative().nullable(),
  heapBytes: z.number().nonnegative().nullable(),
});
export type BenchMemory = z.infer<typeof memorySchema>;

const detailSchema = benchedSchema.extend({
  /** Of this program's: whose costs these are. */
  backend: z.string(),
  costs: costsSchema,
  memory: memorySchema,
});
export type BenchDetail = z.infer<typeof detailSchema>;

export const benchFileSchema = z.object({
  machine: z.object({
    cpu: z.string().optional(),
    cores: z.int().positive(),
    node: z.string().optional(),
    browser: z.string().optional(),
    gpu: z.string().optional(),
  }),
  rows: z.array(benchedSchema.extend(raceRowSchema.shape)).max(1000),
  details: z.array(detailSchema).max(100),
});
export type BenchFile = z.infer<typeof benchFileSchema>;
export type BenchRow = BenchFile['rows'][number];

// Who can take part in a page

/** `this` is this program's network on its own operations; `tfjs` the same network from tfjs's operations alone. */
export const contestantNames = [
  'this event',
  'this webgpu',
  'this wasm',
  'this webgl',
  'tfjs wasm',
  'tfjs webgpu',
  'tfjs webgl',
  'onnxruntime-web wasm',
  'onnxruntime-web webgpu',
] as const;
export type ContestantName = (typeof contestantNames)[number];
export const ownBackends = ['event', 'webgpu', 'wasm', 'webgl'] as const;
export type OwnBackend = (typeof ownBackends)[number];

// What the page asks the benchmark's worker

const largestSide = 2048;
const maximumSteps = 64;

const runCountsSchema = z.object({
  /** Untimed: compilers finish and memory grows in them. */
  warmUpRuns: z.int().nonnegative().max(100),
  timedRuns: z.int().positive().max(1000),
  /** Whoever has spent so much time leaves the rest of the rounds to the others, after one timed run at least. */
  mostMsEach: z.number().positive().optional(),
});
export type RunCounts = z.infer<typeof runCountsSchema>;

/** What is run: networks of one model on a picture that is letterboxed into a square. */
const setupSchema = z.object({
  /** The SNN and its twin, or one of them. */
  networks: z.array(z.object({ network: networkSchema, source: modelSourceSchema })).min(1).max(2),
  /** Every layer twice as wide, its weights repeated: what a network of the paper's width costs. */
  twiceAsWide: z.boolean(),
  /** `smear` is the picture of the command line. */
  picture: z.union([z.literal('smear'), blobSchema]),
  /** Undefined: the model's own. */
  side: z.int().min(32).max(largestSide).optional(),
  steps: z.int().min(1).max(maximumSteps),
});
export type BenchSetup = z.infer<typeof setupSchema>;

const sweepSchema = z.object({
  /** The trained threshold is multiplied by these. */
  factors: z.array(z.number().min(0.1).max(100)).min(1).max(20),
  /** Also at the threshold that leaves a tenth of the spikes. */
  atTenth: z.boolean(),
  stepCounts: z.array(z.int().min(1).max(maximumSteps)).max(20),
  /** Sides of the picture, as shares of the case's. */
  sideShares: z.array(z.number().positive().max(4)).max(20),
});
export type Sweep = z.infer<typeof sweepSchema>;

/** Everything that one engine's time depends on, as the command line and the page measure it. */
export const wholeSweep: Sweep = {
  factors: [1, 1.5, 2, 2.5, 3, 5, 8],
  atTenth: true,
  stepCounts: [1, 2, 4, 6, 8, 12, 16],
  sideShares: [0.5, 0.75, 1, 1.25, 1.5],
};

export const benchRequestSchemas = {
  race: z.object({ setup: setupSchema, contestants: z.array(z.enum(contestantNames)).min(1), counts: runCountsSchema }),
  costs: z.object({ setup: setupSchema, backend: z.enum(ownBackends), sweep: sweepSchema, counts: runCountsSchema }),
} as const;
export type BenchRequestKind = keyof typeof benchRequestSchemas;
export type BenchRequests = { [K in BenchRequestKind]: z.infer<(typeof benchRequestSchemas)[K]> };

export interface BenchAnswers {
  race: RaceReport;
  costs: BenchDetail;
}

export interface RaceReport {
  rows: readonly BenchRow[];
  /** Who could not take part, and why. */
  leftOut: readonly { contestant: ContestantName; reason: string }[];
}

/** The race so far, after every round. */
export type BenchEvent = RaceReport;

// What the benchmark's worker asks the worker of a contestant

const float32Schema = z.custom<Float32Array>((value) => value instanceof Float32Array);

const caseSchema = z.object({
  network: networkSchema,
  weights: blobSchema,
  twiceAsWide: z.boolean(),
  steps: z.int().positive(),
  /** `[1, side, side, 3]` in [0, 1]. */
  picture: float32Schema,
  side: z.int().positive(),
});
export type ContestantCase = z.infer<typeof caseSchema>;

export const contestantRequestSchemas = {
  open: z.object({ name: z.enum(contestantNames), cases: z.array(caseSchema).min(1) }),
  /** By the case's place in the list. */
  run: z.object({ index: z.int().nonnegative() }),
  time: z.object({ index: z.int().nonnegative() }),
  /** `pictures` by side, for every side that the sweep comes to. */
  costs: z.object({
    backend: z.enum(ownBackends),
    benchCase: caseSchema,
    sweep: sweepSchema,
    pictures: z.map(z.int(), float32Schema),
    counts: runCountsSchema,
  }),
} as const;
export type ContestantRequestKind = keyof typeof contestantRequestSchemas;
export type ContestantRequests = { [K in ContestantRequestKind]: z.infer<(typeof contestantRequestSchemas)[K]> };

export interface ContestantAnswers {
  open: { threads: number };
  run: { logits: readonly Float32Array[]; firingRate: number | undefined };
  time: number;
  costs: { costs: Costs; memory: BenchMemory };
}
