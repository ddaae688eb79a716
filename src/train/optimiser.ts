import type { TrainingConfig } from './config';

/** What an optimiser remembers of every parameter, by name. */
export interface Moments {
  first: Map<string, Float32Array>;
  /** Only of AdamW. */
  second: Map<string, Float32Array>;
}

const secondDecay = 0.999;
const epsilon = 1e-8;

/** The norm of all gradients together. */
export function gradientNorm(gradients: ReadonlyMap<string, Float32Array>): number {
  let sum = 0;
  for (const values of gradients.values()) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * One step over all parameters that have a gradient, in place.
 *
 * AdamW (Loshchilov and Hutter 2019) or SGD with Nesterov momentum; weight decay only on `decayed` parameters (convolution
 * weights). Gradients are scaled to `clipNorm` first.
 * @param step counts from 1
 * @returns the norm before clipping; where it is not finite, nothing was changed
 */
export function optimise(
  parameters: ReadonlyMap<string, Float32Array>,
  gradients: ReadonlyMap<string, Float32Array>,
  moments: Moments,
  settings: TrainingConfig['optimiser'],
  learningRate: number,
  step: number,
  decayed: (name: string) => boolean,
): number {
  const norm = gradientNorm(gradients);
  if (!Number.isFinite(norm)) return norm;
  const scale = norm > settings.clipNorm ? settings.clipNorm / norm : 1;
  const { momentum, weightDecay, kind } = settings;
  const firstCorrection = 1 / (1 - momentum ** step);
  const secondCorrection = 1 / (1 - secondDecay ** step);
  for (const [name, gradient] of gradients) {
    const values = parameters.get(name);
    if (!values) throw new RangeError(`There is no parameter ${name}.`);
    const first = remembered(moments.first, name, values.length);
    const decay = decayed(name) ? weightDecay : 0;
    if (kind === 'sgd') {
      for (let index = 0; index < values.length; index++) {
        const value = values[index] ?? NaN;
        const slope = (gradient[index] ?? NaN) * scale + decay * value;
        const velocity = momentum * (first[index] ?? NaN) + slope;
        first[index] = velocity;
        values[index] = value - learningRate * (slope + momentum * velocity);
      }
      continue;
    }
    const second = remembered(moments.second, name, values.length);
    for (let index = 0; index < values.length; index++) {
      const slope = (gradient[index] ?? NaN) * scale;
      const mean = momentum * (first[index] ?? NaN) + (1 - momentum) * slope;
      const square = secondDecay * (second[index] ?? NaN) + (1 - secondDecay) * slope * slope;
      first[index] = mean;
      second[index] = square;
      const value = (values[index] ?? NaN) * (1 - learningRate * decay);
      values[index] = value - (learningRate * mean * firstCorrection) / (Math.sqrt(square * secondCorrection) + epsilon);
    }
  }
  return norm;
}

function remembered(moments: Map<string, Float32Array>, name: string, length: number): Float32Array {
  const known = moments.get(name);
  if (known) return known;
  const fresh = new Float32Array(length);
  moments.set(name, fresh);
  return fresh;
}

/** The learning rate at a step: a linear rise, then half a cosine. `step` counts from 0. */
export function scheduledRate(peak: number, step: number, steps: number, warmUpSteps: number, finalShare: number): number {
  if (step < warmUpSteps) return peak * Math.min((step + 1) / warmUpSteps, 1);
  const done = (step - warmUpSteps) / Math.max(steps - warmUpSteps, 1);
  return peak * (finalShare + ((1 - finalShare) * (1 + Math.cos(Math.PI * Math.min(done, 1)))) / 2);
}

/** Moves the average towards the values; early averages follow quickly. `updates` counts from 1. */
export function updateAverage(average: ReadonlyMap<string, Float32Array>, values: ReadonlyMap<string, Float32Array>, decay: number, updates: number): void {
  const kept = Math.min(decay, (1 + updates) / (10 + updates));
  for (const [name, current] of values) {
    const to = average.get(name);
    if (!to) throw new RangeError(`There is no average of ${name}.`);
    for (let index = 0; index < to.length; index++) to[index] = kept * (to[index] ?? NaN) + (1 - kept) * (current[index] ?? NaN);
  }
}
