import type { Box } from '../../base/geometry';
import type { LabelBox } from '../datasets/dataset';
import { GrowingFloats, iouThresholds, makeNonIncreasing, meanOf, rankOf, recallSamples, type ClassResult, type ComparedPicture, type RuleResult } from './rules';

/**
 * COCO's rule (cocodataset.org, "Detection evaluation"; pycocotools' COCOeval for boxes): at each IoU threshold detections
 * take labels in order of confidence, at most 100 of a class on a picture; AP is the mean of the precision at 101 recalls,
 * without interpolation.
 */

/** Pixels of area; a label belongs to the range that holds its area. */
export const areaRanges = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const satisfies Record<string, readonly [number, number]>;
const areaNames = ['all', 'small', 'medium', 'large'] as const;
export type AreaName = (typeof areaNames)[number];

/** How many detections of a class on a picture count; 100 but for the recalls AR1 and AR10. */
export const detectionLimits = [1, 10, 100] as const;
const maximumPerPicture = 100;

export interface CocoResult extends RuleResult {
  map75: number | undefined;
  /** Of labels by area, in pixels of the original picture; undefined where the set has none. */
  mapByArea: Readonly<Record<Exclude<AreaName, 'all'>, number | undefined>>;
  /** Mean largest recall over thresholds and classes with at most so many detections. */
  recallByLimit: Readonly<Record<(typeof detectionLimits)[number], number | undefined>>;
  recallByArea: Readonly<Record<Exclude<AreaName, 'all'>, number | undefined>>;
}

interface ClassTally {
  /** Labels that count, by area. */
  labels: Record<AreaName, number>;
  scores: GrowingFloats;
  /** Place among the detections of the class on its picture, 0 for the best. */
  ranks: GrowingFloats;
  /** One bit for each IoU threshold. */
  correct: Record<AreaName, GrowingFloats>;
  /** Neither correct nor false: on a crowd, or of another area. */
  ignored: Record<AreaName, GrowingFloats>;
}

export class CocoTally {
  private readonly classes = new Map<number, ClassTally>();

  add({ detections, labels }: ComparedPicture): void {
    for (const label of new Set([...labels, ...detections].map((box) => box.class))) {
      const ofClass = detections.filter((detection) => detection.class === label).slice(0, maximumPerPicture);
      this.addClass(this.tally(label), ofClass, labels.filter((box) => box.class === label));
    }
  }

  result(classNames: readonly string[]): CocoResult {
    const counted = [...this.classes].filter(([, { labels }]) => labels.all > 0).sort(([a], [b]) => a - b);
    const ranked = counted.map(([, tally]) => ({ tally, rank: rankOf(tally.scores.all) }));
    /** `[class][threshold]`, of the classes that have labels in the area. */
    const curves = (area: AreaName, limit: number): Curve[][] =>
      ranked.flatMap(({ tally, rank }) => (tally.labels[area] === 0 ? [] : [iouThresholds.map((_, threshold) => curveOf(tally, rank, { area, threshold, limit }))]));
    const precisionOf = (ofClasses: readonly Curve[][]): number | undefined => meanOf(ofClasses.flat().map(averagePrecision));
    const recallOf = (ofClasses: readonly Curve[][]): number | undefined => meanOf(ofClasses.flat().map(({ largestRecall }) => largestRecall));
    const all = curves('all', maximumPerPicture);
    const small = curves('small', maximumPerPicture);
    const medium = curves('medium', maximumPerPicture);
    const large = curves('large', maximumPerPicture);
    const perClass = counted.map(([label, { labels }], index): ClassResult => {
      const aps = (all[index] ?? []).map(averagePrecision);
      return {
        class: label,
        name: classNames[label] ?? `class ${label}`,
        labels: labels.all,
        ap50: aps[0] ?? 0,
        ap: meanOf(aps) ?? 0,
        precision50: all[index]?.[0]?.precision ?? [],
      };
    });
    return {
      map50: meanOf(perClass.map(({ ap50 }) => ap50)),
      map: meanOf(perClass.map(({ ap }) => ap)),
      map75: precisionOf(all.map((ofClass) => ofClass.slice(5, 6))),
      mapByArea: { small: precisionOf(small), medium: precisionOf(medium), large: precisionOf(large) },
      recallByLimit: { 1: recallOf(curves('all', 1)), 10: recallOf(curves('all', 10)), 100: recallOf(all) },
      recallByArea: { small: recallOf(small), medium: recallOf(medium), large: recallOf(large) },
      perClass,
    };
  }

  private addClass(tally: ClassTally, detections: ComparedPicture['detections'], labels: readonly LabelBox[]): void {
    const overlaps = detections.map(({ box }) => labels.map((label) => overlapOf(box, label)));
    const areas = detections.map(({ box }) => areaOf(box));
    detections.forEach(({ score }, rank) => {
      tally.scores.push(score);
      tally.ranks.push(rank);
    });
    for (const area of areaNames) {
      const [smallest, largest] = areaRanges[area];
      const isOutside = (value: number): boolean => value < smallest || value > largest;
      const ignoredLabels = labels.map((label) => label.isCrowd || isOutside(label.areaPx ?? areaOf(label.box)));
      tally.labels[area] += ignoredLabels.filter((isIgnored) => !isIgnored).length;
      const correct = new Uint16Array(detections.length);
      const ignored = new Uint16Array(detections.length);
      iouThresholds.forEach((threshold, bit) => {
        const found = matchAt(threshold, overlaps, labels, ignoredLabels);
        found.forEach((label, index) => {
          const isIgnored = label === undefined ? isOutside(areas[index] ?? 0) : (ignoredLabels[label] ?? false);
          if (isIgnored) ignored[index] = (ignored[index] ?? 0) | (1 << bit);
          else if (label !== undefined) correct[index] = (correct[index] ?? 0) | (1 << bit);
        });
      });
      correct.forEach((bits) => tally.correct[area].push(bits));
      ignored.forEach((bits) => tally.ignored[area].push(bits));
    }
  }

  private tally(label: number): ClassTally {
    const known = this.classes.get(label);
    if (known) return known;
    const masks = (): Record<AreaName, GrowingFloats> => ({
      all: new GrowingFloats(),
      small: new GrowingFloats(),
      medium: new GrowingFloats(),
      large: new GrowingFloats(),
    });
    const tally: ClassTally = {
      labels: { all: 0, small: 0, medium: 0, large: 0 },
      scores: new GrowingFloats(),
      ranks: new GrowingFloats(),
      correct: masks(),
      ignored: masks(),
    };
    this.classes.set(label, tally);
    return tally;
  }
}

/**
 * Each detection, best first, takes the free label that it overlaps most, if by `threshold` at least; labels that are
 * ignored only where no other fits. A crowd stays free.
 * @param overlaps `[detection][label]`
 * @returns for each detection, the label that it took
 */
function matchAt(threshold: number, overlaps: readonly (readonly number[])[], labels: readonly LabelBox[], ignored: readonly boolean[]): (number | undefined)[] {
  const taken = new Set<number>();
  const order = [...labels.keys()].sort((a, b) => Number(ignored[a]) - Number(ignored[b]));
  return overlaps.map((row) => {
    let best: number | undefined;
    let bestOverlap = Math.min(threshold, 1 - 1e-10);
    for (const label of order) {
      if (taken.has(label) && !labels[label]?.isCrowd) continue;
      if (best !== undefined && ignored[best] === false && ignored[label] === true) break;
      const overlap = row[label] ?? 0;
      if (overlap < bestOverlap) continue;
      best = label;
      bestOverlap = overlap;
    }
    if (best !== undefined) taken.add(best);
    return best;
  });
}

/** IoU; with a crowd the share of the detection that lies on it. */
function overlapOf(box: Box, label: LabelBox): number {
  const width = Math.min(box[2], label.box[2]) - Math.max(box[0], label.box[0]);
  const height = Math.min(box[3], label.box[3]) - Math.max(box[1], label.box[1]);
  if (width <= 0 || height <= 0) return 0;
  const overlap = width * height;
  const whole = label.isCrowd ? areaOf(box) : areaOf(box) + areaOf(label.box) - overlap;
  return whole > 0 ? overlap / whole : 0;
}

function areaOf([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}

interface Curve {
  /** At the recalls 0, 0.01 ... 1. */
  precision: readonly number[];
  largestRecall: number;
}

function curveOf(tally: ClassTally, rank: Uint32Array, { area, threshold, limit }: { area: AreaName; threshold: number; limit: number }): Curve {
  const labels = tally.labels[area];
  const correct = tally.correct[area].all;
  const ignored = tally.ignored[area].all;
  const ranks = tally.ranks.all;
  const recall: number[] = [];
  const precision: number[] = [];
  let found = 0;
  let wrong = 0;
  for (const index of rank) {
    if ((ranks[index] ?? 0) >= limit || hasBit(ignored[index], threshold)) continue;
    if (hasBit(correct[index], threshold)) found++;
    else wrong++;
    recall.push(found / labels);
    precision.push(found / (found + wrong));
  }
  makeNonIncreasing(precision);
  let at = 0;
  const sampled = recallSamples.map((wanted) => {
    while (at < recall.length && (recall[at] ?? 0) < wanted) at++;
    return precision[at] ?? 0;
  });
  return { precision: sampled, largestRecall: recall.at(-1) ?? 0 };
}

function averagePrecision({ precision }: Curve): number {
  return meanOf(precision) ?? 0;
}

function hasBit(bits: number | undefined, bit: number): boolean {
  return (((bits ?? 0) >> bit) & 1) === 1;
}
