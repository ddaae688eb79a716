import { z } from './schema';
import { surrogateShapes } from './surrogate';

/**
 * Stacks of residual blocks whose gradients the gradient laboratory measures. A block is written as its branch and its shortcut; `LIF`
 * is the neuron, `W` a full connection, `BN(γ)` batch norm over steps and samples with the scale γ; θ is the threshold.
 */
export const stackKinds = ['plain', 'sew', 'ms', 'ems'] as const;
export type StackKind = (typeof stackKinds)[number];

/** Also a block that a stack of one shape has no place for: EMS-Block1 where the shape changes, with a LIF in its shortcut. */
export const blockKinds = [...stackKinds, 'ems-shape'] as const;
export type BlockKind = (typeof blockKinds)[number];

/** What is done to a signal on its way through a block. */
export type BlockUnit =
  | { kind: 'neuron' }
  /** `W` and `BN`; the scale is this many thresholds. */
  | { kind: 'weights'; scaleInThresholds: number };

export interface BlockDescription {
  branch: readonly BlockUnit[];
  /** `none`: the branch alone; `identity`: its own input is added; else what the shortcut does to it first. */
  shortcut: 'none' | 'identity' | readonly BlockUnit[];
}

const neuron: BlockUnit = { kind: 'neuron' };
const weights: BlockUnit = { kind: 'weights', scaleInThresholds: 1 };
/** The last norm of a residual branch of EMS-YOLO (its specification, section 3). */
const lastWeights: BlockUnit = { kind: 'weights', scaleInThresholds: 0.2 };

export const blocks: Readonly<Record<BlockKind, BlockDescription>> = {
  plain: { branch: [neuron, weights, neuron, weights], shortcut: 'none' },
  // Fang et al. 2021, "Deep residual learning in spiking neural networks": spikes are added to spikes.
  sew: { branch: [weights, neuron, weights, neuron], shortcut: 'identity' },
  // Hu et al. 2021, "Advancing spiking neural networks towards deep residual learning": membranes are added.
  ms: { branch: [neuron, weights, neuron, weights], shortcut: 'identity' },
  ems: { branch: [neuron, weights, neuron, lastWeights], shortcut: 'identity' },
  'ems-shape': { branch: [neuron, weights, neuron, lastWeights], shortcut: [neuron, weights] },
};

/** What a stack's blocks are fed with: a stack that adds spikes needs spikes. */
export function stemOf(kind: BlockKind): readonly BlockUnit[] {
  return kind === 'sew' ? [neuron] : [];
}

/** Blocks of the deepest stack that is measured. */
export const deepestStack = 64;

export const stackSettingsSchema = z.object({
  /** Blocks. */
  depth: z.int().min(1).max(deepestStack),
  /** Neurons of a layer. */
  width: z.int().min(4).max(64),
  steps: z.int().min(1).max(8),
  /** Samples that batch norm is taken over, together with the steps. */
  samples: z.int().min(8).max(256),
  threshold: z.number().min(0.1).max(2),
  decay: z.number().min(0).max(1),
  surrogate: z.object({ shape: z.enum(surrogateShapes), parameter: z.number().positive() }),
});
export type StackSettings = z.infer<typeof stackSettingsSchema>;

/** Steps times width of the largest Jacobian whose spectrum is computed. */
export const largestJacobian = 256;

export const defaultStack: StackSettings = {
  depth: 32,
  width: 64,
  steps: 4,
  samples: 64,
  threshold: 0.5,
  decay: 0.25,
  surrogate: { shape: 'rectangular', parameter: 0.5 },
};

/** The gradient's mean square before block 1, 2, ... and after the last, as a share of the one after the last: `[depth + 1]`. */
export type GradientProfile = readonly number[];

/** One block's Jacobian. */
export interface BlockSpectrum {
  /** Singular values, the largest first, of one sample's Jacobian for each sample taken. */
  singularValues: readonly number[];
  /** φ(JJᵀ): mean of the squared singular values, and their variance. */
  measured: Isometry;
  /** What the theory expects of both. */
  predicted: Isometry;
  /** Share of the neurons that spike, mean over steps, for each neuron layer of the branch. */
  firingRates: readonly number[];
}

export interface Isometry {
  mean: number;
  spread: number;
}
