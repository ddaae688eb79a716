import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pairBoxes } from './boxDifference';
import { intersectionOverUnion, type Box, type Detection } from './geometry';

const detection = (box: Box, label = 0): Detection => ({ box, class: label, name: `class ${label}`, score: 0.5 });

it('the best overlaps are pairs, and the rest stays alone', () => {
  const first = [detection([0, 0, 10, 10]), detection([0, 0, 10, 8]), detection([50, 50, 60, 60], 1)];
  const second = [detection([0, 0, 10, 8]), detection([50, 50, 60, 60], 2)];
  expect(pairBoxes(first, second)).toEqual([
    { first: 1, second: 0, iou: 1 },
    { first: 0, second: undefined, iou: undefined },
    { first: 2, second: undefined, iou: undefined },
    { first: undefined, second: 1, iou: undefined },
  ]);
});

it('every box is in one pair, and pairs agree in class and overlap', () => {
  const side = fc.integer({ min: 0, max: 20 });
  const boxes = fc.array(
    fc.tuple(side, side, fc.integer({ min: 1, max: 15 }), fc.integer({ min: 0, max: 2 })).map(([x, y, size, label]) => detection([x, y, x + size, y + size], label)),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(boxes, boxes, (first, second) => {
      const pairs = pairBoxes(first, second);
      expect(pairs.flatMap((pair) => pair.first ?? []).sort((a, b) => a - b)).toEqual([...first.keys()]);
      expect(pairs.flatMap((pair) => pair.second ?? []).sort((a, b) => a - b)).toEqual([...second.keys()]);
      for (const { first: a, second: b, iou } of pairs) {
        const [one, other] = [first[a ?? -1], second[b ?? -1]];
        if (!one || !other) continue;
        expect(one.class).toBe(other.class);
        expect(iou).toBe(intersectionOverUnion(one.box, other.box));
        expect(iou).toBeGreaterThanOrEqual(0.5);
      }
    }),
  );
});
