import { describe, expect, it } from 'vitest';
import { coveringRate } from './coveringRate';

const rate = { startUs: 1200, widthUs: 100, on: Uint32Array.of(1, 2), off: Uint32Array.of(3, 4) };

describe('the rate that the timeline shows', () => {
  it('begins at zero where the clock begins near it, and holds the window', () => {
    const shown = coveringRate(rate, -250, 1500);
    expect(shown.startUs).toBe(-300);
    expect(shown.on).toHaveLength(18);
    expect([...shown.on.subarray(15, 18)]).toEqual([1, 2, 0]);
    expect([...shown.off.subarray(15, 18)]).toEqual([3, 4, 0]);
  });

  it('is left as it is where it holds the window already, on a clock that begins anywhere', () => {
    const day = { ...rate, startUs: 1.6e15 };
    expect(coveringRate(day, 1.6e15, 1.6e15 + 200)).toBe(day);
  });

  it('never grows without end', () => {
    expect(coveringRate(rate, -1e12, 1500)).toBe(rate);
  });
});
