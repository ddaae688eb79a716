import { describe, expect, it } from 'vitest';
import { defaultSimulatorSettings, type SimulatorSettings } from '../../base/eventOptions';
import { EventColumns } from './events';
import { EventSimulator, logLuminance } from './simulator';
import { rowsOf } from './testing';

const exact: SimulatorSettings = { ...defaultSimulatorSettings, onThreshold: 0.2, offThreshold: 0.2, thresholdSpread: 0, refractoryUs: 0 };
const one = { width: 1, height: 1 };

function film(size: { width: number; height: number }, settings: SimulatorSettings, frames: readonly (readonly [timeUs: number, luminance: ArrayLike<number>])[], seed = 1): EventColumns {
  const simulator = new EventSimulator(size, settings, seed);
  const events = new EventColumns();
  for (const [timeUs, luminance] of frames) simulator.frame(luminance, timeUs, events);
  return events;
}

describe('a pixel', () => {
  it('sends as many events as the logarithm crosses thresholds, at the times of crossing', () => {
    // From 50 to 150 the logarithm rises by ln 3 = 1.0986: five thresholds of 0.2.
    const events = film(one, exact, [
      [0, [50]],
      [10_000, [150]],
    ]);
    const expected = [1, 2, 3, 4, 5].map((level) => [Math.round((level * 0.2 * 10_000) / Math.log(3)), 0, 0, 1]);
    expect(rowsOf(events)).toEqual(expected);
  });

  it('sends OFF events on the way down, from the level of the last event', () => {
    const events = film(one, exact, [
      [0, [100]],
      [1000, [130]],
      [2000, [100]],
    ]);
    // Up by 0.262: one ON at +0.2. Down from there by 0.2: reached exactly at the start's level.
    expect(rowsOf(events).map(([, , , p]) => p)).toEqual([1, 0]);
  });

  it('rests for its refractory time, while its level moves on', () => {
    const fast = film(one, { ...exact, refractoryUs: 5000 }, [
      [0, [50]],
      [10_000, [150]],
      [20_000, [150]],
    ]);
    expect(fast.count).toBe(2);
  });

  it('sends as many OFF events as ON events when its luminance comes back, whatever the thresholds add up to', () => {
    // Sums of 0.2 are not exact: without a tolerance, one in fourteen of these pairs lacks its last event.
    for (let dark = 20; dark < 256; dark += 3) {
      for (let bright = dark + 20; bright < 256; bright += 7) {
        const events = film(one, exact, [
          [0, [dark]],
          [1000, [bright]],
          [2000, [dark]],
        ]);
        const polarities = rowsOf(events).map(([, , , p]) => p);
        expect(polarities.filter((p) => p === 0)).toHaveLength(polarities.filter((p) => p === 1).length);
      }
    }
  });

  it('in the dark follows a straight line and not the logarithm', () => {
    expect(logLuminance(0)).toBe(0);
    expect(logLuminance(10)).toBeCloseTo(Math.log(20) / 2, 10);
    expect(logLuminance(20)).toBeCloseTo(Math.log(20), 10);
  });
});

describe('a moving edge', () => {
  it('gives every pixel that it passes the same number of events, ON in front and OFF behind', () => {
    const size = { width: 32, height: 4 };
    // A bright bar, 8 pixels wide, moves by one pixel a frame over 16 pixels.
    const frame = (left: number): number[] => Array.from({ length: 128 }, (_, pixel) => (pixel % 32 >= left && pixel % 32 < left + 8 ? 200 : 40));
    const events = film(size, { ...exact, offThreshold: 0.3 }, Array.from({ length: 17 }, (_, index) => [index * 1000, frame(index)] as const));
    // ln 5 = 1.609: eight steps of 0.2 up, and down again five of 0.3, from the eighth step as from the bright bar itself.
    const rows = rowsOf(events);
    // 16 columns brighten and 16 darken, in 4 rows.
    const on = rows.filter(([, , , p]) => p === 1);
    expect(on).toHaveLength(16 * 4 * 8);
    const off = rows.filter(([, , , p]) => p === 0);
    expect(off).toHaveLength(16 * 4 * 5);
    expect(new Set(on.map(([, x]) => x))).toEqual(new Set(Array.from({ length: 16 }, (_, index) => index + 8)));
    for (let index = 1; index < rows.length; index++) expect(rows[index]?.[0]).toBeGreaterThanOrEqual(rows[index - 1]?.[0] ?? NaN);
  });
});

describe('noise', () => {
  const size = { width: 64, height: 64 };
  const still = (frames: number): [number, Uint8Array][] => Array.from({ length: frames }, (_, index) => [index * 100_000, new Uint8Array(4096)]);

  it('is none without settings for it', () => {
    expect(film(size, exact, still(5)).count).toBe(0);
  });

  it('of the leak comes as ON events at its rate', () => {
    const events = film(size, { ...exact, leakRateHz: 2 }, still(21));
    expect(events.count).toBe(4096 * 4);
    expect(rowsOf(events).every(([, , , p]) => p === 1)).toBe(true);
    // Pixels leak independently of each other, each four times at the same place of its period: a tenth of the period holds 1638
    // events, and five deviations of four times a binomial count of 4096 pixels are 384.
    const inTenth = Array.from({ length: 10 }, (_, tenth) => rowsOf(events).filter(([t = 0]) => Math.floor((t % 500_000) / 50_000) === tenth).length);
    for (const count of inTenth) expect(Math.abs(count - 1638)).toBeLessThan(384);
  });

  it('of the light comes at its rate, in both polarities, and less in the light', () => {
    const dark = film(size, { ...exact, shotNoiseRateHz: 1 }, still(21));
    // 8192 are expected; five deviations of a Poisson count are 453.
    expect(Math.abs(dark.count - 8192)).toBeLessThan(453);
    const on = rowsOf(dark).filter(([, , , p]) => p === 1).length;
    expect(Math.abs(on - dark.count / 2)).toBeLessThan(230);
    const light = film(size, { ...exact, shotNoiseRateHz: 1 }, Array.from({ length: 21 }, (_, index) => [index * 100_000, new Uint8Array(4096).fill(255)] as const));
    expect(Math.abs(light.count - 2048)).toBeLessThan(227);
  });

  it('of the light comes at its rate where the scene sends events too', () => {
    // Every pixel crosses its threshold once in each interval, near its end.
    const blinking = Array.from({ length: 21 }, (_, index) => [index * 100_000, new Uint8Array(4096).fill(index % 2 === 0 ? 4 : 0)] as const);
    const settings = { ...exact, onThreshold: 0.5, offThreshold: 0.5 };
    const crossings = film(size, settings, blinking).count;
    expect(crossings).toBe(4096 * 20);
    const noise = film(size, { ...settings, shotNoiseRateHz: 1 }, blinking).count - crossings;
    expect(Math.abs(noise - 8192)).toBeLessThan(453);
  });

  it('keeps to the refractory time together with the events of the scene', () => {
    const blinking = Array.from({ length: 21 }, (_, index) => [index * 10_000, new Uint8Array(4096).fill(index % 2 === 0 ? 200 : 20)] as const);
    const events = film(size, { ...exact, refractoryUs: 3000, shotNoiseRateHz: 50, leakRateHz: 10 }, blinking);
    const last = new Map<number, number>();
    let shortest = Infinity;
    for (const [t = 0, x = 0, y = 0] of rowsOf(events)) {
      shortest = Math.min(shortest, t - (last.get(y * 64 + x) ?? -Infinity));
      last.set(y * 64 + x, t);
    }
    expect(shortest).toBeGreaterThanOrEqual(3000);
  });
});

it('the same seed gives the same events, another seed others', () => {
  const settings = { ...exact, thresholdSpread: 0.1, shotNoiseRateHz: 5 };
  const frames = Array.from({ length: 5 }, (_, index) => [index * 10_000, Uint8Array.from({ length: 256 }, (_, pixel) => (pixel * index * 7) % 256)] as const);
  const run = (seed: number): unknown => rowsOf(film({ width: 16, height: 16 }, settings, frames, seed));
  expect(run(3)).toEqual(run(3));
  expect(run(3)).not.toEqual(run(4));
});
