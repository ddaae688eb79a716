import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSurrogate, softSpike, type Surrogate, surrogateDefinitions, surrogateDerivative, surrogateShapes } from './surrogate';

const offset = fc.double({ min: -3, max: 3, noNaN: true });

describe.each(surrogateShapes)('the surrogate %s', (shape) => {
  const { smallest, largest, usual } = surrogateDefinitions[shape].parameter;
  const surrogate = fc.double({ min: smallest, max: largest, noNaN: true }).map((parameter): Surrogate => ({ shape, parameter }));

  it('is symmetric and never negative', () => {
    fc.assert(
      fc.property(surrogate, offset, (chosen, u) => {
        const derivative = surrogateDerivative(chosen, u);
        expect(derivative).toBeGreaterThanOrEqual(0);
        expect(surrogateDerivative(chosen, -u)).toBe(derivative);
      }),
    );
  });

  it('has area 1', () => {
    for (const parameter of [smallest, usual, largest]) {
      // Midpoints, so that no sample lies on the rectangle's edge; the arctangent's tails beyond are 2 / (π² a U).
      const reach = 400;
      const samples = 1_600_000;
      const step = (2 * reach) / samples;
      let area = 0;
      for (let index = 0; index < samples; index++) area += surrogateDerivative({ shape, parameter }, -reach + (index + 0.5) * step) * step;
      const tails = shape === 'arctangent' ? (2 * 2) / (Math.PI ** 2 * parameter * reach) : 0;
      expect(area + tails).toBeCloseTo(1, 3);
    }
  });

  it('is the derivative of its soft spike', () => {
    fc.assert(
      fc.property(surrogate, offset, (chosen, u) => {
        const h = 1e-5;
        // Where the derivative itself jumps or bends, a difference across the place says nothing.
        const kinks = shape === 'rectangular' || shape === 'triangle' ? [-chosen.parameter, 0, chosen.parameter] : [];
        fc.pre(kinks.every((kink) => Math.abs(u - kink) > 2 * h));
        const difference = (softSpike(chosen, u + h) - softSpike(chosen, u - h)) / (2 * h);
        expect(surrogateDerivative(chosen, u)).toBeCloseTo(difference, 4);
      }),
    );
  });

  it('has a soft spike that rises from 0 over 1/2 to 1', () => {
    const chosen = { shape, parameter: usual };
    expect(softSpike(chosen, -1e6)).toBeCloseTo(0, 6);
    expect(softSpike(chosen, 0)).toBe(0.5);
    expect(softSpike(chosen, 1e6)).toBeCloseTo(1, 6);
  });
});

it('gives the values of the formulas', () => {
  const at = (shape: Surrogate['shape'], u: number): number => surrogateDerivative({ shape, parameter: surrogateDefinitions[shape].parameter.usual }, u);
  expect(at('rectangular', 0.49)).toBe(1);
  expect(at('rectangular', 0.5)).toBe(0);
  expect(at('rectangular', -0.5)).toBe(0);
  expect(at('arctangent', 0)).toBe(1);
  expect(at('arctangent', 1 / Math.PI)).toBeCloseTo(0.5, 12);
  expect(at('sigmoid', 0)).toBe(1);
  expect(at('triangle', 0.25)).toBe(0.75);
  expect(at('triangle', 1)).toBe(0);
});

it('defaults to the rectangle of the released network', () => {
  expect(defaultSurrogate).toEqual({ shape: 'rectangular', parameter: 0.5 });
});
