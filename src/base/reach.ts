import type { Size } from './geometry';

/**
 * Which cells of a map lead to a cell of a later one, by strides and kernels, along each side alike: those from `scale * i + first` to
 * `scale * i + last` for cell `i`. (Cells beyond the map's borders are padding.)
 */
export interface Reach {
  scale: number;
  first: number;
  last: number;
}

export const ownCell: Reach = { scale: 1, first: 0, last: 0 };

/** Cells within a map, ends included. */
export interface CellRange {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What of a map leads to a cell; undefined where nothing of it does. */
export function reachOf({ scale, first, last }: Reach, cell: { x: number; y: number }, { width, height }: Size): CellRange | undefined {
  // Upsampling leaves halves: whole cells lie between them.
  const left = Math.max(0, Math.ceil(scale * cell.x + first));
  const top = Math.max(0, Math.ceil(scale * cell.y + first));
  const right = Math.min(width - 1, Math.floor(scale * cell.x + last));
  const bottom = Math.min(height - 1, Math.floor(scale * cell.y + last));
  return left <= right && top <= bottom ? { left, top, right, bottom } : undefined;
}
