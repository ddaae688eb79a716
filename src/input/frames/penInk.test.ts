import { expect, it } from 'vitest';
import { InkMask } from './penInk';

const areaOf = (mask: InkMask): number => mask.coverage.reduce((sum, value) => sum + value, 0);

it('a line covers the area of its stadium', () => {
  const mask = new InkMask(64);
  mask.line(12.3, 20.8, 45.1, 33.4, 3);
  const length = Math.hypot(45.1 - 12.3, 33.4 - 20.8);
  expect(areaOf(mask) / (length * 6 + Math.PI * 9)).toBeCloseTo(1, 1);
});

it('a hairline is as wide as a pixel and as pale as it is thin', () => {
  const mask = new InkMask(32);
  mask.line(4, 16.5, 28, 16.5, 0.25);
  expect(mask.coverage[16 * 32 + 16]).toBe(0.5);
});

it('the tight box holds the visible ink, exactly', () => {
  const mask = new InkMask(32);
  expect(mask.tightBox(0.4)).toBeUndefined();
  mask.line(10.5, 8.5, 10.5, 20.5, 2);
  // Covered by half at 8 and 12: the edge falls to 1/2 at the radius.
  expect(mask.tightBox(0.4)).toEqual([8, 6, 13, 23]);
  expect(mask.tightBox(0.6)).toEqual([9, 7, 12, 22]);
});

it('clearing leaves nothing, and what lies outside is not drawn', () => {
  const mask = new InkMask(16);
  mask.line(-5, 3, 20, 12, 2);
  expect(areaOf(mask)).toBeGreaterThan(20);
  mask.clear();
  expect(areaOf(mask)).toBe(0);
  mask.line(-50, -50, -40, -40, 3);
  expect(areaOf(mask)).toBe(0);
  expect(mask.tightBox(0.1)).toBeUndefined();
});
