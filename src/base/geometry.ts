/** Corners in pixels: left, top, right, bottom. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** One box that a detector found. Scores are in [0, 1]. */
export interface Detection {
  box: Box;
  score: number;
  /** Index into the model's class names. */
  class: number;
  name: string;
  /** Which cell of which detection scale it came from, where that is known. */
  cell?: { scale: number; x: number; y: number };
}

export interface Size {
  width: number;
  height: number;
}

/** Intersection over union of two boxes, 0 where either is empty. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const overlap = width * height;
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap;
  return union > 0 ? overlap / union : 0;
}

/** The share of the smaller box that the other covers, 0 where either is empty. */
export function overlapOfSmaller(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);
  return (width * height) / Math.min(area(a), area(b));
}
