import type * as ExportFiles from './exportFiles';
import { chooseFiles } from './files';
import type { Command } from './registry';
import { saveSettings } from './shared';

export function saveEnergy(network: 'snn' | 'converted' = 'snn'): void {
  void import('./exportFiles').then((files) => files.saveEnergy(network));
}

export function saveConvergence(): void {
  void import('./exportFiles').then((files) => files.saveConvergence());
}

/** What can be saved; how files are written is loaded when somebody saves one. */
export function exportCommands(): readonly Command[] {
  const save = (write: (files: typeof ExportFiles) => void) => (): void => void import('./exportFiles').then(write);
  return [
    { id: 'export:detections-json', title: 'Save the detections (JSON)', group: 'Export and share', run: save((files) => files.saveDetectionsJson()) },
    { id: 'export:detections-coco-snn', title: 'Save the SNN’s detections (COCO results)', group: 'Export and share', run: save((files) => files.saveCocoResults('snn')) },
    { id: 'export:detections-coco-ann', title: 'Save the ANN’s detections (COCO results)', group: 'Export and share', run: save((files) => files.saveCocoResults('ann')) },
    { id: 'export:detections-coco-converted', title: 'Save the converted SNN’s detections (COCO results)', group: 'Export and share', run: save((files) => files.saveCocoResults('converted')) },
    { id: 'export:detections-csv', title: 'Save the detections (CSV)', group: 'Export and share', run: save((files) => files.saveDetectionsCsv()) },
    { id: 'export:rates', title: 'Save the firing rates (CSV)', group: 'Export and share', run: save((files) => files.saveRates()) },
    { id: 'export:energy', title: 'Save the energy estimate (CSV)', group: 'Export and share', run: saveEnergy },
    { id: 'export:trace', title: 'Save the chosen neuron’s trace (CSV)', group: 'Export and share', run: save((files) => files.saveTrace()) },
    { id: 'export:membranes', title: 'Save the chosen layer’s membranes (npy)', group: 'Export and share', run: save((files) => files.saveLayer('membrane')) },
    { id: 'export:emitted', title: 'Save the chosen layer’s spikes (npy)', group: 'Export and share', run: save((files) => files.saveLayer('emitted')) },
    { id: 'export:explanation', title: 'Save the explanation, per layer and step (CSV)', group: 'Export and share', run: save((files) => files.saveExplanation()) },
    { id: 'export:attribution', title: 'Save the explanation of the chosen layer (npy)', group: 'Export and share', run: save((files) => files.saveAttribution()) },
    { id: 'export:difference', title: 'Save the difference of SNN and ANN (CSV)', group: 'Export and share', run: save((files) => files.saveDifference()) },
    { id: 'export:convergence', title: 'Save agreement, spikes and energy by T (CSV)', group: 'Export and share', run: saveConvergence },
    { id: 'export:histogram', title: 'Save the membrane histogram (CSV)', group: 'Export and share', run: save((files) => files.saveHistogram()) },
    { id: 'export:raster', title: 'Save the raster over windows (npy)', group: 'Export and share', run: save((files) => files.saveRaster()) },
    { id: 'export:settings', title: 'Save the run settings (JSON)', group: 'Export and share', run: saveSettings },
    { id: 'import:settings', title: 'Open run settings…', group: 'Export and share', run: chooseFiles },
  ];
}
