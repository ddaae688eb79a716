import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { paperConvention } from '../base/energyConvention';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import { estimateEnergy } from '../energy/energy';
import { configurations, defaultAnchors } from '../network/configurations';
import { buildGraph } from '../network/graph';
import { graphOfCheckpoint } from '../network/weights';
import { operationCounts } from './operationCounts';

describe('a golden case', () => {
  // Every convolution of `res10-ee` at width 0.25 with 3 classes on 64 x 64 pixels, written down from the specification:
  // [kernel, channels in, channels out, side of its output, neuron layer that it reads].
  const convolutions: readonly (readonly [number, number, number, number, number | 'real'])[] = [
    [3, 3, 8, 32, 'real'],
    ...[
      { inputs: 8, hidden: 8, outputs: 16, side: 16, layer: 0 },
      { inputs: 16, hidden: 16, outputs: 32, side: 8, layer: 3 },
      { inputs: 32, hidden: 32, outputs: 64, side: 4, layer: 6 },
      { inputs: 64, hidden: 64, outputs: 128, side: 2, layer: 9 },
    ].flatMap(({ inputs, hidden, outputs, side, layer }) => [
      [1, inputs, outputs - inputs, side * 2, layer] as const,
      [3, inputs, hidden, side, layer + 1] as const,
      [3, hidden, outputs, side, layer + 2] as const,
    ]),
    // The neck, with a real-valued shortcut.
    [3, 128, 32, 2, 12],
    [3, 32, 64, 2, 13],
    [1, 128, 64, 2, 'real'],
    // Large objects.
    [1, 64, 64, 2, 14],
    [3, 64, 64, 2, 15],
    [3, 64, 128, 2, 16],
    // On the way to small objects: kernel 1.
    [1, 64, 16, 2, 17],
    [1, 16, 32, 2, 18],
    [1, 64, 32, 2, 'real'],
    // Small objects, from 32 upsampled and 64 earlier channels.
    [3, 96, 32, 4, 19],
    [3, 32, 64, 4, 20],
    [1, 96, 64, 4, 'real'],
    // Detection: 3 anchors x (5 + 3).
    [1, 64, 24, 4, 'real'],
    [1, 128, 24, 2, 'real'],
  ];

  it('takes the energy that a hand computes from its rows and its recorded firing rates', async () => {
    const golden = goldenCases().find(({ name }) => name === 'res10-ee-64');
    if (!golden) throw new Error('The golden case of the repository is missing.');
    const graph = graphOfCheckpoint(await openCheckpoint(await openAsBlob(resolve(golden.folder, 'checkpoint.pt')), quietTask));
    const counts = operationCounts(graph, golden, { steps: 4, firingRates: golden.firingRates.map((rate) => [rate]), neuronKind: 'leaky' });

    let spikingPj = 0;
    let realPj = 0;
    let operations = 0;
    for (const [kernel, inputs, outputs, side, reads] of convolutions) {
      const macs = kernel * kernel * inputs * outputs * side * side;
      operations += macs;
      if (reads === 'real') realPj += macs * 4.6;
      else spikingPj += 4 * (golden.firingRates[reads] ?? NaN) * macs * 0.9;
    }
    const estimate = estimateEnergy(counts, paperConvention);
    expect(estimate.snnPj).toBeCloseTo(spikingPj + realPj, 3);
    expect(estimate.annPj).toBeCloseTo(operations * 4.6, 3);
    const first = 9 * 3 * 8 * 1024 * 4.6;
    expect(estimateEnergy(counts, { ...paperConvention, realValued: 'firstOnce' }).snnPj).toBeCloseTo(spikingPj + first + 4 * (realPj - first), 3);
    // One neuron for each value that a neuron layer reads, layers on the same current once.
    const backbone = 8 * 1024 + 8 * 256 + 16 * 256 + 16 * 64 + 32 * 64 + 32 * 16 + 64 * 16 + 64 * 4;
    const head = 128 * 4 + 32 * 4 + 64 * 4 + 64 * 4 + 16 * 4 + 96 * 16 + 32 * 16;
    expect(counts.neurons).toBe(backbone + head);
  });
});

describe('the released networks at 640 px', () => {
  const countsOf = (name: string, rate: number) => {
    const graph = buildGraph({
      rows: configurations[name] ?? [],
      depthMultiple: 1,
      widthMultiple: 1,
      inputChannels: 3,
      classNames: Array.from({ length: 80 }, (_, index) => `class ${index}`),
      anchors: defaultAnchors,
    });
    return operationCounts(graph, { width: 640, height: 640 }, { steps: 4, firingRates: graph.layers.map(() => [rate]), neuronKind: 'leaky' });
  };

  it.each([
    ['resnet34', 35.9, 1.1],
    ['resnet34-cat', 30.0, 3.0],
  ])('%s: %f G operations on spikes and %f G on real values', (name, onSpikes, onValues) => {
    const { acOpsPerStep, macOpsPerStep } = estimateEnergy(countsOf(name, 0.2), paperConvention);
    expect(Math.abs(acOpsPerStep / 1e9 / onSpikes - 1)).toBeLessThan(0.01);
    // The specification rounds to 0.1 G, which is 9 percent of the smaller figure.
    expect(macOpsPerStep / 1e9).toBeCloseTo(onValues, 1);
  });

  it('of resnet34 those on real values are the encoder and the detection layers, to the last one', () => {
    expect(estimateEnergy(countsOf('resnet34', 0.2), paperConvention).macOpsPerStep).toBe(49 * 3 * 64 * 320 ** 2 + 255 * (256 * 40 ** 2 + 512 * 20 ** 2));
  });

  // Specification, section 9.
  it.each([
    ['everyStep', 3.7],
    ['firstOnce', 5.1],
    ['once', 5.5],
  ] as const)('resnet34 at a firing rate of 0.2, with real-valued layers counted %s, takes %f times less than the ANN', (realValued, ratio) => {
    const { snnPj, annPj } = estimateEnergy(countsOf('resnet34', 0.2), { ...paperConvention, realValued });
    expect(annPj / (snnPj ?? NaN)).toBeCloseTo(ratio, 1);
  });
});
