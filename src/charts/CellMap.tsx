import { useCallback, useState, type KeyboardEvent } from 'react';
import type { Size } from '../base/geometry';
import type { CellRange } from '../base/reach';
import type { Cell } from './layerViews';
import { readInk, type Ink } from './palette';
import { cellAt, fitGrid, moveInGrid, type Placement } from './placement';
import { pointIn, useCanvas, type PixelSize } from './useCanvas';

export interface CellMapProps {
  /** Cells across and down. */
  grid: Size;
  /** The key facts, for people who do not see the map. */
  label: string;
  /** Draws the cells; keep its identity while nothing it shows changes. */
  paint: (context: CanvasRenderingContext2D, placement: Placement, ink: Ink) => void;
  /** The cell under the pointer here or elsewhere. */
  cursor: Cell | undefined;
  selected: Cell | undefined;
  /** Cells that lead to what is pointed at elsewhere; the others are dimmed. */
  lit?: CellRange | undefined;
  onCursor: (cell: Cell | undefined) => void;
  onSelect: ((cell: Cell) => void) | undefined;
}

/** A map of a layer's cells. Arrow keys move the cursor, Enter selects its cell, Escape takes it away. */
export function CellMap({ grid, label, paint, cursor, selected, lit, onCursor, onSelect }: CellMapProps) {
  const draw = useCallback(
    (context: CanvasRenderingContext2D, size: PixelSize) => {
      const { width, height } = grid;
      const placement = fitGrid(grid, size, size.pixelRatio);
      const ink = readInk(context.canvas);
      paint(context, placement, ink);
      if (lit) dimOutside(context, lit, grid, placement, ink);
      context.strokeStyle = ink.line;
      context.lineWidth = 1;
      context.strokeRect(placement.x - 0.5, placement.y - 0.5, width * placement.scale + 1, height * placement.scale + 1);
      if (selected && isWithin(selected, grid)) outline(context, selected, placement, ink.surface, ink.text);
      if (cursor && isWithin(cursor, grid)) outline(context, cursor, placement, ink.surface, ink.accent);
    },
    [grid, paint, cursor, selected, lit],
  );
  const { canvas, size } = useCanvas(draw);
  const cellUnder = (event: { currentTarget: Element; clientX: number; clientY: number }): Cell | undefined =>
    size && cellAt(pointIn(event.currentTarget, event), grid, fitGrid(grid, size, size.pixelRatio));
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInGrid(event.key, cursor ?? selected, grid);
    if (next) onCursor(next);
    else if (event.key === 'Enter' && cursor) onSelect?.(cursor);
    else if (event.key === 'Escape' && cursor) onCursor(undefined);
    else return;
    event.preventDefault();
  };
  return (
    <div className="chart-map" style={{ aspectRatio: `${grid.width} / ${grid.height}` }}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={label}
        tabIndex={0}
        onPointerMove={(event) => {
          const cell = cellUnder(event);
          if (cell?.x !== cursor?.x || cell?.y !== cursor?.y) onCursor(cell);
        }}
        onPointerLeave={() => onCursor(undefined)}
        onClick={(event) => {
          const cell = cellUnder(event);
          if (cell) onSelect?.(cell);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => onCursor(undefined)}
      />
    </div>
  );
}

function dimOutside(context: CanvasRenderingContext2D, { left, top, right, bottom }: CellRange, grid: Size, { x, y, scale }: Placement, ink: Ink): void {
  const outside = new Path2D();
  outside.rect(x, y, grid.width * scale, grid.height * scale);
  outside.rect(x + left * scale, y + top * scale, (right - left + 1) * scale, (bottom - top + 1) * scale);
  context.globalAlpha = 0.72;
  context.fillStyle = ink.surface;
  context.fill(outside, 'evenodd');
  context.globalAlpha = 1;
}

/** A cell from another layer may lie beyond this one. */
function isWithin({ x, y }: Cell, { width, height }: Size): boolean {
  return x < width && y < height;
}

function outline(context: CanvasRenderingContext2D, cell: Cell, placement: Placement, halo: string, colour: string): void {
  // Cells of a large layer are smaller than an outline that can be seen.
  const side = Math.max(placement.scale, 6);
  const x = placement.x + (cell.x + 0.5) * placement.scale - side / 2;
  const y = placement.y + (cell.y + 0.5) * placement.scale - side / 2;
  context.lineJoin = 'miter';
  context.strokeStyle = halo;
  context.lineWidth = 4;
  context.strokeRect(x, y, side, side);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x, y, side, side);
}

/** Draws `[height, width, 4]` bytes of RGBA as sharp cells, averaged where cells are smaller than pixels. */
export function drawCells(
  context: CanvasRenderingContext2D,
  pixels: Uint8ClampedArray<ArrayBuffer>,
  grid: Size,
  placement: Placement,
): void {
  const cells = new OffscreenCanvas(grid.width, grid.height);
  cells.getContext('2d')?.putImageData(new ImageData(pixels, grid.width, grid.height), 0, 0);
  context.imageSmoothingEnabled = placement.scale < 1;
  context.imageSmoothingQuality = 'high';
  context.drawImage(cells, placement.x, placement.y, grid.width * placement.scale, grid.height * placement.scale);
}

/** The cursor that a map shows: what it was given (a pointer elsewhere), else its own. */
export function useCursor(given: Cell | undefined, onHoverCell: ((cell: Cell | undefined) => void) | undefined) {
  const [own, setOwn] = useState<Cell>();
  const onCursor = (cell: Cell | undefined): void => {
    setOwn(cell);
    onHoverCell?.(cell);
  };
  return { cursor: given ?? own, onCursor };
}
