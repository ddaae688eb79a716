import type { Box } from '../../base/geometry';
import type { LabelBox } from '../datasets/dataset';

/** A detection as the rules take it. */
export interface ScoredBox {
  box: Box;
  score: number;
  class: number;
}

/** What a rule compares on one picture; classes of both sides are the network's. */
export interface ComparedPicture {
  /** Best first. */
  detections: readonly ScoredBox[];
  labels: readonly LabelBox[];
}

/** IoU thresholds 0.50, 0.55 ... 0.95 of both rules. */
export const iouThresholds: readonly number[] = Array.from({ length: 10 }, (_, index) => (50 + 5 * index) / 100);

/** The recalls 0, 0.01 ... 1, as multiples in floating point: that is how both rules' originals compare with them. */
export const recallSamples: readonly number[] = Array.from({ length: 101 }, (_, index) => (index === 100 ? 1 : index * 0.01));

export interface ClassResult {
  /** Index into the network's class names. */
  class: number;
  name: string;
  labels: number;
  ap50: number;
  /** Mean over the ten IoU thresholds. */
  ap: number;
  /** Precision at the recalls 0, 0.01 ... 1 for IoU 0.5, as the rule integrates it. */
  precision50: readonly number[];
}

/** Of one rule; classes without a label are in neither the list nor the means. Undefined where no class has labels. */
export interface RuleResult {
  map50: number | undefined;
  map: number | undefined;
  perClass: readonly ClassResult[];
}

export function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** From the right, each value becomes the largest that is still to come. */
export function makeNonIncreasing(values: number[]): void {
  for (let index = values.length - 2; index >= 0; index--) values[index] = Math.max(values[index] ?? 0, values[index + 1] ?? 0);
}

/** Best first; equal scores stay in their order. */
export function bestFirst<T extends { score: number }>(detections: readonly T[]): T[] {
  return [...detections].sort((a, b) => b.score - a.score);
}

/** Indices of scores, best first; equal scores stay in their order. */
export function rankOf(scores: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: scores.length }, (_, index) => index).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
}

/** Numbers that grow at the end, 4 bytes each: a set's detections are many. */
export class GrowingFloats {
  private values = new Float32Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float32Array(this.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  get all(): Float32Array {
    return this.values.subarray(0, this.length);
  }
}
