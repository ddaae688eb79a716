import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerTrace } from '../base/trace';
import { rampTable } from './palette';
import { centred, colourise, fromZero, layerDomain, rampOf, rampPosition, robustDomain } from './valueScale';

/** Potentials to a hundredth: what differs less than a colour can show is not tested. */
const finite = fc.integer({ min: -10_000, max: 10_000 }).map((hundredths) => hundredths / 100);

describe('robust domain', () => {
  it('leaves an outlier out and still says that it is there', () => {
    const values = Float32Array.from({ length: 10_000 }, (_, index) => (index % 200) / 100 - 1);
    values[17] = 500;
    const domain = robustDomain(values, 0);
    expect(domain.maximum).toBe(500);
    expect(domain.high).toBeLessThan(2);
    expect(domain.high).toBeGreaterThan(0.9);
  });

  it('shows the few values above the centre among many below it', () => {
    const values = new Float32Array(100_000).fill(-1);
    values.fill(0.9, 0, 20);
    const domain = robustDomain(values, 0.5);
    expect(domain.high).toBeCloseTo(0.9, 2);
    expect(rampPosition(domain, 0.9)).toBeGreaterThan(0.85);
  });

  it('contains its centre and lies within the data and its centre', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 300 }), finite, (numbers, centre) => {
        const { low, high, minimum, maximum } = robustDomain(Float32Array.from(numbers), centre);
        expect(low).toBeLessThanOrEqual(centre);
        expect(high).toBeGreaterThanOrEqual(centre);
        expect(low).toBeGreaterThanOrEqual(Math.min(minimum, centre) - 1e-6);
        expect(high).toBeLessThanOrEqual(Math.max(maximum, centre) + 1e-6);
      }),
    );
  });

  it('gives every value above the centre a colour above the middle', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 300 }), finite, (numbers, centre) => {
        const values = Float32Array.from(numbers);
        const domain = robustDomain(values, centre);
        for (const value of values) {
          const position = rampPosition(domain, value);
          if (value > centre) expect(position).toBeGreaterThan(0.5);
          else expect(position).toBeLessThanOrEqual(0.5);
        }
      }),
    );
  });

  it('copes with nothing and with a constant', () => {
    expect(robustDomain(new Float32Array(), 0.5)).toEqual({ low: 0.5, high: 0.5, centre: 0.5, minimum: 0.5, maximum: 0.5 });
    expect(robustDomain(Float32Array.of(2, 2), 0.5)).toEqual({ low: 0.5, high: 2, centre: 0.5, minimum: 2, maximum: 2 });
  });
});

describe('ramp position', () => {
  it('has the centre in the middle and gives each side its own half', () => {
    const domain = centred({ minimum: -1.5, maximum: 1.5 }, 0.5);
    expect([-1.5, -0.5, 0.5, 1, 1.5].map((value) => rampPosition(domain, value))).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it('does not blow up a side that hardly reaches beyond the centre', () => {
    const domain = centred({ minimum: -3, maximum: 0.1 }, 0);
    expect(rampPosition(domain, 0.1)).toBeCloseTo(0.55, 12);
    expect(rampPosition(domain, -0.1)).toBeCloseTo(0.5 - 0.1 / 6, 12);
  });

  it('runs from 0 to 1 on a sequential domain and clamps beyond it', () => {
    const domain = fromZero(4);
    expect([-1, 0, 1, 4, 9].map((value) => rampPosition(domain, value))).toEqual([0, 0, 0.25, 1, 1]);
    expect(rampPosition(fromZero(0), 0)).toBe(0);
  });

  it('colours cells by their ramp', () => {
    const domain = fromZero(1);
    const table = rampTable(rampOf(domain), 'light');
    const pixels = colourise(Float32Array.of(0, 1), domain, table);
    expect([...pixels]).toEqual([...table.subarray(0, 3), 255, ...table.subarray(255 * 3), 255]);
  });
});

describe('domain of a layer', () => {
  const trace: LayerTrace = {
    emits: 'spikes',
    steps: 2,
    height: 1,
    width: 2,
    channels: 2,
    membrane: Float32Array.of(-2, 1, 0, 3, -1, 0.5, 2, 2),
    emitted: new Float32Array(8),
    threshold: 0.5,
  };

  it('is one for all steps and single channels, centred on the threshold', () => {
    expect(layerDomain(trace, 'membrane', 0)).toBe(layerDomain(trace, 'membrane', 1));
    expect(layerDomain(trace, 'membrane', 0)).toMatchObject({ minimum: -2, maximum: 3, centre: 0.5 });
  });

  it('is another one for the mean of the channels', () => {
    expect(layerDomain(trace, 'membrane', 'mean')).toMatchObject({ minimum: -0.5, maximum: 2, centre: 0.5 });
  });

  it('is centred on zero where neurons emit values', () => {
    expect(layerDomain({ ...trace, emits: 'values' }, 'membrane', 0).centre).toBe(0);
  });
});
