import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Box } from '../base/geometry';
import { boxAfterKey, draggedBox, drawnBox, gripAt, grips, smallestBoxPx, wholeBox } from './boxEditing';

const size = { width: 100, height: 60 };

describe('draggedBox', () => {
  it('moves, and stops at the edge with its size kept', () => {
    expect(draggedBox([10, 10, 30, 20], wholeBox, 5, -3, size)).toEqual([15, 7, 35, 17]);
    expect(draggedBox([10, 10, 30, 20], wholeBox, 500, -500, size)).toEqual([80, 0, 100, 10]);
  });

  it('pulls edges and corners, and turns over where they cross', () => {
    expect(draggedBox([10, 10, 30, 20], { x: 1, y: 0 }, 5, 9, size)).toEqual([10, 10, 35, 20]);
    expect(draggedBox([10, 10, 30, 20], { x: -1, y: -1 }, -4, -4, size)).toEqual([6, 6, 30, 20]);
    expect(draggedBox([10, 10, 30, 20], { x: -1, y: 0 }, 40, 0, size)).toEqual([30, 10, 50, 20]);
  });

  it('is always a box on the picture', () => {
    const side = (length: number) => fc.tuple(fc.double({ min: 0, max: length - 2, noNaN: true }), fc.double({ min: 2, max: length, noNaN: true }));
    fc.assert(
      fc.property(side(size.width), side(size.height), fc.constantFrom(wholeBox, ...grips), fc.double({ min: -300, max: 300, noNaN: true }), fc.double({ min: -300, max: 300, noNaN: true }), ([x, w], [y, h], grip, dx, dy) => {
        const box: Box = [x, y, Math.min(x + w, size.width), Math.min(y + h, size.height)];
        const [x1, y1, x2, y2] = draggedBox(box, grip, dx, dy, size);
        expect(Math.min(x1, y1)).toBeGreaterThanOrEqual(-1e-9);
        expect(x2).toBeLessThanOrEqual(size.width + 1e-9);
        expect(y2).toBeLessThanOrEqual(size.height + 1e-9);
        expect(Math.min(x2 - x1, y2 - y1)).toBeGreaterThanOrEqual(smallestBoxPx - 1e-9);
      }),
    );
  });
});

describe('drawnBox', () => {
  it('lies between the corners in any order, and ends with the picture', () => {
    expect(drawnBox({ x: 40, y: 30 }, { x: 10, y: 50 }, size)).toEqual([10, 30, 40, 50]);
    expect(drawnBox({ x: -5, y: 10 }, { x: 500, y: 20 }, size)).toEqual([0, 10, 100, 20]);
  });

  it('is none where the pointer was only pressed', () => {
    expect(drawnBox({ x: 10, y: 10 }, { x: 11, y: 30 }, size)).toBeUndefined();
  });
});

describe('gripAt', () => {
  it('finds the nearest corner or edge within reach', () => {
    const rectangle = { x: 0, y: 0, width: 40, height: 40 };
    expect(gripAt({ x: 39, y: 41 }, rectangle, 8)).toEqual({ x: 1, y: 1 });
    expect(gripAt({ x: 20, y: 3 }, rectangle, 8)).toEqual({ x: 0, y: -1 });
    expect(gripAt({ x: 20, y: 20 }, rectangle, 8)).toBeUndefined();
  });
});

describe('boxAfterKey', () => {
  const plain = { shiftKey: false, altKey: false };

  it('moves with the arrows, by ten with Shift', () => {
    expect(boxAfterKey([10, 10, 30, 20], { key: 'ArrowRight', ...plain }, size)).toEqual([11, 10, 31, 20]);
    expect(boxAfterKey([10, 10, 30, 20], { key: 'ArrowDown', ...plain, shiftKey: true }, size)).toEqual([10, 20, 30, 30]);
    expect(boxAfterKey([10, 10, 30, 20], { key: 'x', ...plain }, size)).toBeUndefined();
  });

  it('resizes with Alt, and never turns over', () => {
    expect(boxAfterKey([10, 10, 30, 20], { key: 'ArrowRight', shiftKey: false, altKey: true }, size)).toEqual([10, 10, 31, 20]);
    expect(boxAfterKey([10, 10, 15, 20], { key: 'ArrowLeft', shiftKey: true, altKey: true }, size)).toEqual([10, 10, 12, 20]);
  });
});
