import { paperConvention } from '../base/energyConvention';
import type { Size } from '../base/geometry';
import { estimateEnergy, type OperationCounts } from '../energy/energy';
import { convolutionCosts, neuronCount, type NetworkGraph } from '../network/graph';

/**
 * What an estimate of energy needs of one run, from the graph and the firing rates that were measured on the frame.
 * @param firingRates spikes per neuron, `[layer][step]`, or one mean over the steps for each layer
 */
export function operationCounts(
  graph: NetworkGraph,
  input: Size,
  { steps, firingRates, neuronKind }: { steps: number; firingRates: readonly (readonly number[] | undefined)[]; neuronKind: OperationCounts['neuronKind'] },
): OperationCounts {
  return {
    steps,
    layers: convolutionCosts(graph, input.height, input.width, neuronKind === 'leaky' ? 'trained' : 'converted').map(({ row, label, operations, outputs, spikesFrom, readsInput }) => ({
      name: `${row} ${label}`,
      operationsPerStep: operations,
      outputsPerStep: outputs,
      readsSpikes: spikesFrom !== undefined,
      readsInput,
      inputRates: spikesFrom === undefined ? null : (firingRates[spikesFrom] ?? null),
    })),
    neurons: neuronCount(graph, input.height, input.width),
    neuronKind,
  };
}

/** What an evaluation adds up over its samples: energy by the paper's convention, and how much of the network fired. */
export function frameCosts(operations: OperationCounts): { firingRate: number | undefined; snnPj: number | undefined; annPj: number } {
  const { snnPj, annPj } = estimateEnergy(operations, paperConvention);
  return { firingRate: inputFiringRate(operations), snnPj: snnPj ?? undefined, annPj };
}

/** Mean rate of the neurons that convolutions read, weighted by the operations that they feed; undefined where nothing spiked. */
function inputFiringRate({ layers }: OperationCounts): number | undefined {
  let spikes = 0;
  let all = 0;
  for (const { operationsPerStep, inputRates } of layers) {
    if (!inputRates || inputRates.length === 0) continue;
    spikes += (inputRates.reduce((sum, rate) => sum + rate, 0) / inputRates.length) * operationsPerStep;
    all += operationsPerStep;
  }
  return all === 0 ? undefined : spikes / all;
}
