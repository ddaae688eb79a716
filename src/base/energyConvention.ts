import { z } from './schema';

/** How an estimate of energy counts: the words that the page, the engine and the estimate itself share. */

/** 45 nm; costs and source are in `energy/costTables.ts`. */
export const costTableIds = ['fp32', 'fp16', 'int8'] as const;
export type CostTableId = (typeof costTableIds)[number];

/**
 * How often layers fed by real values are counted: the encoder, `ms` shortcuts, what SiLU neurons feed, detection layers.
 * `once` is the published formula, E = T * sum(rate * E_AC * OPs of spike-fed layers) + E_MAC * OPs of real-valued ones.
 * `firstOnce` counts the layer that reads the picture once, since a still picture gives it the same result at every step,
 * and the others at each of the T steps. `everyStep` counts all of them at each step.
 */
export const realValuedChoices = ['once', 'firstOnce', 'everyStep'] as const;

export const energyConventionSchema = z.object({
  table: z.enum(costTableIds),
  realValued: z.enum(realValuedChoices),
  /**
   * Also what neurons compute. A LIF neuron takes one MAC (leak and input) and one AC (the comparison with the threshold) a
   * step, an IF neuron two AC, ReLU in the ANN one AC.
   */
  neuronUpdates: z.boolean(),
  /**
   * Also memory traffic, as Lemaire et al. (ICONIP 2022) count it, without reuse of what was read: a MAC reads a weight
   * and an input, and every output is written once; an AC reads a weight, and reads and writes a membrane; a
   * neuron's update reads and writes its membrane. Spikes themselves are single bits and count nothing.
   */
  memory: z.boolean(),
});
export type EnergyConvention = z.infer<typeof energyConventionSchema>;

/** What the paper states: 45 nm FP32, real-valued layers once, no neuron updates, no memory. */
export const paperConvention: EnergyConvention = { table: 'fp32', realValued: 'once', neuronUpdates: false, memory: false };
