import { piecewise, interpolateLab, rgb } from 'd3';

export type Theme = 'light' | 'dark';

/**
 * Data colours. Every ramp changes steadily in lightness, so that it also reads in grey; blue against orange is told apart
 * with every common colour blindness. Orange means activity throughout: above the threshold, spiking, a high rate.
 */
const sequentialStops: Record<Theme, readonly string[]> = {
  light: ['#fbf6ee', '#f9cf9c', '#ee9348', '#c2530f', '#6a2403'],
  dark: ['#1d222b', '#55301a', '#a4561f', '#ec9442', '#ffe3b8'],
};

const divergingStops: Record<Theme, readonly string[]> = {
  light: ['#0a3a6b', '#2f7ab6', '#93c3e2', '#f4f3f0', '#f6b784', '#d8642a', '#7d2a05'],
  dark: ['#b4dcff', '#559fdc', '#295680', '#242932', '#7c4019', '#e57f31', '#ffd9ab'],
};

/**
 * Darker (OFF), no event, brighter (ON). The two also differ in lightness, so that they are told apart in grey; ON is the orange of
 * activity.
 */
const eventStops: Record<Theme, readonly string[]> = {
  light: ['#0b4582', '#edeff2', '#dd5a12'],
  dark: ['#3c88d0', '#0c1016', '#ffb463'],
};

/** Okabe and Ito's hues, darkened for light surfaces and lightened for dark ones to keep a contrast of 3:1 and more. */
const classColours: Record<Theme, readonly string[]> = {
  light: ['#c2410c', '#0069a8', '#00785a', '#a13e7f', '#8a6100', '#3a55c4', '#5b6470', '#8f1d2c'],
  dark: ['#ff9d5c', '#5cc0f5', '#3ecfa4', '#f095cf', '#f0d84a', '#9db0ff', '#c3cad6', '#ff8f9c'],
};

/** Lengths of dashes and gaps in CSS pixels: colour is never the only difference between two classes. */
const classDashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3], [14, 4]];

const spikeColours: Record<Theme, string> = { light: '#c2410c', dark: '#ff9d4d' };

const tableSize = 256;

export type Ramp = 'sequential' | 'diverging' | 'events';

const rampStops: Record<Ramp, Record<Theme, readonly string[]>> = {
  sequential: sequentialStops,
  diverging: divergingStops,
  events: eventStops,
};

const tables = new Map<string, Uint8ClampedArray>();

/** 256 colours of a ramp as `[256, 3]` bytes of RGB, made once. */
export function rampTable(ramp: Ramp, theme: Theme): Uint8ClampedArray {
  const key = `${ramp} ${theme}`;
  const known = tables.get(key);
  if (known) return known;
  const interpolate = piecewise(interpolateLab, [...rampStops[ramp][theme]]);
  const table = new Uint8ClampedArray(tableSize * 3);
  for (let entry = 0; entry < tableSize; entry++) {
    const { r, g, b } = rgb(interpolate(entry / (tableSize - 1)));
    table.set([r, g, b], entry * 3);
  }
  tables.set(key, table);
  return table;
}

/** Which entry of a {@link rampTable} shows a position in [0, 1]; positions outside are clamped, NaN is shown as 0. */
export function rampEntry(position: number): number {
  if (!(position > 0)) return 0;
  return position >= 1 ? tableSize - 1 : Math.round(position * (tableSize - 1));
}

/** The CSS colour at a position in [0, 1] of a ramp. */
export function rampColour(ramp: Ramp, theme: Theme, position: number): string {
  const table = rampTable(ramp, theme);
  const at = rampEntry(position) * 3;
  return `rgb(${table[at]}, ${table[at + 1]}, ${table[at + 2]})`;
}

/** Black or white, whichever reads better on the colour at this position of a ramp. */
export function inkOnRamp(ramp: Ramp, theme: Theme, position: number): string {
  const table = rampTable(ramp, theme);
  const at = rampEntry(position) * 3;
  return inkOn([table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0]);
}

/** Black or white on a CSS colour. */
export function inkOnColour(colour: string): string {
  const { r, g, b } = rgb(colour);
  return inkOn([r, g, b]);
}

/** WCAG 2 relative luminance; 0.179 is where black and white have the same contrast. */
function inkOn(channels: readonly [number, number, number]): string {
  const [r, g, b] = channels.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000000' : '#ffffff';
}

/** The same colour for a class wherever it is shown. */
export function classColour(theme: Theme, classIndex: number): string {
  return classColours[theme][classIndex % classColours[theme].length] ?? spikeColours[theme];
}

/** The dash pattern of a class, solid for the first; with the colours it repeats after 40 classes. */
export function classDash(classIndex: number): readonly number[] {
  return classDashes[classIndex % classDashes.length] ?? [];
}

/**
 * How a box compares with the labels: found rightly, found where nothing is, not found; or a label itself. Or how it compares with another
 * network's boxes: both have it, or only one.
 */
export type BoxKind = 'matched' | 'false' | 'missed' | 'truth' | 'both' | 'only-first' | 'only-second';

/** Hues that neither ON nor OFF events have. */
const kindColours: Record<BoxKind, Record<Theme, string>> = {
  matched: { light: '#00704f', dark: '#4be0b4' },
  false: { light: '#a3267f', dark: '#ff9bdc' },
  missed: { light: '#7a5600', dark: '#f5dc4e' },
  truth: { light: '#3d4552', dark: '#d3d9e3' },
  both: { light: '#00704f', dark: '#4be0b4' },
  'only-first': { light: '#a3267f', dark: '#ff9bdc' },
  'only-second': { light: '#7a5600', dark: '#f5dc4e' },
};

const kindDashes: Record<BoxKind, readonly number[]> = { matched: [], false: [9, 5], missed: [2, 4], truth: [12, 3, 2, 3], both: [], 'only-first': [9, 5], 'only-second': [2, 4] };

/** Colour and dash of a box compared with the labels: solid where it matches, dashed, dotted and dash-dotted else. */
export function kindLook(theme: Theme, kind: BoxKind): { colour: string; dash: readonly number[] } {
  return { colour: kindColours[kind][theme], dash: kindDashes[kind] };
}

/** The one hue of a spike. */
export function spikeColour(theme: Theme): string {
  return spikeColours[theme];
}

/** The networks that are compared, the same wherever they are. */
export type NetworkName = 'snn' | 'ann' | 'converted';

const networkColours: Record<NetworkName, Record<Theme, string>> = {
  snn: spikeColours,
  converted: { light: '#0069a8', dark: '#5cc0f5' },
  ann: { light: '#5b6470', dark: '#c3cad6' },
};

export function networkColour(theme: Theme, network: NetworkName): string {
  return networkColours[network][theme];
}

/** The page's neutral colours, for canvases. */
export interface Ink {
  text: string;
  muted: string;
  line: string;
  surface: string;
  accent: string;
  /** The page's typefaces, as in the CSS property `font-family`. */
  fontFamily: string;
}

/** Reads the page's colours where an element stands. */
export function readInk(element: Element): Ink {
  const style = getComputedStyle(element);
  const property = (name: string, fallback: string): string => style.getPropertyValue(name).trim() || fallback;
  return {
    text: property('--text', '#14181f'),
    muted: property('--muted', '#545c6a'),
    line: property('--line', '#d5d9e0'),
    surface: property('--surface', '#ffffff'),
    accent: property('--accent', '#1d5fd1'),
    fontFamily: style.fontFamily || 'sans-serif',
  };
}
