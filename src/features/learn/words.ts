import type { BlockKind } from '../../base/blockStacks';
import type { CurrentPreset, LossKind, ResetRule } from '../../base/neuron';
import type { SurrogateShape } from '../../base/surrogate';

export const presetNames: Readonly<Record<CurrentPreset, string>> = {
  constant: 'Constant',
  step: 'Step',
  pulses: 'Pulses',
  ramp: 'Ramp',
  noise: 'Noise',
  sine: 'Sine',
};

export const resetNames: Readonly<Record<ResetRule, { label: string; description: string }>> = {
  hard: { label: 'Hard', description: 'To 0 after a spike, as in EMS-YOLO' },
  soft: { label: 'Soft', description: 'The threshold is subtracted' },
  none: { label: 'None', description: 'A spike leaves the membrane as it is' },
};

export const surrogateNames: Readonly<Record<SurrogateShape, string>> = {
  rectangular: 'Rectangular',
  arctangent: 'Arctangent',
  sigmoid: 'Sigmoid',
  triangle: 'Triangle',
};

export const lossNames: Readonly<Record<LossKind, { label: string; inText: string; formula: string }>> = {
  count: { label: 'Spike count', inText: 'spike count', formula: 'L = Σ s[t]' },
  target: { label: 'Distance from a spike count', inText: 'distance', formula: 'L = ½ (Σ s[t] − target)²' },
  'last-spike': { label: 'Last spike', inText: 'last spike', formula: 'L = s[T]' },
  'last-membrane': { label: 'Last membrane', inText: 'last membrane', formula: 'L = v[T]' },
};

export const blockNames: Readonly<Record<BlockKind, { label: string; formula: string }>> = {
  ems: { label: 'EMS', formula: 'x + BN(0.2θ) W LIF · BN(θ) W LIF · x' },
  ms: { label: 'MS', formula: 'x + BN(θ) W LIF · BN(θ) W LIF · x' },
  sew: { label: 'SEW', formula: 's + LIF BN(θ) W · LIF BN(θ) W · s' },
  plain: { label: 'Plain', formula: 'BN(θ) W LIF · BN(θ) W LIF · x' },
  'ems-shape': { label: 'EMS, shape changes', formula: 'BN(θ) W LIF · x + BN(0.2θ) W LIF · BN(θ) W LIF · x' },
};
