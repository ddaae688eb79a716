import { describe, expect, it } from 'vitest';
import { rgb } from 'd3';
import { countPolarities, describeEventPixel, eventColours, noEventLevel, shrinkEvents, signedPixels, signedSlice } from './eventPixels';
import { rampColour, type Theme } from './palette';

const bytes = (colour: string): number[] => {
  const { r, g, b } = rgb(colour);
  return [r, g, b, 255];
};

describe.each<Theme>(['light', 'dark'])('colours of events, %s', (theme) => {
  it('are the two ends and the middle of the ramp', () => {
    const colours = eventColours(Int8Array.of(-1, 0, 1), theme);
    expect([...colours]).toEqual([0, 0.5, 1].flatMap((position) => bytes(rampColour('events', theme, position))));
  });

  it('fade with the age of an event and are clamped beyond 1', () => {
    const colours = eventColours(Float32Array.of(0.5, 2), theme);
    expect([...colours]).toEqual([0.75, 1].flatMap((position) => bytes(rampColour('events', theme, position))));
  });
});

describe('pictures of events', () => {
  it('are counted by polarity', () => {
    expect(countPolarities(Int8Array.of(-1, 0, 1, 1))).toEqual({ on: 2, off: 1 });
    expect(countPolarities(Float32Array.of(-0.3, 0, 1e-7, 0.01))).toEqual({ on: 1, off: 1 });
  });

  it('are described pixel by pixel', () => {
    const last = { kind: 'polarity', last: Int8Array.of(-1, 0, 1) } as const;
    expect([0, 1, 2].map((cell) => describeEventPixel(last, cell))).toEqual(['OFF', 'no event', 'ON']);
    const surface = { kind: 'surface', value: Float32Array.of(-0.25, 0) } as const;
    expect([0, 1].map((cell) => describeEventPixel(surface, cell))).toEqual(['OFF, freshness 25.0%', 'no event']);
    expect(signedPixels(surface)).toBe(surface.value);
  });
});

describe('input slices', () => {
  it('become signed around the level of no event', () => {
    const signed = signedSlice(Float32Array.of(0, noEventLevel, 1, noEventLevel / 2));
    expect(signed[0]).toBe(-1);
    expect(signed[1]).toBeCloseTo(0, 6);
    expect(signed[2]).toBe(1);
    expect(signed[3]).toBeCloseTo(-0.5, 6);
  });

  it('count no pixel without an event', () => {
    expect(countPolarities(signedSlice(Float32Array.of(noEventLevel, 0, 1, 0.498)))).toEqual({ on: 1, off: 1 });
  });
});

describe('smaller pictures of events', () => {
  it('show the strongest of the events that share a pixel', () => {
    const signed = Float32Array.of(0, 0.2, 0, 0, -0.9, 0, 0, 0.1);
    const { signed: shown, size } = shrinkEvents(signed, { width: 4, height: 2 }, { width: 2, height: 1 });
    expect(size).toEqual({ width: 2, height: 1 });
    expect([...shown]).toEqual([...Float32Array.of(-0.9, 0.1)]);
  });

  it('are never larger than the picture, nor empty', () => {
    const signed = Int8Array.of(1, 0, 0, -1);
    expect(shrinkEvents(signed, { width: 2, height: 2 }, { width: 9, height: 9 }).signed).toBe(signed);
    expect([...shrinkEvents(signed, { width: 2, height: 2 }, { width: 0.2, height: 2 }).signed]).toEqual([1, -1]);
  });
});
