import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterReset,
  currentPresets,
  lossKinds,
  lossOf,
  neuronGradient,
  presetCurrent,
  resetRules,
  simulateNeuron,
  softSpikes,
  type NeuronCourse,
  type NeuronLoss,
  type NeuronSettings,
} from './neuron';
import { surrogateDefinitions, surrogateShapes, type Surrogate } from './surrogate';

describe('the neuron', () => {
  it('does what hand-worked steps say: hard reset', () => {
    // 0.4; 0.25·0.4 + 0.45 = 0.55 spikes; 0 + 0.5 is not above 0.5; 0.25·0.5 + 0.4 = 0.525 spikes
    const { membrane, spikes } = simulateNeuron([0.4, 0.45, 0.5, 0.4], { threshold: 0.5, decay: 0.25, reset: 'hard' });
    membrane.forEach((potential, step) => expect(potential).toBeCloseTo([0.4, 0.55, 0.5, 0.525][step] ?? NaN, 12));
    expect(spikes).toEqual([0, 1, 0, 1]);
  });

  it('does what hand-worked steps say: soft reset and none', () => {
    const current = [1, 0, 0];
    // 1 spikes; 0.5·(1 − 0.5) = 0.25; 0.125
    expect(simulateNeuron(current, { threshold: 0.5, decay: 0.5, reset: 'soft' })).toEqual({ membrane: [1, 0.25, 0.125], spikes: [1, 0, 0] });
    // 1 spikes; 0.5 does not; 0.25
    expect(simulateNeuron(current, { threshold: 0.5, decay: 0.5, reset: 'none' })).toEqual({ membrane: [1, 0.5, 0.25], spikes: [1, 0, 0] });
  });
});

const settingsOf = fc.record({
  threshold: fc.double({ min: 0.1, max: 1.5, noNaN: true }),
  decay: fc.double({ min: 0, max: 1, noNaN: true }),
  reset: fc.constantFrom(...resetRules),
});
const currents = fc.array(fc.double({ min: -1, max: 2, noNaN: true }), { minLength: 1, maxLength: 12 });
const losses = fc.record({ kind: fc.constantFrom(...lossKinds), target: fc.integer({ min: 0, max: 6 }) });

/**
 * The loss that the gradient is exact for: soft spikes where the loss reads them, resets as they fell with the unchanged current.
 * Its own loop, so that it shares no fault with the gradient.
 */
function softLoss(current: readonly number[], fallen: readonly number[], settings: NeuronSettings, surrogate: Surrogate, perSpike: number, kind: NeuronLoss['kind']): number {
  const membrane: number[] = [];
  current.forEach((input, step) => {
    const left = step === 0 ? 0 : afterReset(membrane[step - 1] ?? 0, fallen[step - 1] ?? 0, settings.threshold, settings.reset);
    membrane.push(settings.decay * left + input);
  });
  const soft = softSpikes({ membrane, spikes: [] }, settings, surrogate);
  if (kind === 'last-membrane') return membrane.at(-1) ?? 0;
  if (kind === 'last-spike') return soft.at(-1) ?? 0;
  return perSpike * soft.reduce((sum, spike) => sum + spike, 0);
}

describe.each(surrogateShapes)('the gradient with the surrogate %s', (shape) => {
  it('equals finite differences of the soft loss', () => {
    const { usual } = surrogateDefinitions[shape].parameter;
    const surrogate: Surrogate = { shape, parameter: usual };
    fc.assert(
      fc.property(currents, settingsOf, losses, (current, settings, loss) => {
        const course = simulateNeuron(current, settings);
        const h = 1e-5;
        const kinks = shape === 'rectangular' || shape === 'triangle' ? [-usual, 0, usual] : [];
        // A difference across a corner of the soft step says nothing.
        fc.pre(course.membrane.every((potential) => kinks.every((kink) => Math.abs(potential - settings.threshold - kink) > 20 * h)));
        const gradient = neuronGradient(course, settings, surrogate, loss).current;
        const count = course.spikes.reduce((sum, spike) => sum + spike, 0);
        const perSpike = loss.kind === 'target' ? count - loss.target : 1;
        current.forEach((_, moved) => {
          const at = (by: number): number =>
            softLoss(current.map((input, step) => (step === moved ? input + by : input)), course.spikes, settings, surrogate, perSpike, loss.kind);
          expect(gradient[moved]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 4);
        });
      }),
    );
  });
});

it('the hard reset cuts the way back through a spike', () => {
  const settings: NeuronSettings = { threshold: 0.5, decay: 0.5, reset: 'hard' };
  const surrogate: Surrogate = { shape: 'rectangular', parameter: 0.5 };
  const loss: NeuronLoss = { kind: 'last-membrane', target: 0 };
  const course = simulateNeuron([0.6, 0.2, 0.2], settings);
  expect(course.spikes).toEqual([1, 0, 0]);
  expect(neuronGradient(course, settings, surrogate, loss).current).toEqual([0, 0.5, 1]);
  const soft: NeuronSettings = { ...settings, reset: 'soft' };
  expect(neuronGradient(simulateNeuron([0.6, 0.2, 0.2], soft), soft, surrogate, loss).current).toEqual([0.25, 0.5, 1]);
});

it('losses are what their names say', () => {
  const course: NeuronCourse = { membrane: [0.2, 0.9, 0.7], spikes: [0, 1, 1] };
  expect(lossOf({ kind: 'count', target: 0 }, course)).toBe(2);
  expect(lossOf({ kind: 'target', target: 5 }, course)).toBe(4.5);
  expect(lossOf({ kind: 'last-spike', target: 0 }, course)).toBe(1);
  expect(lossOf({ kind: 'last-membrane', target: 0 }, course)).toBe(0.7);
});

it('presets have as many steps as asked for and stay within their amplitude', () => {
  for (const preset of currentPresets) {
    const current = presetCurrent(preset, 16, 0.8);
    expect(current).toHaveLength(16);
    expect(presetCurrent(preset, 16, 0.8)).toEqual(current);
    for (const value of current) expect(Math.abs(value)).toBeLessThanOrEqual(preset === 'noise' ? 1.6 : 0.8);
  }
  expect(presetCurrent('pulses', 6, 1)).toEqual([1, 0, 0, 0, 1, 0]);
  expect(presetCurrent('step', 4, 1)).toEqual([0, 1, 1, 0]);
  expect(presetCurrent('ramp', 4, 1)).toEqual([0.25, 0.5, 0.75, 1]);
});
