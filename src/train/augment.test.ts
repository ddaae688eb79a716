import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../base/random';
import { augment, type LabelledPicture } from './augment';
import { parseTrainingConfig, type Augmentation } from './config';

const plain: Augmentation = {
  mosaic: 0, scale: 0, translate: 0, degrees: 0, flipHorizontally: 0, flipVertically: 0, hue: 0, saturation: 0, value: 0,
};
const grey = 114 / 255;

function noOther(): LabelledPicture {
  throw new Error('No other picture was to be asked for.');
}

/** Black, with a filled rectangle of one colour and the box around it. */
function rectangle(width: number, height: number, [x1, y1, x2, y2]: readonly [number, number, number, number], colour: readonly number[], steps = 1): LabelledPicture {
  const data = new Uint8Array(steps * width * height * 3);
  for (let step = 0; step < steps; step++) {
    for (let y = y1; y < y2; y++) {
      for (let x = x1; x < x2; x++) data.set(colour, ((step * height + y) * width + x) * 3);
    }
  }
  return { width, height, data, steps, boxes: [{ box: [x1, y1, x2, y2], class: 3 }] };
}

/** The smallest box around pixels whose red is above a half, in pixels. */
function redBounds(values: Float32Array, size: number): [number, number, number, number] | undefined {
  let bounds: [number, number, number, number] | undefined;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if ((values[(y * size + x) * 3] ?? 0) <= 0.5) continue;
      bounds = bounds ? [Math.min(bounds[0], x), Math.min(bounds[1], y), Math.max(bounds[2], x + 1), Math.max(bounds[3], y + 1)] : [x, y, x + 1, y + 1];
    }
  }
  return bounds;
}

describe('augment', () => {
  it('with everything off is a letterbox', () => {
    const picture = rectangle(64, 32, [8, 4, 40, 20], [255, 0, 0]);
    const { values, targets, steps } = augment(picture, noOther, plain, 64, seededRandom(1));
    expect(steps).toBe(1);
    expect(targets).toEqual([{ image: 0, class: 3, x: 24 / 64, y: (16 + 12) / 64, width: 0.5, height: 0.25 }]);
    expect(redBounds(values, 64)).toEqual([8, 20, 40, 36]);
    // Grey above and below the picture.
    expect(values[0]).toBeCloseTo(grey, 5);
    expect(values[(63 * 64 + 63) * 3]).toBeCloseTo(grey, 5);
  });

  it('mirrors the picture and its boxes', () => {
    const picture = rectangle(32, 32, [2, 4, 12, 20], [255, 0, 0]);
    const { values, targets } = augment(picture, noOther, { ...plain, flipHorizontally: 1, flipVertically: 1 }, 32, seededRandom(1));
    expect(redBounds(values, 32)).toEqual([20, 12, 30, 28]);
    expect(targets[0]).toMatchObject({ x: 25 / 32, y: 20 / 32 });
  });

  it('does to every step of a recording what it does to the first', () => {
    const picture = rectangle(32, 32, [4, 4, 20, 20], [200, 40, 90], 3);
    const { values, steps } = augment(picture, () => picture, parseTrainingConfig({ augmentation: { degrees: 20 } }).augmentation, 32, seededRandom(5));
    const plane = 32 * 32 * 3;
    expect(steps).toBe(3);
    expect(values.slice(plane, 2 * plane)).toEqual(values.slice(0, plane));
    expect(values.slice(2 * plane)).toEqual(values.slice(0, plane));
  });

  it('is the same for the same seed', () => {
    const { augmentation } = parseTrainingConfig({ augmentation: { mosaic: 1, degrees: 10 } });
    const picture = rectangle(40, 30, [5, 5, 30, 25], [250, 20, 60]);
    const made = (seed: number) => augment(picture, () => picture, augmentation, 64, seededRandom(seed));
    expect(made(9)).toEqual(made(9));
    expect(made(9).values).not.toEqual(made(10).values);
  });

  it('keeps boxes around what they are around, however it moves, scales, mirrors and joins pictures', () => {
    const share = fc.constantFrom(0, 0.5, 1);
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 0.6, noNaN: true }), fc.double({ min: 0, max: 0.4, noNaN: true }), share, share, fc.boolean(), (seed, scale, translate, flipHorizontally, flipVertically, mosaic) => {
        const size = 96;
        const red = rectangle(64, 48, [10, 8, 50, 40], [255, 0, 0]);
        const other = rectangle(48, 64, [6, 10, 40, 50], [0, 0, 255]);
        const settings = { ...plain, scale, translate, flipHorizontally, flipVertically, mosaic: Number(mosaic) };
        const { values, targets } = augment(red, () => ({ ...other, boxes: [] }), settings, size, seededRandom(seed));
        const bounds = redBounds(values, size);
        const [target] = targets;
        expect(targets.length).toBeLessThanOrEqual(1);
        if (!target) {
          // Left out only where little of it is seen: a sliver, or a small part.
          const area = bounds ? (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) : 0;
          expect(area).toBeLessThan(0.25 * (40 * 1.5) * (32 * 1.5) * (1 + scale) ** 2);
          return;
        }
        expect(bounds).toBeDefined();
        const edges = [target.x - target.width / 2, target.y - target.height / 2, target.x + target.width / 2, target.y + target.height / 2];
        edges.forEach((edge, index) => expect(Math.abs(edge * size - (bounds?.[index] ?? NaN))).toBeLessThan(1.6));
      }),
      { numRuns: 150 },
    );
  });

  it('gives values in [0, 1] and targets within the picture under the strongest settings', () => {
    const strong: Augmentation = {
      mosaic: 0.5, scale: 0.9, translate: 1, degrees: 180, flipHorizontally: 0.5, flipVertically: 0.5, hue: 1, saturation: 1, value: 1,
    };
    const picture = rectangle(31, 57, [3, 5, 20, 40], [12, 200, 77]);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { values, targets } = augment(picture, () => picture, strong, 64, seededRandom(seed));
        expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
        for (const { x, y, width, height } of targets) {
          expect(Math.min(x - width / 2, y - height / 2)).toBeGreaterThanOrEqual(-1e-9);
          expect(Math.max(x + width / 2, y + height / 2)).toBeLessThanOrEqual(1 + 1e-9);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('changes hue, saturation and value as HSV says', () => {
    const picture = rectangle(32, 32, [0, 0, 32, 32], [200, 100, 50]);
    const seeds = [1, 2, 3, 4, 5];
    for (const seed of seeds) {
      const at = (settings: Partial<Augmentation>): number[] => [...augment(picture, noOther, { ...plain, ...settings }, 32, seededRandom(seed)).values.slice(0, 3)];
      const [r = 0, g = 0, b = 0] = at({ value: 0.5 });
      // One factor for all three, as long as nothing is clipped.
      expect(g / r).toBeCloseTo(0.5, 2);
      expect(b / r).toBeCloseTo(0.25, 2);
      // The largest stays, the others come nearer to it or go away from it together.
      const [sr = 0, sg = 0, sb = 0] = at({ saturation: 0.5 });
      expect(sr).toBeCloseTo(200 / 255, 2);
      expect((sr - sg) / (sr - sb)).toBeCloseTo(2 / 3, 2);
      const turned = at({ hue: 0.5 });
      expect(Math.max(...turned)).toBeCloseTo(200 / 255, 2);
      expect(Math.min(...turned)).toBeCloseTo(50 / 255, 2);
    }
  });

  it('leaves greys grey', () => {
    const picture = rectangle(32, 32, [0, 0, 32, 32], [90, 90, 90]);
    const [r, g, b] = augment(picture, noOther, { ...plain, hue: 1, saturation: 1, value: 0.3 }, 32, seededRandom(3)).values;
    expect(g).toBe(r);
    expect(b).toBe(r);
  });
});
