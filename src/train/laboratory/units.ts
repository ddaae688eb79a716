import type { BlockDescription, BlockUnit, StackSettings } from '../../base/blockStacks';
import { normal, type Random } from '../../base/random';
import { softSpike, surrogateDefinitions } from '../../base/surrogate';

/**
 * The units of a block as functions with their pullbacks: each gives its output and a function that carries a gradient with respect to
 * the output back to its input. Signals are `[steps, samples, width]`, row-major.
 */

export interface Unit {
  output: Float64Array;
  pull: Pullback;
}

/**
 * Gradients are `[steps, rows, width]`: a row is the gradient of one sample, or one of several that belong to the same sample.
 * With `held` statistics the norms are fixed maps, as at inference, and `held` names the sample of all rows; else row and sample agree and
 * the gradient flows through mean and variance too, as in training.
 */
export type Pullback = (gradient: Float64Array, rows: number, held: number | undefined) => Float64Array;

export interface Shape {
  steps: number;
  samples: number;
  width: number;
}

/** What a neuron emits at u = v − threshold: a spike; tests put the surrogate's soft spike in its place. */
export type Emission = 'spikes' | 'soft spikes';

/** Batch norm's epsilon (specification, section 3). */
const epsilon = 1e-5;

/** The LIF neuron with hard, detached reset, element by element. Its pullback is that of `base/neuron.ts`. */
export function neuronUnit(input: Float64Array, { steps, samples, width }: Shape, settings: StackSettings, emission: Emission): Unit {
  const { threshold, decay, surrogate } = settings;
  const { derivative } = surrogateDefinitions[surrogate.shape];
  const step = samples * width;
  const membrane = new Float64Array(input.length);
  const output = new Float64Array(input.length);
  const slope = new Float64Array(input.length);
  /** 1 where the membrane stays for the next step, 0 where it is reset. */
  const kept = new Uint8Array(input.length);
  for (let at = 0; at < input.length; at++) {
    const left = at < step ? 0 : (membrane[at - step] ?? 0) * (kept[at - step] ?? 0);
    const potential = decay * left + (input[at] ?? 0);
    membrane[at] = potential;
    kept[at] = potential > threshold ? 0 : 1;
    output[at] = emission === 'spikes' ? 1 - (kept[at] ?? 0) : softSpike(surrogate, potential - threshold);
    slope[at] = derivative(potential - threshold, surrogate.parameter);
  }
  const pull: Pullback = (gradient, rows, held) => {
    const pulled = new Float64Array(gradient.length);
    const rowStep = rows * width;
    for (let time = steps - 1; time >= 0; time--) {
      for (let row = 0; row < rows; row++) {
        const sample = held ?? row;
        for (let channel = 0; channel < width; channel++) {
          const at = time * step + sample * width + channel;
          const place = time * rowStep + row * width + channel;
          const later = time === steps - 1 ? 0 : (pulled[place + rowStep] ?? 0) * decay * (kept[at] ?? 0);
          pulled[place] = (gradient[place] ?? 0) * (slope[at] ?? 0) + later;
        }
      }
    }
    return pulled;
  };
  return { output, pull };
}

/** A full connection with weights of mean 0 and variance 1 / width. Cost: steps · samples · width² multiply-adds where all inputs spike. */
export function connectionUnit(input: Float64Array, { width }: Shape, random: Random): Unit {
  const weights = Float64Array.from({ length: width * width }, () => normal(random) / Math.sqrt(width));
  const output = new Float64Array(input.length);
  for (let start = 0; start < input.length; start += width) {
    for (let from = 0; from < width; from++) {
      const value = input[start + from] ?? 0;
      if (value === 0) continue;
      for (let to = 0; to < width; to++) output[start + to] = (output[start + to] ?? 0) + value * (weights[from * width + to] ?? 0);
    }
  }
  return { output, pull: (gradient) => timesTransposed(gradient, weights, width) };
}

/** Each row of `width` values times the transposed matrix. Four rows at a time: each weight is then read once for four. */
function timesTransposed(values: Float64Array, weights: Float64Array, width: number): Float64Array {
  const product = new Float64Array(values.length);
  // Rows past the end read and write nothing.
  for (let row = 0; row < values.length; row += 4 * width) {
    const [second, third, fourth] = [row + width, row + 2 * width, row + 3 * width];
    for (let from = 0; from < width; from++) {
      let [a, b, c, d] = [0, 0, 0, 0];
      const line = from * width;
      for (let to = 0; to < width; to++) {
        const weight = weights[line + to] ?? 0;
        a += (values[row + to] ?? 0) * weight;
        b += (values[second + to] ?? 0) * weight;
        c += (values[third + to] ?? 0) * weight;
        d += (values[fourth + to] ?? 0) * weight;
      }
      product[row + from] = a;
      product[second + from] = b;
      product[third + from] = c;
      product[fourth + from] = d;
    }
  }
  return product;
}

/** Batch norm over steps and samples of each channel, with one scale and no shift (specification, section 3). */
export function normUnit(input: Float64Array, { steps, samples, width }: Shape, scale: number): Unit {
  const count = steps * samples;
  const mean = new Float64Array(width);
  const inverse = new Float64Array(width);
  for (let channel = 0; channel < width; channel++) {
    let [sum, squares] = [0, 0];
    for (let at = channel; at < input.length; at += width) sum += input[at] ?? 0;
    for (let at = channel; at < input.length; at += width) squares += ((input[at] ?? 0) - sum / count) ** 2;
    mean[channel] = sum / count;
    inverse[channel] = 1 / Math.sqrt(squares / count + epsilon);
  }
  const normalised = input.map((value, at) => (value - (mean[at % width] ?? 0)) * (inverse[at % width] ?? 0));
  const pull: Pullback = (gradient, _rows, held) => {
    if (held !== undefined) return gradient.map((value, at) => value * scale * (inverse[at % width] ?? 0));
    const pulled = new Float64Array(gradient.length);
    for (let channel = 0; channel < width; channel++) {
      let [sum, along] = [0, 0];
      for (let at = channel; at < gradient.length; at += width) {
        sum += gradient[at] ?? 0;
        along += (gradient[at] ?? 0) * (normalised[at] ?? 0);
      }
      const factor = scale * (inverse[channel] ?? 0);
      for (let at = channel; at < gradient.length; at += width) {
        pulled[at] = factor * ((gradient[at] ?? 0) - sum / count - ((normalised[at] ?? 0) * along) / count);
      }
    }
    return pulled;
  };
  return { output: normalised.map((value) => value * scale), pull };
}

/** A chain of units; the pullback goes through them from the last to the first. */
export function chain(input: Float64Array, shape: Shape, units: readonly BlockUnit[], settings: StackSettings, random: Random, emission: Emission): Unit & { neurons: Float64Array[] } {
  let signal = input;
  const pulls: Pullback[] = [];
  const neurons: Float64Array[] = [];
  const take = ({ output, pull }: Unit): void => {
    signal = output;
    pulls.push(pull);
  };
  for (const unit of units) {
    if (unit.kind === 'neuron') {
      take(neuronUnit(signal, shape, settings, emission));
      neurons.push(signal);
    } else {
      take(connectionUnit(signal, shape, random));
      take(normUnit(signal, shape, unit.scaleInThresholds * settings.threshold));
    }
  }
  return {
    output: signal,
    neurons,
    pull: (gradient, rows, held) => pulls.reduceRight((pulled, pull) => pull(pulled, rows, held), gradient),
  };
}

/** A block: its branch, and what its shortcut adds. `neurons` are the spikes of the branch's neuron layers. */
export function block(input: Float64Array, shape: Shape, { branch, shortcut }: BlockDescription, settings: StackSettings, random: Random, emission: Emission): Unit & { neurons: Float64Array[] } {
  const main = chain(input, shape, branch, settings, random, emission);
  if (shortcut === 'none') return main;
  const way: Unit = shortcut === 'identity' ? { output: input, pull: (gradient) => gradient } : chain(input, shape, shortcut, settings, random, emission);
  return {
    output: main.output.map((value, at) => value + (way.output[at] ?? 0)),
    neurons: main.neurons,
    pull: (gradient, rows, held) => {
      const added = way.pull(gradient, rows, held);
      return main.pull(gradient, rows, held).map((value, at) => value + (added[at] ?? 0));
    },
  };
}
