import { blocks, largestJacobian, stemOf, type BlockKind, type BlockSpectrum, type GradientProfile, type StackKind, type StackSettings } from '../../base/blockStacks';
import { AppError } from '../../base/errors';
import type { Task } from '../../base/progress';
import { normal, seededRandom, type Random } from '../../base/random';
import { goOn } from './goOn';
import { predictIsometry } from './meanField';
import { singularValues } from './singularValues';
import { block, chain, type Pullback, type Shape } from './units';

/**
 * Measures gradients of real stacks: weights and inputs are drawn, the stack runs with batch statistics, and gradients go back
 * through it as in training.
 */

/** How many samples' Jacobians make one spectrum. */
const samplesTaken = 2;
const measuring = 'Measuring gradients';

/**
 * Sends one random gradient (normal, independent) from the stack's end back to its beginning.
 * @returns its mean square before each block, as a share of the one after the last; `[depth + 1]`
 * @throws AppError `cancelled`
 */
export async function measureProfile(kind: StackKind, settings: StackSettings, seed: number, task: Task): Promise<GradientProfile> {
  const { depth } = settings;
  const random = seededRandom(seed);
  const shape = shapeOf(settings);
  let signal = stackInput(kind, shape, settings, random);
  const pulls: Pullback[] = [];
  for (let index = 0; index < depth; index++) {
    await goOn(task, measuring, index, 2 * depth);
    const { output, pull } = block(signal, shape, blocks[kind], settings, random, 'spikes');
    signal = output;
    pulls.push(pull);
  }
  let gradient: Float64Array = signal.map(() => normal(random));
  const last = meanSquare(gradient);
  const profile = [1];
  for (const pull of pulls.reverse()) {
    await goOn(task, measuring, depth + profile.length - 1, 2 * depth);
    gradient = pull(gradient, shape.samples, undefined);
    profile.unshift(meanSquare(gradient) / last);
  }
  return profile;
}

/**
 * The spectrum of the Jacobian of one block: of all outputs of a sample over all steps, with respect to all its inputs, the norms' statistics
 * held. `place` is the block's number in its stack, from 1; a block that changes the shape follows on EMS blocks.
 * @throws AppError `cancelled`, `usage` where steps times width is more than 256
 */
export async function measureSpectrum(kind: BlockKind, place: number, settings: StackSettings, seed: number, task: Task): Promise<BlockSpectrum> {
  const { steps, width, samples } = settings;
  const side = steps * width;
  if (side > largestJacobian) {
    throw new AppError('usage', `A Jacobian of ${side} rows takes too long.`, `Choose a width and steps whose product is at most ${largestJacobian}.`);
  }
  const random = seededRandom(seed);
  const shape = shapeOf(settings);
  let signal = stackInput(kind, shape, settings, random);
  const total = place + samplesTaken;
  for (let index = 1; index < place; index++) {
    await goOn(task, measuring, index - 1, total);
    signal = block(signal, shape, blocks[kind === 'ems-shape' ? 'ems' : kind], settings, random, 'spikes').output;
  }
  const { pull, neurons } = block(signal, shape, blocks[kind], settings, random, 'spikes');
  const values: number[] = [];
  for (let taken = 0; taken < samplesTaken; taken++) {
    await goOn(task, measuring, place + taken, total);
    values.push(...singularValues(jacobianOf(pull, shape, Math.floor((taken * samples) / samplesTaken)), side, side));
  }
  return {
    singularValues: values.sort((a, b) => b - a),
    measured: isometryOf(values),
    predicted: predictIsometry(kind, place - 1, settings),
    firingRates: neurons.map((spikes) => spikes.reduce((sum, spike) => sum + spike, 0) / spikes.length),
  };
}

/** `[steps · width, steps · width]`: output (step, channel) by input (step, channel) of one sample. */
export function jacobianOf(pull: Pullback, { steps, width }: Shape, sample: number): Float64Array {
  const side = steps * width;
  // One row for each output, whose gradient is 1 there.
  const outputs = new Float64Array(steps * side * width);
  for (let step = 0; step < steps; step++) {
    for (let channel = 0; channel < width; channel++) outputs[(step * side + step * width + channel) * width + channel] = 1;
  }
  const inputs = pull(outputs, side, sample);
  const jacobian = new Float64Array(side * side);
  for (let output = 0; output < side; output++) {
    for (let step = 0; step < steps; step++) {
      for (let channel = 0; channel < width; channel++) jacobian[output * side + step * width + channel] = inputs[(step * side + output) * width + channel] ?? 0;
    }
  }
  return jacobian;
}

function shapeOf({ steps, samples, width }: StackSettings): Shape {
  return { steps, samples, width };
}

/** Currents as the encoder's norm gives them for a picture: mean 0, deviation θ, the same at every step. */
function stackInput(kind: BlockKind, shape: Shape, settings: StackSettings, random: Random): Float64Array {
  const picture = Float64Array.from({ length: shape.samples * shape.width }, () => normal(random) * settings.threshold);
  const repeated = Float64Array.from({ length: shape.steps * picture.length }, (_, at) => picture[at % picture.length] ?? 0);
  return chain(repeated, shape, stemOf(kind), settings, random, 'spikes').output;
}

function isometryOf(values: readonly number[]): { mean: number; spread: number } {
  const squares = values.map((value) => value * value);
  const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
  return { mean, spread: squares.reduce((sum, square) => sum + (square - mean) ** 2, 0) / squares.length };
}

function meanSquare(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}
