/** `bench`: this engine against others on the same weights and picture, interleaved in one process, outputs compared first. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { z } from '../base/schema';
import { parseManifest } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { letterbox, placeInto } from '../detect/letterbox';
import type { ModelSource } from '../engine/protocol';
import { drawSmear } from '../input/frames/smear';
import { Network, trainedNeuron, type NetworkRun } from '../network/network';
import { openBackend } from '../tensor/backend';
import { startKernels } from '../tensor/event/kernels';
import { EventOperations } from '../tensor/event/operations';
import { inputSide, parseOption, stepCount, wholeNumber } from './arguments';
import { readKernels } from './kernels';
import { modelSource, nodeSurroundings, terminalTask } from './surroundings';

/** Untimed runs before the timed ones: compilers finish in them. */
const warmUpRuns = 3;
const timedRuns = 15;
/** The threshold is multiplied by these, for the cost against the firing rate. */
const thresholdFactors = [1, 1.5, 2, 3, 5, 8] as const;
const defaultSteps = 4;
const pictureSeed = 1;

interface Spread {
  medianMs: number;
  minMs: number;
  maxMs: number;
  runs: number;
}

interface Row extends Spread {
  network: 'snn' | 'ann';
  engine: string;
  backend: string;
  threads: number;
  /** Against this engine's logits. */
  maxOutputDifference: number;
  /** Share of all neurons that fired, over all layers and steps; null for the ANN. */
  firingRate: number | null;
}

interface RateRow {
  threshold: number;
  firingRate: number;
  network: Spread;
  /** The convolutions that read spikes, without the neurons. */
  spikingLayers: Spread;
}

interface Contestant {
  network: 'snn' | 'ann';
  engine: string;
  backend: string;
  run: () => Promise<NetworkRun>;
}

export async function benchCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      weights: { type: 'string', default: 'bccd' },
      size: { type: 'string' },
      steps: { type: 'string' },
      threads: { type: 'string', default: '1' },
      against: { type: 'string', default: 'tfjs' },
      json: { type: 'boolean', default: false },
    },
  });
  parseOption('threads', options.threads, wholeNumber.pipe(z.literal(1, { error: 'every engine here runs on one thread' })));
  checkOpponents(options.against);
  const steps = options.steps === undefined ? defaultSteps : parseOption('steps', options.steps, stepCount);
  const sizeAsked = options.size === undefined ? undefined : parseOption('size', options.size, inputSide);
  const task = terminalTask();

  const { snn, ann, inputSize } = await openPair(await modelSource(options.weights), task);
  const size = sizeAsked ?? inputSize ?? 640;
  const picture = drawSmear(pictureSeed);
  const values = letterbox(picture, placeInto(picture, { width: size, height: size }));
  const shape = { steps: 1, height: size, width: size, channels: 3 };
  const settings = { steps, ...trainedNeuron, record: new Set<number>(), logitsPerStep: false };

  const contestants: Contestant[] = [];
  for (const [engine, preference] of [['this', 'event'], ['tfjs', 'wasm']] as const) {
    const { operations } = await openBackend({ preference, wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [] });
    for (const [network, checkpoint] of [['snn', snn], ['ann', ann]] as const) {
      const loaded = await Network.load(checkpoint, operations, task);
      contestants.push({ network, engine, backend: preference, run: () => loaded.run(values, shape, { ...settings, mode: network }, task) });
    }
  }
  const rows = await race(contestants, task);
  const rates = await costAgainstRate(snn, (network, threshold) => network.run(values, shape, { ...settings, mode: 'snn', threshold }, task), task);
  const [cpu] = cpus();
  const machine = { cpu: cpu?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const result = { machine, model: options.weights, width: size, height: size, steps, rows, rates };
  process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : tables(result));
}

function checkOpponents(against: string): void {
  for (const name of against.split(',')) {
    if (name === 'tfjs') continue;
    const known = name === 'onnxruntime-web' || name === 'onnxruntime-node';
    throw new AppError(
      'usage',
      known ? `This version cannot compare with ${name} yet: it writes no ONNX file of the network.` : `There is no engine ${name} to compare with.`,
      'Use --against tfjs.',
    );
  }
}

/** The SNN and its twin; a file that comes without a twin runs as one itself. */
async function openPair(source: ModelSource, task: Task): Promise<{ snn: Checkpoint; ann: Checkpoint; inputSize: number | undefined }> {
  if (source.kind === 'file') {
    const checkpoint = await openCheckpoint(source.blob, task);
    return { snn: checkpoint, ann: checkpoint, inputSize: undefined };
  }
  const manifest = parseManifest(await (await nodeSurroundings.readModelFile(`${source.name}/manifest.json`, task)).text());
  const open = async (mode: 'snn' | 'ann'): Promise<Checkpoint | undefined> => {
    const weights = manifest.weights[mode];
    return weights && openCheckpoint(await nodeSurroundings.readModelFile(`${source.name}/${weights.file}`, task), task);
  };
  const snn = await open('snn');
  const ann = await open('ann');
  const either = snn ?? ann;
  if (!either) throw new AppError('engine/no-model', `The model ${source.name} comes without weights.`, 'Choose another model.');
  return { snn: snn ?? either, ann: ann ?? either, inputSize: manifest.inputSize };
}

async function race(contestants: readonly Contestant[], task: Task): Promise<Row[]> {
  const outputs: NetworkRun[] = [];
  for (const { run } of contestants) outputs.push(await run());
  const times = contestants.map(() => [] as number[]);
  for (let round = 0; round < warmUpRuns + timedRuns; round++) {
    task.report({ label: 'Measuring', done: round, total: warmUpRuns + timedRuns, unit: 'items' });
    for (const [index, { run }] of contestants.entries()) {
      const started = performance.now();
      await run();
      if (round >= warmUpRuns) times[index]?.push(performance.now() - started);
    }
  }
  return contestants.map(({ network, engine, backend }, index) => {
    const output = outputs[index];
    const ours = outputs[contestants.findIndex((other) => other.network === network)];
    return {
      network,
      engine,
      backend,
      threads: 1,
      ...spread(times[index] ?? []),
      maxOutputDifference: output && ours ? outputDifference(output, ours) : NaN,
      firingRate: output && network === 'snn' ? meanRate(output) : null,
    };
  });
}

async function costAgainstRate(
  checkpoint: Checkpoint,
  run: (network: Network, threshold: number) => Promise<NetworkRun>,
  task: Task,
): Promise<RateRow[]> {
  const kernels = await startKernels(() => readKernels());
  let spikingMs = 0;
  const timed: typeof kernels = {
    ...kernels,
    spikingConvolution: (...parameters) => {
      const started = performance.now();
      kernels.spikingConvolution(...parameters);
      spikingMs += performance.now() - started;
    },
  };
  const network = await Network.load(checkpoint, new EventOperations(timed), task);
  const measured = thresholdFactors.map((factor) => ({
    threshold: trainedNeuron.threshold * factor,
    firingRate: 0,
    networkMs: [] as number[],
    spikingMs: [] as number[],
  }));
  for (let round = 0; round < warmUpRuns + timedRuns; round++) {
    task.report({ label: 'Measuring firing rates', done: round, total: warmUpRuns + timedRuns, unit: 'items' });
    for (const row of measured) {
      spikingMs = 0;
      const started = performance.now();
      row.firingRate = meanRate(await run(network, row.threshold));
      if (round < warmUpRuns) continue;
      row.networkMs.push(performance.now() - started);
      row.spikingMs.push(spikingMs);
    }
  }
  return measured.map(({ threshold, firingRate, ...times }) => ({
    threshold,
    firingRate,
    network: spread(times.networkMs),
    spikingLayers: spread(times.spikingMs),
  }));
}

function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: sorted[sorted.length >> 1] ?? NaN, minMs: sorted[0] ?? NaN, maxMs: sorted.at(-1) ?? NaN, runs: sorted.length };
}

function outputDifference(a: NetworkRun, b: NetworkRun): number {
  return Math.max(
    ...a.scales.map(({ mean }, scale) => {
      const other = b.scales[scale]?.mean;
      return mean.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (other?.[index] ?? NaN))), 0);
    }),
  );
}

/** Over layers that spike and over steps, every layer counted alike, as `detect` prints them. */
function meanRate({ firingRates }: NetworkRun): number {
  const rates = firingRates.flatMap((perStep) => perStep ?? []);
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

function tables(result: { machine: { cpu: string; cores: number; node: string }; model: string; width: number; height: number; steps: number; rows: Row[]; rates: RateRow[] }): string {
  const { machine, model, width, height, steps, rows, rates } = result;
  const ms = (value: number): string => value.toFixed(1).padStart(8);
  const [first] = rates;
  return [
    `${model}, ${width} x ${height}, T = ${steps}; ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; one thread, ${timedRuns} runs each, interleaved`,
    '',
    'network  engine  backend    median      min      max ms  times ours  largest difference  firing rate',
    ...rows.map((row) => {
      const ours = rows.find(({ network }) => network === row.network);
      return [
        row.network.padEnd(8),
        row.engine.padEnd(7),
        row.backend.padEnd(7),
        ms(row.medianMs),
        ms(row.minMs),
        ms(row.maxMs),
        `   ${(row.medianMs / (ours?.medianMs ?? NaN)).toFixed(2).padStart(10)}`,
        row.maxOutputDifference.toExponential(1).padStart(19),
        (row.firingRate === null ? '-' : row.firingRate.toFixed(3)).padStart(12),
      ].join(' ');
    }),
    '',
    'threshold  firing rate  of ours  network ms  spiking layers ms  of ours',
    ...rates.map(({ threshold, firingRate, network, spikingLayers }) =>
      [
        threshold.toFixed(2).padStart(9),
        firingRate.toFixed(3).padStart(12),
        (firingRate / (first?.firingRate ?? NaN)).toFixed(2).padStart(8),
        ms(network.medianMs).padStart(11),
        ms(spikingLayers.medianMs).padStart(18),
        (spikingLayers.medianMs / (first?.spikingLayers.medianMs ?? NaN)).toFixed(2).padStart(8),
      ].join(' '),
    ),
    '',
  ].join('\n');
}
