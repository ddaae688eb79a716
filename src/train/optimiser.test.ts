import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradientNorm, optimise, scheduledRate, updateAverage, type Moments } from './optimiser';

const sgd = { kind: 'sgd', learningRate: 0.1, weightDecay: 0, momentum: 0.9, clipNorm: 100 } as const;
const adamw = { ...sgd, kind: 'adamw' } as const;
const never = (): boolean => false;
const always = (): boolean => true;

function one(value: number): Map<string, Float32Array> {
  return new Map([['w', Float32Array.of(value)]]);
}

function noMoments(): Moments {
  return { first: new Map(), second: new Map() };
}

function valueOf(map: Map<string, Float32Array>): number {
  return map.get('w')?.[0] ?? NaN;
}

describe('optimise', () => {
  it('is SGD with Nesterov’s momentum: two steps worked by hand', () => {
    const parameters = one(1);
    const moments = noMoments();
    // Velocity 0.5, then 0.9 * 0.5 + 0.5 = 0.95; the step is the slope and 0.9 of the velocity.
    optimise(parameters, one(0.5), moments, sgd, 0.1, 1, never);
    expect(valueOf(parameters)).toBeCloseTo(1 - 0.1 * (0.5 + 0.9 * 0.5), 6);
    optimise(parameters, one(0.5), moments, sgd, 0.1, 2, never);
    expect(valueOf(parameters)).toBeCloseTo(0.905 - 0.1 * (0.5 + 0.9 * 0.95), 6);
  });

  it('is AdamW: two steps worked by hand', () => {
    const parameters = one(1);
    const moments = noMoments();
    // In the first step the corrections undo the decays: the slope over its own size.
    optimise(parameters, one(0.5), moments, { ...adamw, weightDecay: 0.1 }, 0.1, 1, always);
    expect(valueOf(parameters)).toBeCloseTo(1 - 0.1 * 0.1 - 0.1, 6);
    const before = valueOf(parameters);
    optimise(parameters, one(-1), moments, { ...adamw, weightDecay: 0.1 }, 0.1, 2, always);
    const mean = (0.9 * 0.05 - 0.1) / (1 - 0.9 ** 2);
    const square = (0.999 * 0.00025 + 0.001) / (1 - 0.999 ** 2);
    expect(valueOf(parameters)).toBeCloseTo(before * (1 - 0.1 * 0.1) - (0.1 * mean) / (Math.sqrt(square) + 1e-8), 6);
  });

  it('decays only the weights that it is told to', () => {
    const parameters = new Map([
      ['conv', Float32Array.of(1)],
      ['bn', Float32Array.of(1)],
    ]);
    const gradients = new Map([...parameters].map(([name]) => [name, Float32Array.of(0)]));
    optimise(parameters, gradients, noMoments(), { ...adamw, weightDecay: 0.5 }, 0.1, 1, (name) => name === 'conv');
    expect(parameters.get('conv')?.[0]).toBeCloseTo(0.95, 6);
    expect(parameters.get('bn')?.[0]).toBe(1);
  });

  it('scales gradients down to the norm, all by one factor, and tells the norm before', () => {
    const parameters = one(0);
    const gradients = new Map([
      ['w', Float32Array.of(30)],
      ['v', Float32Array.of(40)],
    ]);
    parameters.set('v', Float32Array.of(0));
    const norm = optimise(parameters, gradients, noMoments(), { ...sgd, momentum: 0, clipNorm: 5 }, 1, 1, never);
    expect(norm).toBeCloseTo(50, 4);
    expect(parameters.get('w')?.[0]).toBeCloseTo(-3, 5);
    expect(parameters.get('v')?.[0]).toBeCloseTo(-4, 5);
  });

  it.each([NaN, Infinity])('changes nothing where a gradient is %d', (slope) => {
    const parameters = one(1);
    const moments = noMoments();
    expect(Number.isFinite(optimise(parameters, one(slope), moments, adamw, 0.1, 1, always))).toBe(false);
    expect(valueOf(parameters)).toBe(1);
    expect(moments.first.size + moments.second.size).toBe(0);
  });

  it.each([sgd, adamw])('goes downhill in a bowl: $kind', (settings) => {
    fc.assert(
      fc.property(fc.float({ min: -3, max: 3, noNaN: true }), fc.float({ min: -3, max: 3, noNaN: true }), (start, bottom) => {
        const parameters = one(start);
        const moments = noMoments();
        for (let step = 1; step <= 400; step++) optimise(parameters, one(valueOf(parameters) - bottom), moments, settings, 0.05, step, never);
        expect(Math.abs(valueOf(parameters) - bottom)).toBeLessThan(0.05);
      }),
    );
  });
});

describe('gradientNorm', () => {
  it('is that of all gradients together', () => {
    expect(gradientNorm(new Map([['a', Float32Array.of(2, 3)], ['b', Float32Array.of(6)]]))).toBe(7);
  });
});

describe('scheduledRate', () => {
  it('rises to its peak and falls to its final share', () => {
    const rates = Array.from({ length: 101 }, (_, step) => scheduledRate(2, step, 100, 10, 0.1));
    expect(rates[0]).toBeCloseTo(0.2, 10);
    expect(rates[9]).toBe(2);
    expect(rates[10]).toBe(2);
    expect(rates[55]).toBeCloseTo(2 * (0.1 + 0.9 / 2), 10);
    expect(rates[100]).toBeCloseTo(0.2, 10);
    rates.slice(1).forEach((rate, index) => {
      const before = rates[index] ?? NaN;
      if (index < 9) expect(rate).toBeGreaterThan(before);
      else expect(rate).toBeLessThanOrEqual(before);
    });
  });

  it('needs no warm-up', () => {
    expect(scheduledRate(1, 0, 10, 0, 0)).toBe(1);
  });

  it('stays between 0 and its peak, whatever the run is like', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 80, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (step, steps, warmUp, share) => {
        const rate = scheduledRate(3, step, steps, warmUp, share);
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThanOrEqual(3);
      }),
    );
  });
});

describe('updateAverage', () => {
  it('follows quickly at first and keeps more later', () => {
    const average = one(0);
    updateAverage(average, one(1), 0.9, 1);
    expect(valueOf(average)).toBeCloseTo(1 - 2 / 11, 6);
    const late = one(0);
    updateAverage(late, one(1), 0.9, 1000);
    expect(valueOf(late)).toBeCloseTo(0.1, 6);
  });

  it('stays where it is when the values do', () => {
    const average = one(0.25);
    for (let update = 1; update < 50; update++) updateAverage(average, one(0.25), 0.998, update);
    expect(valueOf(average)).toBeCloseTo(0.25, 6);
  });
});
