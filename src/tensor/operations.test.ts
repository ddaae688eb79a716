import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { resetModes } from '../base/neuron';
import { nodeBackend } from '../../e2e/kernels';
import { operationCases, runAndRelease, shaped } from '../../e2e/operationCases';
import { openBackend, type Backend } from './backend';
import { elementCount, type Operations } from './operations';
import { ReferenceOperations } from './reference';
import * as tf from '@tensorflow/tfjs';
import { composedIntegrateAndFire, integrateAndFireInto } from './tfjs/integrateKernel';
import { composedLeakyIntegrate, leakyIntegrateInto, type Emission } from './tfjs/neuronKernel';

const reference = new ReferenceOperations();

function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce((most, value, index) => Math.max(most, Math.abs(value - (actual[index] ?? NaN))), 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe.each(['wasm', 'event'] as const)('%s agrees with the reference', (name) => {
  let backend: Backend;
  let tested: Operations;
  beforeAll(async () => {
    backend = await openBackend(nodeBackend(name));
    tested = backend.operations;
  });

  it.each(Object.entries(operationCases))('%s', async (_, check) => {
    await check(tested, 1);
  });

  it('leaves nothing in memory', async () => {
    const before = backend.memory();
    await runAndRelease(tested);
    // Scratch stays after the first frame.
    const afterOne = backend.memory();
    for (let index = 0; index < 200; index++) await runAndRelease(tested);
    expect(backend.memory()).toEqual(afterOne);
    expect(afterOne.tensors - before.tensors).toBeLessThanOrEqual(1);
  });
});

describe('the integrate-and-fire neuron', () => {
  it('resets by subtraction and keeps what is left, on a case worked by hand', async () => {
    // threshold 1, x = 0.75 from 0.5: v = 1.25 (spike, 0.25 left), 1.0 (reached: spike, 0), 0.75, 1.5 (spike, 0.5 left).
    const one = { steps: 1, height: 1, width: 1, channels: 1 };
    const x = reference.input(Float32Array.of(0.75), one);
    const start = reference.input(Float32Array.of(0.5), one);
    const { spikes, after } = reference.integrateAndFire(x, 4, { thresholds: Float32Array.of(1), maximumSpikes: 1 }, start);
    expect(await reference.read([spikes, after])).toEqual([Float32Array.of(1, 1, 0, 1), Float32Array.of(0.5)]);
    // x = 2.5: without bursts it falls behind, with two spikes a step it nearly keeps up.
    const strong = reference.input(Float32Array.of(2.5), one);
    const burst = reference.integrateAndFire(strong, 3, { thresholds: Float32Array.of(1), maximumSpikes: 2 }, start);
    expect(await reference.read([burst.spikes, burst.after])).toEqual([Float32Array.of(2, 2, 2), Float32Array.of(2)]);
  });

  it('is the same composed of tfjs operations', async () => {
    await fc.assert(
      fc.asyncProperty(shaped, fc.boolean(), fc.integer({ min: 1, max: 3 }), async ({ shape: size, values }, still, maximumSpikes) => {
        const one = [1, size.height, size.width, size.channels] as [number, number, number, number];
        const neurons = elementCount({ ...size, steps: 1 });
        const source = still ? values.slice(0, neurons) : values;
        const start = values.slice(values.length - neurons);
        const limits = Float32Array.from({ length: size.channels }, (_, channel) => (channel + 1) / 8);
        for (const emission of ['spikes', 'left'] as const) {
          const attributes = { steps: size.steps, maximumSpikes, emission };
          const expected = new Float32Array(emission === 'spikes' ? neurons * size.steps : neurons);
          integrateAndFireInto(source, still ? 1 : size.steps, start, limits, expected, attributes);
          const tensors = {
            input: tf.tensor4d(source, [still ? 1 : size.steps, size.height, size.width, size.channels]),
            before: tf.tensor4d(start, one),
            thresholds: tf.tensor1d(limits),
          };
          const composed = composedIntegrateAndFire(tensors, attributes);
          expectClose((await composed.data()) as Float32Array, expected, 1e-6);
          tf.dispose([composed, ...Object.values(tensors)]);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('the neuron', () => {
  const neuron = { decay: 0.25, threshold: 0.5 };

  it('follows the equations of the specification on a case worked by hand', () => {
    // x = 0.5 at every step: v = 0.5 (not above 0.5: no spike), 0.625 (spike), then from the reset again. All exact in float32.
    const target = new Float32Array(4);
    leakyIntegrateInto(Float32Array.of(0.5), 1, target, { ...neuron, steps: 4, emission: 'membrane' });
    expect(Array.from(target)).toEqual([0.5, 0.625, 0.5, 0.625]);
    leakyIntegrateInto(Float32Array.of(0.5), 1, target, { ...neuron, steps: 4, emission: 'spikes' });
    expect(Array.from(target)).toEqual([0, 1, 0, 1]);
  });

  it('keeps what is above the threshold where the reset is soft', () => {
    // x = 0.75, decay 0.5: v = 0.75 (spike, 0.25 above), 0.5 * 0.25 + 0.75 = 0.875 (0.375 above), 0.9375.
    const target = new Float32Array(3);
    leakyIntegrateInto(Float32Array.of(0.75), 1, target, { decay: 0.5, threshold: 0.5, reset: 'soft', steps: 3, emission: 'membrane' });
    expect(Array.from(target)).toEqual([0.75, 0.875, 0.9375]);
  });

  it('carries the emitted value on where it emits SiLU', async () => {
    const source = reference.input(Float32Array.of(-0.8), { steps: 1, height: 1, width: 1, channels: 1 });
    const [[first = NaN, second = NaN] = []] = await reference.read([reference.leakySilu(source, 2, neuron)]);
    const silu = (v: number): number => v / (1 + Math.exp(-v));
    expect(first).toBeCloseTo(silu(-0.8), 6);
    expect(second).toBeCloseTo(silu(0.25 * silu(-0.8) * (1 - silu(-0.8)) - 0.8), 6);
  });

  it('is the same composed of tfjs operations', async () => {
    await fc.assert(
      fc.asyncProperty(shaped, fc.constantFrom<Emission>('spikes', 'membrane', 'silu'), fc.constantFrom(...resetModes), async ({ shape: size, values }, emission, reset) => {
        const attributes = { ...neuron, reset, steps: size.steps, emission };
        const expected = new Float32Array(values.length);
        leakyIntegrateInto(values, size.steps, expected, attributes);
        const input = tf.tensor4d(values, [size.steps, size.height, size.width, size.channels]);
        const composed = composedLeakyIntegrate(input, attributes);
        expectClose((await composed.data()) as Float32Array, expected, 1e-6);
        tf.dispose([input, composed]);
      }),
      { numRuns: 40 },
    );
  });
});
