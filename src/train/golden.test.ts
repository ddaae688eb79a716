import { existsSync, openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPresent, sharedGoldenFolder } from '../../e2e/golden';
import { nodeTraining } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { z } from '../base/schema';
import { defaultSurrogate } from '../base/surrogate';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { configurations, defaultAnchors } from '../network/configurations';
import { buildGraph } from '../network/graph';
import { trainedNeuron } from '../network/network';
import { ReferenceTraining } from '../tensor/referenceTraining';
import type { TrainingOperations } from '../tensor/training';
import { releasedGains, yoloLoss, type TrainingTarget } from './loss';
import { anchorsInCells, readParameters, toStateDict } from './parameters';
import { Pass } from './pass';

const caseSchema = z.object({
  config: z.enum(['res10-ee', 'resnet34-cat']),
  width_multiple: z.number(),
  classes: z.int(),
  time_steps: z.int(),
  height: z.int(),
  width: z.int(),
  batch: z.int(),
  loss: z.number(),
});

const cases = ['train-res10-ee-64', 'train-resnet34-cat-64']
  .map((name) => ({ name, folder: resolve(sharedGoldenFolder, name) }))
  .filter(({ name, folder }) => isPresent(folder, name));

const backends: Record<string, () => Promise<TrainingOperations>> = {
  event: nodeTraining,
  reference: () => Promise.resolve(new ReferenceTraining()),
};

/** The part of a file whose names begin with `prefix`, as a checkpoint of its own. */
function part(file: Checkpoint, prefix: string): Checkpoint {
  const tensors = new Map(
    [...file.tensors].filter(([name]) => name.startsWith(prefix)).map(([name, entry]) => [name.slice(prefix.length), entry]),
  );
  return { ...file, tensors, read: (name, task) => file.read(prefix + name, task) };
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function expectClose(found: Float32Array | undefined, expected: Float32Array, tolerance: number, name: string): void {
  expect(found?.length, name).toBe(expected.length);
  const difference = expected.reduce((most, value, index) => Math.max(most, Math.abs(value - (found?.[index] ?? NaN))), 0);
  expect(difference, name).toBeLessThanOrEqual(tolerance);
}

describe.each(Object.keys(backends))('golden training on %s', (backend) => {
  it.each(cases)('$name: loss, logits, statistics and every gradient', async ({ folder }) => {
    expect(existsSync(folder)).toBe(true);
    const golden = caseSchema.parse(JSON.parse(readFileSync(resolve(folder, 'case.json'), 'utf8')));
    const file = await openCheckpoint(await openAsBlob(resolve(folder, 'train.safetensors')), quietTask);
    const graph = buildGraph({
      rows: configurations[golden.config] ?? fail(),
      depthMultiple: 1,
      widthMultiple: golden.width_multiple,
      inputChannels: 3,
      classNames: Array.from({ length: golden.classes }, (_, index) => `class ${index}`),
      anchors: defaultAnchors,
    });
    const parameters = await readParameters(graph, part(file, 'state.'), quietTask);
    const operations = await (backends[backend] ?? fail)();
    const pass = new Pass(graph, parameters, operations, {
      mode: 'snn', steps: golden.time_steps, neuron: trainedNeuron, surrogate: defaultSurrogate, statistics: 'batch',
    });
    const { batch, height, width } = golden;
    const picture = channelsLast(await file.read('input', quietTask), [batch, 3, height, width]);
    const output = await pass.forward(picture, { steps: 1, images: batch, height, width, channels: 3 });

    const anchors = anchorsInCells(graph, graph.description.anchors);
    const scales = output.logits.map(({ data, shape }, scale) => ({
      logits: data, images: shape.images, height: shape.height, width: shape.width, anchors: anchors[scale] ?? [],
    }));
    for (const [index, { data, shape }] of output.logits.entries()) {
      const outputs = 5 + golden.classes;
      const raw = await file.read(`raw.${index}`, quietTask);
      expectClose(data, anchorsLast(raw, batch, 3, shape.height * shape.width, outputs), 1e-3, `raw.${index}`);
    }
    const rows = await file.read('targets', quietTask);
    const targets = Array.from({ length: rows.length / 6 }, (_, index): TrainingTarget => {
      const [image = NaN, label = NaN, x = NaN, y = NaN, w = NaN, h = NaN] = rows.subarray(index * 6, index * 6 + 6);
      return { image, class: label, x, y, width: w, height: h };
    });
    const loss = yoloLoss(scales, targets, golden.classes, releasedGains);
    const [box = NaN, objectness = NaN, classes = NaN] = await file.read('loss_items_box_obj_cls', quietTask);
    expect(loss.box).toBeCloseTo(box, 4);
    expect(loss.objectness).toBeCloseTo(objectness, 4);
    expect(loss.class).toBeCloseTo(classes, 4);
    expect(Math.abs(loss.total - golden.loss)).toBeLessThan(1e-3);

    const gradients = await pass.backward(loss.gradients, { ratePenalty: 0, trace: false });
    // `toStateDict` wants running statistics too.
    const all = toStateDict(graph, new Map([...parameters, ...gradients.parameters]));
    for (const name of gradients.parameters.keys()) {
      const expected = await file.read(`grad.${name}`, quietTask);
      expectClose(all.get(name)?.values, expected, 1e-3 * largest(expected), name);
    }
    const expectedNames = [...file.tensors.keys()].filter((name) => name.startsWith('grad.'));
    expect(gradients.parameters.size).toBe(expectedNames.length);
    for (const [prefix, { mean, variance, places }] of output.statistics) {
      const before = { mean: parameters.get(`${prefix}.running_mean`), variance: parameters.get(`${prefix}.running_var`) };
      const momentum = 0.1;
      const after = (old: Float32Array | undefined, now: Float32Array, factor: number): Float32Array =>
        now.map((value, index) => (old?.[index] ?? NaN) * (1 - momentum) + value * factor * momentum);
      // A still picture's encoder is computed once here, and T times in the released code, which shows in the unbiased variance.
      const count = prefix.startsWith('model.0.') ? places * golden.time_steps : places;
      expectClose(after(before.mean, mean, 1), await file.read(`after.${prefix}.running_mean`, quietTask), 1e-4, prefix);
      const expected = await file.read(`after.${prefix}.running_var`, quietTask);
      expectClose(after(before.variance, variance, count / (count - 1)), expected, 1e-4 * Math.max(largest(expected), 1), prefix);
    }
    pass.release();
  });
});

function fail(): never {
  throw new RangeError('There is no such backend.');
}

/** `[N, C, H, W]` to `[N, H, W, C]`. */
function channelsLast(source: Float32Array, [count = 1, channels = 1, height = 1, width = 1]: readonly number[]): Float32Array {
  const target = new Float32Array(source.length);
  const area = height * width;
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < area; p++) target[(n * area + p) * channels + c] = source[(n * channels + c) * area + p] ?? NaN;
    }
  }
  return target;
}

/** `[N, A, cells, outputs]` to `[N, cells, A, outputs]`. */
function anchorsLast(source: Float32Array, images: number, anchors: number, cells: number, outputs: number): Float32Array {
  const target = new Float32Array(source.length);
  for (let n = 0; n < images; n++) {
    for (let a = 0; a < anchors; a++) {
      for (let c = 0; c < cells; c++) {
        const from = ((n * anchors + a) * cells + c) * outputs;
        target.set(source.subarray(from, from + outputs), ((n * cells + c) * anchors + a) * outputs);
      }
    }
  }
  return target;
}
