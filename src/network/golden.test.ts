import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { openBackend, type Backend } from '../tensor/backend';
import { Network, trainedNeuron, type NetworkRun } from './network';

/** `[N, C, H, W]` as PyTorch stores it to `[N, H, W, C]` as we do. */
function channelsLast(source: Float32Array, [count = 1, channels = 1, height = 1, width = 1]: readonly number[]): Float32Array {
  const target = new Float32Array(source.length);
  const area = height * width;
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < area; p++) target[(n * area + p) * channels + c] = source[(n * channels + c) * area + p] ?? NaN;
    }
  }
  return target;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] ?? NaN))), 0);
}

async function expectedArray(expected: Checkpoint, name: string, shape: number[]): Promise<Float32Array> {
  return channelsLast(await expected.read(name, quietTask), shape);
}

describe.each(['reference', 'wasm', 'event'] as const)('golden cases on %s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openBackend(nodeBackend(backendName));
  });

  it.each(goldenCases())('$name', async ({ folder, steps, height, width, firingRates, half }) => {
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
    const expected = await openCheckpoint(await openAsBlob(resolve(folder, 'expected.safetensors')), quietTask);
    const network = await Network.load(checkpoint, backend.operations, quietTask);
    const inputName = expected.tensors.has('steps') ? 'steps' : 'input';
    const slices = expected.tensors.get(inputName)?.shape[0] ?? 0;
    const input = await expectedArray(expected, inputName, [slices, 3, height, width]);
    const run = await network.run(
      input,
      { steps: slices, height, width, channels: 3 },
      {
        mode: 'snn',
        steps,
        ...trainedNeuron,
        record: new Set(half ? [] : network.graph.layers.map(({ index }) => index)),
        logitsPerStep: true,
      },
      quietTask,
    );
    // Where nothing is watched neurons may fire within what is before them.
    const unwatched = half
      ? undefined
      : await network.run(input, { steps: slices, height, width, channels: 3 }, { mode: 'snn', steps, ...trainedNeuron, record: new Set(), logitsPerStep: true, keepSpikes: true }, quietTask);
    const nodes = network.graph.layers.map(({ node }) => node);
    network.release();

    for (const { index, emits, emitted } of run.recorded) {
      const spikes = unwatched?.spikes?.get(nodes[index] ?? NaN);
      if (emits === 'spikes') expect(spikes?.reduce((flips, spike, at) => flips + (spike === emitted[at] ? 0 : 1), 0), `unwatched spikes of layer ${index}`).toBe(0);
    }
    if (unwatched) expect(unwatched.scales).toEqual(run.scales);
    await expectSameNeurons(run, expected);
    await expectSameLogits(run, expected, half ? 0.05 : 1e-3);
    const rates = run.firingRates
      .filter((perStep) => perStep !== undefined)
      .map((perStep) => perStep.reduce((sum, rate) => sum + rate, 0) / steps);
    expect(rates).toHaveLength(firingRates.length);
    rates.forEach((rate, index) => expect(Math.abs(rate - (firingRates[index] ?? NaN))).toBeLessThan(half ? 0.002 : 1e-6));
  });
});

async function expectSameNeurons(run: NetworkRun, expected: Checkpoint): Promise<void> {
  for (const { index, emits, shape, membrane, emitted } of run.recorded) {
    const pytorchShape = [shape.steps, shape.channels, shape.height, shape.width];
    const expectedMembrane = await expectedArray(expected, `neuron.${index}.membrane`, pytorchShape);
    const expectedEmitted = await expectedArray(expected, `neuron.${index}.spike`, pytorchShape);
    const flips = emitted.reduce((count, value, at) => count + (value === expectedEmitted[at] ? 0 : 1), 0);
    if (emits === 'spikes') expect(flips, `spikes of layer ${index}`).toBe(0);
    else expect(largestDifference(emitted, expectedEmitted), `values of layer ${index}`).toBeLessThan(1e-3);
    expect(largestDifference(membrane, expectedMembrane), `membranes of layer ${index}`).toBeLessThan(1e-3);
  }
}

async function expectSameLogits(run: NetworkRun, expected: Checkpoint, tolerance: number): Promise<void> {
  for (const [scale, { height, width, mean, perStep }] of run.scales.entries()) {
    const [, anchors = 0, , , outputs = 0] = expected.tensors.get(`raw.${scale}`)?.shape ?? [];
    const raw = await expected.read(`raw.${scale}`, quietTask);
    // [1, anchors, h, w, outputs] to [h, w, anchors * outputs]
    const area = height * width;
    const ours = new Float32Array(raw.length);
    for (let anchor = 0; anchor < anchors; anchor++) {
      for (let place = 0; place < area; place++) {
        const from = place * anchors * outputs + anchor * outputs;
        ours.set(mean.subarray(from, from + outputs), (anchor * area + place) * outputs);
      }
    }
    expect(largestDifference(ours, raw), `logits of scale ${scale}`).toBeLessThan(tolerance);
    // The last running mean is the mean.
    expect(perStep?.subarray(perStep.length - mean.length)).toEqual(mean);
  }
}
