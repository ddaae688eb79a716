import { defaultStack, type BlockKind, type BlockSpectrum, type GradientProfile, type StackKind, type StackSettings } from '../base/blockStacks';
import { presetCurrent, type CurrentPreset, type NeuronLoss, type NeuronSettings } from '../base/neuron';
import { defaultSurrogate, type Surrogate } from '../base/surrogate';

/** What the laboratories of the Learn page are set to, and what they measured. */
export interface LearnState {
  neuron: NeuronLaboratory;
  gradient: GradientLaboratory;
}

export interface NeuronLaboratory {
  settings: NeuronSettings;
  surrogate: Surrogate;
  loss: NeuronLoss;
  /** One value a step. */
  current: readonly number[];
  /** Where the current comes from. */
  preset: CurrentPreset | 'drawn';
  amplitude: number;
  /** The step that is looked at, 0-based. */
  step: number;
}

export interface GradientLaboratory {
  settings: StackSettings;
  /** How many stacks of each kind are drawn. */
  seeds: number;
  curves: Record<StackKind, GradientCurve>;
  /** Undefined until something was measured or predicted. */
  curvesSettings: StackSettings | undefined;
  block: { kind: BlockKind; place: number };
  spectrum: { kind: BlockKind; place: number; settings: StackSettings; result: BlockSpectrum } | undefined;
}

/** How the gradient of one kind of stack goes with depth. */
export interface GradientCurve {
  predicted: GradientProfile | undefined;
  /** One for each drawn stack. */
  measured: readonly GradientProfile[];
}

export function noCurves(): Record<StackKind, GradientCurve> {
  const none: GradientCurve = { predicted: undefined, measured: [] };
  return { plain: none, sew: none, ms: none, ems: none };
}

const firstSteps = 24;
const firstAmplitude = 0.4;

export const initialLearn: LearnState = {
  neuron: {
    settings: { threshold: 0.5, decay: 0.75, reset: 'hard' },
    surrogate: defaultSurrogate,
    loss: { kind: 'count', target: 4 },
    current: presetCurrent('step', firstSteps, firstAmplitude),
    preset: 'step',
    amplitude: firstAmplitude,
    step: 8,
  },
  gradient: {
    settings: defaultStack,
    seeds: 5,
    curves: noCurves(),
    curvesSettings: undefined,
    block: { kind: 'ems', place: 1 },
    spectrum: undefined,
  },
};
