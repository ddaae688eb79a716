import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { openBackend, type Backend } from '../tensor/backend';
import { Network, trainedNeuron } from './network';
import { exportOnnx, type OnnxSettings } from './onnx';

beforeAll(() => {
  env.wasm.numThreads = 1;
});

/** What onnxruntime computes from the exported file: one array `[channels, height, width]` for each scale. */
async function run(checkpoint: Checkpoint, settings: OnnxSettings, input: Float32Array, shape: readonly number[]): Promise<Tensor[]> {
  const file = await exportOnnx(checkpoint, settings, quietTask);
  const session = await InferenceSession.create(await file.arrayBuffer());
  const outputs = await session.run({ images: new Tensor('float32', input, shape) });
  await session.release();
  return session.outputNames.map((name) => outputs[name] as Tensor);
}

function largestDifference(mean: Float32Array, tensor: Tensor): number {
  const values = tensor.data as Float32Array;
  const [, channels = 0, height = 0, width = 0] = tensor.dims;
  expect(mean.length).toBe(values.length);
  let largest = 0;
  for (let place = 0; place < height * width; place++) {
    for (let channel = 0; channel < channels; channel++) {
      const difference = Math.abs((mean[place * channels + channel] ?? NaN) - (values[channel * height * width + place] ?? NaN));
      largest = Math.max(largest, difference);
    }
  }
  return largest;
}

function channelsLast(planes: Float32Array, count: number, channels: number, area: number): Float32Array {
  return Float32Array.from(planes, (_, index) => {
    const place = Math.floor(index / channels);
    return planes[(Math.floor(place / area) * channels + (index % channels)) * area + (place % area)] ?? NaN;
  }).subarray(0, count * channels * area);
}

describe('the exported network', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openBackend(nodeBackend('event'));
  });

  it.each(goldenCases().flatMap((golden) => (['snn', 'ann'] as const).map((mode) => ({ ...golden, mode }))))(
    'computes the logits of $name as $mode in onnxruntime',
    async ({ folder, steps, height, width, half, mode }) => {
      const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
      const expected = await openCheckpoint(await openAsBlob(resolve(folder, 'expected.safetensors')), quietTask);
      const inputName = expected.tensors.has('steps') && mode === 'snn' ? 'steps' : expected.tensors.has('input') ? 'input' : 'steps';
      const stored = await expected.read(inputName, quietTask);
      const slices = mode === 'ann' ? 1 : (expected.tensors.get(inputName)?.shape[0] ?? 0);
      const planes = stored.subarray(0, slices * 3 * height * width);
      const network = await Network.load(checkpoint, backend.operations, quietTask);
      const ours = await network.run(
        channelsLast(planes, slices, 3, height * width),
        { steps: slices, height, width, channels: 3 },
        { mode, steps, ...trainedNeuron, record: new Set(), logitsPerStep: false },
        quietTask,
      );
      network.release();

      // The size is fixed in one of the two and left open in the other.
      const size = mode === 'snn' ? { width, height } : undefined;
      const settings = { mode, steps, ...trainedNeuron, pictureForEachStep: slices > 1, size };
      const theirs = await run(checkpoint, settings, planes, [slices, 3, height, width]);

      expect(theirs).toHaveLength(ours.scales.length);
      // Sums in another order may move a membrane across the threshold where weights were rounded to 16 bits.
      theirs.forEach((tensor, scale) => expect(largestDifference(ours.scales[scale]?.mean ?? new Float32Array(), tensor)).toBeLessThan(half ? 0.05 : 1e-3));
    },
  );
});
