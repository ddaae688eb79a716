import type { Box, Size } from './geometry';

/** A cell of a layer's map. */
export interface Cell {
  x: number;
  y: number;
}

/**
 * The place on the picture that a cell stands for, by stride: the cell's own square on the network's input, taken back
 * through the letterbox. (The full receptive field, by kernels, is larger.)
 */
export function placeOfCell(cell: Cell, map: Size, input: Size, picture: Size): Box {
  const { scale, left, top } = fit(input, picture);
  const side = { x: input.width / map.width, y: input.height / map.height };
  return [
    (cell.x * side.x - left) / scale,
    (cell.y * side.y - top) / scale,
    ((cell.x + 1) * side.x - left) / scale,
    ((cell.y + 1) * side.y - top) / scale,
  ];
}

/** The cell that stands for a pixel of the picture; undefined outside the map. */
export function cellOfPixel(pixel: Cell, map: Size, input: Size, picture: Size): Cell | undefined {
  const { scale, left, top } = fit(input, picture);
  const x = Math.floor(((pixel.x * scale + left) * map.width) / input.width);
  const y = Math.floor(((pixel.y * scale + top) * map.height) / input.height);
  return x >= 0 && y >= 0 && x < map.width && y < map.height ? { x, y } : undefined;
}

function fit(input: Size, picture: Size): { scale: number; left: number; top: number } {
  const scale = Math.min(input.width / picture.width, input.height / picture.height);
  return {
    scale,
    left: (input.width - picture.width * scale) / 2,
    top: (input.height - picture.height * scale) / 2,
  };
}
