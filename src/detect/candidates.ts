import { intersectionOverUnion, type Box } from '../base/geometry';
import type { Candidates, DetectionHead } from './decode';

/** Which anchor of which cell a candidate is. */
export interface AnchorCell {
  scale: number;
  anchor: number;
  x: number;
  y: number;
}

/** One scale as {@link anchorCellOf} counts through it. */
export type AnchorGrid = Pick<DetectionHead, 'height' | 'width' | 'anchors'>;

/** The inverse of the order in which candidates are decoded: by scale, anchor, row, column. */
export function anchorCellOf(candidate: number, heads: readonly AnchorGrid[]): AnchorCell {
  let rest = candidate;
  for (const [scale, { height, width, anchors }] of heads.entries()) {
    const cells = height * width;
    const count = cells * (anchors.length / 2);
    if (rest < count) {
      const cell = rest % cells;
      return { scale, anchor: Math.floor(rest / cells), x: cell % width, y: Math.floor(cell / width) };
    }
    rest -= count;
  }
  throw new RangeError(`There is no candidate ${candidate}.`);
}

export interface CandidateMatch {
  candidate: number;
  iou: number;
  /** On the network's input. */
  box: Box;
  objectness: number;
  /** Of the class that was asked for. */
  probability: number;
}

/** Overlaps that differ by less are the same: what decides is then how sure the network is. */
const sameOverlap = 1e-3;

/**
 * The candidate whose box overlaps `box` most, whatever its score; among equals the one that is surest of the class. For a box that was
 * found this is the candidate that it came from, for one that was missed the anchor that was nearest to finding it.
 * @param clip brings a candidate's box to where `box` is, and clips it as that one was
 */
export function bestCandidate({ count, stride, values }: Candidates, box: Box, label: number, clip: (box: Box) => Box): CandidateMatch | undefined {
  let best: CandidateMatch | undefined;
  for (let candidate = 0; candidate < count; candidate++) {
    const at = candidate * stride;
    const [cx = 0, cy = 0, width = 0, height = 0, objectness = 0] = values.subarray(at, at + 5);
    const own: Box = [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2];
    const iou = intersectionOverUnion(clip(own), box);
    if (iou === 0 || (best && iou < best.iou - sameOverlap)) continue;
    const probability = values[at + 5 + label] ?? 0;
    const surer = !best || iou > best.iou + sameOverlap || objectness * probability > best.objectness * best.probability;
    if (surer) best = { candidate, iou, box: own, objectness, probability };
  }
  return best;
}
