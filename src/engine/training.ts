import { AppError } from '../base/errors';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import { splitIndices, type Random } from '../base/random';
import { writePyTorch } from '../checkpoint/exportPyTorch';
import { sha256Of, type Manifest } from '../checkpoint/manifest';
import { writeSafetensors } from '../checkpoint/safetensors';
import type { Checkpoint } from '../checkpoint/types';
import type { Dataset } from '../evaluate/datasets/dataset';
import { composeDigits } from '../input/frames/digits';
import type { HandwrittenDigit } from '../input/frames/handwriting';
import type { DigitPools } from '../input/frames/mnist';
import type { TrainingOperations } from '../tensor/training';
import type { LabelledPicture } from '../train/augment';
import { stageOf, totalEpochs, type TrainingConfig, type TrainingData } from '../train/config';
import { logUpTo, type EpochReport } from '../train/log';
import { modelEntries, newState, readState, run, startingPoint, type RunListener, type RunStore } from '../train/run';
import { picturesSource, shrunk, type TrainingSource, type TrainingSources } from '../train/source';
import { Trainer } from '../train/trainer';

/** A run of training as the command line and the page share it: what it reads, how it begins, and what it leaves. */

const digitNames = Array.from({ length: 10 }, (_, digit) => String(digit));

/** Scenes of handwritten digits; no digit of one pool is in the other. */
export function digitSources(
  config: TrainingConfig,
  { scenesPerEpoch, validationScenes, digits: [fewest, most] }: Extract<TrainingData, { kind: 'digits' }>,
  pools: DigitPools,
): TrainingSources {
  const source = (pool: readonly HandwrittenDigit[], length: number): TrainingSource => ({
    classNames: digitNames,
    length,
    read: (_, random) => {
      const { picture, boxes } = composeDigits(pool, seedFrom(random), { size: largestSize(config), digits: { fewest, most } });
      return { ...picture, steps: 1, boxes };
    },
  });
  return { training: source(pools.training, scenesPerEpoch), validation: source(pools.validation, validationScenes) };
}

export function seedFrom(random: Random): number {
  return Math.floor(random() * 0x1_0000_0000);
}

export function largestSize({ stages }: TrainingConfig): number {
  return Math.max(...stages.map(({ size }) => size));
}

/** Pictures are kept a little larger than the network sees them, for mosaics that zoom in. */
const spareSide = 1.5;

/**
 * The pictures of a data set, in memory, parted by the seed.
 * @param leftOut is told of pictures that cannot be read
 * @throws AppError `train/no-data`, `cancelled`
 */
export async function datasetSources(
  config: TrainingConfig,
  validationShare: number,
  { samples, classNames }: Dataset,
  decodePicture: (image: Blob) => Promise<Picture>,
  leftOut: (title: string, thrown: unknown) => void,
  task: Task,
): Promise<TrainingSources> {
  const pictures: LabelledPicture[] = [];
  for (const [index, { content, title, labelsOn }] of samples.entries()) {
    throwIfCancelled(task.signal);
    if (content.kind !== 'picture') throw new AppError('train/no-data', 'This data set holds event recordings, not pictures.', 'Train on pictures, or on composed recordings.');
    try {
      const picture = await decodePicture(await content.file.open());
      pictures.push(shrunk(picture, labelsOn(picture).filter(({ isCrowd }) => !isCrowd), largestSize(config) * spareSide));
    } catch (thrown) {
      leftOut(title, thrown);
    }
    task.report({ label: 'Reading pictures', done: index + 1, total: samples.length, unit: 'items' });
  }
  if (pictures.length < 2) throw new AppError('train/no-data', 'Fewer than two labelled pictures were found.', 'Give a folder with pictures and labels.');
  if (pictures.every(({ boxes }) => boxes.length === 0)) throw new AppError('train/no-data', 'None of the pictures has a box on it.', 'Label what is to be found.');
  const { train, validation } = splitIndices(pictures.length, validationShare, config.seed);
  const pick = (indices: readonly number[]): LabelledPicture[] => indices.flatMap((index) => pictures[index] ?? []);
  return { training: picturesSource(classNames, pick(train)), validation: picturesSource(classNames, pick(validation)) };
}

export interface RunParts {
  config: TrainingConfig;
  sources: TrainingSources;
  /** What it trains on from; undefined: a new network. */
  checkpoint: Checkpoint | undefined;
  /** Where its state is, if it has begun; a run without one begins. */
  store?: RunStore;
}

/**
 * A run at its beginning, or where its stored state left it.
 * @throws AppError `train/unreadable-run`, `checkpoint/*`, `cancelled`
 */
export async function openRun({ config, sources, checkpoint, store }: RunParts, operations: TrainingOperations, task: Task): Promise<Trainer> {
  const { graph, parameters } = await startingPoint(config, sources.training, checkpoint, task);
  const stored = await store?.readState();
  const state = stored ? await readState(graph, stored, task) : newState(parameters);
  await store?.writeLog(stored ? logUpTo(await store.readLog(), state.step) : '');
  return new Trainer(graph, config, operations, sources, state);
}

/** What a finished run leaves in the model's folder. */
export interface TrainedModel {
  manifest: Manifest;
  /** Half precision, with the network's description. */
  safetensors: Blob;
  /** A state_dict in single precision that PyTorch loads. */
  torch: Blob;
}

/**
 * Trains to the end.
 * @param before the manifest that the model's folder has already: its twin's entries stay where the rows are the same
 * @throws AppError `cancelled`: the state is stored, and the run can be taken up
 */
export async function finishRun(trainer: Trainer, store: RunStore, before: Manifest | undefined, task: Task, listener: RunListener): Promise<TrainedModel> {
  let last: EpochReport | undefined;
  await run(trainer, store, task, {
    ...listener,
    onEpoch: async (report) => {
      last = report;
      await listener.onEpoch?.(report);
    },
  });
  last ??= await trainer.evaluate(task);
  const { graph, config, state } = trainer;
  const { description } = graph;
  const safetensors = await writeSafetensors(modelEntries(graph, state.average, 'float16'), { mode: config.mode, description });
  return {
    manifest: manifestOf(trainer, last, { file: `${config.mode}.safetensors`, sha256: await sha256Of(safetensors), bytes: safetensors.size }, before),
    safetensors,
    torch: await writePyTorch(modelEntries(graph, state.average, 'float32'), { description }),
  };
}

function manifestOf(
  { graph: { description }, config, sources: { training, validation }, stepsPerEpoch }: Trainer,
  last: EpochReport,
  weights: NonNullable<Manifest['weights']['snn']>,
  before: Manifest | undefined,
): Manifest {
  const { mode, data } = config;
  const { size, steps } = stageOf(config, totalEpochs(config) - 1);
  const twin = before && JSON.stringify(before.description.rows) === JSON.stringify(description.rows) ? before : undefined;
  const scores: Manifest['scores'] = (
    [
      ['released code', last.map50, last.map],
      ['COCO', last.cocoMap50, last.cocoMap],
    ] as const
  ).flatMap(([rule, map50, map]) =>
    map50 === null || map === null
      ? []
      : [{ weights: mode, data: 'kept aside for validation', pictures: validation.length, steps: mode === 'ann' ? 1 : steps, rule, map50, map }],
  );
  return {
    format: 1,
    name: config.name,
    title: config.title,
    summary: config.summary,
    reads: data.kind === 'recordings' ? 'events' : 'pictures',
    inputSize: size,
    steps: mode === 'snn' ? steps : (twin?.steps ?? steps),
    description,
    weights: { ...twin?.weights, [mode]: weights },
    licence: config.licence,
    source: config.source,
    training: `${totalEpochs(config)} epochs of ${stepsPerEpoch * config.batch * config.accumulate} pictures (${training.length} in the set), see ${mode}.config.json and ${mode}.log.jsonl`,
    scores: [...(twin?.scores.filter((score) => score.weights !== mode) ?? []), ...scores],
  };
}
