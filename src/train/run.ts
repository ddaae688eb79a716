import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import { seededRandom } from '../base/random';
import { openCheckpoint } from '../checkpoint/open';
import { writeSafetensors, type WriteEntry } from '../checkpoint/safetensors';
import type { Checkpoint, NetworkDescription } from '../checkpoint/types';
import { configurations, defaultAnchors } from '../network/configurations';
import { buildGraph, type NetworkGraph } from '../network/graph';
import { anchorsOfCheckpoint, expectedTensors, graphOfCheckpoint } from '../network/weights';
import { fitAnchors } from './anchors';
import { stageOf, totalEpochs, type TrainingConfig } from './config';
import { logLine, readLog, type EpochReport, type StepReport } from './log';
import { initialParameters, readParameters, toStateDict } from './parameters';
import type { Parameters } from './pass';
import type { TrainingSource } from './source';
import type { Trainer, TrainingState } from './trainer';

/** Where a run lives: a folder, or the browser's storage for this site. */
export interface RunStore {
  /** The last state that was written whole, if there is one. */
  readState(): Promise<Blob | undefined>;
  /** Replaces it at once: a run that is killed in the middle keeps the one before. */
  writeState(state: Blob): Promise<void>;
  readLog(): Promise<string>;
  writeLog(lines: string): Promise<void>;
  appendLog(line: string): Promise<void>;
}

/** The network that a run trains: of a checkpoint, or new ones of a configuration with the data's classes. */
export async function startingPoint(
  config: TrainingConfig,
  training: TrainingSource,
  checkpoint: Checkpoint | undefined,
  task: Task,
): Promise<{ graph: NetworkGraph; parameters: Map<string, Float32Array> }> {
  const given = checkpoint && graphOfCheckpoint(checkpoint);
  const description: NetworkDescription = given
    ? { ...given.description, anchors: await anchorsOfCheckpoint(given, checkpoint, task) }
    : {
        rows: configurations[config.network.configuration] ?? [],
        depthMultiple: 1,
        widthMultiple: config.network.widthMultiple,
        inputChannels: 3,
        classNames: training.classNames,
        anchors: defaultAnchors,
      };
  const graph = buildGraph({
    ...description,
    classNames: training.classNames,
    anchors: anchorsFor(config, description.anchors, training),
  });
  const random = seededRandom(config.seed);
  const fresh = initialParameters(graph, random);
  if (!given) return { graph, parameters: fresh };
  const known = await readParameters(given, checkpoint, task);
  const detection = new Set(graph.scales.flatMap(({ node }) => namesOfNode(graph, node)));
  return {
    graph,
    parameters: new Map([...fresh].map(([name, values]) => [name, detection.has(name) ? keptOutputs(graph, values, given, known.get(name)) : (known.get(name) ?? values)])),
  };
}

/**
 * A detection convolution's weights `[inputs, outputs]` or biases `[outputs]` for the new classes: what is known of a class goes along with its name,
 * in whatever order the data set has its classes. Where not one class is known, nothing is kept: an objectness learned on other things is none.
 * @param fresh for outputs that are not known; changed
 */
function keptOutputs(graph: NetworkGraph, fresh: Float32Array, given: NetworkGraph, known: Float32Array | undefined): Float32Array {
  const { classNames } = graph.description;
  const knownNames = given.description.classNames;
  if (!known || graph.anchorsPerScale !== given.anchorsPerScale || !classNames.some((name) => knownNames.includes(name))) return fresh;
  // Of each anchor: x, y, width, height, objectness, then the classes.
  const [each, eachKnown] = [5 + classNames.length, 5 + knownNames.length];
  const anchors = fresh.length / each;
  for (let output = 0; output < each; output++) {
    const from = output < 5 ? output : 5 + knownNames.indexOf(classNames[output - 5] ?? '');
    if (output >= 5 && from < 5) continue;
    for (let anchor = 0; anchor < anchors; anchor++) fresh[anchor * each + output] = known[anchor * eachKnown + from] ?? NaN;
  }
  return fresh;
}

function anchorsFor({ anchors, seed, stages }: TrainingConfig, known: readonly (readonly number[])[], training: TrainingSource): readonly (readonly number[])[] {
  if (anchors === 'default') return known;
  if (anchors !== 'fit') return anchors;
  const size = stages.at(-1)?.size ?? 256;
  const random = seededRandom(seed);
  const sizes = Array.from({ length: Math.min(training.length, 500) }, (_, index) => training.read(index, random)).flatMap(({ width, height, boxes }) => {
    const scale = size / Math.max(width, height);
    return boxes.map(({ box: [x1, y1, x2, y2] }) => ({ width: (x2 - x1) * scale, height: (y2 - y1) * scale }));
  });
  return fitAnchors(sizes, known.length, (known[0]?.length ?? 0) / 2, seed);
}

function namesOfNode(graph: NetworkGraph, id: number): string[] {
  const node = graph.nodes[id];
  return node?.op === 'convolution' && node.shift.kind === 'bias' ? [node.weightName, node.shift.name] : [];
}

export function newState(parameters: Map<string, Float32Array>): TrainingState {
  return {
    step: 0,
    parameters,
    average: new Map([...parameters].map(([name, values]) => [name, values.slice()])),
    moments: { first: new Map(), second: new Map() },
  };
}

const groups = ['parameters', 'average', 'first', 'second'] as const;

/** A state as one file; written and read whole. */
export function writeState(state: TrainingState): Promise<Blob> {
  const entries: WriteEntry[] = [
    { name: 'step', shape: [1], storedAs: 'float32', data: Float32Array.of(state.step) },
    ...groups.flatMap((group) =>
      [...groupOf(state, group)].map(([name, data]): WriteEntry => ({ name: `${group}.${name}`, shape: [data.length], storedAs: 'float32', data })),
    ),
  ];
  return writeSafetensors(entries);
}

/** @throws AppError `train/unreadable-run` where the file is no state of a run of this network */
export async function readState(graph: NetworkGraph, blob: Blob, task: Task): Promise<TrainingState> {
  const problem = (cause?: unknown): AppError =>
    new AppError(
      'train/unreadable-run',
      'The stored run cannot be taken up: its state is damaged, or of another network.',
      'Start the run anew, or restore its folder.',
      cause,
    );
  try {
    const file = await openCheckpoint(blob, task);
    const [step = NaN] = await file.read('step', task);
    const state: TrainingState = { step, parameters: new Map(), average: new Map(), moments: { first: new Map(), second: new Map() } };
    for (const group of groups) {
      for (const name of file.tensors.keys()) {
        if (name.startsWith(`${group}.`)) groupOf(state, group).set(name.slice(group.length + 1), await file.read(name, task));
      }
    }
    for (const [name, shape] of expectedTensors(graph)) {
      const length = shape.reduce((product, side) => product * side, 1);
      if (state.parameters.get(name)?.length !== length || state.average.get(name)?.length !== length) throw problem();
    }
    if (!Number.isInteger(step) || step < 0) throw problem();
    return state;
  } catch (thrown) {
    throw thrown instanceof AppError && thrown.code === 'cancelled' ? thrown : problem(thrown);
  }
}

function groupOf(state: TrainingState, group: (typeof groups)[number]): Map<string, Float32Array> {
  return group === 'parameters' || group === 'average' ? state[group] : state.moments[group];
}

export interface RunListener {
  onStep?: (report: StepReport) => void;
  /** After every epoch, before it is evaluated if it is. */
  onEpochEnd?: (epoch: number) => Promise<void>;
  /** After every evaluation. */
  onEpoch?: (report: EpochReport) => void | Promise<void>;
}

/**
 * Trains until the end, or until it is cancelled: then the state is written, and the run can be taken up.
 * @throws AppError `cancelled`, `train/diverged`, and what reading pictures or the machine's memory may raise
 */
export async function run(trainer: Trainer, store: RunStore, task: Task, listener: RunListener = {}): Promise<void> {
  const { config } = trainer;
  let written = performance.now();
  const save = async (): Promise<void> => {
    await store.writeState(await writeState(trainer.state));
    written = performance.now();
  };
  const endEpoch = async (): Promise<void> => {
    const { step } = trainer.state;
    const epoch = step / trainer.stepsPerEpoch;
    await listener.onEpochEnd?.(epoch);
    if (epoch % config.evaluateEvery !== 0 && !trainer.isDone) return;
    const measured = await trainer.evaluate(task);
    await store.appendLog(logLine({ kind: 'epoch', step, ...measured }));
    await listener.onEpoch?.(measured);
  };
  const atEpochEnd = (): boolean => trainer.state.step > 0 && trainer.state.step % trainer.stepsPerEpoch === 0;
  try {
    // An evaluation that was cut short is made again.
    if (atEpochEnd() && !readLog(await store.readLog()).epochs.some(({ step }) => step === trainer.state.step)) await endEpoch();
    while (!trainer.isDone) {
      throwIfCancelled(task.signal);
      const report = await trainer.step(task);
      await store.appendLog(logLine({ kind: 'step', ...report }));
      listener.onStep?.(report);
      const { size, steps } = stageOf(config, report.epoch);
      task.report({
        label: `Training, epoch ${report.epoch + 1} of ${totalEpochs(config)}, ${size} px${config.mode === 'snn' ? `, T = ${steps}` : ''}`,
        done: report.step, total: report.steps, unit: 'items',
      });
      if (atEpochEnd()) {
        // The state first: what may be cut short is the evaluation, not the epoch.
        await save();
        await endEpoch();
      }
      if (performance.now() - written > config.checkpointMinutes * 60_000) await save();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } finally {
    await save();
  }
}

/** The averaged weights as a checkpoint's entries, with the released code's names. */
export function* modelEntries(graph: NetworkGraph, parameters: Parameters, storedAs: 'float16' | 'float32'): Generator<WriteEntry> {
  for (const [name, { shape, values }] of toStateDict(graph, parameters)) yield { name, shape, storedAs, data: values };
  yield {
    name: graph.anchorsName,
    shape: [graph.scales.length, graph.anchorsPerScale, 2],
    storedAs: 'float32',
    data: Float32Array.from(graph.scales.flatMap(({ stride }, scale) => (graph.description.anchors[scale] ?? []).map((side) => side / stride))),
  };
}
