import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { resetModes } from '../base/neuron';
import { nodeBackend } from '../../e2e/kernels';
import { openBackend, type Backend } from './backend';
import type { FeatureShape, Operations, Signal } from './operations';
import { elementCount } from './operations';
import { ReferenceOperations } from './reference';
import * as tf from '@tensorflow/tfjs';
import { composedIntegrateAndFire, integrateAndFireInto } from './tfjs/integrateKernel';
import { composedLeakyIntegrate, leakyIntegrateInto, type Emission } from './tfjs/neuronKernel';

const reference = new ReferenceOperations();

const shape = fc.record({
  steps: fc.integer({ min: 1, max: 4 }),
  height: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 6 }),
  channels: fc.integer({ min: 1, max: 5 }),
});

/** Values on a grid of 1/64: sums of them are exact in float32, so that no order of adding can flip a spike. */
function valuesFor(size: number): fc.Arbitrary<Float32Array> {
  return fc.array(fc.integer({ min: -96, max: 96 }), { minLength: size, maxLength: size }).map((list) => Float32Array.from(list, (value) => value / 64));
}

const shaped = shape.chain((chosen) => valuesFor(elementCount(chosen)).map((values) => ({ shape: chosen, values })));

async function both(tested: Operations, run: (operations: Operations) => Signal): Promise<[Float32Array, Float32Array]> {
  const [expected = new Float32Array()] = await reference.read([run(reference)]);
  const result = run(tested);
  const [actual = new Float32Array()] = await tested.read([result]);
  tested.release(result);
  return [expected, actual];
}

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

  it('convolves with any kernel, stride and padding', async () => {
    const cases = fc.record({
      input: shaped,
      kernel: fc.constantFrom(1, 3, 5, 7),
      stride: fc.constantFrom(1, 2, 3),
      outputChannels: fc.integer({ min: 1, max: 9 }),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ input, kernel, stride, outputChannels, seed }) => {
        const inputChannels = input.shape.channels;
        const random = (index: number): number => Math.sin(seed + index * 12.9898);
        const weights = {
          name: 'tested',
          kernel,
          stride,
          padding: Math.floor(kernel / 2),
          inputChannels,
          outputChannels,
          weights: Float32Array.from({ length: kernel * kernel * inputChannels * outputChannels }, (_, index) => random(index)),
          bias: Float32Array.from({ length: outputChannels }, (_, index) => random(-index)),
        };
        const [expected, actual] = await both(tested, (operations) => {
          const source = operations.input(input.values, input.shape);
          const convolution = operations.loadConvolution(weights);
          const result = operations.denseConvolution(source, convolution);
          operations.release(source);
          operations.release(convolution);
          return result;
        });
        expectClose(actual, expected, 1e-4);
      }),
      { numRuns: 60 },
    );
  });

  it('pools, upsamples, adds, concatenates and averages', async () => {
    const unary: Record<string, (operations: Operations, input: Signal, steps: number) => Signal> = {
      maxPool: (operations, input) => operations.maxPool(input, Math.min(2, input.shape.height, input.shape.width)),
      upsample: (operations, input) => operations.upsample(input),
      relu: (operations, input) => operations.relu(input),
      meanOverSteps: (operations, input) => operations.meanOverSteps(input),
      runningMean: (operations, input, steps) => operations.runningMean(input, steps),
    };
    await fc.assert(
      fc.asyncProperty(shaped, fc.constantFrom(...Object.keys(unary)), async ({ shape: size, values }, operation) => {
        const [expected, actual] = await both(tested, (operations) => {
          const input = operations.input(values, size);
          const result = unary[operation]?.(operations, input, size.steps);
          operations.release(input);
          if (!result) throw new Error(operation);
          return result;
        });
        expectClose(actual, expected, 1e-6);
      }),
      { numRuns: 80 },
    );
  });

  it('repeats what has one step where another input has more', async () => {
    await fc.assert(
      fc.asyncProperty(shaped, async ({ shape: size, values }) => {
        const one: FeatureShape = { ...size, steps: 1 };
        const still = values.slice(0, elementCount(one));
        for (const combine of ['add', 'concatenate'] as const) {
          const [expected, actual] = await both(tested, (operations) => {
            const a = operations.input(values, size);
            const b = operations.input(still, one);
            const result = combine === 'add' ? operations.add(b, a) : operations.concatenate([b, a]);
            operations.release(a);
            operations.release(b);
            return result;
          });
          expectClose(actual, expected, 0);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('fires the same spikes, records the same membranes and counts them', async () => {
    const parameters = fc.record({ decay: fc.constantFrom(0, 0.25, 0.5, 1), threshold: fc.constantFrom(0.25, 0.5, 1), reset: fc.constantFrom(...resetModes) });
    await fc.assert(
      fc.asyncProperty(shaped, parameters, fc.boolean(), async ({ shape: size, values }, neuron, still) => {
        const input: FeatureShape = still ? { ...size, steps: 1 } : size;
        const source = values.slice(0, elementCount(input));
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const signal = operations.input(source, input);
            const recorded = operations.leakyIntegrateAndFire(signal, size.steps, neuron, true);
            const plain = operations.leakyIntegrateAndFire(signal, size.steps, neuron, false);
            const counts = operations.countSpikes(plain.spikes);
            expect(plain.membrane).toBeUndefined();
            if (!recorded.membrane) throw new Error('no membrane');
            const arrays = await operations.read([recorded.spikes, plain.spikes, recorded.membrane, counts]);
            for (const value of [signal, recorded.spikes, recorded.membrane, plain.spikes, counts]) operations.release(value);
            return arrays;
          }),
        );
        expect(results[1]?.[0]).toEqual(results[0]?.[0]);
        expect(results[1]?.[1]).toEqual(results[0]?.[0]);
        expectClose(results[1]?.[2] ?? new Float32Array(), results[0]?.[2] ?? new Float32Array(), 1e-6);
        expect(results[1]?.[3]).toEqual(results[0]?.[3]);
      }),
      { numRuns: 60 },
    );
  });

  it('integrates and fires the same spikes, in bursts too, and goes on where it stopped', async () => {
    const cases = fc.record({
      shape: fc.record({
        steps: fc.integer({ min: 1, max: 5 }),
        height: fc.integer({ min: 1, max: 4 }),
        width: fc.integer({ min: 1, max: 4 }),
        channels: fc.constantFrom(1, 3, 4, 8, 16, 19, 36),
      }),
      still: fc.boolean(),
      parts: fc.boolean(),
      maximumSpikes: fc.constantFrom(1, 2, 5),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape: size, still, parts, maximumSpikes, seed }) => {
        const list = (length: number, salt: number): Float32Array =>
          Float32Array.from({ length }, (_, index) => Math.round(Math.sin(seed + salt + index * 12.9898) * 96) / 64);
        const channels = parts ? size.channels * 2 : size.channels;
        const shapeOf = (steps: number): FeatureShape => ({ ...size, steps, channels });
        const thresholds = list(channels, 1).map((value) => Math.abs(value) + 1 / 64);
        const geometry = { kernel: 3, stride: 1, padding: 1, inputChannels: channels, outputChannels: 5 };
        const weights = { ...geometry, weights: list(9 * channels * 5, 2), bias: list(5, 3) };
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const half = { ...size, steps: still ? 1 : size.steps };
            const first = operations.input(list(elementCount(half), 4), half);
            // Of two parts, the second from spikes that nobody has convolved yet.
            const { spikes: early } = operations.leakyIntegrateAndFire(first, size.steps, { decay: 0.25, threshold: 0.25 }, false);
            const copy = operations.loadConvolution({
              ...{ name: 'copy', kernel: 1, stride: 1, padding: 0, inputChannels: size.channels, outputChannels: size.channels },
              weights: list(size.channels ** 2, 5),
              bias: list(size.channels, 6),
            });
            const second = operations.spikingConvolution(early, copy);
            const joined = operations.concatenate([second, first]);
            const current = parts && size.channels % 4 === 0 ? joined : parts ? operations.concatenate([first, first]) : first;
            const convolution = operations.loadConvolution({ name: 'tested', ...weights });
            const start = operations.input(list(elementCount(shapeOf(1)), 7), shapeOf(1));
            const once = operations.integrateAndFire(current, size.steps, { thresholds, maximumSpikes }, start);
            const again = operations.integrateAndFire(current, size.steps, { thresholds, maximumSpikes }, once.after);
            const counts = operations.countSpikes(again.spikes);
            const convolved = operations.spikingConvolution(again.spikes, convolution);
            const arrays = await operations.read([once.spikes, once.after, again.spikes, again.after, counts, convolved]);
            const made = [first, early, copy, second, joined, convolution, start, once.spikes, once.after, again.spikes, again.after, counts, convolved];
            for (const value of new Set([...made, current])) operations.release(value);
            return arrays;
          }),
        );
        const [expected = [], actual = []] = results;
        for (const index of [0, 2, 4]) expect(actual[index]).toEqual(expected[index]);
        for (const index of [1, 3, 5]) expectClose(actual[index] ?? new Float32Array(), expected[index] ?? new Float32Array(), 1e-4);
      }),
      { numRuns: 100 },
    );
  });

  it('pools sums over time so that what comes out adds up to the pooled sum', async () => {
    await fc.assert(
      fc.asyncProperty(shaped, fc.boolean(), async ({ shape: size, values }, still) => {
        const input: FeatureShape = still ? { ...size, steps: 1 } : size;
        const window = Math.min(2, size.height, size.width);
        const one = { ...size, steps: 1 };
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const current = operations.input(values.slice(0, elementCount(input)), input);
            const start = operations.input(new Float32Array(elementCount(one)), one);
            const first = operations.maxPoolOfSums(current, window, size.steps, start);
            const second = operations.maxPoolOfSums(current, window, size.steps, first.after);
            const pooled = operations.maxPool(current, window);
            const arrays = await operations.read([first.pooled, second.pooled, pooled]);
            for (const value of [current, start, first.pooled, first.after, second.pooled, second.after, pooled]) operations.release(value);
            return arrays;
          }),
        );
        const [[first = new Float32Array(), second = new Float32Array(), pooled = new Float32Array()] = [], actual = []] = results;
        expectClose(actual[0] ?? new Float32Array(), first, 1e-5);
        expectClose(actual[1] ?? new Float32Array(), second, 1e-5);
        // What is the same at every step is pooled as ever.
        if (still) first.forEach((value, index) => expect(value).toBeCloseTo(pooled[index % pooled.length] ?? NaN, 5));
      }),
      { numRuns: 60 },
    );
  });

  it('silences neurons, and leaves the others as they are', async () => {
    await fc.assert(
      fc.asyncProperty(shaped, fc.integer({ min: 0, max: 1000 }), async ({ shape: size, values }, seed) => {
        const audible = Uint8Array.from({ length: elementCount({ ...size, steps: 1 }) }, (_, index) => Number(Math.sin(seed + index * 12.9898) > 0));
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const signal = operations.input(values, size);
            const { spikes } = operations.leakyIntegrateAndFire(signal, size.steps, { decay: 0.25, threshold: 0.25 }, false);
            const silenced = [operations.silence(spikes, audible), operations.silence(signal, audible)] as const;
            const counts = operations.countSpikes(silenced[0]);
            const arrays = await operations.read([...silenced, counts, spikes]);
            for (const value of [signal, spikes, ...silenced, counts]) operations.release(value);
            return arrays;
          }),
        );
        const [expected, actual] = results;
        expected?.forEach((array, index) => expectClose(actual?.[index] ?? new Float32Array(), array, 0));
        const fired = expected?.[3] ?? new Float32Array();
        expect(expected?.[0]).toEqual(fired.map((spike, index) => spike * (audible[index % audible.length] ?? 1)));
      }),
      { numRuns: 60 },
    );
  });

  it('convolves spikes, whatever comes after', async () => {
    const cases = fc.record({
      shape: fc.record({
        steps: fc.integer({ min: 1, max: 4 }),
        height: fc.integer({ min: 1, max: 7 }),
        // More than a vector of places at a time.
        width: fc.integer({ min: 1, max: 20 }),
        channels: fc.integer({ min: 1, max: 40 }),
      }),
      kernel: fc.constantFrom(1, 3, 5),
      stride: fc.constantFrom(1, 2),
      outputChannels: fc.constantFrom(1, 3, 4, 8, 9, 16, 20, 28, 30, 31, 32, 33, 64, 76),
      still: fc.boolean(),
      /** Half of the neurons fire, or one in ten: then no spike reaches some outputs. */
      threshold: fc.constantFrom(0.25, 0.95),
      after: fc.constantFrom('nothing', 'maxPool', 'add', 'concatenate', 'concatenate and pool'),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape: size, kernel, stride, outputChannels, still, threshold, after, seed }) => {
        const random = (index: number): number => Math.round(Math.sin(seed + index * 12.9898) * 64) / 64;
        const list = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => random(index));
        const geometry = { kernel, stride, padding: Math.floor(kernel / 2), inputChannels: size.channels, outputChannels };
        const weights = list(kernel * kernel * size.channels * outputChannels);
        const [expected, actual] = await both(tested, (operations) => {
          const current = operations.input(list(elementCount(size)), size);
          const { spikes } = operations.leakyIntegrateAndFire(current, size.steps, { decay: 0.25, threshold }, false);
          const convolution = operations.loadConvolution({ name: 'tested', ...geometry, weights, bias: list(outputChannels) });
          const convolved = operations.spikingConvolution(spikes, convolution);
          const other = { ...convolved.shape, steps: still ? 1 : size.steps };
          const second = operations.input(list(elementCount(other)), other);
          const joined = operations.concatenate([convolved, second]);
          const window = Math.min(2, other.height, other.width);
          const result = {
            nothing: () => operations.spikingConvolution(spikes, convolution),
            maxPool: () => operations.maxPool(convolved, window),
            add: () => operations.add(second, convolved),
            concatenate: () => operations.concatenate([joined, second]),
            'concatenate and pool': () => operations.maxPool(joined, window),
          }[after]();
          for (const value of [current, spikes, convolution, convolved, second, joined]) operations.release(value);
          return result;
        });
        expectClose(actual, expected, 1e-4);
      }),
      { numRuns: 120 },
    );
  });

  it('convolves spikes with a kernel of 1 in rows that have more neurons than a list can number', async () => {
    const size = { steps: 4, height: 2, width: 300, channels: 256 };
    const geometry = { kernel: 1, stride: 1, padding: 0, inputChannels: 256, outputChannels: 12 };
    const grid = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => Math.round(Math.sin(index * 12.9898) * 64) / 64);
    const values = grid(elementCount(size));
    const [expected, actual] = await both(tested, (operations) => {
      const current = operations.input(values, size);
      const { spikes } = operations.leakyIntegrateAndFire(current, size.steps, { decay: 0.25, threshold: 0.9 }, false);
      const convolution = operations.loadConvolution({ name: 'tested', ...geometry, weights: grid(256 * 12), bias: grid(12) });
      const convolved = operations.spikingConvolution(spikes, convolution);
      const pooled = operations.maxPool(convolved, 2);
      for (const value of [current, spikes, convolution, convolved]) operations.release(value);
      return pooled;
    });
    expectClose(actual, expected, 1e-4);
  });

  it('leaves nothing in memory', async () => {
    const before = backend.memory();
    const weights = { name: 'tested', kernel: 3, stride: 1, padding: 1, inputChannels: 4, outputChannels: 6, weights: new Float32Array(216), bias: new Float32Array(6) };
    const frame = async (): Promise<void> => {
      const convolution = tested.loadConvolution(weights);
      const input = tested.input(new Float32Array(32).fill(0.4), { steps: 2, height: 2, width: 2, channels: 4 });
      const dense = tested.denseConvolution(input, convolution);
      const { spikes, membrane } = tested.leakyIntegrateAndFire(input, 2, { decay: 0.25, threshold: 0.25 }, true);
      const count = tested.countSpikes(spikes);
      const convolved = tested.spikingConvolution(spikes, convolution);
      const joined = tested.concatenate([convolved, dense]);
      const sum = tested.add(convolved, dense);
      const silu = tested.leakySilu(joined, 2, { decay: 0.25, threshold: 0.5 });
      const mean = tested.runningMean(silu, 2);
      if (!membrane) throw new Error('no membrane');
      await tested.read([mean, sum, membrane, count]);
      for (const value of [convolution, input, dense, spikes, membrane, count, convolved, joined, sum, silu, mean]) tested.release(value);
    };
    await frame();
    // Scratch stays after the first frame.
    const afterOne = backend.memory();
    for (let index = 0; index < 200; index++) await frame();
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
