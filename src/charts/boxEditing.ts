import type { Box, Size } from '../base/geometry';
import type { Point, Rectangle } from './placement';

/** Which edges of a box follow the pointer: -1 the left or upper one, 1 the right or lower one, 0 none; none at all: the box moves. */
export interface Grip {
  x: -1 | 0 | 1;
  y: -1 | 0 | 1;
}

export const wholeBox: Grip = { x: 0, y: 0 };
export const grips: readonly Grip[] = [
  { x: -1, y: -1 }, { x: 0, y: -1 }, { x: 1, y: -1 }, { x: -1, y: 0 }, { x: 1, y: 0 }, { x: -1, y: 1 }, { x: 0, y: 1 }, { x: 1, y: 1 },
];

/** Smaller boxes are none. */
export const smallestBoxPx = 2;

/** Where a grip is drawn on a rectangle. */
export function gripPlace({ x, y, width, height }: Rectangle, grip: Grip): Point {
  return { x: x + (width * (grip.x + 1)) / 2, y: y + (height * (grip.y + 1)) / 2 };
}

/** The nearest grip within reach of a point. */
export function gripAt(point: Point, rectangle: Rectangle, reach: number): Grip | undefined {
  let best: Grip | undefined;
  let nearest = reach;
  for (const grip of grips) {
    const place = gripPlace(rectangle, grip);
    const distance = Math.hypot(place.x - point.x, place.y - point.y);
    if (distance <= nearest) {
      nearest = distance;
      best = grip;
    }
  }
  return best;
}

/**
 * A box after its grip was moved, within the picture and at least {@link smallestBoxPx} wide and high; an edge that is pulled past the
 * opposite one turns the box over. A box that moves keeps its size.
 */
export function draggedBox(box: Box, grip: Grip, dx: number, dy: number, { width, height }: Size): Box {
  const [x1, x2] = dragged(box[0], box[2], grip.x, grip.y === 0 && grip.x === 0, dx, width);
  const [y1, y2] = dragged(box[1], box[3], grip.y, grip.y === 0 && grip.x === 0, dy, height);
  return [x1, y1, x2, y2];
}

function dragged(low: number, high: number, grip: -1 | 0 | 1, moves: boolean, by: number, side: number): [number, number] {
  if (moves) {
    const shift = Math.min(Math.max(by, -low), side - high);
    return [low + shift, high + shift];
  }
  if (grip === 0) return [low, high];
  const fixed = grip < 0 ? high : low;
  const pulled = Math.min(Math.max((grip < 0 ? low : high) + by, 0), side);
  return atLeast(Math.min(fixed, pulled), Math.max(fixed, pulled), side);
}

/** The box between two corners, as a pointer draws it; undefined where it is too small to be meant. */
export function drawnBox(from: Point, to: Point, { width, height }: Size): Box | undefined {
  const x = [from.x, to.x].map((value) => Math.min(Math.max(value, 0), width)).sort((a, b) => a - b) as [number, number];
  const y = [from.y, to.y].map((value) => Math.min(Math.max(value, 0), height)).sort((a, b) => a - b) as [number, number];
  return x[1] - x[0] < smallestBoxPx || y[1] - y[0] < smallestBoxPx ? undefined : [x[0], y[0], x[1], y[1]];
}

/** Widens an interval that is too short, within [0, side]. */
function atLeast(low: number, high: number, side: number): [number, number] {
  if (high - low >= smallestBoxPx) return [low, high];
  const from = Math.max(0, Math.min(low, side - smallestBoxPx));
  return [from, Math.min(from + smallestBoxPx, side)];
}

/** What a key does to the chosen box: arrows move it, with Alt they move its lower right corner; Shift makes ten pixels of one. */
export function boxAfterKey(box: Box, { key, shiftKey, altKey }: { key: string; shiftKey: boolean; altKey: boolean }, size: Size): Box | undefined {
  const by = shiftKey ? 10 : 1;
  const moves: Record<string, readonly [number, number]> = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
  const move = moves[key];
  if (!move) return undefined;
  if (!altKey) return draggedBox(box, wholeBox, move[0], move[1], size);
  // An edge stops before the opposite one: with keys nobody means to turn a box over.
  const dx = Math.max(move[0], smallestBoxPx - (box[2] - box[0]));
  const dy = Math.max(move[1], smallestBoxPx - (box[3] - box[1]));
  return draggedBox(box, { x: 1, y: 1 }, dx, dy, size);
}
