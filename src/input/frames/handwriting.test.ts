import { expect, it } from 'vitest';
import { enlarge, enlargedSide, middleLines } from './handwriting';

/** A digit painted by a rule: pixel (x, y) is ink where the rule holds. */
function painted(isInk: (x: number, y: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 28 * 28 }, (_, pixel) => (isInk(pixel % 28, Math.floor(pixel / 28)) ? 255 : 0));
}

it('enlargement keeps ink where it was: areas and the centre agree', () => {
  const enlarged = enlarge(painted((x, y) => x >= 8 && x < 14 && y >= 5 && y < 20));
  let [area, sumX, sumY] = [0, 0, 0];
  enlarged.forEach((value, pixel) => {
    area += value / 9;
    sumX += (value / 9) * (((pixel % enlargedSide) + 0.5) / 3);
    sumY += (value / 9) * ((Math.floor(pixel / enlargedSide) + 0.5) / 3);
  });
  expect(area).toBeCloseTo(6 * 15, 0);
  expect(sumX / area).toBeCloseTo(11, 3);
  expect(sumY / area).toBeCloseTo(12.5, 3);
  expect(Math.max(...enlarged)).toBe(1);
});

it('a bar becomes one line along its middle', () => {
  const { x, y, lines } = middleLines(enlarge(painted((column, row) => column >= 12 && column < 16 && row >= 4 && row < 24)));
  // From a place near the ends of the bar; half its width is lost to the pen's round end.
  expect(Math.min(...y)).toBeLessThan(7);
  expect(Math.max(...y)).toBeGreaterThan(21);
  for (const place of x) expect(Math.abs(place - 14)).toBeLessThan(0.5);
  // As many connections as points but one: no branches, no gaps.
  expect(lines.length / 2).toBe(x.length - 1);
});

it('a ring stays closed: each point has two neighbours or more', () => {
  const ring = painted((x, y) => Math.abs(Math.hypot(x - 13.5, y - 13.5) - 8) < 1.6);
  const { x, y, lines } = middleLines(enlarge(ring));
  const degree = new Map<number, number>();
  for (const point of lines) degree.set(point, (degree.get(point) ?? 0) + 1);
  for (const count of degree.values()) expect(count).toBeGreaterThanOrEqual(2);
  // Half-pixel centres: pixel 13.5 lies at 14.
  x.forEach((place, point) => expect(Math.abs(Math.hypot(place - 14, (y[point] ?? 0) - 14) - 8)).toBeLessThan(0.6));
});

it('bumps on a thick stroke leave no side branches', () => {
  const bumpy = painted((x, y) => y >= 4 && y < 24 && x >= 10 && x < 16 + (y % 6 === 0 ? 1 : 0));
  const { x, lines } = middleLines(enlarge(bumpy));
  expect(lines.length / 2).toBe(x.length - 1);
});

it('a dot stays a dot, and no ink gives no lines', () => {
  const { x, lines } = middleLines(enlarge(painted((column, row) => column >= 13 && column < 15 && row >= 13 && row < 15)));
  expect(x.length).toBeGreaterThan(0);
  expect(lines.length).toBeGreaterThan(0);
  expect(middleLines(enlarge(new Uint8Array(784))).lines).toHaveLength(0);
});
