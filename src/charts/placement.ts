import type { Box, Size } from '../base/geometry';
import type { Cell } from './layerViews';

/** A rectangle in CSS pixels. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Where a picture or a grid of cells lies in its pane: a place p of it is drawn at `origin + p * scale`. */
export interface Placement {
  x: number;
  y: number;
  /** CSS pixels per pixel or cell of the content. */
  scale: number;
}

/** Fits content into a pane, whole and centred, aspect kept. */
export function fitInto(content: Size, pane: Size): Placement {
  const scale = Math.min(pane.width / Math.max(content.width, 1), pane.height / Math.max(content.height, 1));
  return { scale, x: (pane.width - content.width * scale) / 2, y: (pane.height - content.height * scale) / 2 };
}

/**
 * Fits a grid of cells so that edges fall on device pixels: cells of a whole number of device pixels each where they are larger
 * than `snapFrom`, else the exact fit.
 */
export function fitGrid(grid: Size, pane: Size, pixelRatio: number): Placement {
  const snapFrom = 3;
  const exact = fitInto(grid, pane);
  const devicePixels = exact.scale * pixelRatio;
  const scale = devicePixels >= snapFrom ? Math.floor(devicePixels) / pixelRatio : exact.scale;
  const snap = (length: number): number => Math.round(length * pixelRatio) / pixelRatio;
  return { scale, x: snap((pane.width - grid.width * scale) / 2), y: snap((pane.height - grid.height * scale) / 2) };
}

/** The pixel or cell under a point of the pane, undefined beside the content. */
export function cellAt(point: Point, content: Size, placement: Placement): Cell | undefined {
  const x = Math.floor((point.x - placement.x) / placement.scale);
  const y = Math.floor((point.y - placement.y) / placement.scale);
  return x >= 0 && y >= 0 && x < content.width && y < content.height ? { x, y } : undefined;
}

/** Box corners in the content's pixels as a rectangle of the pane. */
export function placeBox(box: Box, { x, y, scale }: Placement): Rectangle {
  return { x: x + box[0] * scale, y: y + box[1] * scale, width: (box[2] - box[0]) * scale, height: (box[3] - box[1]) * scale };
}

/** The smallest rectangle around a point, for a pointer; `slack` widens all of them. */
export function smallestAt(point: Point, rectangles: readonly Rectangle[], slack: number): number | undefined {
  let best: number | undefined;
  let bestArea = Infinity;
  rectangles.forEach(({ x, y, width, height }, index) => {
    const inside = point.x >= x - slack && point.y >= y - slack && point.x <= x + width + slack && point.y <= y + height + slack;
    if (inside && width * height < bestArea) {
      best = index;
      bestArea = width * height;
    }
  });
  return best;
}

export interface LabelRequest {
  /** What the label belongs to. */
  target: Rectangle;
  width: number;
  height: number;
  /** Shown whatever it covers: the hovered or selected one. */
  forced: boolean;
}

/**
 * Places labels in the order given (best first): above the target, below it, or inside its top edge, whichever is free of labels placed
 * before. A label without a free place, or beyond the area that labels may cover together, is left out: undefined in the result.
 */
export function placeLabels(requests: readonly LabelRequest[], pane: Size, budget: number): (Rectangle | undefined)[] {
  const placed: Rectangle[] = [];
  const places: (Rectangle | undefined)[] = requests.map(() => undefined);
  let covered = 0;
  const inOrder = [...requests.keys()].sort((a, b) => Number(requests[b]?.forced) - Number(requests[a]?.forced));
  for (const index of inOrder) {
    const request = requests[index];
    if (!request) continue;
    const { target, width, height, forced } = request;
    const x = Math.max(0, Math.min(target.x, pane.width - width));
    const candidates = [target.y - height, target.y + target.height, target.y].map((y) => ({ x, y, width, height }));
    const free = candidates.find(
      (candidate) => candidate.y >= 0 && candidate.y + height <= pane.height && !placed.some((other) => overlap(candidate, other)),
    );
    const area = width * height;
    const place = free && (forced || covered + area <= budget) ? free : undefined;
    const fallback = { x, y: Math.max(0, Math.min(target.y - height, pane.height - height)), width, height };
    const chosen = place ?? (forced ? fallback : undefined);
    if (!chosen) continue;
    placed.push(chosen);
    places[index] = chosen;
    covered += area;
  }
  return places;
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** How many equal cells of `size` with `gap` between them fit side by side, at least one. */
export function cellsPerRow(width: number, size: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (size + gap)));
}

/** Where a key moves a cursor in a grid; undefined for keys that do not move it. */
export function moveInGrid(key: string, cursor: Cell | undefined, grid: Size): Cell | undefined {
  const last = { x: grid.width - 1, y: grid.height - 1 };
  const { x, y } = cursor ?? { x: Math.floor(last.x / 2), y: Math.floor(last.y / 2) };
  // The first arrow key shows the cursor, the next one moves it.
  const by = cursor ? 1 : 0;
  switch (key) {
    case 'ArrowLeft':
      return { x: Math.max(0, x - by), y };
    case 'ArrowRight':
      return { x: Math.min(last.x, x + by), y };
    case 'ArrowUp':
      return { x, y: Math.max(0, y - by) };
    case 'ArrowDown':
      return { x, y: Math.min(last.y, y + by) };
    case 'Home':
      return { x: 0, y };
    case 'End':
      return { x: last.x, y };
    case 'PageUp':
      return { x, y: 0 };
    case 'PageDown':
      return { x, y: last.y };
    default:
      return undefined;
  }
}

/** Where a key moves a cursor in a list of `count`: all arrows walk, Home and End jump. */
export function moveInList(key: string, cursor: number | undefined, count: number): number | undefined {
  if (count === 0) return undefined;
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowUp':
      return cursor === undefined ? count - 1 : Math.max(0, cursor - 1);
    case 'ArrowRight':
    case 'ArrowDown':
      return cursor === undefined ? 0 : Math.min(count - 1, cursor + 1);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}
