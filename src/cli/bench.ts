/** `bench`: this engine against others on the same weights and picture, interleaved in one process, outputs compared first. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import * as onnxruntimeWeb from 'onnxruntime-web';
import { maximumThreads } from '../base/backendName';
import { AppError } from '../base/errors';
import type { LinearFit } from '../base/linearFit';
import type { Task } from '../base/progress';
import { z } from '../base/schema';
import { parseManifest } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { networkContestant, onnxContestant, type BenchCase, type OnnxRuntime } from '../engine/bench/contestants';
import { measureCosts, measureMemory } from '../engine/bench/costs';
import { benchPicture, squareInput } from '../engine/bench/picture';
import { race, type Contestant } from '../engine/bench/race';
import { measureRepeats, type RepeatCost } from '../engine/bench/repeats';
import { wholeSweep, type BenchDetail, type BenchFile, type RaceRow, type RunCounts } from '../engine/benchProtocol';
import type { ModelSource } from '../engine/protocol';
import { widenedTwice } from '../network/widen';
import { openBackend, openStockTfjs, type Backend, type BackendOptions } from '../tensor/backend';
import type { LayerClock } from '../tensor/operations';
import { inputSide, parseOption, stepCount, wholeNumber } from './arguments';
import { readKernels } from './kernels';
import { modelSource, nodeSurroundings, terminalTask } from './surroundings';
import { nodeThreads } from './threads';

const raceCounts: RunCounts = { warmUpRuns: 3, timedRuns: 15 };
const costCounts: RunCounts = { warmUpRuns: 2, timedRuns: 11 };
const defaultSteps = 4;

const opponents = ['tfjs', 'onnxruntime-web', 'onnxruntime-node'] as const;
type Opponent = (typeof opponents)[number];

/** Two networks of one model, on a picture. */
interface Pair {
  model: string;
  snn: Checkpoint;
  ann: Checkpoint;
  size: number;
}

interface Result extends BenchDetail {
  rows: RaceRow[];
  repeats: RepeatCost[];
}

export async function benchCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      weights: { type: 'string' },
      size: { type: 'string' },
      steps: { type: 'string' },
      threads: { type: 'string', default: '1' },
      against: { type: 'string', default: opponents.join(',') },
      json: { type: 'boolean', default: false },
    },
  });
  const threads = parseOption('threads', options.threads, wholeNumber.pipe(z.int().min(1).max(maximumThreads, { error: `at most ${maximumThreads}` })));
  const against = options.against.split(',').map((name) => parseOption('against', name, z.enum(opponents, { error: `choose from ${opponents.join(', ')}` })));
  const steps = options.steps === undefined ? defaultSteps : parseOption('steps', options.steps, stepCount);
  const size = options.size === undefined ? undefined : parseOption('size', options.size, inputSide);
  const task = terminalTask();

  const results: Result[] = [];
  for (const pair of await pairs(options.weights, size, task)) results.push(await measure(pair, steps, against, threads, task));
  const [cpu] = cpus();
  const file: BenchFile = {
    machine: { cpu: cpu?.model ?? 'unknown', cores: cpus().length, node: process.version },
    rows: results.flatMap(({ model, width, height, steps, rows }) => rows.map((row) => ({ model, width, height, steps, ...row }))),
    details: results.map(({ rows: _rows, repeats: _repeats, ...detail }) => detail),
  };
  process.stdout.write(options.json ? `${JSON.stringify(file, null, 2)}\n` : tables(file.machine, results));
}

/** Side at which the shipped model is compared where nobody says another: a size of its own would not compare with figures of earlier models. */
const usualSize = 256;

/** What was asked for; else the shipped model, and at twice its width, which is the paper's, on a larger picture. */
async function pairs(weights: string | undefined, size: number | undefined, task: Task): Promise<Pair[]> {
  if (weights !== undefined || size !== undefined) return [await openPair(weights ?? 'bccd', size, task)];
  const asked = await openPair('bccd', usualSize, task);
  return [asked, { model: 'bccd, twice as wide', snn: widenedTwice(asked.snn), ann: widenedTwice(asked.ann), size: 320 }];
}

/** The SNN and its twin; a file that comes without a twin runs as one itself. */
async function openPair(weights: string, size: number | undefined, task: Task): Promise<Pair> {
  const source: ModelSource = await modelSource(weights);
  if (source.kind === 'file') {
    const checkpoint = await openCheckpoint(source.blob, task);
    return { model: source.name, snn: checkpoint, ann: checkpoint, size: size ?? (source.manifest === undefined ? 640 : parseManifest(source.manifest).inputSize) };
  }
  const manifest = parseManifest(await (await nodeSurroundings.readModelFile(`${source.name}/manifest.json`, task)).text());
  const open = async (mode: 'snn' | 'ann'): Promise<Checkpoint | undefined> => {
    const file = manifest.weights[mode];
    return file && openCheckpoint(await nodeSurroundings.readModelFile(`${source.name}/${file.file}`, task), task);
  };
  const snn = await open('snn');
  const ann = await open('ann');
  const either = snn ?? ann;
  if (!either) throw new AppError('engine/no-model', `The model ${source.name} comes without weights.`, 'Choose another model.');
  return { model: source.name, snn: snn ?? either, ann: ann ?? either, size: size ?? manifest.inputSize };
}

async function measure({ model, snn, ann, size }: Pair, steps: number, against: readonly Opponent[], threads: number, task: Task): Promise<Result> {
  const picture = benchPicture();
  const pictureOf = (side: number): Float32Array => squareInput(picture, side);
  const common = { steps, picture: pictureOf(size), width: size, height: size };
  const cases: BenchCase[] = [
    { ...common, network: 'snn', checkpoint: snn },
    { ...common, network: 'ann', checkpoint: ann },
  ];
  const spiking: BenchCase = { ...common, network: 'snn', checkpoint: snn };
  const contestants: Contestant[] = [];
  try {
    // One thread always, so that what more of them gain is measured in the same run.
    for (const count of threads > 1 ? [1, threads] : [1]) {
      const { operations } = await openEvent({ eventThreads: nodeThreads(count) });
      for (const benchCase of cases) contestants.push(await networkContestant(benchCase, operations, { engine: 'this', backend: 'event', threads: count }, task));
    }
    for (const name of against) {
      for (const benchCase of cases) contestants.push(await opponentContestants[name](benchCase, threads, task));
    }
    const rows = await race(contestants, raceCounts, task);
    const open = (clock?: LayerClock): Promise<Backend> => openEvent({ ...(clock && { clock }) });
    const costs = await measureCosts(spiking, open, pictureOf, wholeSweep, costCounts, task);
    const repeats = await measureRepeats(spiking, open, raceCounts, task);
    return { model, width: size, height: size, steps, rows, backend: 'event', costs, repeats, memory: await measureMemory(spiking, open, task) };
  } finally {
    for (const contestant of contestants) await contestant.release();
  }
}

const opponentContestants: Record<Opponent, (benchCase: BenchCase, threads: number, task: Task) => Promise<Contestant>> = {
  tfjs: async (benchCase, _, task) =>
    networkContestant(benchCase, await openStockTfjs('wasm', undefined), { engine: 'tfjs', backend: 'wasm', threads: 1 }, task),
  'onnxruntime-web': (benchCase, threads, task) => {
    onnxruntimeWeb.env.wasm.numThreads = threads;
    return onnxContestant(benchCase, onnxruntimeWeb, { executionProviders: ['wasm'] }, { engine: 'onnxruntime-web', backend: 'wasm', threads }, task);
  },
  'onnxruntime-node': async (benchCase, threads, task) =>
    onnxContestant(
      benchCase,
      await openOnnxruntimeNode(),
      { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 },
      { engine: 'onnxruntime-node', backend: 'cpu', threads },
      task,
    ),
};

/** Optional: npm leaves it out where it has no binary for the machine. */
async function openOnnxruntimeNode(): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw new AppError('backend/unavailable', 'onnxruntime-node is not installed here.', 'Use --against tfjs,onnxruntime-web.', cause);
  }
}

function openEvent(more: Pick<BackendOptions, 'clock' | 'eventThreads'>): Promise<Backend> {
  return openBackend({ preference: 'event', wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [], ...more });
}

function tables(machine: BenchFile['machine'], results: readonly Result[]): string {
  return [`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; interleaved, medians`, '', ...results.flatMap(resultLines)].join('\n');
}

const milliseconds = (value: number): string => value.toFixed(1).padStart(8);
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function resultLines({ model, width, height, steps, rows, costs, repeats, memory }: Result): string[] {
  const { rates, layers, stepsFit, sizesFit } = costs;
  const [first] = rates;
  const [peakBytes, heapBytes] = [memory.peakBytes ?? NaN, memory.heapBytes ?? NaN];
  const need = memory.weightBytes + memory.twoLargestLayersBytes;
  return [
    `${model}, ${width} x ${height}, T = ${steps}`,
    '',
    'network  engine            backend  threads    median      min      max ms  times ours  largest difference  firing rate',
    ...rows.map((row) => {
      const ours = rows.find(({ network }) => network === row.network);
      return [
        row.network.padEnd(8),
        row.engine.padEnd(17),
        row.backend.padEnd(8),
        String(row.threads).padStart(7),
        ` ${milliseconds(row.medianMs)}`,
        milliseconds(row.minMs),
        milliseconds(row.maxMs),
        `   ${(row.medianMs / (ours?.medianMs ?? NaN)).toFixed(2).padStart(10)}`,
        row.maxOutputDifference.toExponential(1).padStart(19),
        (row.firingRate === null ? '-' : row.firingRate.toFixed(3)).padStart(12),
      ].join(' ');
    }),
    '',
    'threshold  firing rate  of ours  network ms  spiking layers ms  of ours  neurons ms',
    ...rates.map(({ threshold, firingRate, run, spikingLayers, neurons }) =>
      [
        threshold.toFixed(2).padStart(9),
        firingRate.toFixed(3).padStart(12),
        (firingRate / (first?.firingRate ?? NaN)).toFixed(2).padStart(8),
        milliseconds(run.medianMs).padStart(11),
        milliseconds(spikingLayers?.medianMs ?? NaN).padStart(18),
        ((spikingLayers?.medianMs ?? NaN) / (first?.spikingLayers?.medianMs ?? NaN)).toFixed(2).padStart(8),
        milliseconds(neurons?.medianMs ?? NaN).padStart(11),
      ].join(' '),
    ),
    `at a tenth of the rate the spiking layers take ${costs.spikingShareAtTenth.toFixed(2)} of their time`,
    '',
    `steps       ${costs.steps.map(({ steps: count }) => String(count).padStart(7)).join('')}`,
    `ms          ${costs.steps.map(({ run }) => run.medianMs.toFixed(1).padStart(7)).join('')}`,
    `            ${fitText(stepsFit, 'step')}`,
    `side, px    ${costs.sizes.map(({ width: side }) => String(side).padStart(7)).join('')}`,
    `ms          ${costs.sizes.map(({ run }) => run.medianMs.toFixed(1).padStart(7)).join('')}`,
    `            ${fitText(sizesFit, 'million pixels')}`,
    '',
    'from one frame to the next       from the start ms  reusing ms  share',
    ...repeats.map(({ frames, fromTheStart, reusing }) =>
      [frames.padEnd(31), milliseconds(fromTheStart.medianMs).padStart(18), milliseconds(reusing.medianMs).padStart(11), (reusing.medianMs / fromTheStart.medianMs).toFixed(2).padStart(6)].join(' '),
    ),
    '',
    `memory of a frame: ${megabytes(peakBytes)} MB in use at most, heap of ${megabytes(heapBytes)} MB; weights ${megabytes(memory.weightBytes)} MB and the two`,
    `largest layers at all steps ${megabytes(memory.twoLargestLayersBytes)} MB: ${(peakBytes / need).toFixed(2)} times both (heap ${(heapBytes / need).toFixed(2)})`,
    '',
    'layer                                        million operations a step  firing rate        ms   at rate        ms',
    ...layers.map(({ name, reads, operations, atThreshold }) => {
      const rare = atThreshold.at(-1);
      const [usual] = atThreshold;
      const rate = (value: number | null | undefined): string => (reads === 'spikes' ? (value ?? NaN).toFixed(3) : '-');
      return [
        name.padEnd(44),
        (operations / 1e6).toFixed(1).padStart(25),
        rate(usual?.firingRate).padStart(12),
        (usual?.run.medianMs ?? NaN).toFixed(2).padStart(9),
        rate(rare?.firingRate).padStart(9),
        (rare?.run.medianMs ?? NaN).toFixed(2).padStart(9),
      ].join(' ');
    }),
    '',
    '',
  ];
}

function fitText(fit: LinearFit | null, unit: string): string {
  if (!fit) return '';
  const { intercept, slope, explained } = fit;
  return `${intercept.toFixed(1)} ms + ${slope.toFixed(1)} ms a ${unit}; R squared ${explained.toFixed(4)}`;
}
