/**
 * Surrogate derivatives of the spike: the step function s = [v > threshold] has no useful derivative, so training takes
 * one of these in its place (Neftci et al. 2019, "Surrogate gradient learning in spiking neural networks"). Each is a
 * bump around the threshold, symmetric, of area 1, so that its primitive is a soft step from 0 to 1. `u` is always
 * v - threshold.
 */
export const surrogateShapes = ['rectangular', 'arctangent', 'sigmoid', 'triangle'] as const;
export type SurrogateShape = (typeof surrogateShapes)[number];

/** A shape and its one parameter: a half width (rectangular, triangle) or a steepness (arctangent, sigmoid). */
export interface Surrogate {
  shape: SurrogateShape;
  parameter: number;
}

export interface SurrogateDefinition {
  /** The derivative as a person would write it. */
  formula: string;
  /** Where the shape was used first for training spiking networks, or best known. */
  source: string;
  /** The parameter's letter in the formula, what it does, the value that is usual, and what makes sense to choose. */
  parameter: { symbol: string; meaning: 'half width' | 'steepness'; usual: number; smallest: number; largest: number };
  /** ds/dv at u = v - threshold; never negative. */
  derivative: (u: number, parameter: number) => number;
  /** The soft step whose derivative that is: 0 far below the threshold, 1/2 at it, 1 far above. */
  primitive: (u: number, parameter: number) => number;
}

export const surrogateDefinitions: Readonly<Record<SurrogateShape, SurrogateDefinition>> = {
  rectangular: {
    formula: '1 / (2h) where |u| < h, else 0',
    source: 'Wu et al. 2018, "Spatio-temporal backpropagation for training high-performance spiking neural networks"; EMS-YOLO uses h = 0.5',
    parameter: { symbol: 'h', meaning: 'half width', usual: 0.5, smallest: 0.05, largest: 2 },
    derivative: (u, h) => (Math.abs(u) < h ? 1 / (2 * h) : 0),
    primitive: (u, h) => Math.min(1, Math.max(0, 0.5 + u / (2 * h))),
  },
  arctangent: {
    formula: 'a / (2 (1 + (π/2 · a · u)²))',
    source: 'Fang et al. 2021, "Incorporating learnable membrane time constant to enhance learning of spiking neural networks"',
    parameter: { symbol: 'a', meaning: 'steepness', usual: 2, smallest: 0.5, largest: 20 },
    derivative: (u, a) => a / (2 * (1 + ((Math.PI / 2) * a * u) ** 2)),
    primitive: (u, a) => Math.atan((Math.PI / 2) * a * u) / Math.PI + 0.5,
  },
  sigmoid: {
    formula: 'a · σ(a·u) · (1 − σ(a·u))',
    source: 'Neftci et al. 2019, "Surrogate gradient learning in spiking neural networks"',
    parameter: { symbol: 'a', meaning: 'steepness', usual: 4, smallest: 0.5, largest: 20 },
    // 1 − σ(x) = σ(−x), and keeps its digits where σ(x) is near 1.
    derivative: (u, a) => a * (logistic(a * u) * logistic(-a * u)),
    primitive: (u, a) => logistic(a * u),
  },
  triangle: {
    formula: 'max(0, 1 − |u| / w) / w',
    source: 'Bellec et al. 2018, "Long short-term memory and learning-to-learn in networks of spiking neurons"',
    parameter: { symbol: 'w', meaning: 'half width', usual: 1, smallest: 0.05, largest: 2 },
    derivative: (u, w) => Math.max(0, 1 - Math.abs(u) / w) / w,
    primitive: (u, w) => {
      const below = Math.min(1, Math.max(0, 1 - Math.abs(u) / w));
      return u < 0 ? below ** 2 / 2 : 1 - below ** 2 / 2;
    },
  },
};

/** What the released EMS-YOLO was trained with. */
export const defaultSurrogate: Surrogate = surrogateOf('rectangular');

/** A shape with its usual parameter. */
export function surrogateOf(shape: SurrogateShape): Surrogate {
  return { shape, parameter: surrogateDefinitions[shape].parameter.usual };
}

/** ds/dv in place of the step's own derivative; `u` = v - threshold. */
export function surrogateDerivative(surrogate: Surrogate, u: number): number {
  return surrogateDefinitions[surrogate.shape].derivative(u, surrogate.parameter);
}

/** The soft spike that the surrogate is the exact derivative of; `u` = v - threshold. */
export function softSpike(surrogate: Surrogate, u: number): number {
  return surrogateDefinitions[surrogate.shape].primitive(u, surrogate.parameter);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
