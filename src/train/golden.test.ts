import { openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPresent, sharedGoldenFolder } from '../../e2e/golden';
import { compareWithRecorded } from '../../e2e/goldenTraining';
import { trainingPrograms } from '../../e2e/kernels';
import { openTraining } from '../tensor/trainingBackend';

const cases = ['train-res10-ee-64', 'train-resnet34-cat-64']
  .map((name) => ({ name, folder: resolve(sharedGoldenFolder, name) }))
  .filter(({ name, folder }) => isPresent(folder, name));

describe.each(['event', 'wasm', 'reference'] as const)('golden training on %s', (backend) => {
  it.each(cases)('$name: loss, logits, statistics and every gradient', async ({ folder }) => {
    const { operations, memory } = await openTraining(backend, trainingPrograms);
    const recorded = await openAsBlob(resolve(folder, 'train.safetensors'));
    const before = memory().tensors;
    const compared = await compareWithRecorded(readFileSync(resolve(folder, 'case.json'), 'utf8'), recorded, operations);
    expect(compared.length).toBeGreaterThan(50);
    expect(compared.filter(({ difference, tolerance }) => difference > tolerance)).toEqual([]);
    // But for scratch of the CPU's engine.
    expect(memory().tensors - before).toBeLessThanOrEqual(backend === 'event' ? 1 : 0);
  });
});
