import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellAt, cellsPerRow, fitGrid, fitInto, moveInGrid, moveInList, placeBox, placeLabels, smallestAt, type LabelRequest } from './placement';

describe('fitting', () => {
  it('centres a picture with its aspect kept', () => {
    expect(fitInto({ width: 640, height: 480 }, { width: 320, height: 320 })).toEqual({ scale: 0.5, x: 0, y: 40 });
  });

  it('gives cells whole device pixels where they are large', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 80 }), fc.constantFrom(1, 1.25, 1.5, 2, 3), (width, height, ratio) => {
        const pane = { width: 333, height: 271 };
        const { scale, x, y } = fitGrid({ width, height }, pane, ratio);
        expect(x).toBeGreaterThanOrEqual(0);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(width * scale).toBeLessThanOrEqual(pane.width + 1e-9);
        expect(height * scale).toBeLessThanOrEqual(pane.height + 1e-9);
        expect(scale * ratio).toBeCloseTo(Math.round(scale * ratio), 9);
        expect(x * ratio).toBeCloseTo(Math.round(x * ratio), 9);
      }),
    );
  });

  it('fits grids of more cells than pixels exactly', () => {
    expect(fitGrid({ width: 400, height: 400 }, { width: 200, height: 200 }, 1).scale).toBe(0.5);
  });

  it('finds the cell under a point and none beside the grid', () => {
    const grid = { width: 4, height: 2 };
    const placement = { x: 10, y: 20, scale: 5 };
    expect(cellAt({ x: 10, y: 20 }, grid, placement)).toEqual({ x: 0, y: 0 });
    expect(cellAt({ x: 29.9, y: 29.9 }, grid, placement)).toEqual({ x: 3, y: 1 });
    expect(cellAt({ x: 30, y: 25 }, grid, placement)).toBeUndefined();
    expect(cellAt({ x: 9.9, y: 25 }, grid, placement)).toBeUndefined();
  });

  it('places boxes and finds the smallest one under the pointer', () => {
    const boxes = [[0, 0, 100, 100] as const, [40, 40, 60, 60] as const].map((box) => placeBox(box, { x: 5, y: 0, scale: 2 }));
    expect(boxes[1]).toEqual({ x: 85, y: 80, width: 40, height: 40 });
    expect(smallestAt({ x: 100, y: 100 }, boxes, 0)).toBe(1);
    expect(smallestAt({ x: 20, y: 20 }, boxes, 0)).toBe(0);
    expect(smallestAt({ x: 4, y: 20 }, boxes, 0)).toBeUndefined();
    expect(smallestAt({ x: 4, y: 20 }, boxes, 2)).toBe(0);
  });
});

describe('labels', () => {
  const pane = { width: 200, height: 100 };
  const label = (x: number, y: number, forced = false): LabelRequest => ({ target: { x, y, width: 40, height: 30 }, width: 50, height: 15, forced });
  const all = pane.width * pane.height;

  it('stand above their box, or below it where there is no room', () => {
    expect(placeLabels([label(10, 40), label(100, 5)], pane, all)).toEqual([
      { x: 10, y: 25, width: 50, height: 15 },
      { x: 100, y: 35, width: 50, height: 15 },
    ]);
  });

  it('leave out a worse one that has no place, but never a forced one', () => {
    const same = [label(10, 40), label(10, 40), label(10, 40), label(10, 40)];
    expect(placeLabels(same, pane, all).map((place) => place !== undefined)).toEqual([true, true, true, false]);
    const [, , , forced] = placeLabels([...same.slice(0, 3), label(10, 40, true)], pane, all);
    expect(forced).toEqual({ x: 10, y: 25, width: 50, height: 15 });
  });

  it('cover no more than they may together', () => {
    const places = placeLabels([label(0, 40), label(60, 40), label(120, 40)], pane, 2 * 50 * 15);
    expect(places.map((place) => place !== undefined)).toEqual([true, true, false]);
  });

  it('never overlap and never leave the pane', () => {
    const anywhere = fc.record({ x: fc.integer({ min: -20, max: 190 }), y: fc.integer({ min: -20, max: 95 }) });
    fc.assert(
      fc.property(fc.array(anywhere, { maxLength: 40 }), (spots) => {
        const places = placeLabels(spots.map(({ x, y }) => label(x, y)), pane, all).filter((place) => place !== undefined);
        places.forEach((a, index) => {
          expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= pane.width && a.y + a.height <= pane.height).toBe(true);
          for (const b of places.slice(index + 1)) {
            expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(true);
          }
        });
      }),
    );
  });
});

describe('keys', () => {
  it('show a grid cursor first, then move it and stop at the edges', () => {
    const grid = { width: 5, height: 3 };
    expect(moveInGrid('ArrowRight', undefined, grid)).toEqual({ x: 2, y: 1 });
    expect(moveInGrid('ArrowRight', { x: 2, y: 1 }, grid)).toEqual({ x: 3, y: 1 });
    expect(moveInGrid('ArrowRight', { x: 4, y: 1 }, grid)).toEqual({ x: 4, y: 1 });
    expect(moveInGrid('PageDown', { x: 4, y: 1 }, grid)).toEqual({ x: 4, y: 2 });
    expect(moveInGrid('Tab', { x: 4, y: 1 }, grid)).toBeUndefined();
  });

  it('walk a list', () => {
    expect(moveInList('ArrowDown', undefined, 3)).toBe(0);
    expect(moveInList('ArrowUp', undefined, 3)).toBe(2);
    expect(moveInList('ArrowRight', 2, 3)).toBe(2);
    expect(moveInList('Home', 2, 3)).toBe(0);
    expect(moveInList('ArrowDown', undefined, 0)).toBeUndefined();
    expect(moveInList('a', 1, 3)).toBeUndefined();
  });

  it('count the cells that fit side by side', () => {
    expect([0, 30, 65, 66, 102].map((width) => cellsPerRow(width, 30, 6))).toEqual([1, 1, 1, 2, 3]);
  });
});
