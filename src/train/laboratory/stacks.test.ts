import { describe, expect, it } from 'vitest';
import { blockKinds, blocks, defaultStack, type StackKind, type StackSettings } from '../../base/blockStacks';
import { quietTask } from '../../base/progress';
import { normal, seededRandom } from '../../base/random';
import { predictIsometry, predictProfile } from './meanField';
import { jacobianOf, measureProfile, measureSpectrum } from './stacks';
import { block, neuronUnit, normUnit, type Shape } from './units';

const small: StackSettings = { ...defaultStack, depth: 2, width: 5, steps: 3, samples: 8, surrogate: { shape: 'sigmoid', parameter: 4 } };
const shapeOfSmall: Shape = { steps: 3, samples: 8, width: 5 };
const values = 3 * 8 * 5;

describe.each(blockKinds)('two blocks of kind %s', (kind) => {
  it('pull gradients back as finite differences of the soft stack say, batch statistics and time included', () => {
    const random = seededRandom(11);
    const input = Float64Array.from({ length: values }, () => normal(random) * 0.6);
    const cotangent = Float64Array.from({ length: values }, () => normal(random));
    // The same weights each time: drawn anew from the same seed.
    const run = (signal: Float64Array) => {
      const drawing = seededRandom(5);
      const first = block(signal, shapeOfSmall, blocks[kind], small, drawing, 'soft spikes');
      const second = block(first.output, shapeOfSmall, blocks[kind], small, drawing, 'soft spikes');
      return { output: second.output, pulled: () => first.pull(second.pull(cotangent, 8, undefined), 8, undefined) };
    };
    const pulled = run(input).pulled();
    const loss = (signal: Float64Array): number => run(signal).output.reduce((sum, value, at) => sum + value * (cotangent[at] ?? 0), 0);
    const h = 1e-6;
    for (let at = 0; at < values; at += 7) {
      const moved = (by: number): Float64Array => input.map((value, place) => (place === at ? value + by : value));
      const difference = (loss(moved(h)) - loss(moved(-h))) / (2 * h);
      expect(Math.abs((pulled[at] ?? NaN) - difference)).toBeLessThan(1e-5 * Math.max(1, Math.abs(difference)));
    }
  });
});

describe('one sample’s Jacobian', () => {
  it('of a neuron is lower triangular in time, and its entries are finite differences', () => {
    const shape: Shape = { steps: 4, samples: 2, width: 3 };
    const settings = { ...small, steps: 4, samples: 2, width: 3 };
    const random = seededRandom(3);
    const input = Float64Array.from({ length: 24 }, () => normal(random) * 0.5);
    const jacobian = jacobianOf(neuronUnit(input, shape, settings, 'soft spikes').pull, shape, 1);
    const h = 1e-6;
    for (let from = 0; from < 12; from++) {
      const place = Math.floor(from / 3) * 6 + 3 + (from % 3);
      const moved = (by: number): Float64Array => neuronUnit(input.map((value, at) => (at === place ? value + by : value)), shape, settings, 'soft spikes').output;
      const [above, below] = [moved(h), moved(-h)];
      for (let to = 0; to < 12; to++) {
        const output = Math.floor(to / 3) * 6 + 3 + (to % 3);
        const difference = ((above[output] ?? 0) - (below[output] ?? 0)) / (2 * h);
        expect(jacobian[to * 12 + from]).toBeCloseTo(difference, 6);
        if (Math.floor(from / 3) > Math.floor(to / 3)) expect(jacobian[to * 12 + from]).toBe(0);
      }
    }
  });

  it('of a norm with held statistics is its slope', () => {
    const shape: Shape = { steps: 1, samples: 4, width: 2 };
    const input = Float64Array.of(1, 10, 2, 20, 4, 25, 9, 31);
    const { output, pull } = normUnit(input, shape, 0.5);
    const jacobian = jacobianOf(pull, shape, 0);
    const slope = (channel: number): number => ((output[2 + channel] ?? 0) - (output[channel] ?? 0)) / ((input[2 + channel] ?? 0) - (input[channel] ?? 0));
    expect(jacobian[0]).toBeCloseTo(slope(0), 12);
    expect(jacobian[3]).toBeCloseTo(slope(1), 12);
    expect([jacobian[1], jacobian[2]]).toEqual([0, 0]);
  });
});

const seeds = [1, 2, 3];
const deep: StackSettings = { ...defaultStack, depth: 16, width: 32, samples: 40 };
const profiles = (kind: StackKind, settings: StackSettings) => Promise.all(seeds.map((seed) => measureProfile(kind, settings, seed, quietTask)));
const atStart = (all: readonly (readonly number[])[]): number[] => all.map(([first]) => first ?? NaN);

describe('the paper’s argument', () => {
  it('the gradient neither vanishes nor explodes through EMS blocks, whatever the seed', async () => {
    for (const share of atStart(await profiles('ems', deep))) {
      expect(share).toBeGreaterThan(0.5);
      expect(share).toBeLessThan(4);
    }
  });

  it('a plain stack explodes or vanishes with the surrogate, by orders of magnitude, where EMS does not', async () => {
    const narrow: StackSettings = { ...deep, surrogate: { shape: 'rectangular', parameter: 0.25 } };
    const wide: StackSettings = { ...deep, surrogate: { shape: 'triangle', parameter: 1 } };
    for (const share of atStart(await profiles('plain', narrow))) expect(share).toBeGreaterThan(1e6);
    for (const share of atStart(await profiles('plain', wide))) expect(share).toBeLessThan(1e-4);
    for (const settings of [narrow, wide]) {
      for (const share of atStart(await profiles('ems', settings))) {
        expect(share).toBeGreaterThan(0.5);
        expect(share).toBeLessThan(40);
      }
    }
  });

  it('adding spikes (SEW), or membranes with the last norm at full scale (MS), lets it grow many times more than EMS', async () => {
    const [sew = NaN] = atStart(await profiles('sew', deep));
    const [ms = NaN] = atStart(await profiles('ms', deep));
    const [ems = NaN] = atStart(await profiles('ems', deep));
    expect(sew).toBeGreaterThan(4 * ems);
    expect(ms).toBeGreaterThan(15 * ems);
  });

  it('an EMS block is nearly isometric at any place in the stack; a plain and a SEW block are not', async () => {
    for (const place of [1, 12]) {
      for (const seed of [1, 2]) {
        const { measured } = await measureSpectrum('ems', place, deep, seed, quietTask);
        expect(Math.abs(measured.mean - 1)).toBeLessThan(0.1);
        expect(measured.spread).toBeLessThan(0.15);
      }
      const plain = await measureSpectrum('plain', place, deep, 1, quietTask);
      expect(plain.measured.spread).toBeGreaterThan(1);
    }
    const sew = await measureSpectrum('sew', 1, deep, 1, quietTask);
    expect(sew.measured.mean).toBeGreaterThan(1.4);
    expect(sew.measured.spread).toBeGreaterThan(1);
  });
});

describe('the prediction', () => {
  it.each(['sew', 'ms', 'ems'] as const)('holds for %s within a third, at every depth', async (kind) => {
    const predicted = await predictProfile(kind, deep, quietTask);
    const measured = await profiles(kind, deep);
    expect(predicted).toHaveLength(deep.depth + 1);
    predicted.forEach((share, place) => {
      const mean = measured.reduce((sum, profile) => sum + Math.log(profile[place] ?? NaN), 0) / measured.length;
      expect(Math.abs(mean - Math.log(share))).toBeLessThan(Math.log(1.34));
    });
  });

  it('holds for a wide plain stack: the exponent within a seventh', async () => {
    for (const surrogate of [
      { shape: 'rectangular', parameter: 0.25 },
      { shape: 'triangle', parameter: 1 },
    ] as const) {
      const settings: StackSettings = { ...defaultStack, depth: 8, width: 64, samples: 32, surrogate };
      const [predicted = NaN] = await predictProfile('plain', settings, quietTask);
      for (const share of atStart(await profiles('plain', settings))) {
        expect(Math.abs(Math.log(share) / Math.log(predicted) - 1)).toBeLessThan(1 / 7);
      }
    }
  });

  it('of one step agrees with the closed form', () => {
    // v is normal with deviation 1/2: a spike with p = P(v > 1/2), the window (0, 1) hit with q = P(0 < v < 1), slope 1 there.
    const settings: StackSettings = { ...defaultStack, steps: 1 };
    const p = 0.158655;
    const q = 0.477250;
    const layer = (0.25 * q) / (p * (1 - p));
    const { mean, spread } = predictIsometry('plain', 0, settings);
    expect(mean / layer ** 2).toBeCloseTo(1, 1);
    expect(spread / (layer ** 4 * 2 * (1 / q)) - 1).toBeLessThan(0.15);
    const ems = predictIsometry('ems', 0, settings);
    expect((ems.mean - 1) / (0.04 * layer ** 2)).toBeCloseTo(1, 1);
  });

  it('of a block agrees with its measured spectrum', async () => {
    for (const kind of blockKinds) {
      const { measured, predicted } = await measureSpectrum(kind, 1, { ...defaultStack, steps: 2 }, 2, quietTask);
      expect(Math.abs(measured.mean / predicted.mean - 1)).toBeLessThan(0.25);
      expect(Math.abs(measured.spread / predicted.spread - 1)).toBeLessThan(0.5);
    }
  });
});

describe('a measurement', () => {
  it('is equal for equal seeds and ends with 1 after the last block', async () => {
    const [first, again, other] = [await measureProfile('ms', small, 3, quietTask), await measureProfile('ms', small, 3, quietTask), await measureProfile('ms', small, 4, quietTask)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(first).toHaveLength(3);
    expect(first.at(-1)).toBe(1);
  });

  it('reports how far it is, and can be cancelled', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const running = measureProfile('ems', { ...small, depth: 64 }, 1, {
      signal: controller.signal,
      report: ({ done, total }) => {
        seen.push(done / (total ?? NaN));
        if (seen.length === 5) controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('refuses a Jacobian that would take too long', async () => {
    await expect(measureSpectrum('ems', 1, { ...small, steps: 8, width: 64 }, 1, quietTask)).rejects.toMatchObject({ code: 'usage' });
  });
});
