import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bfloatToFloat, floatToHalf, halfToFloat } from './floats';

/** The finite half nearest to a number by looking at every one, ties to the even; slow and plain. */
function nearestHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // Infinity stands where the next half, 65536, would be.
  const at = (half: number): number => (half === 0x7c00 ? 65536 : halfToFloat(half));
  let low = 0;
  let high = 0x7c00;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const below = magnitude - at(low);
  const above = at(high) - magnitude;
  const nearer = below < above || (below === above && low % 2 === 0) ? low : high;
  return sign | nearer;
}

describe('float16', () => {
  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
  ])('%i is %d', (half, value) => {
    expect(halfToFloat(half)).toBe(value);
  });

  it('survives the way to float32 and back, all 65536 of them', () => {
    for (let half = 0; half < 65536; half++) {
      const value = halfToFloat(half);
      if (Number.isNaN(value)) expect(floatToHalf(value) & 0x7fff).toBe(0x7e00);
      else if (floatToHalf(value) !== half) expect.fail(`${half} came back as ${floatToHalf(value)}`);
    }
  });

  it('rounds halfway cases to the even one', () => {
    for (let half = 0; half < 0x7bff; half++) {
      const halfway = (halfToFloat(half) + halfToFloat(half + 1)) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      if (floatToHalf(halfway) !== even || floatToHalf(-halfway) !== (even | 0x8000)) expect.fail(`${halfway} is not ${even}`);
    }
  });

  it.each([
    [65519.99609375, 0x7bff],
    [65520, 0x7c00],
    [1e30, 0x7c00],
    [-Infinity, 0xfc00],
    [2 ** -25, 0x0000],
    [2 ** -25 * (1 + 2 ** -23), 0x0001],
    [-(2 ** -149), 0x8000],
    [2 ** -14 - 2 ** -38, 0x0400],
  ])('%d becomes %i', (value, half) => {
    expect(floatToHalf(value)).toBe(half);
  });

  it('rounds any float32 to the nearest', () => {
    const anyFloat = fc.float({ noNaN: true });
    const smallFloat = fc.float({ noNaN: true, min: Math.fround(-2e-4), max: Math.fround(2e-4) });
    fc.assert(
      fc.property(fc.oneof(anyFloat, smallFloat), (value) => {
        expect(floatToHalf(value)).toBe(nearestHalf(value));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bfloat16', () => {
  it.each([
    [0x3f80, 1],
    [0xc049, -3.140625],
    [0x0001, 2 ** -133],
    [0x8000, -0],
    [0x7f80, Infinity],
    [0x7fc0, NaN],
  ])('%i is %d', (bfloat, value) => {
    expect(bfloatToFloat(bfloat)).toBe(value);
  });
});
