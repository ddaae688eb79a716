import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../base/random';
import { completeIou, matchTargets, scaledGains, yoloLoss, type TrainingTarget } from './loss';

const side = fc.double({ min: 0.3, max: 4, noNaN: true });
const place = fc.double({ min: -1.5, max: 1.5, noNaN: true });
const box = fc.record({ x: place, y: place, width: side, height: side });

describe('CIoU', () => {
  it('is 1 for equal boxes and falls with distance', () => {
    const square = { x: 0, y: 0, width: 2, height: 2 };
    expect(completeIou(square, square).value).toBeCloseTo(1, 6);
    // Apart by three sides: no overlap, distance 36 over a hull of 8 x 2.
    expect(completeIou({ ...square, x: 6 }, square).value).toBeCloseTo(-36 / (64 + 4), 6);
  });

  it('has the derivative that finite differences show, with alpha held', () => {
    fc.assert(
      fc.property(box, box, fc.constantFrom('x', 'y', 'width', 'height'), (a, b, part) => {
        const step = 1e-5;
        const { value, slope } = completeIou(a, b);
        const shape = (p: typeof a): number => (4 / Math.PI ** 2) * (Math.atan(b.width / b.height) - Math.atan(p.width / p.height)) ** 2;
        const alphaAt = (p: typeof a): number => {
          const v = shape(p);
          return v < 1e-12 ? 0 : (iouOf(p, b) - distanceShare(p, b) - completeIou(p, b).value) / v;
        };
        const alpha = alphaAt(a);
        const held = (p: typeof a): number => iouOf(p, b) - distanceShare(p, b) - alpha * shape(p);
        const numeric = (held({ ...a, [part]: a[part] + step }) - held({ ...a, [part]: a[part] - step })) / (2 * step);
        fc.pre(Math.abs(numeric) < 100 && Number.isFinite(value) && smooth(a, b));
        expect(slope[part]).toBeCloseTo(numeric, 2);
      }),
    );
  });
});

/** Where edges coincide, CIoU has a kink and no derivative. */
function smooth(a: { x: number; y: number; width: number; height: number }, b: typeof a): boolean {
  const edges = (p: typeof a): number[] => [p.x - p.width / 2, p.x + p.width / 2, p.y - p.height / 2, p.y + p.height / 2];
  const [al = 0, ar = 0, at = 0, ab = 0] = edges(a);
  const [bl = 0, br = 0, bt = 0, bb = 0] = edges(b);
  return [al - bl, ar - br, at - bt, ab - bb, al - br, ar - bl, at - bb, ab - bt].every((gap) => Math.abs(gap) > 1e-3);
}

function iouOf(a: { x: number; y: number; width: number; height: number }, b: typeof a): number {
  const across = Math.max(0, Math.min(a.x + a.width / 2, b.x + b.width / 2) - Math.max(a.x - a.width / 2, b.x - b.width / 2));
  const down = Math.max(0, Math.min(a.y + a.height / 2, b.y + b.height / 2) - Math.max(a.y - a.height / 2, b.y - b.height / 2));
  return (across * down) / (a.width * a.height + b.width * b.height - across * down);
}

function distanceShare(a: { x: number; y: number; width: number; height: number }, b: typeof a): number {
  const across = Math.max(a.x + a.width / 2, b.x + b.width / 2) - Math.min(a.x - a.width / 2, b.x - b.width / 2);
  const down = Math.max(a.y + a.height / 2, b.y + b.height / 2) - Math.min(a.y - a.height / 2, b.y - b.height / 2);
  return ((a.x - b.x) ** 2 + (a.y - b.y) ** 2) / (across ** 2 + down ** 2);
}

const grid = { images: 1, height: 4, width: 4, anchors: [1, 1, 2, 2, 3, 3] };
const target = (change: Partial<TrainingTarget> = {}): TrainingTarget => ({ image: 0, class: 0, x: 0.6, y: 0.55, width: 0.4, height: 0.3, ...change });

describe('targets', () => {
  it('go to the cell and the two nearest neighbours, at the anchors of a like shape', () => {
    // Centre at (2.4, 2.2) of 4 cells: left and upper neighbours. Sides 1.6 and 1.2 differ from 1, 2 and 3 by less than 4.
    const cells = matchTargets(grid, [target()]).map(({ anchor, row, column }) => [anchor, row, column].join());
    expect(new Set(cells)).toEqual(new Set([0, 1, 2].flatMap((anchor) => [`${anchor},2,2`, `${anchor},2,1`, `${anchor},1,2`])));
  });

  it('leave out anchors that are four times smaller or larger', () => {
    const wide = matchTargets({ ...grid, anchors: [0.4, 1.2, 1.6, 1.2] }, [target()]);
    expect(new Set(wide.map(({ anchor }) => anchor))).toEqual(new Set([1]));
  });

  it('have no neighbours outside the picture', () => {
    const cells = matchTargets(grid, [target({ x: 0.05, y: 0.98 })]);
    for (const { row, column } of cells) {
      expect(row).toBeGreaterThanOrEqual(0);
      expect(row).toBeLessThan(4);
      expect(column).toBeGreaterThanOrEqual(0);
    }
  });
});

describe('the loss', () => {
  it('has the gradient that finite differences show', () => {
    const random = seededRandom(3);
    const classes = 3;
    const logits = Float32Array.from({ length: 4 * 4 * 3 * (5 + classes) }, () => random() * 2 - 1);
    const targets = [target(), target({ class: 2, x: 0.21, y: 0.83 })];
    const gains = { box: 0.05, objectness: 0, class: 0.5 };
    const at = (values: Float32Array) => yoloLoss([{ ...grid, logits: values }], targets, classes, gains);
    const { gradients } = at(logits);
    const [gradient = new Float32Array()] = gradients;
    const step = 1e-2;
    let compared = 0;
    gradient.forEach((slope, index) => {
      if (slope === 0) return;
      const moved = (by: number): number => {
        const values = logits.slice();
        values[index] = (values[index] ?? 0) + by;
        return at(values).total;
      };
      // Alpha is held in the gradient and moves in the difference: a small share of the box term.
      expect(Math.abs((moved(step) - moved(-step)) / (2 * step) - slope)).toBeLessThan(2e-4 + 0.1 * Math.abs(slope));
      compared++;
    });
    expect(compared).toBeGreaterThan(50);
  });

  it('wants objectness to be the box’s CIoU, and nothing elsewhere', () => {
    const logits = new Float32Array(4 * 4 * 3 * 6);
    const { gradients, objectness } = yoloLoss([{ ...grid, logits }], [], 1, { box: 0, objectness: 1, class: 0 });
    // All logits 0: cross-entropy log 2 everywhere, weighted by 4 at the finest scale.
    expect(objectness).toBeCloseTo(4 * Math.log(2), 6);
    expect(gradients[0]?.[4]).toBeCloseTo((4 * 0.5) / 48, 7);
  });

  it('scales its gains as the released script does', () => {
    expect(scaledGains({ box: 0.05, objectness: 1, class: 0.5 }, 2, 3, 256)).toEqual({ box: expect.closeTo(0.075, 9), objectness: expect.closeTo(0.24, 9), class: expect.closeTo(0.028125, 9) });
  });
});
