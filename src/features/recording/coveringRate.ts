import type { ScannedRecording } from '../../state/store';

type Rate = ScannedRecording['summary']['rate'];

/** A clock that begins before this is shown from zero. */
export const nearZeroUs = 1e6;
/** More empty bins than this are not added: a window that far outside is shown at the edge. */
const mostAdded = 20_000;

/** The rate with empty bins in front and behind, so that zero (where the clock begins near it) and the window lie on it. */
export function coveringRate(rate: Rate, fromUs: number, toUs: number): Rate {
  const { startUs, widthUs, on, off } = rate;
  const endUs = startUs + on.length * widthUs;
  const first = Math.min(fromUs, startUs > 0 && startUs < nearZeroUs ? 0 : startUs);
  const before = Math.max(Math.ceil((startUs - first) / widthUs), 0);
  const after = Math.max(Math.ceil((toUs - endUs) / widthUs), 0);
  if (before + after === 0 || before + after > mostAdded) return rate;
  const padded = (counts: Uint32Array): Uint32Array => {
    const wider = new Uint32Array(before + counts.length + after);
    wider.set(counts, before);
    return wider;
  };
  return { startUs: startUs - before * widthUs, widthUs, on: padded(on), off: padded(off) };
}
