import { extent } from 'd3';
import type { NeuronSeries } from './layerViews';

/** A stretch of the membrane's course; steps and potentials, not pixels. */
export interface Stretch {
  from: { step: number; potential: number };
  to: { step: number; potential: number };
}

/** How a membrane goes from step to step. */
export interface MembraneCourse {
  /** From what a step left over to the next step's potential. */
  charges: Stretch[];
  /** After a spike: from the potential straight to what the reset leaves. */
  resets: Stretch[];
}

/**
 * The reset of the LIF neuron drawn out: a potential that spiked falls, with the hard reset to 0, before the next step adds its
 * input (specification, section 2). A neuron that emits values has no reset to show.
 * @param afterSpike what the reset leaves of a potential
 */
export function membraneCourse(
  { membrane, emitted }: NeuronSeries,
  emits: 'spikes' | 'values',
  afterSpike: (potential: number) => number = () => 0,
): MembraneCourse {
  const charges: Stretch[] = [];
  const resets: Stretch[] = [];
  membrane.forEach((potential, step) => {
    const here = { step, potential };
    const spiked = emits === 'spikes' && emitted[step] !== 0;
    const left = spiked ? { step, potential: afterSpike(potential) } : here;
    if (spiked) resets.push({ from: here, to: left });
    const next = membrane[step + 1];
    if (next !== undefined) charges.push({ from: left, to: { step: step + 1, potential: next } });
  });
  return { charges, resets };
}

/** The potentials that the chart must show, widened a little: all values, 0 and the threshold. */
export function potentialDomain(values: readonly number[], threshold: number | undefined): [number, number] {
  const [low = 0, high = 0] = extent([...values, 0, ...(threshold === undefined ? [] : [threshold])]);
  const margin = high > low ? (high - low) * 0.1 : 0.5;
  return [low - margin, high + margin];
}
