import fc from 'fast-check';
import { resetModes } from '../src/base/neuron';
import { elementCount, type FeatureShape, type Operations, type Signal, type Spikes } from '../src/tensor/operations';
import { ReferenceOperations } from '../src/tensor/reference';

/** Properties of the operations that compare an implementation with the reference: in Node, and on WebGPU in a page. */

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

export const shaped = shape.chain((chosen) => valuesFor(elementCount(chosen)).map((values) => ({ shape: chosen, values })));

async function both(tested: Operations, run: (operations: Operations) => Signal | Spikes): Promise<[Float32Array, Float32Array]> {
  const [expected = new Float32Array()] = await reference.read([run(reference)]);
  const result = run(tested);
  const [actual = new Float32Array()] = await tested.read([result]);
  tested.release(result);
  return [expected, actual];
}

/** Every value, within the tolerance. */
function expectClose(actual: Float32Array | undefined, expected: Float32Array | undefined, tolerance: number): void {
  if (!actual || !expected || actual.length !== expected.length) throw new Error(`${actual?.length} values where ${expected?.length} were expected`);
  expected.forEach((value, index) => {
    if (!(Math.abs(value - (actual[index] ?? NaN)) <= tolerance)) throw new Error(`value ${index} is ${actual[index]} where ${value} was expected`);
  });
}

/** Fails by throwing; `share` of the usual number of runs. */
type OperationCase = (tested: Operations, share: number) => Promise<void>;

export const operationCases: Record<string, OperationCase> = {
  'convolves with any kernel, stride and padding': async (tested, share) => {
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
      { numRuns: Math.ceil(60 * share) },
    );
  },

  'pools, upsamples, adds, concatenates and averages': async (tested, share) => {
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
      { numRuns: Math.ceil(80 * share) },
    );
  },

  'repeats what has one step where another input has more': async (tested, share) => {
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
      { numRuns: Math.ceil(40 * share) },
    );
  },

  'fires the same spikes, records the same membranes and counts them': async (tested, share) => {
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
            if (plain.membrane) throw new Error('a membrane that nobody asked for');
            if (!recorded.membrane) throw new Error('no membrane');
            const arrays = await operations.read([recorded.spikes, plain.spikes, recorded.membrane, counts]);
            for (const value of [signal, recorded.spikes, recorded.membrane, plain.spikes, counts]) operations.release(value);
            return arrays;
          }),
        );
        expectClose(results[1]?.[0], results[0]?.[0], 0);
        expectClose(results[1]?.[1], results[0]?.[0], 0);
        expectClose(results[1]?.[2], results[0]?.[2], 1e-6);
        expectClose(results[1]?.[3], results[0]?.[3], 0);
      }),
      { numRuns: Math.ceil(60 * share) },
    );
  },

  'integrates and fires the same spikes, in bursts too, and goes on where it stopped': async (tested, share) => {
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
        for (const index of [0, 2, 4]) expectClose(actual[index], expected[index], 0);
        for (const index of [1, 3, 5]) expectClose(actual[index], expected[index], 1e-4);
      }),
      { numRuns: Math.ceil(100 * share) },
    );
  },

  'pools sums over time so that what comes out adds up to the pooled sum': async (tested, share) => {
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
        expectClose(actual[0], first, 1e-5);
        expectClose(actual[1], second, 1e-5);
        // What is the same at every step is pooled as ever.
        if (still) expectClose(first, first.map((_, index) => pooled[index % pooled.length] ?? NaN), 1e-5);
      }),
      { numRuns: Math.ceil(60 * share) },
    );
  },

  'silences neurons, and leaves the others as they are': async (tested, share) => {
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
        expected?.forEach((array, index) => expectClose(actual?.[index], array, 0));
        const fired = expected?.[3] ?? new Float32Array();
        expectClose(expected?.[0], fired.map((spike, index) => spike * (audible[index % audible.length] ?? 1)), 0);
      }),
      { numRuns: Math.ceil(60 * share) },
    );
  },

  'goes on from what a run left in its membranes': async (tested, share) => {
    const parameters = fc.record({ decay: fc.constantFrom(0, 0.25, 0.5, 1), threshold: fc.constantFrom(0.25, 0.5), reset: fc.constantFrom(...resetModes) });
    await fc.assert(
      fc.asyncProperty(shaped, parameters, fc.boolean(), async ({ shape: size, values }, neuron, still) => {
        const input: FeatureShape = still ? { ...size, steps: 1 } : size;
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const current = operations.input(values.slice(0, elementCount(input)), input);
            const { spikes, membrane } = operations.leakyIntegrateAndFire(current, size.steps, neuron, true);
            if (!membrane) throw new Error('no membrane');
            const emitted = operations.leakySilu(current, size.steps, neuron);
            const left = operations.carryOver(membrane, 'lif', neuron);
            const leftOfSilu = operations.carryOver(emitted, 'silu', neuron);
            const continued = operations.addCarried(current, size.steps, left);
            const arrays = await operations.read([emitted, left, leftOfSilu, continued]);
            for (const value of [current, spikes, membrane, emitted, left, leftOfSilu, continued]) operations.release(value);
            return arrays;
          }),
        );
        const [expected = [], actual = []] = results;
        expected.forEach((array, index) => expectClose(actual[index], array, 1e-5));
      }),
      { numRuns: Math.ceil(60 * share) },
    );
  },

  'convolves spikes, whatever comes after': async (tested, share) => {
    const cases = fc.record({
      shape: fc.record({
        // Rarely so many that a pixel has more lists than a word has bits.
        steps: fc.oneof({ weight: 7, arbitrary: fc.integer({ min: 1, max: 5 }) }, { weight: 1, arbitrary: fc.constantFrom(28, 29, 30, 40) }),
        height: fc.integer({ min: 1, max: 7 }),
        // More than a vector of places at a time.
        width: fc.integer({ min: 1, max: 20 }),
        channels: fc.integer({ min: 1, max: 40 }),
      }),
      kernel: fc.constantFrom(1, 3, 5),
      stride: fc.constantFrom(1, 2),
      outputChannels: fc.constantFrom(1, 3, 4, 8, 9, 16, 20, 28, 30, 31, 32, 33, 64, 76),
      /** What the spikes come from is the same at every step: then most fire at each, or at every other one. */
      stillSource: fc.boolean(),
      still: fc.boolean(),
      pool: fc.constantFrom(2, 3),
      /** Half of the neurons fire, or one in ten: then no spike reaches some outputs. */
      threshold: fc.constantFrom(0.25, 0.95),
      after: fc.constantFrom('nothing', 'maxPool', 'add', 'concatenate', 'concatenate and pool', ...resetModes),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape: size, kernel, stride, outputChannels, stillSource, still, pool, threshold, after, seed }) => {
        const random = (index: number): number => Math.round(Math.sin(seed + index * 12.9898) * 64) / 64;
        const list = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => random(index));
        const geometry = { kernel, stride, padding: Math.floor(kernel / 2), inputChannels: size.channels, outputChannels };
        const weights = list(kernel * kernel * size.channels * outputChannels);
        const [expected, actual] = await both(tested, (operations) => {
          const source = { ...size, steps: stillSource ? 1 : size.steps };
          const current = operations.input(list(elementCount(source)), source);
          const { spikes } = operations.leakyIntegrateAndFire(current, size.steps, { decay: 0.25, threshold }, false);
          const convolution = operations.loadConvolution({ name: 'tested', ...geometry, weights, bias: list(outputChannels) });
          const convolved = operations.spikingConvolution(spikes, convolution);
          const other = { ...convolved.shape, steps: still ? 1 : size.steps };
          const second = operations.input(list(elementCount(other)), other);
          const joined = operations.concatenate([convolved, second]);
          const window = Math.min(pool, other.height, other.width);
          const result = {
            nothing: () => operations.spikingConvolution(spikes, convolution),
            maxPool: () => operations.maxPool(convolved, window),
            add: () => operations.add(second, convolved),
            concatenate: () => operations.concatenate([joined, second]),
            'concatenate and pool': () => operations.maxPool(joined, window),
            hard: () => operations.leakyIntegrateAndFire(convolved, size.steps, { decay: 0.25, threshold: 0.5, reset: 'hard' }, false).spikes,
            soft: () => operations.leakyIntegrateAndFire(convolved, size.steps, { decay: 0.25, threshold: 0.5, reset: 'soft' }, false).spikes,
          }[after]();
          for (const value of [current, spikes, convolution, convolved, second, joined]) operations.release(value);
          return result;
        });
        expectClose(actual, expected, 1e-4);
      }),
      { numRuns: Math.ceil(120 * share) },
    );
  },

  'fires behind a convolution and behind an addition, whoever else reads their sums': async (tested, share) => {
    const cases = fc.record({
      shape: fc.record({
        steps: fc.integer({ min: 1, max: 5 }),
        height: fc.integer({ min: 2, max: 9 }),
        width: fc.integer({ min: 2, max: 20 }),
        channels: fc.constantFrom(3, 8, 20),
      }),
      outputChannels: fc.constantFrom(1, 4, 9, 16, 20, 31, 32, 48, 76),
      kernel: fc.constantFrom(1, 3),
      still: fc.boolean(),
      /** Half of the neurons are silent, or most of them, or nearly all. */
      threshold: fc.constantFrom(0.25, 0.95, 1.2),
      decay: fc.constantFrom(0, 0.25, 1),
      /** With `near` neurons nearly fire, or only after some steps. */
      bias: fc.constantFrom('any', 'negative', 'near'),
      first: fc.constantFrom('neurons', 'sums', 'pooling'),
      reset: fc.constantFrom(...resetModes),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape: size, outputChannels, kernel, still, threshold, decay, bias, first, reset, seed }) => {
        const list = (length: number, salt: number): Float32Array =>
          Float32Array.from({ length }, (_, index) => Math.round(Math.sin(seed + salt + index * 12.9898) * 64) / 64);
        const neuron = { decay, threshold: 0.5, reset };
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const from = { ...size, steps: still ? 1 : size.steps };
            const current = operations.input(list(elementCount(from), 0), from);
            const { spikes } = operations.leakyIntegrateAndFire(current, size.steps, { decay: 0.25, threshold, reset }, false);
            const convolution = operations.loadConvolution({
              ...{ name: 'tested', kernel, stride: 1, padding: kernel >> 1, inputChannels: size.channels, outputChannels },
              weights: list(kernel * kernel * size.channels * outputChannels, 1).map((value) => (bias === 'near' ? value / 64 : value)),
              bias: list(outputChannels, 2).map((value) =>
                bias === 'any' ? value : bias === 'negative' ? -Math.abs(value) : 0.5 * (1 - decay + Math.abs(value) * decay),
              ),
            });
            const fire = (input: Signal): Spikes => operations.leakyIntegrateAndFire(input, size.steps, neuron, false).spikes;
            const dense = operations.denseConvolution(current, convolution);
            if (first === 'sums') operations.release(operations.upsample(dense));
            const firedDense = fire(dense);
            const convolved = operations.spikingConvolution(spikes, convolution);
            const sum = operations.add(dense, convolved);
            if (first === 'sums') operations.release(operations.upsample(sum));
            const pooled = first === 'pooling' ? operations.maxPool(sum, 2) : undefined;
            const firedSum = fire(sum);
            // Alone behind a convolution, and behind a sum whose addend nobody else needs.
            const alone = operations.spikingConvolution(spikes, convolution);
            const addend = operations.denseConvolution(current, convolution);
            const ownSum = operations.add(addend, convolved);
            operations.release(addend);
            const wanted = [dense, firedDense, sum, firedSum, pooled ?? operations.maxPool(sum, 2), fire(sum), fire(alone), fire(ownSum), ownSum];
            operations.release(alone);
            const arrays = await operations.read(wanted);
            for (const value of [...wanted, current, spikes, convolution, convolved]) operations.release(value);
            return arrays;
          }),
        );
        const [expected = [], actual = []] = results;
        expected.forEach((array, index) => expectClose(actual[index], array, 0));
      }),
      { numRuns: Math.ceil(80 * share) },
    );
  },

  'adds and fires on what is pooled, upsampled and concatenated': async (tested, share) => {
    const cases = fc.record({
      shape: fc.record({
        steps: fc.constantFrom(1, 3),
        height: fc.integer({ min: 2, max: 7 }),
        width: fc.integer({ min: 2, max: 7 }),
        channels: fc.constantFrom(3, 4, 36),
      }),
      added: fc.constantFrom(3, 4, 8),
      still: fc.boolean(),
      reset: fc.constantFrom(...resetModes),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape: size, added, still, reset, seed }) => {
        const list = (length: number, salt: number): Float32Array =>
          Float32Array.from({ length }, (_, index) => Math.round(Math.sin(seed + salt + index * 12.9898) * 64) / 64);
        const neuron = { decay: 0.25, threshold: 0.5, reset };
        const results = await Promise.all(
          [reference, tested].map(async (operations) => {
            const convolution = (kernel: number, outputChannels: number) =>
              operations.loadConvolution({
                ...{ name: 'tested', kernel, stride: kernel, padding: 0, inputChannels: size.channels, outputChannels },
                weights: list(kernel * kernel * size.channels * outputChannels, kernel),
                bias: list(outputChannels, kernel),
              });
            const fire = (input: Signal): Spikes => operations.leakyIntegrateAndFire(input, size.steps, neuron, false).spikes;
            const from = { ...size, steps: still ? 1 : size.steps };
            const current = operations.input(list(elementCount(from), 0), from);
            const spikes = fire(current);
            // A block whose shortcut stands in front of its own input, both pooled.
            const [widening, halving] = [convolution(1, added), convolution(2, size.channels + added)];
            const shortcut = operations.spikingConvolution(spikes, widening);
            const joined = operations.concatenate([shortcut, current]);
            const pooled = operations.maxPool(joined, 2);
            const branch = operations.spikingConvolution(spikes, halving);
            const sum = operations.add(branch, pooled);
            const firedSum = fire(sum);
            // What is upsampled beside what is not; and pooled again.
            const raised = operations.upsample(sum);
            const raisedPool = operations.upsample(pooled);
            const deep = operations.concatenate([raised, raisedPool]);
            const firedDeep = fire(deep);
            const lowered = operations.maxPool(deep, 2);
            const firedLowered = fire(lowered);
            const narrow = operations.maxPool(pooled, 1);
            const counts = [spikes, firedSum, firedDeep, firedLowered, firedSum].map((value) => operations.countSpikes(value));
            const wanted = [firedSum, sum, firedDeep, deep, firedLowered, narrow, ...counts];
            const arrays = await operations.read(wanted);
            const others = [widening, halving, current, spikes, shortcut, joined, pooled, branch, raised, raisedPool, lowered];
            for (const value of [...wanted, ...others]) operations.release(value);
            return arrays;
          }),
        );
        const [expected = [], actual = []] = results;
        // On a grid, whatever the order of adding.
        expected.forEach((array, index) => expectClose(actual[index], array, 0));
      }),
      { numRuns: Math.ceil(40 * share) },
    );
  },

  'convolves spikes with a kernel of 1 in rows that have more neurons than a list can number': async (tested) => {
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
  },
};

/** What a frame uses, and gives back. */
export async function runAndRelease(tested: Operations): Promise<void> {
  const weights = { name: 'tested', kernel: 3, stride: 1, padding: 1, inputChannels: 4, outputChannels: 6, weights: new Float32Array(216), bias: new Float32Array(6) };
  const convolution = tested.loadConvolution(weights);
  const input = tested.input(new Float32Array(32).fill(0.4), { steps: 2, height: 2, width: 2, channels: 4 });
  const dense = tested.denseConvolution(input, convolution);
  const { spikes, membrane } = tested.leakyIntegrateAndFire(input, 2, { decay: 0.25, threshold: 0.25 }, true);
  const count = tested.countSpikes(spikes);
  const convolved = tested.spikingConvolution(spikes, convolution);
  const joined = tested.concatenate([convolved, dense]);
  const sum = tested.add(convolved, dense);
  const pooled = tested.maxPool(sum, 2);
  const { spikes: fired } = tested.leakyIntegrateAndFire(sum, 2, { decay: 0.25, threshold: 0.5 }, false);
  const start = tested.input(new Float32Array(6), { steps: 1, height: 1, width: 1, channels: 6 });
  const burst = tested.integrateAndFire(pooled, 2, { thresholds: new Float32Array(6).fill(1), maximumSpikes: 2 }, start);
  const silenced = tested.silence(fired, new Uint8Array(24).fill(1));
  const silu = tested.leakySilu(joined, 2, { decay: 0.25, threshold: 0.5 });
  const mean = tested.runningMean(silu, 2);
  if (!membrane) throw new Error('no membrane');
  await tested.read([mean, sum, membrane, count, burst.spikes, silenced]);
  for (const value of [convolution, input, dense, spikes, membrane, count, convolved, joined, sum, silu, mean]) tested.release(value);
  for (const value of [pooled, fired, start, burst.spikes, burst.after, silenced]) tested.release(value);
}
