import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stepHistogram } from './stepHistogram';

it('puts what is at the threshold below it, and what is above into the next bin', () => {
  const values = Float32Array.of(0.5, 0.50001, 0.25, 0.75, -3, 9);
  const { low, high, shares } = stepHistogram(values, 1, { low: 0, high: 1 }, 4, 0.5);
  expect([low, high]).toEqual([0, 1]);
  expect([...(shares[0] ?? [])].map((share) => Math.round(share * 6))).toEqual([2, 1, 2, 1]);
});

it('holds every value of every step once, and the threshold is an edge of bins', () => {
  const value = fc.float({ min: -10, max: 10, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 4, maxLength: 60 }), fc.integer({ min: 2, max: 40 }), fc.double({ min: -5, max: 5, noNaN: true }), (list, bins, threshold) => {
      const values = Float32Array.from(list.slice(0, list.length - (list.length % 2)));
      const { low, high, shares } = stepHistogram(values, 2, { low: -10, high: 10 }, bins, threshold);
      for (const row of shares) expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      const position = (threshold - low) / ((high - low) / bins);
      expect(Math.abs(position - Math.round(position))).toBeLessThan(1e-6);
    }),
  );
});
