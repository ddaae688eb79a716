import type { Size } from '../base/geometry';
import type { OperationCounts } from '../energy/energy';
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
