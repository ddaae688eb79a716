import { describe, expect, it } from 'vitest';
import { agreement, stepsNeeded } from './agreement';
import type { Box, Detection } from './geometry';

const box = (x: number, label = 0): Detection => ({ box: [x, 0, x + 10, 10] as Box, score: 0.9, class: label, name: `class ${label}` });

describe('agreement', () => {
  it('is the share of boxes that found each other', () => {
    expect(agreement([box(0), box(50)], [box(1), box(51)])).toBe(1);
    // One of two found, one of three: 2 * 1 / 5.
    expect(agreement([box(0), box(50)], [box(0), box(100), box(150)])).toBeCloseTo(0.4, 12);
    expect(agreement([box(0, 1)], [box(0, 0)])).toBe(0);
    expect(agreement([], [box(0)])).toBe(0);
    expect(agreement([], [])).toBe(1);
  });
});

describe('the steps that are needed', () => {
  it('are those from which on nothing differs any more', () => {
    const points = [0.5, 1, 0.9, 1, 1].map((value, index) => ({ steps: 2 ** index, agreement: value }));
    expect(stepsNeeded(points)).toBe(8);
    expect(stepsNeeded(points.slice(0, 3))).toBeUndefined();
    expect(stepsNeeded([])).toBeUndefined();
  });
});
