import type { InferenceSession, Tensor } from 'onnxruntime-web';
import type { Task } from '../../base/progress';
import type { Checkpoint, NetworkMode } from '../../checkpoint/types';
import { Network, trainedNeuron, type NetworkRun, type RunSettings } from '../../network/network';
import { exportOnnx } from '../../network/onnx';
import type { FeatureShape, Operations } from '../../tensor/operations';
import { timeOf, type Contestant } from './race';

/** What is run: a network on a picture. */
export interface BenchCase {
  network: NetworkMode;
  checkpoint: Checkpoint;
  steps: number;
  /** `[1, height, width, 3]` in [0, 1]. */
  picture: Float32Array;
  width: number;
  height: number;
}

export interface Place {
  engine: string;
  backend: string;
  threads: number;
}

export function caseShape({ width, height }: BenchCase): FeatureShape {
  return { steps: 1, height, width, channels: 3 };
}

export function caseSettings({ network, steps }: BenchCase): RunSettings {
  return { mode: network, steps, ...trainedNeuron, record: new Set(), logitsPerStep: false };
}

/** Share of neurons that fired, over layers that spike and over steps, every layer counted alike; undefined where none spikes. */
export function meanRate({ firingRates }: NetworkRun): number | undefined {
  const rates = firingRates.flatMap((perStep) => perStep ?? []);
  return rates.length === 0 ? undefined : rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

/** The network on operations of ours. */
export async function networkContestant(benchCase: BenchCase, operations: Operations, place: Place, task: Task): Promise<Contestant> {
  const network = await Network.load(benchCase.checkpoint, operations, task);
  const runOnce = (): Promise<NetworkRun> => network.run(benchCase.picture, caseShape(benchCase), caseSettings(benchCase), task);
  return {
    network: benchCase.network,
    ...place,
    run: async () => {
      const run = await runOnce();
      return { logits: run.scales.map(({ mean }) => mean), firingRate: meanRate(run) };
    },
    time: () => timeOf(runOnce),
    release: () => network.release(),
  };
}

/** What onnxruntime-web and onnxruntime-node have in common. */
export interface OnnxRuntime {
  InferenceSession: { create(model: ArrayBuffer, options?: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

/** The network as an ONNX file of exactly this size, on one of the ONNX runtimes. */
export async function onnxContestant(
  benchCase: BenchCase,
  runtime: OnnxRuntime,
  options: InferenceSession.SessionOptions,
  place: Place,
  task: Task,
): Promise<Contestant> {
  const { network, steps, width, height } = benchCase;
  const settings = { mode: network, steps, ...trainedNeuron, pictureForEachStep: false, size: { width, height } };
  const file = await exportOnnx(benchCase.checkpoint, settings, task);
  const session = await runtime.InferenceSession.create(await file.arrayBuffer(), options);
  const images = new runtime.Tensor('float32', planesOf(benchCase), [1, 3, height, width]);
  return {
    network,
    ...place,
    run: async () => {
      const outputs = await session.run({ images });
      return { logits: session.outputNames.map((name) => channelsLast(outputs[name])), firingRate: undefined };
    },
    time: () => timeOf(() => session.run({ images })),
    release: () => session.release(),
  };
}

/** `[1, 3, height, width]`. */
function planesOf({ picture, width, height }: BenchCase): Float32Array {
  const area = width * height;
  return Float32Array.from(picture, (_, index) => picture[(index % area) * 3 + Math.floor(index / area)] ?? NaN);
}

/** `[1, channels, height, width]` to `[height, width, channels]`. */
function channelsLast(tensor: Tensor | undefined): Float32Array {
  const values = tensor?.data as Float32Array;
  const [, channels = 0, height = 0, width = 0] = tensor?.dims ?? [];
  const area = height * width;
  return values.map((_, index) => values[(index % channels) * area + Math.floor(index / channels)] ?? NaN);
}
