import { expect, it } from 'vitest';
import { shareAt } from './costs';

const at = (firingRate: number, medianMs: number) => ({ firingRate, spikingLayers: { medianMs, minMs: medianMs, maxMs: medianMs, runs: 1 } });

it('takes the time at a share of the rate from the two rates around it', () => {
  // Half way between 0.15 and 0.05 of the rate: half way between 4 and 2 of 10 ms.
  expect(shareAt(0.1, [at(0.2, 10), at(0.03, 4), at(0.01, 2)])).toBeCloseTo(0.3);
  expect(shareAt(0.1, [at(0.2, 10), at(0.02, 4)])).toBeCloseTo(0.4);
});

it('tells no time at a rate below all that were measured', () => {
  expect(shareAt(0.1, [at(0.2, 10), at(0.03, 4)])).toBeNaN();
  expect(shareAt(0.1, [])).toBeNaN();
});
