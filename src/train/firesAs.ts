import type { NeuronParameters } from '../tensor/operations';

/**
 * The current with which spiking neurons fire as they are said to have fired in another run of the same network. Two engines add
 * in another order, so that a membrane within rounding of the threshold may lie on its other side; from there the
 * two runs part. Where that happens, the current is moved by as much as takes the membrane back: to the threshold, or next above it.
 * @param current `[1 or steps, neurons]`
 * @param spikes 0 or 1, `[steps, neurons]`
 * @param fired what the neurons fire with the current as it is, `[steps, neurons]`
 * @returns `[steps, neurons]`; undefined where the neurons fire like this already
 */
export function currentThatFires(
  current: Float32Array,
  spikes: ArrayLike<number>,
  fired: Float32Array,
  steps: number,
  parameters: NeuronParameters,
): Float32Array | undefined {
  const neurons = fired.length / steps;
  const differing = new Set<number>();
  for (let at = 0; at < fired.length; at++) if (fired[at] !== spikes[at]) differing.add(at % neurons);
  if (differing.size === 0) return undefined;
  const moved = new Float32Array(fired.length);
  for (let at = 0; at < moved.length; at += current.length) moved.set(current, at);
  for (const neuron of differing) moveNeuron(moved, spikes, neuron, neurons, parameters);
  return moved;
}

/** One neuron over all steps, in the kernels' 32-bit arithmetic. */
function moveNeuron(current: Float32Array, spikes: ArrayLike<number>, neuron: number, neurons: number, parameters: NeuronParameters): void {
  const decay = Math.fround(parameters.decay);
  const threshold = Math.fround(parameters.threshold);
  let left = 0;
  for (let at = neuron; at < current.length; at += neurons) {
    const fires = spikes[at] === 1;
    let x = current[at] ?? 0;
    let membrane = Math.fround(left + x);
    // What is left may be too large for the first step to show in the sum.
    for (let by = 2 ** -26 * Math.max(Math.abs(threshold), Math.abs(left), 2 ** -96); membrane > threshold !== fires && by < Infinity; by *= 2) {
      x = Math.fround(threshold - left + (fires ? by : -by));
      membrane = Math.fround(left + x);
    }
    current[at] = x;
    const kept = parameters.reset === 'soft' ? Math.fround(membrane - (fires ? threshold : 0)) : fires ? 0 : membrane;
    left = Math.fround(kept * decay);
  }
}
