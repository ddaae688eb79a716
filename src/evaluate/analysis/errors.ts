import { intersectionOverUnion, type Box } from '../../base/geometry';
import type { LabelBox } from '../datasets/dataset';
import type { ComparedPicture, ScoredBox } from '../rules/rules';

/**
 * What is wrong with each detection, as TIDE tells it (Bolya et al., "TIDE: A General Toolbox for Identifying Object
 * Detection Errors", ECCV 2020).
 */

/** In the order in which they are tried on a detection that found no label. */
export const detectionErrors = ['place', 'class', 'duplicate', 'background', 'both'] as const;
/** `crowd`: on a label that stands for many objects, and so neither right nor wrong. */
export type DetectionVerdict = 'correct' | 'crowd' | (typeof detectionErrors)[number];
/** `mistaken`: not found, but a detection with an error of class or place is on it. */
export type LabelVerdict = 'found' | 'mistaken' | 'missed' | 'crowd';

export interface ExplainedPicture {
  /** For each detection handed in. */
  detections: DetectionVerdict[];
  labels: LabelVerdict[];
}

/** The boxes that a person sees unless they choose other thresholds (specification, section 6); others are not called errors. */
export const shownSuppression = { confidence: 0.25, iou: 0.45, severalClassesPerBox: false } as const;
/** IoU that a correct box has at least. */
const foreground = 0.5;
/** Below this IoU a box has nothing to do with a label. */
const background = 0.1;

/**
 * Detections, best first, take the free label of their class that they overlap most, by an IoU of at least 0.5. Of the others:
 * - `place`: an IoU from 0.1 to 0.5 with a label of their class;
 * - `class`: an IoU of at least 0.5 with a label of another class;
 * - `duplicate`: an IoU of at least 0.5 with a label of their class that a surer one took;
 * - `background`: an IoU below 0.1 with every label;
 * - `both`: an IoU from 0.1 to 0.5 with a label of another class.
 * A label that no detection found is missed, unless a detection with an error of class or place is on it.
 */
export function explainPicture({ detections, labels }: ComparedPicture): ExplainedPicture {
  const overlaps = detections.map(({ box }) => labels.map((label) => intersectionOverUnion(box, label.box)));
  const order = [...detections.keys()].sort((a, b) => (detections[b]?.score ?? 0) - (detections[a]?.score ?? 0) || a - b);
  const taken = new Set<number>();
  const verdicts: (DetectionVerdict | undefined)[] = detections.map(() => undefined);
  for (const index of order) {
    const detection = detections[index];
    if (!detection) continue;
    const label = best(overlaps[index] ?? [], (candidate) => isFree(labels[candidate], detection) && !taken.has(candidate));
    if (!label || label.overlap < foreground) continue;
    taken.add(label.index);
    verdicts[index] = 'correct';
  }
  const mistaken = new Set<number>();
  const explained = verdicts.map((verdict, index): DetectionVerdict => {
    const detection = detections[index];
    if (verdict || !detection) return verdict ?? 'correct';
    const row = overlaps[index] ?? [];
    if (labels.some((label) => label.isCrowd && label.class === detection.class && shareOn(detection.box, label.box) >= foreground)) return 'crowd';
    const same = best(row, (candidate) => isFree(labels[candidate], detection));
    const other = best(row, (candidate) => labels[candidate]?.class !== detection.class && labels[candidate]?.isCrowd === false);
    if (same && same.overlap >= background && same.overlap < foreground) {
      mistaken.add(same.index);
      return 'place';
    }
    if (other && other.overlap >= foreground) {
      mistaken.add(other.index);
      return 'class';
    }
    if (same && same.overlap >= foreground) return 'duplicate';
    return other && other.overlap >= background ? 'both' : 'background';
  });
  return {
    detections: explained,
    labels: labels.map(({ isCrowd }, index) => {
      if (isCrowd) return 'crowd';
      if (taken.has(index)) return 'found';
      return mistaken.has(index) ? 'mistaken' : 'missed';
    }),
  };
}

function isFree(label: LabelBox | undefined, detection: ScoredBox): boolean {
  return label !== undefined && !label.isCrowd && label.class === detection.class;
}

function best(overlaps: readonly number[], isWanted: (index: number) => boolean): { index: number; overlap: number } | undefined {
  let found: { index: number; overlap: number } | undefined;
  overlaps.forEach((overlap, index) => {
    if (isWanted(index) && overlap > (found?.overlap ?? 0)) found = { index, overlap };
  });
  return found;
}

/** How much of a box lies on another, in [0, 1]. */
function shareOn(box: Box, [x1, y1, x2, y2]: Box): number {
  const width = Math.min(box[2], x2) - Math.max(box[0], x1);
  const height = Math.min(box[3], y2) - Math.max(box[1], y1);
  const area = (box[2] - box[0]) * (box[3] - box[1]);
  return width > 0 && height > 0 && area > 0 ? (width * height) / area : 0;
}

export type ErrorCounts = Record<(typeof detectionErrors)[number] | 'missed' | 'correct', number>;

export function noErrors(): ErrorCounts {
  return { correct: 0, class: 0, place: 0, both: 0, duplicate: 0, background: 0, missed: 0 };
}

export function countErrors(counts: ErrorCounts, { detections, labels }: ExplainedPicture): void {
  for (const verdict of detections) if (verdict !== 'crowd') counts[verdict]++;
  counts.missed += labels.filter((verdict) => verdict === 'missed').length;
}

/** 2 * correct / (detections + labels), in [0, 1]; 1 where there is neither. Crowds and what lies on them are left out. */
export function pictureF1({ detections, labels }: ExplainedPicture): number {
  const correct = detections.filter((verdict) => verdict === 'correct').length;
  const all = detections.filter((verdict) => verdict !== 'crowd').length + labels.filter((verdict) => verdict !== 'crowd').length;
  return all === 0 ? 1 : (2 * correct) / all;
}
