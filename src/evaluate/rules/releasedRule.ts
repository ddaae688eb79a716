import { intersectionOverUnion } from '../../base/geometry';
import { GrowingFloats, iouThresholds, makeNonIncreasing, meanOf, rankOf, recallSamples, type ClassResult, type ComparedPicture, type RuleResult } from './rules';

interface ClassTally {
  labels: number;
  scores: GrowingFloats;
  /** At how many of the IoU thresholds a detection is correct: the first so many. */
  levels: GrowingFloats;
}

/**
 * AP by the released code's rule (specification, section 6): one matching for all IoU thresholds, precision interpolated
 * linearly, trapezoids. COCO's `iscrowd` labels are left out, as in the labels that the released code is given.
 */
export class ReleasedTally {
  private readonly classes = new Map<number, ClassTally>();

  add({ detections, labels }: ComparedPicture): void {
    const levels = matchPicture({ detections, labels });
    for (const { class: label, isCrowd } of labels) if (!isCrowd) this.tally(label).labels++;
    detections.forEach(({ class: label, score }, index) => {
      const tally = this.tally(label);
      tally.scores.push(score);
      tally.levels.push(levels[index] ?? 0);
    });
  }

  result(classNames: readonly string[]): RuleResult {
    const perClass = [...this.classes]
      .filter(([, { labels }]) => labels > 0)
      .sort(([a], [b]) => a - b)
      .map(([label, tally]) => classResult(label, classNames[label] ?? `class ${label}`, tally));
    return { map50: meanOf(perClass.map(({ ap50 }) => ap50)), map: meanOf(perClass.map(({ ap }) => ap)), perClass };
  }

  private tally(label: number): ClassTally {
    const known = this.classes.get(label);
    if (known) return known;
    const tally = { labels: 0, scores: new GrowingFloats(), levels: new GrowingFloats() };
    this.classes.set(label, tally);
    return tally;
  }
}

/**
 * All pairs of one class with an IoU of at least 0.5, best IoU first: each detection keeps its first pair; among those,
 * in order of confidence, each label keeps its first.
 * @returns for each detection, how many of the IoU thresholds its pair reaches; 0 without a pair
 */
export function matchPicture({ detections, labels }: ComparedPicture): Uint8Array {
  const levels = new Uint8Array(detections.length);
  const taken = new Set<number>();
  detections.forEach((detection, index) => {
    let best = -1;
    let bestOverlap = 0;
    labels.forEach((label, candidate) => {
      if (label.class !== detection.class || label.isCrowd) return;
      const overlap = intersectionOverUnion(detection.box, label.box);
      if (overlap > bestOverlap) {
        best = candidate;
        bestOverlap = overlap;
      }
    });
    // A detection whose best label is taken is false, even if it overlaps another one that is free.
    if (best < 0 || bestOverlap < 0.5 || taken.has(best)) return;
    taken.add(best);
    levels[index] = iouThresholds.filter((threshold) => bestOverlap >= threshold).length;
  });
  return levels;
}

function classResult(label: number, name: string, { labels, scores, levels }: ClassTally): ClassResult {
  const rank = rankOf(scores.all);
  const curves = iouThresholds.map((_, threshold) => {
    const correct = Uint8Array.from(rank, (index) => ((levels.all[index] ?? 0) > threshold ? 1 : 0));
    return interpolatedPrecision(correct, labels);
  });
  const aps = curves.map(areaUnder);
  return { class: label, name, labels, ap50: aps[0] ?? 0, ap: meanOf(aps) ?? 0, precision50: curves[0] ?? [] };
}

/**
 * @param correct for each detection, best first, 1 if it found a label
 * @returns precision, made non-increasing from the right, between (0, 1) and (1, 0), at the recalls 0, 0.01 ... 1
 */
export function interpolatedPrecision(correct: Uint8Array, labels: number): number[] {
  const recall = [0];
  const precision = [1];
  let found = 0;
  correct.forEach((isCorrect, index) => {
    found += isCorrect;
    recall.push(found / labels);
    precision.push(found / (index + 1));
  });
  // Without any detection there is no curve.
  if (correct.length === 0) return recallSamples.map(() => 0);
  recall.push(1);
  precision.push(0);
  makeNonIncreasing(precision);
  let at = 0;
  return recallSamples.map((wanted) => {
    // Where several points have one recall, the curve goes on from the last.
    while (at + 1 < recall.length && (recall[at + 1] ?? 0) <= wanted) at++;
    const low = recall[at] ?? 0;
    const high = recall[at + 1];
    const value = precision[at] ?? 0;
    if (high === undefined || wanted === low) return value;
    return value + ((wanted - low) / (high - low)) * ((precision[at + 1] ?? 0) - value);
  });
}

/** By trapezoids over the 101 recalls. */
function areaUnder(precision: readonly number[]): number {
  return precision.slice(1).reduce((sum, value, index) => sum + (value + (precision[index] ?? 0)) / 2, 0) / 100;
}
