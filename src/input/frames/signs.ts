import { between, oneOf, type Random } from '../../base/random';
import type { StrokeLines } from './handwriting';

/**
 * Written signs that are no digits and cannot be read as one (no O, l, S, Z, b, g ...), each as strokes in a box of width 1 and
 * height 1: what a detector of digits must learn to leave alone.
 */
type Path = readonly (readonly [x: number, y: number])[];

const signs: readonly [readonly Path[], ...(readonly Path[])[]] = [
  // A, E, F, H, K, M, N, P-less R, T, V, W, X, Y
  [[[0, 1], [0.5, 0], [1, 1]], [[0.2, 0.62], [0.8, 0.62]]],
  [[[0.9, 0], [0, 0], [0, 1], [0.9, 1]], [[0, 0.5], [0.7, 0.5]]],
  [[[0.9, 0], [0, 0], [0, 1]], [[0, 0.45], [0.7, 0.45]]],
  [[[0, 0], [0, 1]], [[1, 0], [1, 1]], [[0, 0.5], [1, 0.5]]],
  [[[0, 0], [0, 1]], [[0.9, 0], [0, 0.55], [0.95, 1]]],
  [[[0, 1], [0.1, 0], [0.5, 0.7], [0.9, 0], [1, 1]]],
  [[[0, 1], [0, 0], [1, 1], [1, 0]]],
  [[[0, 1], [0, 0], [0.6, 0], [0.85, 0.15], [0.85, 0.35], [0.6, 0.5], [0, 0.5]], [[0.45, 0.5], [0.95, 1]]],
  [[[0, 0], [1, 0]], [[0.5, 0], [0.5, 1]]],
  [[[0, 0], [0.5, 1], [1, 0]]],
  [[[0, 0], [0.25, 1], [0.5, 0.3], [0.75, 1], [1, 0]]],
  [[[0, 0], [1, 1]], [[1, 0], [0, 1]]],
  [[[0, 0], [0.5, 0.5]], [[1, 0], [0.2, 1]]],
  // Small letters: a row of m, n, u, w shapes as in joined writing
  [[[0, 1], [0, 0.3], [0.25, 0.05], [0.5, 0.3], [0.5, 1], [0.5, 0.3], [0.75, 0.05], [1, 0.3], [1, 1]]],
  [[[0, 1], [0, 0.05], [0, 0.4], [0.5, 0.1], [0.95, 0.4], [1, 1]]],
  [[[0, 0], [0.05, 0.7], [0.45, 1], [0.9, 0.7], [0.95, 0], [1, 1]]],
  [[[0, 0.6], [0.15, 0.2], [0.3, 0.9], [0.45, 0.2], [0.6, 0.9], [0.75, 0.2], [1, 0.8]]],
  [[[0, 0.5], [0.7, 0.45], [0.75, 0.15], [0.4, 0], [0.08, 0.25], [0.05, 0.7], [0.4, 1], [0.9, 0.8]]],
  // Plus, equals, question mark, tick, arrow, star, heart, hash, percent-like bars
  [[[0.5, 0], [0.5, 1]], [[0, 0.5], [1, 0.5]]],
  [[[0, 0.3], [1, 0.3]], [[0, 0.7], [1, 0.7]]],
  [[[0.05, 0.25], [0.3, 0], [0.7, 0.02], [0.85, 0.25], [0.5, 0.5], [0.48, 0.72]], [[0.48, 0.97], [0.5, 1]]],
  [[[0, 0.55], [0.35, 1], [1, 0]]],
  [[[0, 0.5], [1, 0.5], [0.7, 0.25]], [[1, 0.5], [0.7, 0.78]]],
  [[[0.2, 1], [0.5, 0], [0.8, 1], [0, 0.38], [1, 0.38], [0.2, 1]]],
  [[[0.5, 1], [0.05, 0.4], [0.15, 0.05], [0.4, 0.05], [0.5, 0.3], [0.6, 0.05], [0.85, 0.05], [0.95, 0.4], [0.5, 1]]],
  [[[0.3, 0], [0.2, 1]], [[0.75, 0], [0.65, 1]], [[0, 0.32], [1, 0.3]], [[0, 0.7], [1, 0.68]]],
];

/** A sign in a box of width 1 and height 1, its corners moved a little: no two are equal. */
export function writtenSign(random: Random): StrokeLines {
  return joined(oneOf(random, signs).map((path) => path.map(([x, y]) => [x + between(random, -0.06, 0.06), y + between(random, -0.06, 0.06)] as const)));
}

/** Scribbled out: a line that goes to and fro. */
export function scribble(random: Random): StrokeLines {
  const turns = 5 + Math.floor(random() * 10);
  return joined([
    Array.from({ length: turns }, (_, turn) => [
      random() < 0.5 ? between(random, 0, 1) : turn / turns + between(random, -0.1, 0.1),
      turn % 2 === 0 ? between(random, 0, 0.35) : between(random, 0.65, 1),
    ] as const),
  ]);
}

/** A frame, empty: four long lines, as around an answer on a form. */
export function frame(random: Random): StrokeLines {
  const corner = (x: number, y: number): readonly [number, number] => [x + between(random, -0.03, 0.03), y + between(random, -0.03, 0.03)];
  const start = corner(0, 0);
  return joined([[start, corner(1, 0), corner(1, 1), corner(0, 1), start]]);
}

function joined(paths: readonly Path[]): StrokeLines {
  const points = paths.flat();
  const lines: number[] = [];
  let first = 0;
  for (const path of paths) {
    for (let index = 1; index < path.length; index++) lines.push(first + index - 1, first + index);
    first += path.length;
  }
  return { x: Float32Array.from(points, ([x]) => x), y: Float32Array.from(points, ([, y]) => y), lines: Uint16Array.from(lines) };
}
