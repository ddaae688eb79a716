import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { between, seededRandom } from '../base/random';
import { fitAnchors } from './anchors';

/** Boxes around six sizes that are far apart. */
function groups(seed: number): { width: number; height: number }[] {
  const random = seededRandom(seed);
  const centres = [[8, 12], [20, 18], [30, 60], [80, 70], [120, 200], [300, 260]];
  return Array.from({ length: 300 }, (_, index) => {
    const [width = 0, height = 0] = centres[index % centres.length] ?? [];
    return { width: width * between(random, 0.95, 1.05), height: height * between(random, 0.95, 1.05) };
  });
}

describe('fitAnchors', () => {
  it('finds the sizes that there are, smallest first, and the finest scale first', () => {
    const anchors = fitAnchors(groups(1), 2, 3, 7);
    expect(anchors.map((scale) => scale.length)).toEqual([6, 6]);
    [8, 12, 20, 18, 30, 60, 80, 70, 120, 200, 300, 260].forEach((side, index) => {
      expect(Math.abs((anchors.flat()[index] ?? NaN) / side - 1)).toBeLessThan(0.03);
    });
  });

  it('gives the same for the same seed', () => {
    expect(fitAnchors(groups(2), 2, 3, 5)).toEqual(fitAnchors(groups(2), 2, 3, 5));
  });

  it('takes as many boxes as anchors, also where all are equal', () => {
    const one = Array.from({ length: 6 }, () => ({ width: 10, height: 20 }));
    expect(fitAnchors(one, 2, 3, 1).flat()).toEqual([10, 20, 10, 20, 10, 20, 10, 20, 10, 20, 10, 20]);
    expect(() => fitAnchors(one.slice(1), 2, 3, 1)).toThrow(RangeError);
  });

  it('gives finite sides of at least a pixel that lie among the boxes, whatever those are', () => {
    const side = fc.double({ min: 0.5, max: 2000, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.record({ width: side, height: side }), { minLength: 6, maxLength: 60 }), fc.nat(), (sizes, seed) => {
        const sides = fitAnchors(sizes, 2, 3, seed).flat();
        expect(sides).toHaveLength(12);
        const widest = Math.max(...sizes.flatMap(({ width, height }) => [width, height]));
        for (const found of sides) {
          expect(found).toBeGreaterThanOrEqual(1);
          expect(found).toBeLessThanOrEqual(Math.max(1, widest) + 0.06);
        }
      }),
      { numRuns: 50 },
    );
  });
});
