import { intersectionOverUnion, type Box } from '../base/geometry';
import type { Candidates } from './decode';

export interface SuppressionSettings {
  /** Candidates at or below this score are dropped, in [0, 1]. */
  confidence: number;
  /** Of two boxes of a class that overlap by more than this, the better one stays, in [0, 1]. */
  iou: number;
  /** Each class of a box above the confidence counts as its own detection (mAP); else only the best one (display). */
  severalClassesPerBox: boolean;
}

/** Boxes kept at most for one picture. */
const maximumDetections = 300;
/** Candidates that enter the pairwise comparison at most, best first; bounds the work when the confidence is near 0. */
const maximumCandidates = 30000;

/** A kept box on the network's input. */
export interface Suppressed {
  box: Box;
  score: number;
  class: number;
  /** Which of the candidates it was. */
  candidate: number;
}

/** Class-aware NMS: score = objectness * class probability; classes never suppress each other. Best first. */
export function suppress(candidates: Candidates, settings: SuppressionSettings): Suppressed[] {
  const kept: Suppressed[] = [];
  const keptOfClass = new Map<number, Suppressed[]>();
  for (const candidate of ranked(candidates, settings)) {
    const rivals = keptOfClass.get(candidate.class) ?? [];
    if (rivals.some((rival) => intersectionOverUnion(rival.box, candidate.box) > settings.iou)) continue;
    rivals.push(candidate);
    keptOfClass.set(candidate.class, rivals);
    kept.push(candidate);
    if (kept.length === maximumDetections) break;
  }
  return kept;
}

function ranked({ count, stride, values }: Candidates, settings: SuppressionSettings): Suppressed[] {
  const found: Suppressed[] = [];
  for (let index = 0; index < count; index++) {
    const row = values.subarray(index * stride, (index + 1) * stride);
    const objectness = row[4] ?? 0;
    if (objectness <= settings.confidence) continue;
    const box = cornersOf(row);
    if (settings.severalClassesPerBox) {
      for (let label = 0; label < stride - 5; label++) {
        const score = objectness * (row[5 + label] ?? 0);
        if (score > settings.confidence) found.push({ box, score, class: label, candidate: index });
      }
    } else {
      const probabilities = row.subarray(5);
      const label = indexOfLargest(probabilities);
      const score = objectness * (probabilities[label] ?? 0);
      if (score > settings.confidence) found.push({ box, score, class: label, candidate: index });
    }
  }
  return found.sort((a, b) => b.score - a.score).slice(0, maximumCandidates);
}

function cornersOf(row: Float32Array): Box {
  const [cx = 0, cy = 0, width = 0, height = 0] = row;
  return [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2];
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? -Infinity) > (values[best] ?? -Infinity)) best = index;
  }
  return best;
}
