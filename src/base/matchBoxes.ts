import { intersectionOverUnion, type Box, type Detection } from './geometry';

/** What detections are compared with: labels, or another network's boxes. */
export interface TruthLike {
  box: Box;
  class: number | undefined;
  name: string | undefined;
}

/** A detection or a true box after both were compared. */
export interface MatchedBoxes {
  /** For each detection, whether it found a true box. */
  found: boolean[];
  /** Indices of the true boxes that no detection found. */
  missed: number[];
}

/**
 * Detections in order of score take the true box of their class with the largest overlap, if it is at least `iou` and
 * not taken yet. A true box without a class is of any class.
 */
export function matchBoxes(
  detections: readonly Detection[],
  truth: readonly TruthLike[],
  iou = 0.5,
): MatchedBoxes {
  const taken = new Set<number>();
  const found = detections.map(() => false);
  const order = detections.map((_, index) => index).sort((a, b) => (detections[b]?.score ?? 0) - (detections[a]?.score ?? 0));
  for (const index of order) {
    const detection = detections[index];
    if (!detection) continue;
    let best = -1;
    let bestOverlap = iou;
    truth.forEach((label, candidate) => {
      if (taken.has(candidate) || !sameClass(detection, label)) return;
      const overlap = intersectionOverUnion(detection.box, label.box);
      if (overlap >= bestOverlap) {
        best = candidate;
        bestOverlap = overlap;
      }
    });
    if (best >= 0) {
      taken.add(best);
      found[index] = true;
    }
  }
  return { found, missed: truth.flatMap((_, index) => (taken.has(index) ? [] : [index])) };
}

function sameClass(detection: Detection, label: { class: number | undefined; name: string | undefined }): boolean {
  if (label.name !== undefined) return label.name === detection.name;
  return label.class === undefined || label.class === detection.class;
}
