import { expect, it } from 'vitest';
import { decadesAround, histogram, passedSteps, profileStatistics } from './learnGeometry';

it('a fast pointer leaves no gaps, in both directions', () => {
  expect(passedSteps({ step: 2, value: 0 }, { step: 5, value: 3 })).toEqual([
    { step: 2, value: 0 },
    { step: 3, value: 1 },
    { step: 4, value: 2 },
    { step: 5, value: 3 },
  ]);
  expect(passedSteps({ step: 5, value: 1 }, { step: 3, value: 0 }).map(({ step }) => step)).toEqual([5, 4, 3]);
  expect(passedSteps({ step: 5, value: 1 }, { step: 5, value: 0.3 })).toEqual([{ step: 5, value: 0.3 }]);
});

it('profiles are put together by their geometric mean, and nothing counts as very little', () => {
  const [first, last] = profileStatistics([
    [100, 1],
    [1, 1],
  ]);
  expect(first?.mean).toBeCloseTo(10, 12);
  expect(first).toMatchObject({ low: 1, high: 100 });
  expect(last).toEqual({ low: 1, high: 1, mean: 1 });
  expect(profileStatistics([])).toEqual([]);
  expect(profileStatistics([[0]])[0]?.low).toBe(1e-30);
});

it('decades hold all values and 1 with room', () => {
  expect(decadesAround([1])).toEqual({ low: 0.1, high: 10 });
  expect(decadesAround([3e4, 0.02])).toEqual({ low: 0.01, high: 1e5 });
  expect(decadesAround([])).toEqual({ low: 0.1, high: 10 });
});

it('a histogram counts every value once, the largest too', () => {
  const bins = histogram([0, 0.1, 1, 2.5, 5], 5);
  expect(bins.map(({ count }) => count)).toEqual([2, 1, 1, 0, 1]);
  expect(bins[0]).toMatchObject({ low: 0, high: 1 });
  expect(histogram([0.5], 4).at(-1)?.high).toBe(2);
});
