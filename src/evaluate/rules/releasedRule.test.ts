import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../base/geometry';
import { interpolatedPrecision, matchPicture, ReleasedTally } from './releasedRule';
import { meanAveragePrecision } from './meanAveragePrecision';
import type { ScoredBox } from './rules';
import { comparedPictures, detection, label } from './testing';

const area = (precision: readonly number[]): number => precision.slice(1).reduce((sum, value, index) => sum + (value + (precision[index] ?? 0)) / 2, 0) / 100;

describe('the curve', () => {
  it('of one label that is found is flat at 1 up to recall 1', () => {
    // Points (0, 1), (1, 1), (1, 0): the last point of recall 1 counts, so that the last of the 101 samples is 0.
    const precision = interpolatedPrecision(Uint8Array.of(1), 1);
    expect(precision.slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 1));
    expect(precision[100]).toBe(0);
    expect(area(precision)).toBeCloseTo(0.995, 12);
  });

  it('falls linearly from the last point to (1, 0)', () => {
    // One of two labels, found at once: points (0, 1), (0.5, 1), (1, 0).
    const precision = interpolatedPrecision(Uint8Array.of(1), 2);
    expect(precision[50]).toBe(1);
    expect(precision[75]).toBeCloseTo(0.5, 12);
    expect(area(precision)).toBeCloseTo(0.75, 4);
  });

  it('is lifted to what is still to come', () => {
    // False, true, of one label: points (0, 1), (0, 0), (1, 0.5), (1, 0); lifted (0, 1), (0, 0.5), (1, 0.5), (1, 0).
    const precision = interpolatedPrecision(Uint8Array.of(0, 1), 1);
    expect(precision[0]).toBe(0.5);
    expect(precision[99]).toBe(0.5);
    expect(area(precision)).toBeCloseTo(0.4975, 12);
  });

  it('of nothing is nothing', () => {
    expect(area(interpolatedPrecision(new Uint8Array(), 3))).toBe(0);
  });
});

describe('matching', () => {
  const square: Box = [0, 0, 100, 100];
  /** Has this IoU with the square. */
  const overlapping = (iou: number, score: number): ScoredBox => detection([0, 0, 100, 100 * iou], score);

  it('a detection counts at the thresholds that its IoU reaches', () => {
    expect([...matchPicture({ detections: [overlapping(0.72, 0.9)], labels: [label(square)] })]).toEqual([5]);
    expect([...matchPicture({ detections: [overlapping(0.5, 0.9)], labels: [label(square)] })]).toEqual([1]);
    expect([...matchPicture({ detections: [overlapping(0.49, 0.9)], labels: [label(square)] })]).toEqual([0]);
    expect([...matchPicture({ detections: [overlapping(1, 0.9)], labels: [label(square)] })]).toEqual([10]);
  });

  it('the surer of two on one label keeps it, even if the other fits better', () => {
    expect([...matchPicture({ detections: [overlapping(0.6, 0.9), overlapping(0.95, 0.8)], labels: [label(square)] })]).toEqual([3, 0]);
  });

  it('a detection whose best label is taken does not fall back on another that it overlaps enough', () => {
    const labels = [label([0, 0, 100, 100]), label([0, 30, 100, 130])];
    const detections = [detection([0, 0, 100, 100], 0.9), detection([0, 10, 100, 110], 0.8)];
    // The second: IoU 90/110 with the first label, 80/120 with the other.
    expect([...matchPicture({ detections, labels })]).toEqual([10, 0]);
  });

  it('keeps classes apart, and passes over crowds', () => {
    expect([...matchPicture({ detections: [detection(square, 0.9, 1)], labels: [label(square)] })]).toEqual([0]);
    expect([...matchPicture({ detections: [detection(square, 0.9)], labels: [{ ...label(square), isCrowd: true }] })]).toEqual([0]);
    const tally = new ReleasedTally();
    tally.add({ detections: [], labels: [{ ...label(square), isCrowd: true }] });
    expect(tally.result(['a']).map50).toBeUndefined();
  });
});

describe('the mean', () => {
  it('is over classes that have labels; detections of others count for nothing', () => {
    const { released } = meanAveragePrecision(
      [{ detections: [detection([0, 0, 10, 10], 0.9, 0), detection([50, 50, 60, 60], 0.9, 2)], labels: [label([0, 0, 10, 10], 0), label([20, 20, 30, 30], 1)] }],
      ['a', 'b', 'c'],
    );
    expect(released.perClass.map(({ name, labels }) => [name, labels])).toEqual([['a', 1], ['b', 1]]);
    expect(released.map50).toBeCloseTo(0.995 / 2, 12);
  });

  it('lies in [0, 1], falls with the threshold, and does not depend on the order of pictures or of detections', () => {
    fc.assert(
      fc.property(comparedPictures, (pictures) => {
        const { released } = meanAveragePrecision(pictures, ['a', 'b']);
        const turned = meanAveragePrecision(
          [...pictures].reverse().map(({ detections, labels }) => ({ detections: [...detections].reverse(), labels })),
          ['a', 'b'],
        ).released;
        for (const { ap, ap50 } of released.perClass) {
          expect(ap).toBeGreaterThanOrEqual(0);
          expect(ap50).toBeLessThanOrEqual(1);
          expect(ap).toBeLessThanOrEqual(ap50 + 1e-12);
        }
        expect(turned.map ?? -1).toBeCloseTo(released.map ?? -1, 9);
      }),
    );
  });
});
