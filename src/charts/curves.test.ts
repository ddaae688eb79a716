import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestPlace, rateColumns, smoothed, thinned } from './curves';

describe('thinned', () => {
  it('leaves few points as they are, without those that are missing', () => {
    expect(thinned([1, 2, 3], [5, null, 7], 10)).toEqual([{ place: 1, value: 5 }, { place: 3, value: 7 }]);
  });

  it('joins neighbours into their mean', () => {
    expect(thinned([1, 2, 3, 4], [1, 3, 5, 7], 2)).toEqual([{ place: 1.5, value: 2 }, { place: 3.5, value: 6 }]);
  });

  it('never gives more points than wanted, nor values beyond those that are there', () => {
    const value = fc.option(fc.double({ min: -10, max: 10, noNaN: true }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (values, most) => {
        const points = thinned(values.map((_, index) => index), values, most);
        const there = values.filter((each) => each !== null);
        expect(points.length).toBeLessThanOrEqual(most);
        expect(points.length > 0).toBe(there.length > 0);
        for (const point of points) {
          expect(point.value).toBeGreaterThanOrEqual(Math.min(...there) - 1e-9);
          expect(point.value).toBeLessThanOrEqual(Math.max(...there) + 1e-9);
        }
      }),
    );
  });
});

describe('smoothed', () => {
  it('is the mean of what was so far, then of the window', () => {
    expect(smoothed([2, 4, null, 6, 8], 2)).toEqual([2, 3, null, 5, 7]);
    expect(smoothed([], 5)).toEqual([]);
  });
});

describe('nearestPlace', () => {
  it('finds the index of the place that is nearest', () => {
    expect([0, 11, 14, 16, 99].map((wanted) => nearestPlace([10, 12, 20], wanted))).toEqual([0, 0, 1, 1, 2]);
    expect(nearestPlace([], 3)).toBeUndefined();
  });
});

describe('rateColumns', () => {
  it('has a column for a run of steps, a row for each layer', () => {
    expect(rateColumns([[0.1, null], [0.3, null], [0.5, null]], 2)).toEqual([[0.2, null], [0.5, null]]);
    expect(rateColumns([], 4)).toEqual([]);
  });
});
