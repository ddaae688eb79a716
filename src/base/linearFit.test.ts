import { expect, it } from 'vitest';
import { linearFit } from './linearFit';

it('finds the line that points lie on', () => {
  const { intercept, slope, explained } = linearFit([1, 2, 4, 8].map((x) => ({ x, y: 3 + 2 * x })));
  expect(intercept).toBeCloseTo(3);
  expect(slope).toBeCloseTo(2);
  expect(explained).toBeCloseTo(1);
});

it('says how much of the spread a line leaves open', () => {
  // Worked by hand: slope 0.5, intercept 0.5; of the variance 0.5 + 1.5 the line explains 0.5.
  const { intercept, slope, explained } = linearFit([{ x: 0, y: 0 }, { x: 1, y: 2 }, { x: 2, y: 1 }]);
  expect([intercept, slope, explained]).toEqual([0.5, 0.5, 0.25]);
});
