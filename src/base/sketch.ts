import { digitStrokes } from './digitStrokes';
import { overlapOfSmaller, type Box } from './geometry';
import { between, seededRandom } from './random';

/**
 * What a person drew on a pad, as strokes: it can be painted at any size, in any ink, and taken back stroke by stroke. Places are in units
 * of a pad of {@link sketchSide}.
 */
export const sketchSide = 320;

export interface PenPoint {
  x: number;
  y: number;
  /** Of the stroke here: a pen that is pressed harder writes wider. */
  width: number;
}

/** At least one point. A stroke of one point is a dot. */
export type PenStroke = readonly PenPoint[];

export interface Sketch {
  strokes: readonly PenStroke[];
  /** What it was before each change, the latest last. */
  past: readonly (readonly PenStroke[])[];
  /** Of the next stroke at usual pressure. */
  penWidth: number;
}

export const penWidths = { smallest: 4, usual: 11, largest: 28 } as const;

export const emptySketch: Sketch = { strokes: [], past: [], penWidth: penWidths.usual };

const mostChanges = 200;
/** Points closer to the last one than this add nothing. */
const leastDistance = 0.7;

export function beginStroke(sketch: Sketch, point: PenPoint): Sketch {
  return changed(sketch, [...sketch.strokes, [point]]);
}

/** Goes on with the last stroke. Undoing takes the whole stroke back. */
export function extendStroke(sketch: Sketch, points: readonly PenPoint[]): Sketch {
  const stroke = [...(sketch.strokes.at(-1) ?? [])];
  for (const point of points) {
    const last = stroke.at(-1);
    if (!last || Math.hypot(point.x - last.x, point.y - last.y) >= leastDistance) stroke.push(point);
  }
  return stroke.length === 0 ? sketch : { ...sketch, strokes: [...sketch.strokes.slice(0, -1), stroke] };
}

export function clearedSketch(sketch: Sketch): Sketch {
  return sketch.strokes.length === 0 ? sketch : changed(sketch, []);
}

/** Without the last change; unchanged where there was none. */
export function undoneSketch(sketch: Sketch): Sketch {
  const before = sketch.past.at(-1);
  return before ? { ...sketch, strokes: before, past: sketch.past.slice(0, -1) } : sketch;
}

function changed(sketch: Sketch, strokes: readonly PenStroke[]): Sketch {
  return { ...sketch, strokes, past: [...sketch.past, sketch.strokes].slice(-mostChanges) };
}

/** Places for written digits in a row, and rows. */
const places = 3;

/**
 * Writes a digit as a person would, at the next free place: for those who cannot or do not want to draw.
 * @returns undefined where there is no free place
 */
export function withDigit(sketch: Sketch, digit: number): Sketch | undefined {
  const random = seededRandom(sketch.strokes.length * 10 + digit);
  const cell = sketchSide / places;
  const scale = (cell * between(random, 0.66, 0.78)) / 1.4;
  const slant = between(random, -0.02, 0.18);
  const shape = (digitStrokes[digit] ?? []).map((stroke) => stroke.map(([x, y]) => [(x - 0.5 + slant * (0.7 - y)) * scale, (y - 0.7) * scale] as const));
  const taken = sketch.strokes.map(boundsOf);
  for (let place = 0; place < places * places; place++) {
    const [x, y] = [((place % places) + 0.5) * cell, (Math.floor(place / places) + 0.5) * cell];
    const written = shape.map((stroke): PenStroke => stroke.map(([dx, dy]) => ({ x: x + dx, y: y + dy, width: sketch.penWidth })));
    if (written.map(boundsOf).every((box) => taken.every((other) => overlapOfSmaller(box, other) === 0))) return changed(sketch, [...sketch.strokes, ...written]);
  }
  return undefined;
}

function boundsOf(stroke: PenStroke): Box {
  const side = (of: (point: PenPoint) => number, take: (...values: number[]) => number): number => take(...stroke.map(of));
  return [
    side(({ x, width }) => x - width, Math.min),
    side(({ y, width }) => y - width, Math.min),
    side(({ x, width }) => x + width, Math.max),
    side(({ y, width }) => y + width, Math.max),
  ];
}

export interface SketchColours {
  paper: string;
  ink: string;
}

/** What `digits` was trained on, among other things. */
export const inkOnPaper: SketchColours = { paper: '#ffffff', ink: '#16181d' };
/** As N-MNIST's digits stand before the event camera. */
export const lightOnDark: SketchColours = { paper: '#000000', ink: '#ffffff' };

/** The part of a canvas's context that a sketch is painted with. */
export type SketchContext = Pick<
  CanvasRenderingContext2D,
  'beginPath' | 'fill' | 'fillRect' | 'fillStyle' | 'lineCap' | 'lineTo' | 'lineWidth' | 'moveTo' | 'arc' | 'stroke' | 'strokeStyle'
>;

/** Paints the strokes over a square of `side` pixels. */
export function paintSketch(context: SketchContext, strokes: readonly PenStroke[], side: number, { paper, ink }: SketchColours): void {
  const scale = side / sketchSide;
  context.fillStyle = paper;
  context.fillRect(0, 0, side, side);
  context.fillStyle = ink;
  context.strokeStyle = ink;
  context.lineCap = 'round';
  for (const stroke of strokes) {
    stroke.forEach((point, index) => {
      const before = stroke[index - 1];
      context.beginPath();
      if (before) {
        context.lineWidth = ((before.width + point.width) / 2) * scale;
        context.moveTo(before.x * scale, before.y * scale);
        context.lineTo(point.x * scale, point.y * scale);
        context.stroke();
      } else {
        context.arc(point.x * scale, point.y * scale, (point.width / 2) * scale, 0, 2 * Math.PI);
        context.fill();
      }
    });
  }
}
