import { describe, expect, it } from 'vitest';
import { paperConvention, type EnergyConvention } from '../base/energyConvention';
import { energyBreakdown, estimateEnergy, type OperationCounts } from './energy';

const counts: OperationCounts = {
  steps: 4,
  layers: [
    { name: 'encoder', operationsPerStep: 1000, outputsPerStep: 100, readsSpikes: false, readsInput: true, inputRates: null },
    { name: 'a', operationsPerStep: 5000, outputsPerStep: 50, readsSpikes: true, readsInput: false, inputRates: [0.1, 0.3, 0.2, 0.2] },
    { name: 'b', operationsPerStep: 3000, outputsPerStep: 30, readsSpikes: true, readsInput: false, inputRates: [0.1] },
    { name: 'shortcut', operationsPerStep: 200, outputsPerStep: 10, readsSpikes: false, readsInput: false, inputRates: null },
  ],
  neurons: 70,
  neuronKind: 'leaky',
};

const under = (change: Partial<EnergyConvention>, of = counts) => estimateEnergy(of, { ...paperConvention, ...change });

describe('energy, worked by hand', () => {
  it('is the published formula under the paper’s convention', () => {
    // 4 * (0.2 * 5000 + 0.1 * 3000) * 0.9 + 1200 * 4.6 = 4680 + 5520
    const estimate = under({});
    expect(estimate.snnPj).toBeCloseTo(10_200, 9);
    expect(estimate.annPj).toBeCloseTo(9200 * 4.6, 9);
    expect([estimate.acOpsPerStep, estimate.macOpsPerStep]).toEqual([8000, 1200]);
    expect(estimate.convention).toBe('45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC; real-valued layers counted once');
  });

  it('counts the first layer once and other real-valued layers at every step, or all of them at every step', () => {
    // 4680 + 1000 * 4.6 + 4 * 200 * 4.6 = 4680 + 4600 + 3680
    expect(under({ realValued: 'firstOnce' }).snnPj).toBeCloseTo(12_960, 9);
    expect(under({ realValued: 'everyStep' }).snnPj).toBeCloseTo(4680 + 4 * 5520, 9);
    for (const realValued of ['firstOnce', 'everyStep'] as const) expect(under({ realValued }).annPj).toBe(under({}).annPj);
  });

  it.each([
    ['fp16', 4 * 1300 * 0.4 + 1200 * 1.5, 9200 * 1.5],
    ['int8', 4 * 1300 * 0.03 + 1200 * 0.23, 9200 * 0.23],
  ] as const)('takes the costs of %s', (table, snnPj, annPj) => {
    const estimate = under({ table });
    expect(estimate.snnPj).toBeCloseTo(snnPj, 9);
    expect(estimate.annPj).toBeCloseTo(annPj, 9);
  });

  it('adds what neurons compute when asked to', () => {
    // LIF: a MAC and an AC for each of 70 neurons and 4 steps; IF: two AC; ReLU: one AC, once.
    expect(under({ neuronUpdates: true }).snnPj).toBeCloseTo(10_200 + 4 * 70 * (4.6 + 0.9), 9);
    expect(under({ neuronUpdates: true }, { ...counts, neuronKind: 'integrate' }).snnPj).toBeCloseTo(10_200 + 4 * 70 * 1.8, 9);
    expect(under({ neuronUpdates: true }).annPj).toBeCloseTo(9200 * 4.6 + 70 * 0.9, 9);
  });

  it('adds memory traffic when asked to', () => {
    // Each AC 3 accesses of 10 pJ, each MAC 2, each output of a layer of MACs 1, each neuron and step 2.
    const spiking = 4 * 1300 * (0.9 + 30);
    const real = 1200 * (4.6 + 20) + 110 * 10;
    expect(under({ memory: true }).snnPj).toBeCloseTo(spiking + real + 4 * 70 * 20, 6);
    expect(under({ memory: true }).annPj).toBeCloseTo(9200 * 24.6 + 190 * 10, 6);
  });

  it('gives every layer its part, and each step where the rates are known for each', () => {
    const { layers, snnPj, annPj, neurons } = energyBreakdown(counts, { ...paperConvention, neuronUpdates: true });
    expect(layers.reduce((sum, layer) => sum + (layer.snnPj ?? NaN), 0) + neurons.snnPj).toBeCloseTo(snnPj ?? NaN, 9);
    expect(layers.reduce((sum, layer) => sum + layer.annPj, 0) + neurons.annPj).toBeCloseTo(annPj, 9);
    const [, second, third] = layers;
    [450, 1350, 900, 900].forEach((pj, step) => expect(second?.perStepPj?.[step]).toBeCloseTo(pj, 9));
    expect(third?.perStepPj).toBeUndefined();
    expect(third?.snnPj).toBeCloseTo(4 * 0.1 * 3000 * 0.9, 9);
  });

  it('says nothing about spikes where none were measured', () => {
    const unmeasured = { ...counts, layers: counts.layers.map((layer) => ({ ...layer, inputRates: null })) };
    const estimate = estimateEnergy(unmeasured, paperConvention);
    expect(estimate.snnPj).toBeNull();
    expect(estimate.annPj).toBeCloseTo(9200 * 4.6, 9);
  });

  it('names everything that was chosen', () => {
    const text = under({ table: 'int8', realValued: 'firstOnce', neuronUpdates: true, memory: true }).convention;
    expect(text).toBe(
      '45 nm INT8: 0.23 pJ a MAC, 0.03 pJ an AC; the first layer counted once, other real-valued layers at every step; with neuron updates; with memory traffic at 2.5 pJ an access, nothing reused',
    );
  });
});
