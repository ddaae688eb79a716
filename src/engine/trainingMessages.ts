import { AppError, asAppError } from '../base/errors';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import { WorkerAnswers } from '../base/workerAnswers';
import { parseManifest, type Manifest } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { Dataset } from '../evaluate/datasets/dataset';
import { openDataset } from '../evaluate/datasets/open';
import type { DigitPools } from '../input/frames/mnist';
import { parameterCount } from '../network/weights';
import type { TrainingBackend } from '../tensor/trainingBackend';
import { parseTrainingConfig } from '../train/config';
import { readLog } from '../train/log';
import { writeState } from '../train/run';
import type { Trainer } from '../train/trainer';
import type { TrainingSources } from '../train/source';
import { filesOf } from './datasetContent';
import { keepRun, KeptRunStore, readRun, runFolder, type OpenedRecipe, type RunRecipe, type Storage } from './keptRun';
import type { DatasetContent } from './protocol';
import { datasetSources, digitSources, finishRun, openRun } from './training';
import {
  trainingRequestSchemas,
  type FromTrainer,
  type KeptRun,
  type RunShape,
  type SamplePrediction,
  type TrainingEvent,
  type TrainingRequest,
  type TrainingRequestKind,
  type TrainingResponseOf,
  type TrainingStart,
} from './trainingProtocol';

/** What training needs from where it runs: a worker in a page, or a test. */
export interface TrainingSurroundings {
  storage: Storage;
  readModelFile(path: string, task: Task, version?: string): Promise<Blob>;
  decodePicture(image: Blob): Promise<Picture>;
  readDigits(task: Task): Promise<DigitPools>;
  openTraining(): Promise<TrainingBackend>;
  /** Runs the work unless it runs in another tab. @returns false where it does */
  alone(work: () => Promise<void>): Promise<boolean>;
}

/** Pictures whose predictions are shown after every epoch; a network that has just begun is sure of nothing. */
const sampleCount = 4;
const sampleSuppression = { confidence: 0.1, iou: 0.45, severalClassesPerBox: false };
/** Problems of a data set that are named; there may be as many as it has files. */
const namedProblems = 20;

interface OpenedRun {
  trainer: Trainer;
  backend: TrainingBackend;
  /** Pictures and labels that cannot be read. */
  leftOut: { title: string; reason: string }[];
}

type Handlers = { [K in TrainingRequestKind]: (payload: TrainingRequest<K>, task: Task) => Promise<TrainingResponseOf[K]> | TrainingResponseOf[K] };

/**
 * Answers the page's requests about training. A run takes hours, so that requests do not wait for one another; there is one
 * run at a time, in all tabs.
 */
export class TrainingMessages {
  private readonly answers: WorkerAnswers;

  constructor(
    private readonly surroundings: TrainingSurroundings,
    private readonly post: (message: FromTrainer) => void,
  ) {
    this.answers = new WorkerAnswers((kind, payload, task) => this.handle(kind, payload, task), post);
  }

  receive(data: unknown): void {
    this.answers.receive(data);
  }

  private async handle(kind: string, payload: unknown, task: Task): Promise<unknown> {
    if (!isRequestKind(kind)) throw new AppError('internal', `Training was asked for ${kind}, which it does not know.`, 'Reload the page.');
    // The schema and the handler of one kind belong together, which the type system cannot follow through the index.
    const handler = this.handlers[kind] as (payload: unknown, task: Task) => unknown;
    return handler(trainingRequestSchemas[kind].parse(payload), task);
  }

  private readonly handlers: Handlers = {
    inspect: async ({ data }, task) => {
      const { format, classNames, samples, problems } = await opened(data, task);
      return { format, classNames, samples: samples.length, problems: problems.slice(0, namedProblems), problemCount: problems.length };
    },
    check: ({ config }) => parseTrainingConfig(config),
    keptRun: async () => {
      const run = await readRun(this.surroundings.storage);
      return run && this.described(run);
    },
    begin: (request, task) => this.alone(() => this.begin(request, task)),
    resume: (_, task) => this.alone(() => this.resume(task)),
    discard: async () => {
      await this.alone(() => this.surroundings.storage.keep({}, [runFolder]));
      return undefined;
    },
  };

  private async alone<T>(work: () => Promise<T>): Promise<T> {
    let result: { value: T } | undefined;
    await this.surroundings.alone(async () => {
      result = { value: await work() };
    });
    if (result) return result.value;
    throw new AppError('train/already-running', 'A run is under way already, in this tab or in another one.', 'Pause it there first.');
  }

  private async begin({ config: wanted, data, title, startFrom }: TrainingRequest<'begin'>, task: Task): Promise<TrainingResponseOf['begin']> {
    const config = parseTrainingConfig(wanted);
    if ((data.kind === 'digits') !== (config.data.kind === 'digits') || config.data.kind === 'recordings') {
      throw new AppError('train/invalid-settings', `The training settings cannot be used: data.kind: it is ${config.data.kind}, and the data set is another.`, 'Choose the data set again.');
    }
    const start: TrainingStart | undefined = startFrom ?? (config.startFrom === undefined ? undefined : { source: { kind: 'shipped', name: config.startFrom }, mode: config.mode });
    const recipe: RunRecipe = { config, data, title, start: start && (await this.weightsOf(start, task)) };
    const { trainer, backend, leftOut } = await this.open(recipe, undefined, task);
    // Until here nothing has changed: a run that cannot begin costs nothing.
    await keepRun(this.surroundings.storage, recipe, shapeOf(trainer), await writeState(trainer.state));
    return this.train({ ...recipe, shape: shapeOf(trainer) }, new KeptRunStore(this.surroundings.storage), { trainer, backend, leftOut }, task);
  }

  private async resume(task: Task): Promise<TrainingResponseOf['resume']> {
    const { storage } = this.surroundings;
    const recipe = await readRun(storage);
    if (!recipe) throw new AppError('train/unreadable-run', 'There is no run to go on with.', 'Begin one.');
    const store = new KeptRunStore(storage);
    return this.train(recipe, store, await this.open(recipe, store, task), task);
  }

  private async open({ config, data, start }: RunRecipe, store: KeptRunStore | undefined, task: Task): Promise<OpenedRun> {
    const leftOut: OpenedRun['leftOut'] = [];
    const sources = await this.sources({ config, data }, leftOut, task);
    throwIfCancelled(task.signal);
    const backend = await this.surroundings.openTraining();
    void backend.lost.then((reason) => this.post({ type: 'lost', reason }));
    const checkpoint = start && (await openCheckpoint(start, task));
    return { trainer: await openRun({ config, sources, checkpoint, ...(store && { store }) }, backend.operations, task), backend, leftOut };
  }

  private async sources({ config, data }: Pick<RunRecipe, 'config' | 'data'>, leftOut: OpenedRun['leftOut'], task: Task): Promise<TrainingSources> {
    if (data.kind === 'digits') {
      if (config.data.kind !== 'digits') throw new RangeError('The configuration is not for digits.');
      return digitSources(config, config.data, await this.surroundings.readDigits(task));
    }
    if (config.data.kind !== 'folder') throw new RangeError('The configuration is not for a data set.');
    const dataset = await opened(data, task);
    for (const { path, message } of dataset.problems) leftOut.push({ title: path, reason: message });
    return datasetSources(
      config,
      config.data.validation,
      dataset,
      (image) => this.surroundings.decodePicture(image),
      (title, thrown) => leftOut.push({ title, reason: asAppError(thrown).message }),
      task,
    );
  }

  /** A run of one kind may begin with the other's weights: where a model has only those, they are taken. */
  private async weightsOf({ source, mode }: TrainingStart, task: Task): Promise<Blob> {
    if (source.kind !== 'shipped') return source.blob;
    const { name } = source;
    const manifest = parseManifest(await (await this.surroundings.readModelFile(`${name}/manifest.json`, task)).text());
    const weights = manifest.weights[mode] ?? manifest.weights.snn ?? manifest.weights.ann;
    if (!weights) throw new AppError('engine/no-model', `The model ${name} comes without weights.`, 'Choose another one.');
    return this.surroundings.readModelFile(`${name}/${weights.file}`, task, weights.sha256);
  }

  private async train(recipe: OpenedRecipe, store: KeptRunStore, { trainer, backend, leftOut }: OpenedRun, task: Task): Promise<TrainingResponseOf['begin']> {
    const { storage } = this.surroundings;
    this.tell({ kind: 'opened', run: await this.described(recipe), backend: backend.choice, leftOut: leftOut.slice(0, namedProblems) });
    const { name, before } = await this.placeFor(trainer);
    const { manifest, safetensors, torch } = await finishRun(trainer, store, before, task, {
      onStep: (report) => this.tell({ kind: 'step', report }),
      onEpochEnd: async (epoch) => this.tell({ kind: 'samples', epoch, samples: await samplesOf(trainer) }),
      onEpoch: (report) => this.tell({ kind: 'epoch', report: { ...report, step: trainer.state.step } }),
    });
    const { config } = trainer;
    const { mode } = config;
    const folder = `models/${name}`;
    await storage.keep(
      {
        [`${folder}/manifest.json`]: JSON.stringify({ ...manifest, name }),
        [`${folder}/${mode}.safetensors`]: safetensors,
        [`${folder}/${mode}.pt`]: torch,
        [`${folder}/${mode}.config.json`]: JSON.stringify(config, null, 2),
        [`${folder}/${mode}.log.jsonl`]: await store.readLog(),
      },
      [runFolder],
    );
    return { name, mode };
  }

  /** A name that no other model has; that of a twin with the same rows where that one is without this network. */
  private async placeFor({ graph, config }: Trainer): Promise<{ name: string; before: Manifest | undefined }> {
    for (let number = 1; ; number++) {
      const name = number === 1 ? config.name : `${config.name}-${number}`;
      const kept = await this.surroundings.storage.read(`models/${name}/manifest.json`);
      if (kept === undefined) return { name, before: undefined };
      const before = readManifest(String(kept));
      const isTwin = before && before.weights[config.mode] === undefined && JSON.stringify(before.description.rows) === JSON.stringify(graph.description.rows);
      if (isTwin) return { name, before };
    }
  }

  private async described({ config, title, shape }: OpenedRecipe): Promise<KeptRun> {
    const { steps, epochs } = readLog(await new KeptRunStore(this.surroundings.storage).readLog());
    return { config, title, step: steps.at(-1)?.step ?? 0, shape, steps, epochs };
  }

  private tell(event: TrainingEvent): void {
    this.post({ type: 'event', event });
  }
}

async function opened(data: DatasetContent, task: Task): Promise<Dataset> {
  const files = await filesOf(data);
  throwIfCancelled(task.signal);
  return openDataset(files, {}, task);
}

function readManifest(text: string): Manifest | undefined {
  try {
    return parseManifest(text);
  } catch {
    return undefined;
  }
}

function shapeOf({ graph, steps, stepsPerEpoch, sources: { training, validation } }: Trainer): RunShape {
  return {
    steps,
    stepsPerEpoch,
    training: training.length,
    validation: validation.length,
    classNames: graph.description.classNames,
    layers: graph.layers.map(({ row, repeat, label }) => `${row}${(graph.blocks[row]?.repeats ?? 1) > 1 ? `.${repeat + 1}` : ''} ${label}`),
    parameters: parameterCount(graph),
  };
}

async function samplesOf(trainer: Trainer): Promise<SamplePrediction[]> {
  const { detections, labels, inputs, size } = await trainer.samples(sampleCount, sampleSuppression);
  return inputs.map((values, index) => ({ size, rgba: toRgba(values, size), truth: labels[index] ?? [], found: detections[index] ?? [] }));
}

/** The first step's picture. */
function toRgba(values: Float32Array, size: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let pixel = 0; pixel < size * size; pixel++) {
    for (let channel = 0; channel < 3; channel++) rgba[pixel * 4 + channel] = (values[pixel * 3 + channel] ?? 0) * 255;
  }
  return rgba;
}

function isRequestKind(kind: string): kind is TrainingRequestKind {
  return Object.hasOwn(trainingRequestSchemas, kind);
}
