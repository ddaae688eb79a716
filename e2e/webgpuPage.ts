import { AppError } from '../src/base/errors';
import { quietTask } from '../src/base/progress';
import { openCheckpoint } from '../src/checkpoint/open';
import type { Checkpoint } from '../src/checkpoint/types';
import { Network, trainedNeuron, type NetworkRun, type RunSettings } from '../src/network/network';
import { openClockedWebgpu } from '../src/tensor/backend';
import type { FeatureShape } from '../src/tensor/operations';
import type { Precision } from '../src/tensor/webgpu/convolutionPrograms';
import type { KernelChoice } from '../src/tensor/webgpu/kernelChooser';
import { openWebgpu, type OpenedWebgpu } from '../src/tensor/webgpu/open';
import { operationCases, runAndRelease } from './operationCases';

/** What webgpu.e2e.ts runs in a page: the operations on WebGPU, without the engine around them. */

export interface WebgpuPage {
  caseNames(): string[];
  /** Throws where WebGPU and the reference differ. */
  check(name: string): Promise<void>;
  /** Memory after one frame and after many, and what each of the last ones asked of the device. */
  memory(): Promise<{ states: { tensors: number; bytes: number }[]; frames: DeviceCalls[] }>;
  /** What becomes of a frame whose device is lost in the middle of it, of the next one, and of one on another device. */
  loss(): Promise<{ frame: string; reason: string; next: string; other: string }>;
  golden(checkpoint: string, expected: string, size: { steps: number; height: number; width: number }): Promise<GoldenAnswer>;
  layerTimes(checkpoint: string, expected: string, size: { steps: number; height: number; width: number }): Promise<LayerTimes>;
  /** Largest differences between runs with everything of 32 bits and with weights and sums of 16. */
  halfPrecision(checkpoint: string, expected: string, size: { steps: number; height: number; width: number }): Promise<{ logits: number; rates: number }>;
}

export interface DeviceCalls {
  submissions: number;
  readBacks: number;
  newBuffers: number;
}

export interface LayerTimes {
  /** Names of the network's convolutions. */
  convolutions: string[];
  /** What the clock heard of a frame. */
  heard: [string, number][];
}

export interface GoldenAnswer {
  /** Spikes that differ while every layer is recorded, each layer. */
  flips: number[];
  largestMembraneDifference: number;
  /** Of the run that records nothing, in which neurons are fused with convolutions: spikes counted less spikes expected, layers and steps. */
  countDifferences: number[];
  largestLogitDifference: number;
}

/** Takes the kernels in turn in place of the fastest, so that all of them are used. */
class EveryKernel implements KernelChoice {
  private turn = 0;
  private readonly chosen = new Map<string, string>();

  remembered(shape: string, names: readonly string[]): Promise<string | undefined> {
    const name = this.chosen.get(shape) ?? names[this.turn++ % names.length] ?? '';
    this.chosen.set(shape, name);
    return Promise.resolve(name);
  }

  choose(): Promise<string> {
    return Promise.reject(new Error('All choices are made.'));
  }
}

async function open(precision: Precision = 'single', choices: KernelChoice = new EveryKernel()): Promise<OpenedWebgpu> {
  const opened = await openWebgpu({ refuseSoftware: false, precision, choices });
  if (typeof opened === 'string') throw new Error(opened);
  return opened;
}

let shared: Promise<OpenedWebgpu> | undefined;

/** Hears of every call of a method, before it, until the function that it returns is called. */
function hearCalls(owner: { prototype: object }, method: string, heard: (self: unknown) => void): () => void {
  const original = Reflect.get(owner.prototype, method) as (...given: unknown[]) => unknown;
  Reflect.set(owner.prototype, method, function (this: unknown, ...given: unknown[]) {
    heard(this);
    return original.apply(this, given);
  });
  return () => Reflect.set(owner.prototype, method, original);
}

const fetched = async (address: string): Promise<Checkpoint> => openCheckpoint(await (await fetch(address)).blob(), quietTask);

/** `[N, C, H, W]` to `[N, H, W, C]`. */
function channelsLast(source: Float32Array, { steps, height, width, channels }: FeatureShape): Float32Array {
  const area = height * width;
  return Float32Array.from({ length: steps * area * channels }, (_, index) => {
    const channel = index % channels;
    const pixel = Math.floor(index / channels);
    return source[(Math.floor(pixel / area) * channels + channel) * area + (pixel % area)] ?? NaN;
  });
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.length === b.length ? a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] ?? NaN))), 0) : NaN;

async function inputOf(expected: Checkpoint, height: number, width: number): Promise<{ values: Float32Array; shape: FeatureShape }> {
  const name = expected.tensors.has('steps') ? 'steps' : 'input';
  const shape = { steps: expected.tensors.get(name)?.shape[0] ?? 0, height, width, channels: 3 };
  return { values: channelsLast(await expected.read(name, quietTask), shape), shape };
}

const settingsOf = (steps: number, record: ReadonlySet<number>): RunSettings => ({ mode: 'snn', steps, ...trainedNeuron, record, logitsPerStep: true });

/** `[anchors, h, w, outputs]` of the recorded numbers to `[h, w, anchors * outputs]`. */
async function logitDifference({ scales }: NetworkRun, expected: Checkpoint): Promise<number> {
  const differences = await Promise.all(
    scales.map(async ({ height, width, mean }, scale) => {
      const raw = await expected.read(`raw.${scale}`, quietTask);
      const [, anchors = 0, , , outputs = 0] = expected.tensors.get(`raw.${scale}`)?.shape ?? [];
      const area = height * width;
      const turned = Float32Array.from(mean, (_, index) => {
        const [place, rest] = [Math.floor(index / (anchors * outputs)), index % (anchors * outputs)];
        return raw[(Math.floor(rest / outputs) * area + place) * outputs + (rest % outputs)] ?? NaN;
      });
      return largestDifference(mean, turned);
    }),
  );
  return Math.max(...differences);
}

const page: WebgpuPage = {
  caseNames: () => Object.keys(operationCases),

  async check(name) {
    const { operations } = await (shared ??= open());
    await operationCases[name]?.(operations, 0.3);
  },

  async memory() {
    const { operations, memory } = await open();
    await runAndRelease(operations);
    const states = [memory()];
    const frames: DeviceCalls[] = [];
    for (let frame = 0; frame < 20; frame++) {
      const calls = { submissions: 0, readBacks: 0, newBuffers: 0 };
      const stopHearing = [
        hearCalls(GPUQueue, 'submit', () => calls.submissions++),
        hearCalls(GPUBuffer, 'mapAsync', () => calls.readBacks++),
        hearCalls(GPUDevice, 'createBuffer', () => calls.newBuffers++),
      ];
      await runAndRelease(operations);
      for (const stop of stopHearing) stop();
      // Buffers of the first frames are written again once nothing that is under way needs them.
      if (frame >= 10) frames.push(calls);
    }
    return { states: [...states, memory()], frames };
  },

  async loss() {
    const outcome = ({ operations }: OpenedWebgpu): Promise<string> =>
      runAndRelease(operations).then(
        () => 'done',
        (error: unknown) => (error instanceof AppError ? `${error.code}: ${error.message} ${error.remedy}` : String(error)),
      );
    const opened = await open();
    const stopHearing = hearCalls(GPUDevice, 'createCommandEncoder', (device) => (device as GPUDevice).destroy());
    const frame = await outcome(opened);
    stopHearing();
    return { frame, reason: await opened.lost, next: await outcome(opened), other: await outcome(await open()) };
  },

  async golden(checkpoint, expectedAddress, { steps, height, width }) {
    const { operations } = await open();
    const expected = await fetched(expectedAddress);
    const network = await Network.load(await fetched(checkpoint), operations, quietTask);
    const { values, shape } = await inputOf(expected, height, width);
    const { layers } = network.graph;
    const recording = await network.run(values, shape, settingsOf(steps, new Set(layers.map(({ index }) => index))), quietTask);
    const plain = await network.run(values, shape, settingsOf(steps, new Set()), quietTask);
    network.release();
    const answer: GoldenAnswer = { flips: [], largestMembraneDifference: 0, countDifferences: [], largestLogitDifference: 0 };
    for (const { index, emits, shape: layerShape, membrane, emitted } of recording.recorded) {
      const membranes = channelsLast(await expected.read(`neuron.${index}.membrane`, quietTask), layerShape);
      const emissions = channelsLast(await expected.read(`neuron.${index}.spike`, quietTask), layerShape);
      answer.largestMembraneDifference = Math.max(answer.largestMembraneDifference, largestDifference(membrane, membranes));
      if (emits !== 'spikes') continue;
      answer.flips.push(emitted.reduce((count, value, at) => count + (value === emissions[at] ? 0 : 1), 0));
      const neurons = emissions.length / steps;
      plain.firingRates[index]?.forEach((rate, step) => {
        const spikes = emissions.subarray(step * neurons, (step + 1) * neurons).reduce((sum, spike) => sum + spike, 0);
        answer.countDifferences.push(Math.round(rate * neurons) - spikes);
      });
    }
    answer.largestLogitDifference = Math.max(await logitDifference(recording, expected), await logitDifference(plain, expected));
    return answer;
  },

  async layerTimes(checkpoint, expectedAddress, { steps, height, width }) {
    const heard: [string, number][] = [];
    const operations = await openClockedWebgpu((layer, durationMs) => heard.push([layer, durationMs]));
    const network = await Network.load(await fetched(checkpoint), operations, quietTask);
    const { values, shape } = await inputOf(await fetched(expectedAddress), height, width);
    const settings = settingsOf(steps, new Set());
    // Kernels are chosen on the first frames, one by one, which are not timed.
    for (let frame = 0; frame < 2; frame++) {
      heard.length = 0;
      await network.run(values, shape, settings, quietTask);
    }
    network.release();
    const convolutions = network.graph.nodes.flatMap((node) => (node.op === 'convolution' ? [node.weightName] : []));
    return { convolutions, heard };
  },

  async halfPrecision(checkpoint, expectedAddress, { steps, height, width }) {
    const { operations } = await open('emulated half');
    const expected = await fetched(expectedAddress);
    const network = await Network.load(await fetched(checkpoint), operations, quietTask);
    const { values, shape } = await inputOf(expected, height, width);
    const run = await network.run(values, shape, settingsOf(steps, new Set()), quietTask);
    network.release();
    let rates = 0;
    for (const { index, node } of network.graph.layers) {
      const perStep = run.firingRates[index];
      if (!perStep || network.graph.nodes[node]?.op !== 'neuron') continue;
      const spikes = await expected.read(`neuron.${index}.spike`, quietTask);
      const mean = spikes.reduce((sum, spike) => sum + spike, 0) / spikes.length;
      rates = Math.max(rates, Math.abs(perStep.reduce((sum, rate) => sum + rate, 0) / steps - mean));
    }
    return { logits: await logitDifference(run, expected), rates };
  },
};

Object.assign(window, { webgpuPage: page });
