import { describe, expect, it } from 'vitest';
import { lab } from 'd3';
import { classColour, classDash, inkOnColour, inkOnRamp, kindLook, rampColour, rampEntry, rampTable, spikeColour, type Theme } from './palette';

const themes: readonly Theme[] = ['light', 'dark'];
const surfaces: Record<Theme, string> = { light: '#ffffff', dark: '#151a22' };

const lightness = (theme: Theme, ramp: 'sequential' | 'diverging', position: number): number => lab(rampColour(ramp, theme, position)).l;

function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const { l } = lab(colour);
    return l > 8 ? ((l + 16) / 116) ** 3 : l / 903.3;
  };
  const [low, high] = [luminance(a), luminance(b)].sort((one, other) => one - other) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

describe.each(themes)('palette, %s', (theme) => {
  it('changes steadily in lightness along the sequential ramp', () => {
    const direction = theme === 'light' ? -1 : 1;
    for (let entry = 1; entry <= 20; entry++) {
      const change = lightness(theme, 'sequential', entry / 20) - lightness(theme, 'sequential', (entry - 1) / 20);
      expect(change * direction).toBeGreaterThan(0);
    }
  });

  it('changes steadily in lightness from the centre of the diverging ramp to both ends', () => {
    const direction = theme === 'light' ? -1 : 1;
    for (let entry = 1; entry <= 10; entry++) {
      for (const side of [-1, 1]) {
        const change = lightness(theme, 'diverging', 0.5 + (side * entry) / 20) - lightness(theme, 'diverging', 0.5 + (side * (entry - 1)) / 20);
        expect(change * direction).toBeGreaterThan(0);
      }
    }
  });

  it('tells below from above the centre by blue against orange', () => {
    expect(lab(rampColour('diverging', theme, 0.2)).b).toBeLessThan(-10);
    expect(lab(rampColour('diverging', theme, 0.8)).b).toBeGreaterThan(10);
  });

  it('tells ON from OFF events by orange against blue and by lightness, and both from no event', () => {
    const [off, none, on] = [0, 0.5, 1].map((position) => rampColour('events', theme, position)) as [string, string, string];
    expect(lab(off).b).toBeLessThan(-20);
    expect(lab(on).b).toBeGreaterThan(20);
    expect(Math.abs(lab(on).l - lab(off).l)).toBeGreaterThan(20);
    for (const colour of [on, off]) expect(contrast(colour, none)).toBeGreaterThan(3);
  });

  it('tells boxes compared with labels apart by dash and by colour', () => {
    const looks = (['matched', 'false', 'missed', 'truth'] as const).map((kind) => kindLook(theme, kind));
    expect(new Set(looks.map(({ dash }) => dash.join())).size).toBe(4);
    expect(new Set(looks.map(({ colour }) => colour)).size).toBe(4);
    for (const { colour } of looks) expect(contrast(colour, rampColour('events', theme, 0.5))).toBeGreaterThan(4.5);
  });

  it('has class and spike colours that stand out from the surface', () => {
    for (let index = 0; index < 8; index++) expect(contrast(classColour(theme, index), surfaces[theme])).toBeGreaterThan(3);
    expect(contrast(spikeColour(theme), surfaces[theme])).toBeGreaterThan(3);
  });

  it('never gives two of the first forty classes the same colour and dash', () => {
    const looks = Array.from({ length: 40 }, (_, index) => `${classColour(theme, index)} ${classDash(index).join()}`);
    expect(new Set(looks).size).toBe(40);
  });

  it('writes on every colour of a ramp with a contrast of 4.5 and more', () => {
    for (let entry = 0; entry <= 20; entry++) {
      expect(contrast(inkOnRamp('sequential', theme, entry / 20), rampColour('sequential', theme, entry / 20))).toBeGreaterThan(4.5);
    }
  });
});

describe('ramps', () => {
  it('clamps positions, and takes NaN for 0', () => {
    expect(rampEntry(-1)).toBe(0);
    expect(rampEntry(2)).toBe(255);
    expect(rampEntry(Number.NaN)).toBe(0);
  });

  it('makes a table once', () => {
    expect(rampTable('sequential', 'dark')).toBe(rampTable('sequential', 'dark'));
    expect(rampTable('sequential', 'dark')).toHaveLength(256 * 3);
  });

  it('writes in black on light and in white on dark', () => {
    expect(inkOnColour('#ffe080')).toBe('#000000');
    expect(inkOnColour('#402010')).toBe('#ffffff');
  });
});
