import type { Box, Size } from './geometry';
import type { CellRange } from './reach';

/** A cell of a layer's map. */
export interface Cell {
  x: number;
  y: number;
}

/** How the picture lies on the network's input: whole and centred, or stretched over all of it. */
export type Fit = 'letterbox' | 'stretch';

/**
 * The place on the picture that a cell stands for, by stride: the cell's own square on the network's input, taken back
 * through the letterbox. (The full receptive field, by kernels, is larger.)
 */
export function placeOfCell(cell: Cell, map: Size, input: Size, picture: Size, fit: Fit = 'letterbox'): Box {
  return placeOfRange({ left: cell.x, top: cell.y, right: cell.x, bottom: cell.y }, map, input, picture, fit);
}

/** The same of a range of cells, ends included. */
export function placeOfRange(range: CellRange, map: Size, input: Size, picture: Size, fit: Fit = 'letterbox'): Box {
  const { scaleX, scaleY, left, top } = fitOf(input, picture, fit);
  const side = { x: input.width / map.width, y: input.height / map.height };
  return [
    (range.left * side.x - left) / scaleX,
    (range.top * side.y - top) / scaleY,
    ((range.right + 1) * side.x - left) / scaleX,
    ((range.bottom + 1) * side.y - top) / scaleY,
  ];
}

/** The cell that stands for a pixel of the picture; undefined outside the map. */
export function cellOfPixel(pixel: Cell, map: Size, input: Size, picture: Size, fit: Fit = 'letterbox'): Cell | undefined {
  const { scaleX, scaleY, left, top } = fitOf(input, picture, fit);
  const x = Math.floor(((pixel.x * scaleX + left) * map.width) / input.width);
  const y = Math.floor(((pixel.y * scaleY + top) * map.height) / input.height);
  return x >= 0 && y >= 0 && x < map.width && y < map.height ? { x, y } : undefined;
}

function fitOf(input: Size, picture: Size, fit: Fit): { scaleX: number; scaleY: number; left: number; top: number } {
  const scaleX = input.width / picture.width;
  const scaleY = input.height / picture.height;
  if (fit === 'stretch') return { scaleX, scaleY, left: 0, top: 0 };
  const scale = Math.min(scaleX, scaleY);
  return { scaleX: scale, scaleY: scale, left: (input.width - picture.width * scale) / 2, top: (input.height - picture.height * scale) / 2 };
}
