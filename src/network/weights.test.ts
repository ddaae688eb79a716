import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint, TensorEntry } from '../checkpoint/types';
import { ReferenceOperations } from '../tensor/reference';
import type { ConvolutionWeights } from '../tensor/operations';
import { anchorsOfCheckpoint, expectedTensors, graphOfCheckpoint, loadConvolutions } from './weights';

let whole: Checkpoint;

beforeAll(async () => {
  const [golden] = goldenCases().filter(({ name }) => name === 'resnet34-cat-64');
  whole = await openCheckpoint(await openAsBlob(resolve(golden?.folder ?? '', 'checkpoint.pt')), quietTask);
});

function changed(change: (tensors: Map<string, TensorEntry>) => void, description = whole.description): Checkpoint {
  const tensors = new Map(whole.tensors);
  change(tensors);
  return { ...whole, description, tensors };
}

const aWeight = 'model.3.residual_function.1.weight';

describe('a checkpoint against its network', () => {
  it('is refused by the name of the tensor that it lacks', () => {
    const checkpoint = changed((tensors) => tensors.delete(aWeight));
    expect(() => graphOfCheckpoint(checkpoint)).toThrow(expect.objectContaining({ code: 'checkpoint/missing-tensor', message: expect.stringContaining(aWeight) }));
  });

  it('is refused by the name and the shapes of a tensor of another size', () => {
    const checkpoint = changed((tensors) => tensors.set(aWeight, { name: aWeight, shape: [8, 8, 3, 3], storedAs: 'float32' }));
    expect(() => graphOfCheckpoint(checkpoint)).toThrow(
      expect.objectContaining({ code: 'checkpoint/misshapen-tensor', message: expect.stringMatching(/\[8, 8, 3, 3\].*needs \[16, 8, 3, 3\]/) }),
    );
  });

  it.each(goldenCases())('is recognised by its tensors where it carries no rows: $name', async ({ folder }) => {
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
    const { description } = graphOfCheckpoint({ ...checkpoint, description: undefined });
    expect(description.rows).toEqual(checkpoint.description?.rows);
    expect(description.widthMultiple).toBe(checkpoint.description?.widthMultiple);
    expect(description.classNames).toHaveLength(checkpoint.description?.classNames.length ?? 0);
  });

  it('is refused where its tensors fit no released network', () => {
    const checkpoint = changed((tensors) => tensors.delete(aWeight));
    expect(() => graphOfCheckpoint({ ...checkpoint, description: undefined })).toThrow(expect.objectContaining({ code: 'checkpoint/other-network' }));
  });

  it('gives its anchors in pixels, and those of its rows where it has none', async () => {
    const graph = graphOfCheckpoint(whole);
    expect(await anchorsOfCheckpoint(graph, whole, quietTask)).toEqual(whole.description?.anchors);
    const without = changed((tensors) => tensors.delete(graph.anchorsName));
    expect(await anchorsOfCheckpoint(graph, without, quietTask)).toEqual(whole.description?.anchors);
    const wrong = changed((tensors) => tensors.set(graph.anchorsName, { name: graph.anchorsName, shape: [3, 3, 2], storedAs: 'float32' }));
    await expect(anchorsOfCheckpoint(graph, wrong, quietTask)).rejects.toMatchObject({ code: 'checkpoint/misshapen-tensor' });
  });

  it('reads every tensor that its network needs exactly once, and folds the norm into the convolution', async () => {
    const graph = graphOfCheckpoint(whole);
    const reads: string[] = [];
    const counting: Checkpoint = {
      ...whole,
      read: (name, task) => {
        reads.push(name);
        return whole.read(name, task);
      },
    };
    const seen: ConvolutionWeights[] = [];
    const operations = new ReferenceOperations();
    const load = operations.loadConvolution.bind(operations);
    operations.loadConvolution = (weights) => {
      seen.push(weights);
      return load(weights);
    };
    await loadConvolutions(graph, counting, operations, quietTask);
    expect(reads.toSorted()).toEqual([...expectedTensors(graph).keys()].toSorted());

    // The first convolution by hand: w * gamma / sqrt(var + 1e-5), beta - mean * gamma / sqrt(var + 1e-5).
    const prefix = 'model.0.bn.bn';
    const [weight, gamma, beta, mean, variance] = await Promise.all(
      ['model.0.conv.weight', ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${prefix}.${part}`)].map((name) => whole.read(name, quietTask)),
    );
    const output = 5;
    const factor = (gamma?.[output] ?? NaN) / Math.sqrt((variance?.[output] ?? NaN) + 1e-5);
    const [first] = seen;
    expect(first?.bias[output]).toBeCloseTo((beta?.[output] ?? NaN) - (mean?.[output] ?? NaN) * factor, 6);
    // [out, in, k, k] at (5, 2, 3, 4) of kernel 7 is [k, k, in, out] at (3, 4, 2, 5).
    const from = ((output * 3 + 2) * 7 + 3) * 7 + 4;
    expect(first?.weights[((3 * 7 + 4) * 3 + 2) * (first?.outputChannels ?? 0) + output]).toBeCloseTo((weight?.[from] ?? NaN) * factor, 6);
  });

  it('releases what it has loaded when a later tensor cannot be read', async () => {
    const graph = graphOfCheckpoint(whole);
    const operations = new ReferenceOperations();
    let released = 0;
    let loaded = 0;
    const load = operations.loadConvolution.bind(operations);
    operations.loadConvolution = (weights) => {
      loaded++;
      return load(weights);
    };
    operations.release = () => {
      released++;
    };
    const failing: Checkpoint = { ...whole, read: (name, task) => (name === aWeight ? Promise.reject(new Error('gone')) : whole.read(name, task)) };
    await expect(loadConvolutions(graph, failing, operations, quietTask)).rejects.toThrow('gone');
    expect(loaded).toBeGreaterThan(0);
    expect(released).toBe(loaded);
  });
});
