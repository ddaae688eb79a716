/**
 * A handwritten digit as ink: MNIST's 28 x 28 greys enlarged smoothly, and the middle line of its strokes, so that it can be
 * written again with a pen of any width at any size without the pixels of the scan showing.
 */

/** One handwritten digit as MNIST holds it. */
export interface HandwrittenDigit {
  /** 0 to 9. */
  label: number;
  /** `[28, 28]`, row-major: 0 is paper, 255 is ink. */
  grey: Uint8Array;
}

export const handwritingSide = 28;
/** How many times finer the enlarged grid is. */
export const enlargement = 3;
export const enlargedSide = handwritingSide * enlargement;

/**
 * Cubic (Catmull-Rom) enlargement with half-pixel centres. Cost: at most 38 k multiply-adds, less where rows are empty.
 * @returns `[84, 84]`, 0 to 1
 */
export function enlarge(grey: Uint8Array): Float32Array {
  const enlarged = new Float32Array(enlargedSide * enlargedSide);
  const wide = new Float32Array(enlargedSide);
  for (let from = 0; from < handwritingSide; from++) {
    if (!widen(grey, from * handwritingSide, wide)) continue;
    // The rows that this one has a share in.
    const last = Math.min(enlargedSide, (from + 3) * enlargement);
    for (let y = Math.max(0, (from - 2) * enlargement); y < last; y++) {
      const tap = taps[y] ?? noTap;
      const weight = (tap.weights[from - tap.first] ?? 0) / 255;
      if (weight === 0) continue;
      const row = y * enlargedSide;
      for (let x = 0; x < enlargedSide; x++) enlarged[row + x] = (enlarged[row + x] ?? 0) + (wide[x] ?? 0) * weight;
    }
  }
  for (let index = 0; index < enlarged.length; index++) {
    const value = enlarged[index] ?? 0;
    if (value < 0) enlarged[index] = 0;
    else if (value > 1) enlarged[index] = 1;
  }
  return enlarged;
}

/** One row of greys, enlarged; false where it is empty. */
function widen(grey: Uint8Array, start: number, wide: Float32Array): boolean {
  wide.fill(0);
  let isInked = false;
  for (let from = 0; from < handwritingSide; from++) {
    const value = grey[start + from] ?? 0;
    if (value === 0) continue;
    isInked = true;
    const last = Math.min(enlargedSide, (from + 3) * enlargement);
    for (let x = Math.max(0, (from - 2) * enlargement); x < last; x++) {
      const tap = taps[x] ?? noTap;
      wide[x] = (wide[x] ?? 0) + value * (tap.weights[from - tap.first] ?? 0);
    }
  }
  return isInked;
}

interface Tap {
  first: number;
  weights: readonly number[];
}

const noTap: Tap = { first: 0, weights: [0, 0, 0, 0] };

/** Which four greys an enlarged pixel is made of; the same for rows and columns. */
const taps: readonly Tap[] = Array.from({ length: enlargedSide }, (_, index) => {
  const place = (index + 0.5) / enlargement - 0.5;
  const whole = Math.floor(place);
  const t = place - whole;
  return {
    first: whole - 1,
    weights: [
      ((-t + 2) * t - 1) * t * 0.5,
      ((3 * t - 5) * t * t + 2) * 0.5,
      ((-3 * t + 4) * t + 1) * t * 0.5,
      (t - 1) * t * t * 0.5,
    ],
  };
});

/** Short lines; `x[a]`, `y[a]` to `x[b]`, `y[b]` for each pair in `lines`, in whatever unit the owner says. */
export interface StrokeLines {
  x: Float32Array;
  y: Float32Array;
  /** `[lines, 2]`: indices of the points. A line from a point to itself is a dot. */
  lines: Uint16Array;
}

const inkLevel = 0.45;
/** Each point of the middle line is moved to the mean of those within this distance: no stairs are left. */
const smoothingRadius = 3;

/**
 * The middle lines of the strokes, in pixels of the 28 x 28 grid: thinned on the enlarged grid and smoothed.
 * @param enlarged what {@link enlarge} gave
 */
export function middleLines(enlarged: Float32Array): StrokeLines {
  const side = enlargedSide;
  const ink = new Uint8Array(side * side);
  const inked: number[] = [];
  // A pixel of paper is kept all around, so that no neighbour lies outside.
  for (let y = 1; y < side - 1; y++) {
    for (let pixel = y * side + 1; pixel < (y + 1) * side - 1; pixel++) {
      if ((enlarged[pixel] ?? 0) <= inkLevel) continue;
      ink[pixel] = 1;
      inked.push(pixel);
    }
  }
  const points = pruneSpurs(ink, side, thinZhangSuen(ink, side, inked));

  const numberOf = new Int32Array(side * side).fill(-1);
  points.forEach((pixel, point) => (numberOf[pixel] = point));
  const x = new Float32Array(points.length);
  const y = new Float32Array(points.length);
  const lines: number[] = [];
  points.forEach((pixel, point) => {
    const [column, row] = [pixel % side, Math.floor(pixel / side)];
    const right = Math.min(side - 1, column + smoothingRadius);
    const bottom = Math.min(side - 1, row + smoothingRadius);
    let [sumX, sumY, count] = [0, 0, 0];
    for (let nearY = Math.max(0, row - smoothingRadius); nearY <= bottom; nearY++) {
      for (let nearX = Math.max(0, column - smoothingRadius); nearX <= right; nearX++) {
        if (ink[nearY * side + nearX] === 0) continue;
        sumX += nearX;
        sumY += nearY;
        count++;
      }
    }
    x[point] = (sumX / count + 0.5) / enlargement;
    y[point] = (sumY / count + 0.5) / enlargement;
    let isAlone = true;
    for (const step of [1, side - 1, side, side + 1]) {
      const next = numberOf[pixel + step] ?? -1;
      if (next >= 0) lines.push(point, next);
      if (next >= 0 || (numberOf[pixel - step] ?? -1) >= 0) isAlone = false;
    }
    if (isAlone) lines.push(point, point);
  });
  return { x, y, lines: Uint16Array.from(lines) };
}

/**
 * Thins ink to lines one pixel wide, in place (Zhang and Suen 1984, "A fast parallel algorithm for thinning digital patterns").
 * @param ink `[side, side]` of 0 and 1, with a margin of zeros
 * @param inked the pixels of ink in ascending order
 * @returns those that are left
 */
function thinZhangSuen(ink: Uint8Array, side: number, inked: readonly number[]): number[] {
  let candidates = [...inked];
  // Clockwise from the north.
  const around = [-side, -side + 1, 1, side + 1, side, side - 1, -1, -side - 1];
  for (let removed = 1; removed > 0; ) {
    removed = 0;
    for (const pass of [0, 1]) {
      const doomed: number[] = [];
      for (const pixel of candidates) {
        let neighbours = 0;
        let rises = 0;
        let bits = 0;
        let previous = ink[pixel + (around[7] ?? 0)] ?? 0;
        for (let index = 0; index < 8; index++) {
          const on = ink[pixel + (around[index] ?? 0)] ?? 0;
          neighbours += on;
          if (on === 1 && previous === 0) rises++;
          bits |= on << index;
          previous = on;
        }
        if (neighbours < 2 || neighbours > 6 || rises !== 1) continue;
        const [north, east, south, west] = [bits & 1, (bits >> 2) & 1, (bits >> 4) & 1, (bits >> 6) & 1];
        const blocked = pass === 0 ? (north & east & south) | (east & south & west) : (north & east & west) | (north & south & west);
        if (blocked === 0) doomed.push(pixel);
      }
      for (const pixel of doomed) ink[pixel] = 0;
      if (doomed.length > 0) candidates = candidates.filter((pixel) => ink[pixel] !== 0);
      removed += doomed.length;
    }
  }
  return candidates;
}

/** Branches shorter than this, in pixels of the enlarged grid, come from a stroke's width, not from the hand. */
const longestSpur = 7;

/** Takes short side branches off thinned ink, the shortest of each fork first, so that a forked end keeps its longer prong. */
function pruneSpurs(thin: Uint8Array, side: number, thinned: readonly number[]): number[] {
  const around = [-side, 1, side, -1, -side + 1, side + 1, side - 1, -side - 1];
  const onward = (pixel: number, path: readonly number[]): number[] => {
    const found: number[] = [];
    for (const step of around) if (thin[pixel + step] === 1 && !path.includes(pixel + step)) found.push(pixel + step);
    return found;
  };
  let left = [...thinned];
  for (;;) {
    let shortest: number[] | undefined;
    for (const end of left) {
      if (onward(end, []).length !== 1) continue;
      const spur = spurFrom(end, onward);
      if (spur && spur.length < (shortest?.length ?? Infinity)) shortest = spur;
    }
    if (!shortest) return left;
    for (const pixel of shortest) thin[pixel] = 0;
    left = left.filter((pixel) => thin[pixel] === 1);
  }
}

/** The pixels from an end up to a fork, without the fork; undefined where there is none near. */
function spurFrom(end: number, onward: (pixel: number, path: readonly number[]) => number[]): number[] | undefined {
  const path = [end];
  let last = end;
  while (path.length <= longestSpur) {
    const [next, ...others] = onward(last, path);
    if (next === undefined) return undefined;
    if (others.length > 0) return path.slice(0, -1);
    last = next;
    path.push(next);
  }
  return undefined;
}
