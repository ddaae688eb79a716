import { describe, expect, it } from 'vitest';
import { energyCsv } from './energyCsv';

describe('the CSV of an estimate', () => {
  it('holds every layer with its convention, quoted where a comma stands in it', async () => {
    const layer = { outputsPerStep: 1, readsInput: false };
    const operations = {
      steps: 2,
      layers: [
        { ...layer, name: '0 encoder', operationsPerStep: 100, readsSpikes: false, inputRates: null },
        { ...layer, name: '1 2, branch 1', operationsPerStep: 50, readsSpikes: true, inputRates: [0.25, 0.75] },
      ],
      neurons: 7,
      neuronKind: 'leaky' as const,
    };
    const estimate = {
      convention: '45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC',
      acOpsPerStep: 50,
      macOpsPerStep: 100,
      snnPj: 505,
      annPj: 690,
      layers: [
        { snnPj: 460, annPj: 460, perStepPj: undefined },
        { snnPj: 45, annPj: 230, perStepPj: [11.25, 33.75] },
      ],
      neurons: { snnPj: 0, annPj: 0 },
    };
    expect(await energyCsv({ operations, steps: 2 }, estimate).text()).toBe(
      [
        'layer,operation,operations_per_step,input_spikes_per_neuron_and_step,snn_pj,ann_pj,steps,convention',
        '0 encoder,MAC,100,,460,460,2,"45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC"',
        '"1 2, branch 1",AC,50,0.5,45,230,2,"45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC"',
        'neurons,,,,0,0,2,"45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC"',
        '',
      ].join('\r\n'),
    );
  });
});
