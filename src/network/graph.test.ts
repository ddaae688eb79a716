import { describe, expect, it } from 'vitest';
import { AppError } from '../base/errors';
import type { NetworkDescription, NetworkRow } from '../checkpoint/types';
import { configurations, defaultAnchors } from './configurations';
import { buildGraph, convolutionCosts } from './graph';
import { parameterCount } from './weights';

function describeNetwork(rows: readonly NetworkRow[], classes = 80, widthMultiple = 1): NetworkDescription {
  return {
    rows,
    depthMultiple: 1,
    widthMultiple,
    inputChannels: 3,
    classNames: Array.from({ length: classes }, (_, index) => `class ${index}`),
    anchors: defaultAnchors,
  };
}

function graphOf(name: string, classes?: number, width?: number) {
  return buildGraph(describeNetwork(configurations[name] ?? [], classes, width));
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('the released configurations', () => {
  // Specification, section 5: millions of parameters with 80 classes at width 1.
  it.each([
    ['resnet10', 17.56],
    ['resnet18', 15.43],
    ['resnet34', 34.03],
    ['resnet34-cat', 25.45],
    ['res10-ee', 6.39],
    ['res18-ee', 9.52],
  ])('%s has %f million parameters', (name, millions) => {
    expect(parameterCount(graphOf(name)) / 1e6).toBeCloseTo(millions, 2);
  });

  it('res10-ee with 2 classes has the 6.2 million that the paper gives', () => {
    expect(parameterCount(graphOf('res10-ee', 2)) / 1e6).toBeCloseTo(6.2, 1);
  });

  // Operations per step at 640 px: 35.9 G on spikes and 1.1 G on real values; 30.0 G and 3.0 G with SiLU neurons.
  it.each([
    ['resnet34', 35.9, 1.1],
    ['resnet34-cat', 30.0, 3.0],
  ])('%s at 640 px makes %f G operations on spikes and %f G on real values', (name, onSpikes, onValues) => {
    const costs = convolutionCosts(graphOf(name), 640, 640);
    const sum = (spiking: boolean): number =>
      costs.filter(({ spikesFrom }) => (spikesFrom !== undefined) === spiking).reduce((total, cost) => total + cost.operations, 0) / 1e9;
    expect(sum(true)).toBeCloseTo(onSpikes, 1);
    expect(sum(false)).toBeCloseTo(onValues, 1);
  });

  it('counts neuron layers in the order in which they run, the shortcut of a concat block first', () => {
    const { layers } = graphOf('res10-ee');
    expect(layers).toHaveLength(21);
    expect(layers.slice(0, 3).map(({ label }) => label)).toEqual(['shortcut', 'branch 1', 'branch 2']);
    // Both read the block's input, so one computation serves both.
    expect(layers[0]?.node).toBe(layers[1]?.node);
    const plain = graphOf('resnet10').layers.slice(0, 3);
    expect(plain.map(({ label }) => label)).toEqual(['branch 1', 'branch 2', 'shortcut']);
  });
});

describe('rows that do not make a network', () => {
  const stem: NetworkRow = { from: [-1], repeats: 1, block: 'Conv_2', args: [32, 3, 2] };
  const detect: NetworkRow = { from: [0, 0], repeats: 1, block: 'Detect', args: ['nc', 'anchors'] };

  it.each<[string, NetworkRow[], string]>([
    ['a block of another network', [stem, { ...stem, block: 'C3' }], 'network/unsupported-block'],
    ['no Detect row', [stem], 'network/invalid-rows'],
    ['a row that reads a later one', [{ ...stem, from: [3] }, detect], 'network/invalid-rows'],
    ['an argument that is no size', [{ ...stem, args: ['many', 3, 2] }, detect], 'network/invalid-rows'],
    ['a concat block that has enough channels already', [stem, { from: [-1], repeats: 1, block: 'ConcatBlock_ms', args: [32, 3, 2] }, detect], 'network/invalid-rows'],
    ['an even kernel', [{ ...stem, args: [32, 2, 2] }, detect], 'network/invalid-rows'],
    ['fewer scales than anchors', [stem, { ...detect, from: [0] }], 'network/invalid-rows'],
  ])('refuses %s', (_, rows, code) => {
    expect(codeOf(() => buildGraph(describeNetwork(rows)))).toBe(code);
  });

  it('takes any rows, any width and any number of scales that fit together', () => {
    const rows: NetworkRow[] = [
      stem,
      { from: [-1], repeats: 3, block: 'BasicBlock_ms', args: [32, 3, 1] },
      { from: [-1], repeats: 1, block: 'BasicBlock_2', args: [64, 5, 2] },
      { from: [1, 2], repeats: 1, block: 'Detect', args: ['nc', 'anchors'] },
    ];
    const graph = buildGraph({ ...describeNetwork(rows, 3, 0.3), depthMultiple: 0.67 });
    expect(graph.scales.map(({ stride }) => stride)).toEqual([2, 4]);
    expect(graph.blocks[1]?.repeats).toBe(2);
    expect(graph.blocks[0]?.channels).toBe(16);
    expect(graph.largestStride).toBe(4);
  });
});
