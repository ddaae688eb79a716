import { quietTask } from '../src/base/progress';
import { defaultSurrogate } from '../src/base/surrogate';
import { z } from '../src/base/schema';
import { openCheckpoint } from '../src/checkpoint/open';
import type { Checkpoint } from '../src/checkpoint/types';
import { configurations, defaultAnchors } from '../src/network/configurations';
import { buildGraph } from '../src/network/graph';
import { trainedNeuron } from '../src/network/network';
import type { TrainingOperations } from '../src/tensor/training';
import { releasedGains, yoloLoss, type TrainingTarget } from '../src/train/loss';
import { anchorsInCells, readParameters, toStateDict } from '../src/train/parameters';
import { Pass } from '../src/train/pass';

/** One training step of the released implementation, recorded, and ours beside it: in Node as in a browser. */

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

export interface Compared {
  name: string;
  /** The largest one; infinite where lengths differ. */
  difference: number;
  tolerance: number;
}

/**
 * Loss terms, logits, the gradient of every parameter and the running statistics after the step.
 * @param description the text of `case.json`
 * @param recorded `train.safetensors`
 */
export async function compareWithRecorded(description: string, recorded: Blob, operations: TrainingOperations): Promise<Compared[]> {
  const golden = caseSchema.parse(JSON.parse(description));
  const file = await openCheckpoint(recorded, quietTask);
  const compared: Compared[] = [];
  const compare = (name: string, found: ArrayLike<number> | undefined, expected: Float32Array, tolerance: number): void => {
    compared.push({ name, difference: found?.length === expected.length ? largestBetween(found, expected) : Infinity, tolerance });
  };
  const graph = buildGraph({
    rows: configurations[golden.config] ?? [],
    depthMultiple: 1,
    widthMultiple: golden.width_multiple,
    inputChannels: 3,
    classNames: Array.from({ length: golden.classes }, (_, index) => `class ${index}`),
    anchors: defaultAnchors,
  });
  const parameters = await readParameters(graph, part(file, 'state.'), quietTask);
  const pass = new Pass(graph, parameters, operations, {
    mode: 'snn', steps: golden.time_steps, neuron: trainedNeuron, surrogate: defaultSurrogate, statistics: 'batch',
  });
  const { batch, height, width } = golden;
  const picture = channelsLast(await file.read('input', quietTask), [batch, 3, height, width]);
  const output = await pass.forward(picture, { steps: 1, images: batch, height, width, channels: 3 });

  for (const [index, { data, shape }] of output.logits.entries()) {
    const raw = await file.read(`raw.${index}`, quietTask);
    compare(`raw.${index}`, data, anchorsLast(raw, batch, 3, shape.height * shape.width, 5 + golden.classes), 1e-3);
  }
  const rows = await file.read('targets', quietTask);
  const targets = Array.from({ length: rows.length / 6 }, (_, index): TrainingTarget => {
    const [image = NaN, label = NaN, x = NaN, y = NaN, w = NaN, h = NaN] = rows.subarray(index * 6, index * 6 + 6);
    return { image, class: label, x, y, width: w, height: h };
  });
  const anchors = anchorsInCells(graph, graph.description.anchors);
  const scales = output.logits.map(({ data, shape }, scale) => ({
    logits: data, images: shape.images, height: shape.height, width: shape.width, anchors: anchors[scale] ?? [],
  }));
  const loss = yoloLoss(scales, targets, golden.classes, releasedGains);
  compare('loss terms', [loss.box, loss.objectness, loss.class], await file.read('loss_items_box_obj_cls', quietTask), 5e-5);
  compare('loss', [loss.total], Float32Array.of(golden.loss), 1e-3);

  const gradients = await pass.backward(loss.gradients, { ratePenalty: 0, trace: false });
  // `toStateDict` wants running statistics too.
  const found = toStateDict(graph, new Map([...parameters, ...gradients.parameters]));
  for (const name of file.tensors.keys()) {
    if (!name.startsWith('grad.')) continue;
    const expected = await file.read(name, quietTask);
    const parameter = name.slice('grad.'.length);
    const values = gradients.parameters.has(parameter) ? found.get(parameter)?.values : undefined;
    compare(name, values, expected, 1e-3 * largest(expected));
  }
  for (const [prefix, { mean, variance, places }] of output.statistics) {
    const before = { mean: parameters.get(`${prefix}.running_mean`), variance: parameters.get(`${prefix}.running_var`) };
    const momentum = 0.1;
    const after = (old: Float32Array | undefined, now: Float32Array, factor: number): Float32Array =>
      now.map((value, index) => (old?.[index] ?? NaN) * (1 - momentum) + value * factor * momentum);
    // A still picture's encoder is computed once here, and T times in the released code, which shows in the unbiased variance.
    const count = prefix.startsWith('model.0.') ? places * golden.time_steps : places;
    compare(`after.${prefix}.running_mean`, after(before.mean, mean, 1), await file.read(`after.${prefix}.running_mean`, quietTask), 1e-4);
    const expected = await file.read(`after.${prefix}.running_var`, quietTask);
    compare(`after.${prefix}.running_var`, after(before.variance, variance, count / (count - 1)), expected, 1e-4 * Math.max(largest(expected), 1));
  }
  pass.release();
  return compared;
}

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

/** A NaN is as far off as can be. */
function largestBetween(found: ArrayLike<number>, expected: Float32Array): number {
  return expected.reduce((most, value, index) => {
    const difference = Math.abs(value - (found[index] ?? NaN));
    return difference <= most ? most : Number.isNaN(difference) ? Infinity : difference;
  }, 0);
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
