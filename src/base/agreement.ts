import { matchBoxes, type TruthLike } from './matchBoxes';
import type { Detection } from './geometry';

/**
 * How well boxes agree with those that they are compared with: twice the matched ones over all of both (the F1 score, or Dice
 * coefficient), matched by class and an IoU of at least 0.5, one to one. 1 where both are the same, also where both are none.
 */
export function agreement(detections: readonly Detection[], others: readonly TruthLike[]): number {
  const boxes = detections.length + others.length;
  if (boxes === 0) return 1;
  return (2 * matchBoxes(detections, others).found.filter(Boolean).length) / boxes;
}

/**
 * The first of the steps from which on everything agrees completely, up to the last one that was looked at.
 * @param points rising in steps
 */
export function stepsNeeded(points: readonly { steps: number; agreement: number }[]): number | undefined {
  let needed: number | undefined;
  for (const point of points) {
    if (point.agreement < 1) needed = undefined;
    else needed ??= point.steps;
  }
  return needed;
}
