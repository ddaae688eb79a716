/**
 * Energy as papers on spiking networks estimate it: operations times the cost of one operation, on hardware made for
 * spikes. Not what this device consumes.
 */

/** Cost of one operation in picojoules. MAC: multiply and add; AC: add only, which is all that a spike asks for. */
export interface CostTable {
  name: string;
  macPj: number;
  acPj: number;
  source: string;
}

export const fp32At45nm: CostTable = {
  name: '45 nm FP32',
  macPj: 4.6,
  acPj: 0.9,
  source: 'Horowitz, Computing’s energy problem, ISSCC 2014',
};

/** One convolution of a network on one frame. */
export interface LayerOperations {
  /** Multiply-adds of a dense pass over one step. */
  operationsPerStep: number;
  /** Whether its input is spikes while the network spikes. */
  readsSpikes: boolean;
  /** Mean firing rate over the steps of the neurons that it reads; undefined where nothing spiked (an ANN's pass). */
  inputFiringRate: number | undefined;
}

/**
 * How often real-valued layers (the encoder, `ms` shortcuts, SiLU-fed and detection layers) are counted.
 * `once` is the published formula, E = T * sum(rate * E_AC * OPs of spike-fed layers) + E_MAC * OPs of real-valued ones;
 * `everyStep` counts them at each of the T steps.
 */
export type RealValuedLayers = 'once' | 'everyStep';

export interface EnergyEstimate {
  /** Names the cost table and how real-valued layers are counted. */
  convention: string;
  /** Multiply-adds of one dense pass over the layers that read spikes; they cost AC times the firing rate. */
  acOpsPerStep: number;
  /** Multiply-adds per step of the layers that read real values. */
  macOpsPerStep: number;
  /** Null when no firing rates were measured. */
  snnPj: number | null;
  /** The same network with ReLU, one pass, every operation a MAC. */
  annPj: number;
}

export function estimateEnergy(
  layers: readonly LayerOperations[],
  steps: number,
  table: CostTable,
  realValued: RealValuedLayers,
): EnergyEstimate {
  let acOpsPerStep = 0;
  let macOpsPerStep = 0;
  let spikingPj: number | null = 0;
  for (const { operationsPerStep, readsSpikes, inputFiringRate } of layers) {
    if (!readsSpikes) {
      macOpsPerStep += operationsPerStep;
      continue;
    }
    acOpsPerStep += operationsPerStep;
    spikingPj =
      spikingPj === null || inputFiringRate === undefined
        ? null
        : spikingPj + steps * inputFiringRate * operationsPerStep * table.acPj;
  }
  const realValuedPasses = realValued === 'once' ? 1 : steps;
  return {
    convention: `${table.name}: ${table.macPj} pJ a MAC, ${table.acPj} pJ an AC; real-valued layers counted ${
      realValued === 'once' ? 'once' : 'at every step'
    }`,
    acOpsPerStep,
    macOpsPerStep,
    snnPj: spikingPj === null ? null : spikingPj + realValuedPasses * macOpsPerStep * table.macPj,
    annPj: (acOpsPerStep + macOpsPerStep) * table.macPj,
  };
}
