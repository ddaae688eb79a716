import { AppError } from './errors';
import type { LayerTrace } from './trace';

/** Which steps each neuron spiked in: bit t of `masks[neuron]` is step t. */
export interface SpikeMasks {
  steps: number;
  masks: Uint32Array;
  firedNeurons: number;
  spikes: number;
  /** Spikes of all neurons, one entry per step. */
  spikesPerStep: Uint32Array;
}

const maximumSteps = 32;

const masksOfTraces = new WeakMap<LayerTrace, SpikeMasks>();

/**
 * Packs the spikes of a layer, 4 bytes a neuron; remembered for as long as the trace lives. One pass in memory order.
 * @throws AppError `internal` for more than 32 steps, which no run has (16 at most).
 */
export function spikeMasks(trace: LayerTrace): SpikeMasks {
  const known = masksOfTraces.get(trace);
  if (known) return known;
  const { steps, emitted } = trace;
  if (steps > maximumSteps) {
    throw new AppError('internal', `A raster of ${steps} steps was asked for; it holds ${maximumSteps}.`, `Run with ${maximumSteps} steps or fewer.`);
  }
  const neurons = trace.height * trace.width * trace.channels;
  const masks = new Uint32Array(neurons);
  const spikesPerStep = new Uint32Array(steps);
  for (let step = 0; step < steps; step++) {
    const bit = 1 << step;
    const first = step * neurons;
    let count = 0;
    for (let neuron = 0; neuron < neurons; neuron++) {
      if (emitted[first + neuron] !== 0) {
        masks[neuron] = (masks[neuron] ?? 0) | bit;
        count++;
      }
    }
    spikesPerStep[step] = count;
  }
  let firedNeurons = 0;
  for (let neuron = 0; neuron < neurons; neuron++) if (masks[neuron] !== 0) firedNeurons++;
  const result = { steps, masks, firedNeurons, spikes: spikesPerStep.reduce((sum, count) => sum + count, 0), spikesPerStep };
  masksOfTraces.set(trace, result);
  return result;
}
