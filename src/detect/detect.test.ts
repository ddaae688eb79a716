import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersectionOverUnion } from '../base/geometry';
import { decode } from './decode';
import { letterbox, placeInto, toOriginal } from './letterbox';
import { suppress } from './nonMaximumSuppression';

const side = fc.integer({ min: 1, max: 90 });

describe('letterbox', () => {
  it('fits, centres, and puts an odd pixel of padding right and below', () => {
    expect(placeInto({ width: 640, height: 480 }, { width: 256, height: 256 })).toMatchObject({
      scaled: { width: 256, height: 192 },
      left: 0,
      top: 32,
    });
    expect(placeInto({ width: 10, height: 3 }, { width: 32, height: 32 })).toMatchObject({
      scaled: { width: 32, height: 10 },
      left: 0,
      top: 11,
    });
    expect(placeInto({ width: 32, height: 25 }, { width: 32, height: 32 })).toMatchObject({ left: 0, top: 3 });
  });

  it('leaves a picture of the right size as it is', () => {
    const data = Uint8Array.from({ length: 32 * 64 * 3 }, (_, index) => (index * 37) % 256);
    const placement = placeInto({ width: 64, height: 32 }, { width: 64, height: 32 });
    const values = letterbox({ width: 64, height: 32, data }, placement);
    expect(Array.from(values, (value) => Math.round(value * 255))).toEqual(Array.from(data));
  });

  it('samples with half-pixel centres and pads with grey 114', () => {
    // Two pixels, 0 and 200, stretched to four: centres at -0.25, 0.25, 0.75, 1.25 of the source.
    const data = Uint8Array.of(0, 0, 0, 200, 200, 200);
    const values = letterbox({ width: 2, height: 1, data }, placeInto({ width: 2, height: 1 }, { width: 4, height: 4 }));
    const red = Array.from({ length: 16 }, (_, index) => Math.round((values[index * 3] ?? 0) * 255));
    expect(red.slice(0, 4)).toEqual([114, 114, 114, 114]);
    expect(red.slice(4, 8)).toEqual([0, 50, 150, 200]);
  });

  it('rounds as OpenCV does (cv2.resize 4.14, INTER_LINEAR, of 7 x 5 random pixels)', () => {
    const data = Uint8Array.from([207, 21, 45, 60, 46, 205, 222, 149, 10, 24, 85, 110, 159, 122, 67, 40, 177, 188, 8, 29, 115, 100, 227, 132, 107, 110, 170, 150, 44, 188, 193, 244, 201, 72, 81, 166, 166, 178, 222, 74, 240, 0, 19, 249, 241, 76, 35, 80, 11, 228, 169, 149, 62, 120, 48, 197, 121, 7, 65, 180, 133, 95, 64, 23, 155, 169, 133, 238, 237, 53, 155, 161, 63, 76, 124, 189, 74, 184, 167, 55, 99, 212, 215, 168, 1, 174, 57, 209, 233, 109, 244, 194, 83, 224, 98, 26, 151, 217, 168, 100, 230, 122, 98, 37, 54]);
    const expected = [135, 81, 119, 183, 117, 78, 124, 112, 105, 49, 129, 123, 40, 169, 181, 28, 207, 163, 61, 180, 121, 86, 84, 108, 74, 193, 116, 179, 170, 103, 164, 159, 159, 131, 124, 100];
    const size = { width: 4, height: 3 };
    const values = letterbox({ width: 7, height: 5, data }, { input: size, scaled: size, left: 0, top: 0, original: { width: 7, height: 5 } });
    expect(Array.from(values, (value) => Math.round(value * 255))).toEqual(expected);
  });

  it('maps the whole scaled picture back to the whole original, whatever the sizes', () => {
    fc.assert(
      fc.property(side, side, side, side, (width, height, inputWidth, inputHeight) => {
        const placement = placeInto({ width, height }, { width: inputWidth, height: inputHeight });
        const { left, top, scaled } = placement;
        expect(left + scaled.width).toBeLessThanOrEqual(inputWidth);
        expect(top + scaled.height).toBeLessThanOrEqual(inputHeight);
        const box = toOriginal([left, top, left + scaled.width, top + scaled.height], placement);
        [0, 0, width, height].forEach((expected, index) => expect(box[index]).toBeCloseTo(expected, 6));
        expect(toOriginal([-50, -50, 500, 500], placement)).toEqual([0, 0, width, height]);
      }),
    );
  });
});

describe('decode', () => {
  it('follows the formula of the specification', () => {
    const logits = Float32Array.of(0, 0, 0, 0, 2, -2);
    const { count, stride, values } = decode([{ height: 1, width: 1, stride: 16, anchors: [10, 14], logits }], 1);
    expect([count, stride]).toEqual([1, 6]);
    // sigmoid(0) = 0.5: xy = (2*0.5 - 0.5 + 0) * 16, wh = 1 * anchor
    expect(Array.from(values.subarray(0, 4))).toEqual([8, 8, 10, 14]);
    expect(values[4]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
    expect(values[5]).toBeCloseTo(1 / (1 + Math.exp(2)), 6);
  });

  it('orders by scale, anchor, row and column', () => {
    const logits = new Float32Array(2 * 2 * 2 * 6);
    const { values, stride } = decode([{ height: 2, width: 2, stride: 8, anchors: [1, 1, 2, 2], logits }], 1);
    const rows = Array.from({ length: 8 }, (_, index) => Array.from(values.subarray(index * stride, index * stride + 3)));
    expect(rows).toEqual([
      [4, 4, 1],
      [12, 4, 1],
      [4, 12, 1],
      [12, 12, 1],
      [4, 4, 2],
      [12, 4, 2],
      [4, 12, 2],
      [12, 12, 2],
    ]);
  });
});

describe('non-maximum suppression', () => {
  const row = (cx: number, cy: number, size: number, objectness: number, ...classes: number[]): number[] => [
    cx,
    cy,
    size,
    size,
    objectness,
    ...classes,
  ];
  const candidates = (rows: number[][]) => ({ count: rows.length, stride: rows[0]?.length ?? 0, values: Float32Array.from(rows.flat()) });
  const settings = { confidence: 0.25, iou: 0.45, severalClassesPerBox: false };

  it('keeps the best of a class and lets other classes overlap', () => {
    const kept = suppress(candidates([row(10, 10, 8, 0.9, 0.6, 0.1), row(11, 10, 8, 1, 0.9, 0.1), row(10, 11, 8, 1, 0.1, 0.8)]), settings);
    expect(kept.map(({ score, class: label }) => [label, Number(score.toFixed(3))])).toEqual([
      [0, 0.9],
      [1, 0.8],
    ]);
  });

  it('counts every class above the confidence when asked to', () => {
    const several = suppress(candidates([row(10, 10, 8, 1, 0.6, 0.5)]), { ...settings, severalClassesPerBox: true });
    expect(several).toHaveLength(2);
    expect(suppress(candidates([row(10, 10, 8, 1, 0.6, 0.5)]), settings)).toHaveLength(1);
  });

  it('never keeps two boxes of a class that overlap too much, and loses no box without such a rival', () => {
    const box = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 30 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(fc.array(box, { maxLength: 40 }), (boxes) => {
        const rows = boxes.map(([x, y, size, objectness, first]) => row(x, y, size, objectness, first, 1 - first));
        const kept = suppress(candidates(rows), settings);
        for (const [index, a] of kept.entries()) {
          expect(a.score).toBeGreaterThan(settings.confidence);
          for (const b of kept.slice(index + 1)) {
            expect(a.score).toBeGreaterThanOrEqual(b.score);
            if (a.class === b.class) expect(intersectionOverUnion(a.box, b.box)).toBeLessThanOrEqual(settings.iou);
          }
        }
        const all = suppress(candidates(rows), { ...settings, iou: 1 });
        for (const candidate of all) {
          const explained = kept.some(
            (winner) =>
              winner.class === candidate.class &&
              winner.score >= candidate.score &&
              (intersectionOverUnion(winner.box, candidate.box) > settings.iou || winner.box.join() === candidate.box.join()),
          );
          expect(explained).toBe(true);
        }
      }),
    );
  });
});
