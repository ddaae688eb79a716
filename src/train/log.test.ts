import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logLine, logUpTo, readLog, type StepReport } from './log';

function report(step: number): StepReport {
  return {
    step, steps: 100, epoch: Math.floor(step / 10), learningRate: 0.0012345678, box: 0.1, objectness: 0.2, class: 0.3, gradientNorm: 4,
    firingRates: [0.2, null], picturesPerSecond: 7,
  };
}

const epochLine = logLine({
  kind: 'epoch', step: 10, epoch: 1, map50: 0.5, map: null, cocoMap50: 0.4, cocoMap: null, gradientNorms: { 'model.0.conv.weight': 0.25 }, firingRates: [],
});
const log = [1, 2, 10].map((step) => logLine({ kind: 'step', ...report(step) })).join('') + epochLine + logLine({ kind: 'step', ...report(11) });

describe('a run’s log', () => {
  it('is read as it was written, with six digits', () => {
    const { steps, epochs } = readLog(log);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 10, 11]);
    expect(steps[0]).toMatchObject({ learningRate: 0.00123457, firingRates: [0.2, null] });
    expect(epochs).toMatchObject([{ epoch: 1, step: 10, map50: 0.5, map: null }]);
  });

  it('is trimmed to what a state knows', () => {
    const trimmed = logUpTo(log, 10);
    expect(readLog(trimmed).steps.map(({ step }) => step)).toEqual([1, 2, 10]);
    expect(trimmed.endsWith(epochLine)).toBe(true);
    expect(logUpTo(log, 0)).toBe('');
  });

  it('loses only the line that was cut short, wherever it is cut, and whatever strange lines are in it', () => {
    fc.assert(
      fc.property(fc.nat(log.length), fc.string(), (length, strange) => {
        const cut = log.slice(0, length);
        const whole = cut.split('\n').length - 1;
        const { steps, epochs } = readLog(`${cut}\n${strange}\n`);
        expect(steps.length + epochs.length).toBeGreaterThanOrEqual(whole);
        expect(steps.length + epochs.length).toBeLessThanOrEqual(whole + 1);
        expect(log.startsWith(logUpTo(cut, 100).trimEnd())).toBe(true);
      }),
    );
  });
});
