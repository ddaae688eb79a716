import { csvFile } from '../base/csv';
import type { DetectionResult, EnergyBreakdown } from '../state/store';

/** The estimate as a table for spreadsheets, in picojoules; the convention stands in every row, since rows are copied alone. */
export function energyCsv({ operations, steps }: Pick<DetectionResult, 'operations' | 'steps'>, { layers, neurons, convention }: EnergyBreakdown): Blob {
  const rows = operations.layers.map(({ name, readsSpikes, operationsPerStep, inputRates }, index) => {
    const rate = inputRates ? inputRates.reduce((sum, each) => sum + each, 0) / inputRates.length : undefined;
    const { snnPj = null, annPj = 0 } = layers[index] ?? {};
    return [name, readsSpikes ? 'AC' : 'MAC', operationsPerStep, rate, snnPj ?? undefined, annPj, steps, convention];
  });
  return csvFile(
    ['layer', 'operation', 'operations_per_step', 'input_spikes_per_neuron_and_step', 'snn_pj', 'ann_pj', 'steps', 'convention'],
    [...rows, ['neurons', undefined, undefined, undefined, neurons.snnPj, neurons.annPj, steps, convention]],
  );
}
