import { describe, expect, it } from 'vitest';
import { estimateEnergy, fp32At45nm } from './energy';

describe('energy', () => {
  const layers = [
    { operationsPerStep: 1000, readsSpikes: false, inputFiringRate: undefined },
    { operationsPerStep: 5000, readsSpikes: true, inputFiringRate: 0.2 },
    { operationsPerStep: 3000, readsSpikes: true, inputFiringRate: 0.1 },
  ];

  it('is the published formula, worked by hand', () => {
    // 4 * (0.2 * 5000 + 0.1 * 3000) * 0.9 + 1000 * 4.6 = 4680 + 4600
    const once = estimateEnergy(layers, 4, fp32At45nm, 'once');
    expect(once.snnPj).toBeCloseTo(9280, 9);
    expect(once.annPj).toBeCloseTo(9000 * 4.6, 9);
    expect([once.acOpsPerStep, once.macOpsPerStep]).toEqual([8000, 1000]);
    expect(once.convention).toContain('real-valued layers counted once');
  });

  it('counts real-valued layers at every step when asked to', () => {
    expect(estimateEnergy(layers, 4, fp32At45nm, 'everyStep').snnPj).toBeCloseTo(4680 + 4 * 4600, 9);
  });

  it('says nothing about spikes where none were measured', () => {
    const unmeasured = layers.map((layer) => ({ ...layer, inputFiringRate: undefined }));
    const estimate = estimateEnergy(unmeasured, 1, fp32At45nm, 'once');
    expect(estimate.snnPj).toBeNull();
    expect(estimate.annPj).toBeCloseTo(9000 * 4.6, 9);
  });
});
