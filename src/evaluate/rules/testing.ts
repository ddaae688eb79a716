import fc from 'fast-check';
import type { Box } from '../../base/geometry';
import type { LabelBox } from '../datasets/dataset';
import type { ComparedPicture, ScoredBox } from './rules';

/** Pictures for tests of the rules. */

export function detection(box: Box, score: number, label = 0): ScoredBox {
  return { box, score, class: label };
}

export function label(box: Box, classIndex = 0): LabelBox {
  return { box, class: classIndex, isCrowd: false, areaPx: undefined };
}

const side = fc.integer({ min: 1, max: 120 });
const box = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), side, side).map(([x, y, width, height]): Box => [x, y, x + width, y + height]);
const labelOfPicture = fc.record({ box, class: fc.integer({ min: 0, max: 1 }) }).map(({ box: corners, class: index }) => label(corners, index));

/** Two classes, up to 6 pictures; detections lie near labels or anywhere, and no two have one score. */
export const comparedPictures: fc.Arbitrary<ComparedPicture[]> = fc
  .array(
    fc
      .record({
        labels: fc.array(labelOfPicture, { maxLength: 6 }),
        anywhere: fc.array(fc.record({ box, class: fc.integer({ min: 0, max: 1 }) }), { maxLength: 4 }),
        nearby: fc.array(fc.record({ of: fc.nat(5), shift: fc.integer({ min: 0, max: 12 }) }), { maxLength: 8 }),
      })
      .map(({ labels, anywhere, nearby }) => ({
        labels,
        boxes: [
          ...anywhere,
          ...nearby.flatMap(({ of, shift }) => {
            const near = labels[of];
            if (!near) return [];
            const [x1, y1, x2, y2] = near.box;
            return [{ box: [x1 + shift, y1, x2 + shift, y2] as const, class: near.class }];
          }),
        ],
      })),
    { minLength: 1, maxLength: 6 },
  )
  .chain((pictures) =>
    fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 80, maxLength: 80 }).map((scores) => {
      let next = 0;
      return pictures.map(({ labels, boxes }) => ({
        labels,
        detections: boxes.map(({ box: corners, class: index }) => detection(corners, (scores[next++] ?? 1) / 10_000, index)),
      }));
    }),
  );
