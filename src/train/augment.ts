import type { Box } from '../base/geometry';
import { between, type Random } from '../base/random';
import type { Augmentation } from './config';
import type { TrainingTarget } from './loss';

/** A picture, or one for each time step, with the boxes on it. */
export interface LabelledPicture {
  width: number;
  height: number;
  /** `[steps, height, width, 3]`, 0 to 255. */
  data: Uint8Array;
  steps: number;
  boxes: readonly { box: Box; class: number }[];
}

/** What a network is trained on: `[steps, size, size, 3]` in [0, 1]; targets in shares of the side, image 0. */
export interface TrainingPicture {
  values: Float32Array;
  steps: number;
  targets: TrainingTarget[];
}

const grey = 114;
/** What is left of a box must be so many pixels wide and high, this share of it, and no longer than this times its width. */
const smallestSidePx = 2;
const smallestShare = 0.15;
const largestAspect = 20;

interface Affine {
  /** Source = matrix * target: `x = a * u + b * v + c`, `y = d * u + e * v + f`. */
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
}

/**
 * One picture for training: alone or as one of four around a random centre, scaled, moved, turned, mirrored, with other
 * colours. The same for all steps of a picture.
 * @param others where further pictures of a mosaic come from
 */
export function augment(
  first: LabelledPicture,
  others: () => LabelledPicture,
  settings: Augmentation,
  size: number,
  random: Random,
): TrainingPicture {
  const { steps } = first;
  const canvas = new Uint8Array(steps * size * size * 3).fill(grey);
  const targets: TrainingTarget[] = [];
  const zoom = between(random, 1 - settings.scale, 1 + settings.scale);
  const angle = (between(random, -settings.degrees, settings.degrees) * Math.PI) / 180;
  const shiftX = between(random, -settings.translate, settings.translate) * size;
  const shiftY = between(random, -settings.translate, settings.translate) * size;
  if (random() < settings.mosaic) {
    // Four quarters of a canvas twice as large around a centre, which the view then shows half of, scaled.
    const centreX = between(random, 0.5, 1.5) * size;
    const centreY = between(random, 0.5, 1.5) * size;
    const view = viewOf(zoom, angle, size - size / 2 / zoom + shiftX, size - size / 2 / zoom + shiftY, size);
    for (let quarter = 0; quarter < 4; quarter++) {
      const picture = quarter === 0 ? first : others();
      const scale = size / Math.max(picture.width, picture.height);
      const left = quarter % 2 === 0 ? centreX - picture.width * scale : centreX;
      const top = quarter < 2 ? centreY - picture.height * scale : centreY;
      draw(picture, { left, top, scale }, view, canvas, size, targets);
    }
  } else {
    const scale = size / Math.max(first.width, first.height);
    const left = (size - first.width * scale) / 2;
    const top = (size - first.height * scale) / 2;
    const view = viewOf(zoom, angle, size / 2 - size / 2 / zoom + shiftX, size / 2 - size / 2 / zoom + shiftY, size);
    draw(first, { left, top, scale }, view, canvas, size, targets);
  }
  const values = recolour(canvas, settings, random);
  const mirrorX = random() < settings.flipHorizontally;
  const mirrorY = random() < settings.flipVertically;
  if (mirrorX || mirrorY) {
    mirror(values, size, mirrorX, mirrorY);
    for (const target of targets) {
      if (mirrorX) target.x = 1 - target.x;
      if (mirrorY) target.y = 1 - target.y;
    }
  }
  return { values, steps, targets };
}

/** From a pixel of the result to the canvas that pictures are laid on: turned about the middle of what is seen. */
function viewOf(zoom: number, angle: number, left: number, top: number, size: number): Affine {
  const cos = Math.cos(angle) / zoom;
  const sin = Math.sin(angle) / zoom;
  const middle = size / 2;
  const centreX = left + middle / zoom;
  const centreY = top + middle / zoom;
  return { a: cos, b: sin, c: centreX - cos * middle - sin * middle, d: -sin, e: cos, f: centreY + sin * middle - cos * middle };
}

function draw(
  picture: LabelledPicture,
  { left, top, scale }: { left: number; top: number; scale: number },
  view: Affine,
  canvas: Uint8Array,
  size: number,
  targets: TrainingTarget[],
): void {
  const { width, height, data, steps, boxes } = picture;
  // Result to picture.
  const a = view.a / scale;
  const b = view.b / scale;
  const c = (view.c - left) / scale;
  const d = view.d / scale;
  const e = view.e / scale;
  const f = (view.f - top) / scale;
  for (let v = 0; v < size; v++) {
    for (let u = 0; u < size; u++) {
      const x = a * (u + 0.5) + b * (v + 0.5) + c - 0.5;
      const y = d * (u + 0.5) + e * (v + 0.5) + f - 0.5;
      if (x < -0.5 || y < -0.5 || x >= width - 0.5 || y >= height - 0.5) continue;
      const column = Math.floor(x);
      const row = Math.floor(y);
      const rightShare = x - column;
      const lowerShare = y - row;
      const x0 = column < 0 ? 0 : column;
      const x1 = column + 1 < width ? column + 1 : width - 1;
      const y0 = row < 0 ? 0 : row;
      const y1 = row + 1 < height ? row + 1 : height - 1;
      for (let step = 0; step < steps; step++) {
        const base = step * width * height;
        const upperLeft = (base + y0 * width + x0) * 3;
        const upperRight = (base + y0 * width + x1) * 3;
        const lowerLeft = (base + y1 * width + x0) * 3;
        const lowerRight = (base + y1 * width + x1) * 3;
        const to = ((step * size + v) * size + u) * 3;
        for (let channel = 0; channel < 3; channel++) {
          const upper = (data[upperLeft + channel] ?? 0) * (1 - rightShare) + (data[upperRight + channel] ?? 0) * rightShare;
          const lower = (data[lowerLeft + channel] ?? 0) * (1 - rightShare) + (data[lowerRight + channel] ?? 0) * rightShare;
          canvas[to + channel] = upper * (1 - lowerShare) + lower * lowerShare + 0.5;
        }
      }
    }
  }
  const determinant = a * e - b * d;
  for (const { box, class: label } of boxes) {
    const corners = [[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]].map(([x = 0, y = 0]) => ({
      u: (e * (x - c) - b * (y - f)) / determinant,
      v: (a * (y - f) - d * (x - c)) / determinant,
    }));
    const us = corners.map(({ u }) => u);
    const vs = corners.map(({ v }) => v);
    const target = clipped([Math.min(...us), Math.min(...vs), Math.max(...us), Math.max(...vs)], size);
    if (target) targets.push({ image: 0, class: label, ...target });
  }
}

/** What is seen of a box, in shares of the side; undefined where that is too little to be told. */
function clipped([x1, y1, x2, y2]: Box, size: number): Omit<TrainingTarget, 'image' | 'class'> | undefined {
  const left = Math.max(x1, 0);
  const top = Math.max(y1, 0);
  const right = Math.min(x2, size);
  const bottom = Math.min(y2, size);
  const width = right - left;
  const height = bottom - top;
  if (width < smallestSidePx || height < smallestSidePx || width * height < smallestShare * (x2 - x1) * (y2 - y1)) return undefined;
  if (Math.max(width / height, height / width) > largestAspect) return undefined;
  return { x: (left + right) / 2 / size, y: (top + bottom) / 2 / size, width: width / size, height: height / size };
}

/** Hue turned, saturation and value multiplied; one draw for the whole picture. */
function recolour(canvas: Uint8Array, { hue, saturation, value }: Augmentation, random: Random): Float32Array {
  const turn = between(random, -hue, hue) * 6;
  const saturationFactor = 1 + between(random, -saturation, saturation);
  const valueFactor = 1 + between(random, -value, value);
  const values = new Float32Array(canvas.length);
  const changes = turn !== 0 || saturationFactor !== 1 || valueFactor !== 1;
  for (let at = 0; at < canvas.length; at += 3) {
    let r = (canvas[at] ?? 0) / 255;
    let g = (canvas[at + 1] ?? 0) / 255;
    let b = (canvas[at + 2] ?? 0) / 255;
    if (changes) {
      const most = Math.max(r, g, b);
      const range = most - Math.min(r, g, b);
      const bright = Math.min(1, most * valueFactor);
      if (range === 0) r = g = b = bright;
      else {
        const sextant = most === r ? ((g - b) / range + 6) % 6 : most === g ? (b - r) / range + 2 : (r - g) / range + 4;
        const h = (sextant + turn + 6) % 6;
        const chroma = bright * Math.min(1, (range / most) * saturationFactor);
        // Distance of each primary from the hue, as the hexagon of HSV has it.
        r = bright - chroma * Math.max(0, Math.min(1, Math.min((h + 5) % 6, 4 - ((h + 5) % 6))));
        g = bright - chroma * Math.max(0, Math.min(1, Math.min((h + 3) % 6, 4 - ((h + 3) % 6))));
        b = bright - chroma * Math.max(0, Math.min(1, Math.min((h + 1) % 6, 4 - ((h + 1) % 6))));
      }
    }
    values[at] = r;
    values[at + 1] = g;
    values[at + 2] = b;
  }
  return values;
}

function mirror(values: Float32Array, size: number, acrossX: boolean, acrossY: boolean): void {
  const copy = values.slice();
  const rows = values.length / (size * 3);
  for (let row = 0; row < rows; row++) {
    const step = Math.floor(row / size);
    const y = row - step * size;
    const fromRow = step * size + (acrossY ? size - 1 - y : y);
    for (let x = 0; x < size; x++) {
      const from = (fromRow * size + (acrossX ? size - 1 - x : x)) * 3;
      values.set(copy.subarray(from, from + 3), (row * size + x) * 3);
    }
  }
}
