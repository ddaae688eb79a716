import { format } from 'd3';

/** "1,234". */
export const formatCount = format(',');

/** "12.3%", "0.45%". */
export function formatRate(rate: number): string {
  return rate > 0 && rate < 0.01 ? format('.2%')(rate) : format('.1%')(rate);
}

/** Four decimals with a real minus sign, as in tables. */
export const formatExact = format('.4f');

const threeDigits = format('.3~g');
const threeDigitsAndPower = format('.2~e');

/** Three significant digits for axes and legends, without trailing zeros: "0.5", "−1.24", "4.84e-6". */
export function formatShort(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? threeDigitsAndPower(value) : threeDigits(value);
}

/** A share over many orders of magnitude, with three digits: "0.22", "1,510", "1.5e+9"; a dash where there is none. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return '–';
  return share !== 0 && (share < 1e-3 || share >= 1e5) ? format('.2e')(share) : format(',.3~r')(share);
}

const energyUnits = ['pJ', 'nJ', 'µJ', 'mJ', 'J'] as const;

/** Three significant digits in the unit that suits: "1.10 mJ", from picojoules. */
export function formatEnergy(picojoules: number): string {
  const power = picojoules > 0 ? Math.min(Math.max(Math.floor(Math.log10(picojoules) / 3), 0), energyUnits.length - 1) : 0;
  return `${format('.3r')(picojoules / 1000 ** power)} ${energyUnits[power] ?? 'pJ'}`;
}

/** Three significant digits of a large count: "12.3 M". */
export function formatLarge(count: number): string {
  return count === 0 ? '0' : format('.3s')(count).replace(/([kMGT])$/, ' $1');
}

/** How many times more one thing takes than another: "4.66", "12.3", "0.388". */
export const formatRatio = format('.3r');

/** A text that fits so many characters. */
export function shorten(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, Math.max(characters - 1, 1))}…` : text;
}
