import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maximumBins, RateBins } from './rateBins';

const event = fc.record({ t: fc.integer({ min: -1e9, max: 1e12 }), p: fc.constantFrom(0, 1) });

describe('the rate over a recording', () => {
  it('counts every event once, in a bin that holds its time, whatever the order of times', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 200 }), (events) => {
        const bins = new RateBins();
        for (const { t, p } of events) bins.add(t, p);
        const { startUs, widthUs, on, off } = bins.rate();
        expect(on.length).toBe(off.length);
        expect(on.length).toBeLessThanOrEqual(maximumBins);
        const expected = { on: new Uint32Array(on.length), off: new Uint32Array(on.length) };
        for (const { t, p } of events) {
          const bin = Math.floor((t - startUs) / widthUs);
          const counts = p === 1 ? expected.on : expected.off;
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
        expect({ on, off }).toEqual(expected);
      }),
    );
  });

  it('is fine where the recording is short and no longer than it must be', () => {
    const bins = new RateBins();
    for (let t = 0; t < 100_000; t += 50) bins.add(t, 1);
    expect(bins.rate()).toMatchObject({ startUs: 0, widthUs: 100 });
    expect(bins.rate().on).toHaveLength(1000);
  });
});
