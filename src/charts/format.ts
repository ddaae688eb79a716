import { format } from 'd3';

/** "1,234". */
export const formatCount = format(',');

/** "12.3%", "0.45%". */
export function formatRate(rate: number): string {
  return rate > 0 && rate < 0.01 ? format('.2%')(rate) : format('.1%')(rate);
}

/** Four decimals with a real minus sign, as in tables. */
export const formatExact = format('.4f');

/** Three significant digits for axes and legends, without trailing zeros: "0.5", "−1.24". */
export const formatShort = format('.3~g');

/** A share over many orders of magnitude, with three digits: "0.22", "1,510", "1.5e+9"; a dash where there is none. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return '–';
  return share !== 0 && (share < 1e-3 || share >= 1e5) ? format('.2e')(share) : format(',.3~r')(share);
}
