import { describe, expect, it } from 'vitest';
import { quietTask } from '../base/progress';
import { seededRandom } from '../base/random';
import { configurations, defaultAnchors } from '../network/configurations';
import { buildGraph } from '../network/graph';
import { expectedTensors } from '../network/weights';
import type { Checkpoint, NetworkDescription } from '../checkpoint/types';
import { parseTrainingConfig } from './config';
import { initialParameters, toStateDict } from './parameters';
import { startingPoint } from './run';
import { picturesSource } from './source';

const description: NetworkDescription = {
  rows: configurations['res10-ee'] ?? [],
  depthMultiple: 1,
  widthMultiple: 0.25,
  inputChannels: 3,
  classNames: ['ant', 'bee', 'cow'],
  anchors: defaultAnchors,
};

/** A checkpoint whose every number tells its place. */
function numbered(): Checkpoint {
  const graph = buildGraph(description);
  const tensors = toStateDict(graph, initialParameters(graph, seededRandom(1)));
  for (const { values } of tensors.values()) for (let index = 0; index < values.length; index++) values[index] = index;
  return {
    format: 'safetensors',
    description,
    mode: 'snn',
    tensors: new Map([...expectedTensors(graph)].map(([name, shape]) => [name, { name, shape, storedAs: 'float32' }])),
    read: (name) => Promise.resolve((tensors.get(name)?.values ?? new Float32Array()).slice()),
  };
}

/** The rows `[anchors, 5 + classes]` of a detection convolution in the released layout, each told by its first number. */
async function headFor(classNames: readonly string[]) {
  const { graph, parameters } = await startingPoint(parseTrainingConfig({}), picturesSource(classNames, []), numbered(), quietTask);
  const tensors = toStateDict(graph, parameters);
  const name = [...tensors.keys()].find((key) => key.endsWith('.m.0.weight')) ?? '';
  const weights = tensors.get(name);
  const bias = tensors.get(name.replace('weight', 'bias'));
  const inputs = weights?.shape[1] ?? NaN;
  return {
    biases: [...(bias?.values ?? [])],
    rows: Array.from(bias?.values ?? [], (_, row) => (weights?.values[row * inputs] ?? NaN) / inputs),
    stem: tensors.get('model.0.conv.weight')?.values[7],
  };
}

const each = 8;

describe('the network that a run begins with', () => {
  it('keeps the head of a checkpoint with the same classes', async () => {
    const { rows, biases } = await headFor(['ant', 'bee', 'cow']);
    expect(rows).toEqual(Array.from({ length: 3 * each }, (_, row) => row));
    expect(biases).toEqual(rows);
  });

  it('keeps it where the data set has the classes in another order: what is known of a class follows its name', async () => {
    const { rows, biases } = await headFor(['cow', 'ant', 'bee']);
    expect(rows).toEqual([0, 1, 2].flatMap((anchor) => [0, 1, 2, 3, 4, 7, 5, 6].map((row) => anchor * each + row)));
    expect(biases).toEqual(rows);
  });

  it('begins anew with classes that it does not know, and keeps those that it knows', async () => {
    const { rows, biases, stem } = await headFor(['dog', 'bee']);
    const wanted = [0, 1, 2].flatMap((anchor) => [0, 1, 2, 3, 4, undefined, 6].map((row) => row === undefined ? undefined : anchor * each + row));
    rows.forEach((row, index) => {
      if (wanted[index] === undefined) expect([Math.abs(row) < 1, (biases[index] ?? NaN) < 0]).toEqual([true, true]);
      else expect([row, biases[index]]).toEqual([wanted[index], wanted[index]]);
    });
    expect(stem).toBe(7);
  });

  it('begins with a new head where it knows not one class, and keeps what leads to it', async () => {
    const { rows, biases, stem } = await headFor(['dog', 'elk']);
    expect(rows.every((row) => Math.abs(row) < 1)).toBe(true);
    expect(biases.every((bias) => bias <= 0)).toBe(true);
    expect(stem).toBe(7);
  });
});
