import { seededRandom } from './random';
import { softSpike, surrogateDerivative, type Surrogate } from './surrogate';

/** What a spike leaves of the membrane: nothing, or what is above the threshold. EMS-YOLO is trained with the hard reset. */
export const resetModes = ['hard', 'soft'] as const;
export type ResetMode = (typeof resetModes)[number];

/**
 * One leaky integrate-and-fire neuron over T steps, and the gradient that training sends back through it. With x the input
 * current, v the membrane, s the spike and r what is left of the membrane after a spike:
 *
 *     v[0] = x[0]
 *     v[t] = decay · r(v[t-1], s[t-1]) + x[t]
 *     s[t] = 1 if v[t] > threshold, else 0
 *
 *     hard reset: r(v, s) = v · (1 − s)      (EMS-YOLO's; Su et al. 2023, equations 2 and 3)
 *     soft reset: r(v, s) = v − threshold · s
 *     none:       r(v, s) = v
 */
export const resetRules = [...resetModes, 'none'] as const;
export type ResetRule = (typeof resetRules)[number];

export interface NeuronSettings {
  threshold: number;
  /** Share of the membrane that is left after one step, in [0, 1]. */
  decay: number;
  reset: ResetRule;
}

/** What a neuron did; one value a step. */
export interface NeuronCourse {
  /** Before the reset. */
  membrane: number[];
  /** 0 or 1. */
  spikes: number[];
}

export function simulateNeuron(current: readonly number[], { threshold, decay, reset }: NeuronSettings): NeuronCourse {
  const membrane: number[] = [];
  const spikes: number[] = [];
  let left = 0;
  for (const input of current) {
    const potential = decay * left + input;
    const spike = potential > threshold ? 1 : 0;
    membrane.push(potential);
    spikes.push(spike);
    left = afterReset(potential, spike, threshold, reset);
  }
  return { membrane, spikes };
}

/** What is left of a membrane before the leak. */
export function afterReset(potential: number, spike: number, threshold: number, reset: ResetRule): number {
  if (reset === 'none') return potential;
  return reset === 'hard' ? potential * (1 - spike) : potential - threshold * spike;
}

/** What training wants of the neuron: the loss L as a function of what it did. */
export const lossKinds = ['count', 'target', 'last-spike', 'last-membrane'] as const;
export type LossKind = (typeof lossKinds)[number];

export interface NeuronLoss {
  kind: LossKind;
  /** How many spikes are wanted; only `target` reads it. */
  target: number;
}

/**
 * L, from the spikes (or the soft spikes in their place) and the membranes:
 * `count` Σ s[t]; `target` ½ (Σ s[t] − target)²; `last-spike` s[T-1]; `last-membrane` v[T-1].
 */
export function lossOf({ kind, target }: NeuronLoss, { membrane, spikes }: NeuronCourse): number {
  const count = spikes.reduce((sum, spike) => sum + spike, 0);
  switch (kind) {
    case 'count':
      return count;
    case 'target':
      return (count - target) ** 2 / 2;
    case 'last-spike':
      return spikes.at(-1) ?? 0;
    case 'last-membrane':
      return membrane.at(-1) ?? 0;
  }
}

/** One value a step. */
export interface NeuronGradient {
  /** The surrogate at v[t] − threshold. */
  surrogate: number[];
  /** dL/dx[t], which is also dL/dv[t]: what a weight before the neuron would learn from. */
  current: number[];
}

/**
 * Backpropagation through time with the detached reset: s[t] in the reset carries no gradient, so that
 *
 *     g[t] = ∂L/∂v[t] + ∂L/∂s[t] · surrogate(v[t] − threshold) + g[t+1] · decay · k[t],   dL/dx[t] = g[t]
 *     k[t] = 1 − s[t] for the hard reset, 1 for the soft one and for none
 *
 * (specification of EMS-YOLO, section 2; Wu et al. 2018). It is the exact gradient of the loss in which every spike that the
 * loss reads is replaced by the surrogate's soft step, and the resets stay as they fell.
 */
export function neuronGradient(course: NeuronCourse, settings: NeuronSettings, surrogate: Surrogate, loss: NeuronLoss): NeuronGradient {
  const { membrane, spikes } = course;
  const steps = membrane.length;
  const derivatives = membrane.map((potential) => surrogateDerivative(surrogate, potential - settings.threshold));
  const count = spikes.reduce((sum, spike) => sum + spike, 0);
  const perSpike = loss.kind === 'count' ? 1 : loss.kind === 'target' ? count - loss.target : 0;
  const current = new Array<number>(steps).fill(0);
  let later = 0;
  for (let step = steps - 1; step >= 0; step--) {
    const isLast = step === steps - 1;
    const ofSpike = perSpike + (loss.kind === 'last-spike' && isLast ? 1 : 0);
    const ofMembrane = loss.kind === 'last-membrane' && isLast ? 1 : 0;
    const kept = settings.reset === 'hard' ? 1 - (spikes[step] ?? 0) : 1;
    later = ofMembrane + ofSpike * (derivatives[step] ?? 0) + later * settings.decay * kept;
    current[step] = later;
  }
  return { surrogate: derivatives, current };
}

/** The soft spikes that the gradient takes in place of the spikes. */
export function softSpikes({ membrane }: NeuronCourse, { threshold }: NeuronSettings, surrogate: Surrogate): number[] {
  return membrane.map((potential) => softSpike(surrogate, potential - threshold));
}

export const currentPresets = ['constant', 'step', 'pulses', 'ramp', 'noise', 'sine'] as const;
export type CurrentPreset = (typeof currentPresets)[number];

/** A current of `steps` values that goes up to `amplitude` (for `noise`: evenly between 0 and twice that). */
export function presetCurrent(preset: CurrentPreset, steps: number, amplitude: number): number[] {
  const random = seededRandom(1);
  return Array.from({ length: steps }, (_, step) => {
    switch (preset) {
      case 'constant':
        return amplitude;
      case 'step':
        return step >= steps / 4 && step < (steps * 3) / 4 ? amplitude : 0;
      case 'pulses':
        return step % 4 === 0 ? amplitude : 0;
      case 'ramp':
        return (amplitude * (step + 1)) / steps;
      case 'noise':
        return random() * 2 * amplitude;
      case 'sine':
        return amplitude * Math.sin((4 * Math.PI * step) / steps);
    }
  });
}
