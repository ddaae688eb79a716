import type { EnergyConvention } from '../base/energyConvention';
import { costTables } from './costTables';

/**
 * Energy as papers on spiking networks estimate it: operations times the cost of one operation, on hardware made for
 * spikes. Not what this device consumes.
 */

/** One convolution of a network on one frame. */
export interface LayerOperations {
  /** As a person finds it in the network: "3 branch 1". */
  name: string;
  /** Multiply-adds of a dense pass over one step. */
  operationsPerStep: number;
  /** Values that it writes at one step. */
  outputsPerStep: number;
  /** Whether its input is spikes while the network spikes. */
  readsSpikes: boolean;
  /** Whether it reads the network's own input, which is the same at every step of a still picture. */
  readsInput: boolean;
  /**
   * Spikes per neuron that it reads (the firing rate; above 1 where neurons fire bursts), one for each step, or the one
   * mean over all steps. Null where nothing spiked (an ANN's pass, a layer fed by real values).
   */
  inputRates: readonly number[] | null;
}

/** Everything about one run that an estimate needs. */
export interface OperationCounts {
  steps: number;
  layers: readonly LayerOperations[];
  /** Neurons that are updated at every step. */
  neurons: number;
  /** `leaky`: a multiplication and an addition a step (LIF). `integrate`: an addition (the converted network's IF). */
  neuronKind: 'leaky' | 'integrate';
}

export interface EnergyEstimate {
  /** Names the cost table and everything that was chosen, in words. */
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

export interface EnergyBreakdown extends EnergyEstimate {
  /** In the order of the run's layers. */
  layers: readonly LayerEnergy[];
  /** What neurons take, if the convention counts them or their memory; else 0. */
  neurons: { snnPj: number; annPj: number };
}

export interface LayerEnergy {
  /** Over all steps; null where it reads spikes that were not measured. */
  snnPj: number | null;
  annPj: number;
  /** For a spike-fed layer with a rate for each step: what each step took. */
  perStepPj: readonly number[] | undefined;
}

/** The estimate under any convention, layer by layer. */
export function energyBreakdown(counts: OperationCounts, convention: EnergyConvention): EnergyBreakdown {
  const costs = costsUnder(convention);
  const layers = counts.layers.map((layer) => layerEnergy(layer, counts.steps, convention, costs));
  const neurons = neuronEnergy(counts, convention);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const spiking = layers.map(({ snnPj }) => snnPj).filter((pj) => pj !== null);
  const operations = (readsSpikes: boolean): number =>
    sum(counts.layers.filter((layer) => layer.readsSpikes === readsSpikes).map(({ operationsPerStep }) => operationsPerStep));
  return {
    convention: conventionText(convention),
    acOpsPerStep: operations(true),
    macOpsPerStep: operations(false),
    snnPj: spiking.length < layers.length ? null : sum(spiking) + neurons.snnPj,
    annPj: sum(layers.map(({ annPj }) => annPj)) + neurons.annPj,
    layers,
    neurons,
  };
}

/** The estimate without its layers: what the command line prints. */
export function estimateEnergy(counts: OperationCounts, convention: EnergyConvention): EnergyEstimate {
  const { convention: text, acOpsPerStep, macOpsPerStep, snnPj, annPj } = energyBreakdown(counts, convention);
  return { convention: text, acOpsPerStep, macOpsPerStep, snnPj, annPj };
}

interface Costs {
  /** With the reads and writes that belong to it, if they are counted. */
  macPj: number;
  acPj: number;
  /** Writing one output of a layer of MACs. */
  outputPj: number;
}

function costsUnder({ table, memory }: EnergyConvention): Costs {
  const { macPj, acPj, accessPj } = costTables[table];
  if (!memory) return { macPj, acPj, outputPj: 0 };
  return { macPj: macPj + 2 * accessPj, acPj: acPj + 3 * accessPj, outputPj: accessPj };
}

function layerEnergy(layer: LayerOperations, steps: number, { realValued }: EnergyConvention, costs: Costs): LayerEnergy {
  const { operationsPerStep, outputsPerStep, readsSpikes, readsInput, inputRates } = layer;
  const densePj = operationsPerStep * costs.macPj + outputsPerStep * costs.outputPj;
  if (!readsSpikes) {
    const passes = realValued === 'once' || (realValued === 'firstOnce' && readsInput) ? 1 : steps;
    return { snnPj: passes * densePj, annPj: densePj, perStepPj: undefined };
  }
  if (!inputRates || inputRates.length === 0) return { snnPj: null, annPj: densePj, perStepPj: undefined };
  const perRatePj = inputRates.map((rate) => rate * operationsPerStep * costs.acPj);
  const meanPj = perRatePj.reduce((total, pj) => total + pj, 0) / perRatePj.length;
  return { snnPj: steps * meanPj, annPj: densePj, perStepPj: inputRates.length === steps ? perRatePj : undefined };
}

function neuronEnergy({ neurons, neuronKind, steps }: OperationCounts, { table, neuronUpdates, memory }: EnergyConvention): { snnPj: number; annPj: number } {
  const { macPj, acPj, accessPj } = costTables[table];
  const updatePj = neuronUpdates ? (neuronKind === 'leaky' ? macPj : acPj) + acPj : 0;
  const memoryPj = memory ? 2 * accessPj : 0;
  return { snnPj: steps * neurons * (updatePj + memoryPj), annPj: neuronUpdates ? neurons * acPj : 0 };
}

/** One line that names everything that was counted, to stand beside every figure. */
export function conventionText({ table, realValued, neuronUpdates, memory }: EnergyConvention): string {
  const { name, macPj, acPj, accessPj } = costTables[table];
  return [
    `${name}: ${macPj} pJ a MAC, ${acPj} pJ an AC`,
    {
      once: 'real-valued layers counted once',
      firstOnce: 'the first layer counted once, other real-valued layers at every step',
      everyStep: 'real-valued layers counted at every step',
    }[realValued],
    ...(neuronUpdates ? ['with neuron updates'] : []),
    ...(memory ? [`with memory traffic at ${accessPj} pJ an access, nothing reused`] : []),
  ].join('; ');
}
