import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  brushedWindow,
  centreWindow,
  clampWindow,
  eventsWithin,
  extentOf,
  fewerBins,
  formatDuration,
  formatEventRate,
  formatWindow,
  moveWindow,
  rateColumns,
  resizeWindow,
  shortestWindowUs,
  thinOut,
  unitFor,
  windowOnKey,
  type TimeWindow,
} from './timeWindow';

const extent: TimeWindow = [1_000_000, 2_000_000];
const bins = { startUs: 1000, widthUs: 100, on: Uint32Array.of(1, 2, 3, 4, 5), off: [10, 0, 0, 0, 10] };

describe('windows', () => {
  it('are kept within the recording, with their width', () => {
    expect(clampWindow([900_000, 950_000], extent)).toEqual([1_000_000, 1_050_000]);
    expect(clampWindow([1_990_000, 2_040_000], extent)).toEqual([1_950_000, 2_000_000]);
    expect(clampWindow([0, 9_000_000], extent)).toEqual(extent);
  });

  it('are never shorter than the shortest, nor cut microseconds', () => {
    expect(clampWindow([1_500_000, 1_500_000], extent)).toEqual([1_500_000, 1_500_000 + shortestWindowUs]);
    expect(clampWindow([1_200_000.4, 1_250_000.4], extent)).toEqual([1_200_000, 1_250_000]);
  });

  it('move, stand on a time, and widen around their middle', () => {
    expect(moveWindow([1_100_000, 1_200_000], 50_000, extent)).toEqual([1_150_000, 1_250_000]);
    expect(centreWindow([1_100_000, 1_200_000], 1_500_000, extent)).toEqual([1_450_000, 1_550_000]);
    expect(resizeWindow([1_400_000, 1_600_000], 2, extent)).toEqual([1_300_000, 1_700_000]);
    expect(resizeWindow([1_000_000, 1_100_000], 2, extent)).toEqual([1_000_000, 1_200_000]);
  });

  it('stay in the recording whatever keys are pressed', () => {
    const keys = ['ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End', '+', '-'];
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...keys), fc.boolean()), { maxLength: 60 }), (presses) => {
        let window: TimeWindow = [1_400_000, 1_450_000];
        for (const [key, shift] of presses) window = windowOnKey(key, shift, window, extent) ?? window;
        const [from, to] = window;
        expect(from).toBeGreaterThanOrEqual(extent[0]);
        expect(to).toBeLessThanOrEqual(extent[1]);
        expect(to - from).toBeGreaterThanOrEqual(shortestWindowUs);
        expect(Number.isInteger(from) && Number.isInteger(to)).toBe(true);
      }),
    );
  });

  it('move by a tenth of their width, with Shift by all of it', () => {
    const window: TimeWindow = [1_400_000, 1_450_000];
    expect(windowOnKey('ArrowRight', false, window, extent)).toEqual([1_405_000, 1_455_000]);
    expect(windowOnKey('ArrowLeft', true, window, extent)).toEqual([1_350_000, 1_400_000]);
    expect(windowOnKey('Home', false, window, extent)).toEqual([1_000_000, 1_050_000]);
    expect(windowOnKey('End', false, window, extent)).toEqual([1_950_000, 2_000_000]);
    expect(windowOnKey('+', true, window, extent)).toEqual([1_393_750, 1_456_250]);
    expect(windowOnKey('x', false, window, extent)).toBeUndefined();
  });

  it('keep their width exactly when a brush moves them, and take its edges otherwise', () => {
    const before: TimeWindow = [1_400_000, 1_450_000];
    expect(brushedWindow([1_500_000.7, 1_550_000.2], true, before, extent)).toEqual([1_500_001, 1_550_001]);
    expect(brushedWindow([1_400_000.2, 1_470_000.4], false, before, extent)).toEqual([1_400_000, 1_470_000]);
  });
});

describe('event rates', () => {
  it('cover the time of the bins', () => {
    expect(extentOf(bins)).toEqual([1000, 1500]);
  });

  it('are put together without losing an event', () => {
    const fewer = fewerBins(bins, 3);
    expect(fewer.widthUs).toBe(200);
    expect(Array.from(fewer.on)).toEqual([3, 7, 5]);
    expect(Array.from(fewer.off)).toEqual([10, 0, 10]);
    expect(fewerBins(bins, 5)).toBe(bins);
  });

  it('are per second, also in a last column that is shorter', () => {
    const columns = rateColumns(bins, 3);
    expect(columns[0]).toEqual({ fromUs: 1000, toUs: 1200, on: 15_000, off: 50_000 });
    expect(columns[2]).toEqual({ fromUs: 1400, toUs: 1500, on: 50_000, off: 100_000 });
    expect(rateColumns({ ...bins, on: [], off: [] }, 3)).toEqual([]);
  });

  it('give the events of a window by the share of a bin inside', () => {
    expect(eventsWithin(bins, [1000, 1500])).toBe(35);
    expect(eventsWithin(bins, [1050, 1200])).toBe(8);
    expect(eventsWithin(bins, [0, 900])).toBe(0);
    expect(eventsWithin(bins, [1450, 9000])).toBe(8);
  });
});

describe('texts of times', () => {
  it('have the decimals that tell the ends of a window apart', () => {
    const seconds = unitFor(60e6);
    expect(formatWindow([1_200_000, 1_250_000], seconds)).toBe('1.200–1.250 s');
    expect(formatWindow([0, 30_000_000], seconds)).toBe('0–30 s');
    expect(formatWindow([1_200_000, 1_200_100], seconds)).toBe('1.20000–1.20010 s');
    expect(formatWindow([2000, 2500], unitFor(5000))).toBe('2.00–2.50 ms');
    expect(formatWindow([20, 25], unitFor(500))).toBe('20–25 µs');
  });

  it('have a unit that suits', () => {
    expect([800, 50_000, 1_250_000].map(formatDuration)).toEqual(['800 µs', '50 ms', '1.25 s']);
    expect([0, 0.25, 950, 247_000, 1.5e6].map(formatEventRate)).toEqual(['0/s', '0.25/s', '950/s', '247k/s', '1.5M/s']);
  });
});

describe('marks', () => {
  it('are thinned out where they would run into each other', () => {
    expect(thinOut([5, 1, 1.2, 2.5, 9], 1)).toEqual([1, 2.5, 5, 9]);
  });
});
