import { blocks, stemOf, type BlockDescription, type BlockKind, type BlockUnit, type GradientProfile, type Isometry, type StackKind, type StackSettings } from '../../base/blockStacks';
import type { Task } from '../../base/progress';
import { normal, seededRandom, type Random } from '../../base/random';
import { surrogateDefinitions } from '../../base/surrogate';
import { goOn } from './goOn';

/**
 * What theory expects of a stack's gradients before any weight is drawn: block dynamical isometry (Chen et al. 2020, "A comprehensive and
 * modularized statistical framework for gradient norm equality in deep neural networks"; used by Hu et al. 2021 and by Su et al. 2023 for
 * EMS-YOLO), with φ(A) = E[tr A] / dimension:
 *
 *   - of units in series, φ(JJᵀ) is the product of their φ; of branch and shortcut in parallel, the sum;
 *   - a block is isometric where φ(JJᵀ) ≈ 1 and the spread φ((JJᵀ)²) − φ(JJᵀ)² ≈ 0; then the gradient keeps its length through any number.
 *
 * Each unit's φ, for weights without correlation and wide layers:
 *
 *   - W (variance 1 / width) with BN(γ): γ² / ν, where ν is the variance of the inputs (of spikes that fire at the rate p: p (1 − p));
 *   - the neuron, whose Jacobian over the steps is S[t, a] = surrogate(v[t] − θ) · Π (a ≤ τ < t) decay · (1 − s[τ]) for a ≤ t:
 *     E tr(SSᵀ) / T. There is no closed form for more than one step: it is averaged over drawn normal input currents whose covariance
 *     between the steps is carried forward from unit to unit.
 *
 * Since steps of one neuron share their weights, gradients of different steps correlate; so the prediction carries their T x T matrix of
 * second moments back, Q ← Sᵀ Q S, instead of the single number tr Q / T (they are the same for T = 1). The spread of a branch uses that
 * the relative variance φ((AAᵀ)²) / φ(AAᵀ)² − 1 of free factors adds up: 1 for a square W.
 */
interface Field {
  /** `[T, T]`: covariance between the steps, about the mean over steps and samples. */
  covariance: Float64Array;
  /** `[T]`: the mean at each step, less the mean over all steps. Norms make its sign random from channel to channel: then it is 0. */
  profile: Float64Array;
}

interface FieldUnit {
  field: Field;
  /** The gradient's second moments `[T, T]` with respect to the input, from those with respect to the output. */
  pull: (moments: Float64Array) => Float64Array;
  /** φ((AAᵀ)²) / φ(AAᵀ)² − 1. */
  relativeVariance: number;
}

/** Drawn neurons for each layer; relative error of a layer's φ about 1.5 percent. */
const drawn = 4000;
/** Batch norm's epsilon (specification, section 3). */
const epsilon = 1e-5;

/**
 * The gradient's mean square before each block as a share of the one after the last.
 * @throws AppError `cancelled`
 */
export async function predictProfile(kind: StackKind, settings: StackSettings, task: Task): Promise<GradientProfile> {
  const random = seededRandom(1);
  let { field } = stem(kind, settings, random);
  const pulls: FieldUnit['pull'][] = [];
  for (let index = 0; index < settings.depth; index++) {
    await goOn(task, 'Predicting gradients', index, settings.depth);
    const unit = blockField(field, blocks[kind], settings, random);
    field = unit.field;
    pulls.push(unit.pull);
  }
  let moments = identity(settings.steps);
  const profile = [1];
  for (const pull of pulls.reverse()) {
    moments = pull(moments);
    profile.unshift(meanDiagonal(moments, settings.steps));
  }
  return profile;
}

/** Mean and spread of the squared singular values of the block that comes after `before` blocks of its stack. */
export function predictIsometry(kind: BlockKind, before: number, settings: StackSettings): Isometry {
  const random = seededRandom(1);
  let { field } = stem(kind, settings, random);
  for (let index = 0; index < before; index++) field = blockField(field, blocks[kind === 'ems-shape' ? 'ems' : kind], settings, random).field;
  return blockField(field, blocks[kind], settings, random).isometry;
}

/** The encoder's norm gives currents of mean 0 and deviation θ, the same at every step. */
function stem(kind: BlockKind, settings: StackSettings, random: Random): FieldUnit {
  const { steps, threshold } = settings;
  const input: Field = { covariance: new Float64Array(steps * steps).fill(threshold ** 2), profile: new Float64Array(steps) };
  return chainField(input, stemOf(kind), settings, random);
}

function blockField(input: Field, { branch, shortcut }: BlockDescription, settings: StackSettings, random: Random): FieldUnit & { isometry: Isometry } {
  const { steps } = settings;
  const main = chainField(input, branch, settings, random);
  const gain = meanDiagonal(main.pull(identity(steps)), steps);
  const variance = gain ** 2 * main.relativeVariance;
  if (shortcut === 'none') return { ...main, isometry: { mean: gain, spread: variance } };
  const way: FieldUnit =
    shortcut === 'identity' ? { field: input, pull: (moments) => moments, relativeVariance: 0 } : chainField(input, shortcut, settings, random);
  const wayGain = meanDiagonal(way.pull(identity(steps)), steps);
  // Independent, and each without a preferred direction: the products of the two have no mean, but a variance.
  const spread = variance + wayGain ** 2 * way.relativeVariance + 2 * gain * wayGain;
  return {
    field: add(main.field, way.field),
    pull: (moments) => sum(main.pull(moments), way.pull(moments)),
    relativeVariance: spread / (gain + wayGain) ** 2,
    isometry: { mean: gain + wayGain, spread },
  };
}

function chainField(input: Field, units: readonly BlockUnit[], settings: StackSettings, random: Random): FieldUnit {
  let field = input;
  let relativeVariance = 0;
  const pulls: FieldUnit['pull'][] = [];
  for (const unit of units) {
    const next = unit.kind === 'neuron' ? neuronField(field, settings, random) : weightsField(field, settings.steps, unit.scaleInThresholds * settings.threshold);
    field = next.field;
    relativeVariance += next.relativeVariance;
    pulls.push(next.pull);
  }
  return { field, relativeVariance, pull: (moments) => pulls.reduceRight((pulled, pull) => pull(pulled), moments) };
}

function weightsField({ covariance }: Field, steps: number, scale: number): FieldUnit {
  const gain = scale ** 2 / (meanDiagonal(covariance, steps) + epsilon);
  return {
    field: { covariance: covariance.map((value) => value * gain), profile: new Float64Array(steps) },
    pull: (moments) => moments.map((value) => value * gain),
    relativeVariance: 1,
  };
}

function neuronField({ covariance }: Field, settings: StackSettings, random: Random): FieldUnit {
  const { steps, threshold, decay, surrogate } = settings;
  const { derivative } = surrogateDefinitions[surrogate.shape];
  const root = cholesky(covariance, steps);
  const rate = new Float64Array(steps);
  const together = new Float64Array(steps * steps);
  /** E[S[t, a] S[u, b]] at `((t * T + a) * T + u) * T + b`. */
  const jacobians = new Float64Array(steps ** 4);
  const jacobian = new Float64Array(steps * steps);
  const noise = new Float64Array(steps);
  const spikes = new Float64Array(steps);
  let fourth = 0;
  for (let sample = 0; sample < drawn; sample++) {
    for (let step = 0; step < steps; step++) noise[step] = normal(random);
    let left = 0;
    for (let t = 0; t < steps; t++) {
      let potential = decay * left;
      for (let a = 0; a <= t; a++) potential += (root[t * steps + a] ?? 0) * (noise[a] ?? 0);
      const slope = derivative(potential - threshold, surrogate.parameter);
      jacobian[t * steps + t] = slope;
      // How v[t] depends on x[a]: decay for each step between, cut by a spike on the way.
      let way = 1;
      for (let a = t - 1; a >= 0; a--) {
        way *= decay * (1 - (spikes[a] ?? 0));
        jacobian[t * steps + a] = slope * way;
      }
      spikes[t] = potential > threshold ? 1 : 0;
      left = potential > threshold ? 0 : potential;
    }
    for (let t = 0; t < steps; t++) {
      rate[t] = (rate[t] ?? 0) + (spikes[t] ?? 0) / drawn;
      for (let u = 0; u < steps; u++) together[t * steps + u] = (together[t * steps + u] ?? 0) + ((spikes[t] ?? 0) * (spikes[u] ?? 0)) / drawn;
    }
    for (let ta = 0; ta < steps * steps; ta++) {
      const first = (jacobian[ta] ?? 0) / drawn;
      if (first === 0) continue;
      for (let ub = 0; ub < steps * steps; ub++) jacobians[ta * steps * steps + ub] = (jacobians[ta * steps * steps + ub] ?? 0) + first * (jacobian[ub] ?? 0);
    }
    fourth += squaredGram(jacobian, steps) / drawn / steps;
  }
  const mean = rate.reduce((total, value) => total + value, 0) / steps;
  const profile = rate.map((value) => value - mean);
  const spread = together.map((value, at) => value - mean * ((rate[Math.floor(at / steps)] ?? 0) + (rate[at % steps] ?? 0) - mean));
  const pull = (moments: Float64Array): Float64Array => {
    const pulled = new Float64Array(steps * steps);
    for (let t = 0; t < steps; t++) {
      for (let u = 0; u < steps; u++) {
        const moment = moments[t * steps + u] ?? 0;
        for (let a = 0; a <= t; a++) {
          for (let b = 0; b <= u; b++) pulled[a * steps + b] = (pulled[a * steps + b] ?? 0) + moment * (jacobians[((t * steps + a) * steps + u) * steps + b] ?? 0);
        }
      }
    }
    return pulled;
  };
  const gain = meanDiagonal(pull(identity(steps)), steps);
  return { field: { covariance: spread, profile }, pull, relativeVariance: gain > 0 ? fourth / gain ** 2 - 1 : 0 };
}

/** tr((SSᵀ)²) */
function squaredGram(matrix: Float64Array, steps: number): number {
  let total = 0;
  for (let t = 0; t < steps; t++) {
    for (let u = 0; u < steps; u++) {
      let product = 0;
      for (let a = 0; a < steps; a++) product += (matrix[t * steps + a] ?? 0) * (matrix[u * steps + a] ?? 0);
      total += product * product;
    }
  }
  return total;
}

/** Lower triangle whose product with its transpose is the covariance; directions without variance stay 0. */
function cholesky(covariance: Float64Array, steps: number): Float64Array {
  const root = new Float64Array(steps * steps);
  const least = 1e-12 * meanDiagonal(covariance, steps);
  for (let row = 0; row < steps; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = covariance[row * steps + column] ?? 0;
      for (let index = 0; index < column; index++) rest -= (root[row * steps + index] ?? 0) * (root[column * steps + index] ?? 0);
      const pivot = root[column * steps + column] ?? 0;
      root[row * steps + column] = row === column ? (rest > least ? Math.sqrt(rest) : 0) : pivot > 0 ? rest / pivot : 0;
    }
  }
  return root;
}

/** Of the sum of two signals that correlate only in how their means go over the steps. */
function add(a: Field, b: Field): Field {
  const steps = a.profile.length;
  return {
    covariance: a.covariance.map((value, at) => {
      const [t, u] = [Math.floor(at / steps), at % steps];
      return value + (b.covariance[at] ?? 0) + (a.profile[t] ?? 0) * (b.profile[u] ?? 0) + (b.profile[t] ?? 0) * (a.profile[u] ?? 0);
    }),
    profile: sum(a.profile, b.profile),
  };
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, at) => value + (b[at] ?? 0));
}

function identity(steps: number): Float64Array {
  return Float64Array.from({ length: steps * steps }, (_, at) => (at % (steps + 1) === 0 ? 1 : 0));
}

function meanDiagonal(matrix: Float64Array, steps: number): number {
  let trace = 0;
  for (let step = 0; step < steps; step++) trace += matrix[step * (steps + 1)] ?? 0;
  return trace / steps;
}
