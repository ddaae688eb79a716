import { intersectionOverUnion, type Detection } from './geometry';

/** A box that two networks share, or that only one of them has; indices into their lists. */
export interface BoxPair {
  first: number | undefined;
  second: number | undefined;
  /** Of the two boxes; undefined where there is only one. */
  iou: number | undefined;
}

/**
 * Pairs the boxes of two networks one to one: of the same class, the largest overlap first, at least `iou`. Shared boxes come first, then
 * those of the first network, then those of the second.
 */
export function pairBoxes(first: readonly Detection[], second: readonly Detection[], iou = 0.5): BoxPair[] {
  const candidates = first.flatMap((a, index) =>
    second.flatMap((b, other) => {
      const overlap = a.class === b.class ? intersectionOverUnion(a.box, b.box) : 0;
      return overlap >= iou ? [{ first: index, second: other, iou: overlap }] : [];
    }),
  );
  candidates.sort((a, b) => b.iou - a.iou);
  const takenFirst = new Set<number>();
  const takenSecond = new Set<number>();
  const pairs: BoxPair[] = [];
  for (const candidate of candidates) {
    if (takenFirst.has(candidate.first) || takenSecond.has(candidate.second)) continue;
    takenFirst.add(candidate.first);
    takenSecond.add(candidate.second);
    pairs.push(candidate);
  }
  const alone = (index: number, of: 'first' | 'second'): BoxPair => ({ first: undefined, second: undefined, iou: undefined, [of]: index });
  return [
    ...pairs.sort((a, b) => (a.first ?? 0) - (b.first ?? 0)),
    ...first.flatMap((_, index) => (takenFirst.has(index) ? [] : [alone(index, 'first')])),
    ...second.flatMap((_, index) => (takenSecond.has(index) ? [] : [alone(index, 'second')])),
  ];
}
