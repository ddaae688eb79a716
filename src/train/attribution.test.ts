import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeTraining } from '../../e2e/kernels';
import type { ResetMode } from '../base/neuron';
import { quietTask } from '../base/progress';
import { seededRandom } from '../base/random';
import { defaultSurrogate, surrogateDerivative } from '../base/surrogate';
import { openCheckpoint } from '../checkpoint/open';
import type { NetworkMode } from '../checkpoint/types';
import type { ConvolutionNode, NetworkGraph } from '../network/graph';
import { mutingOf, nothingMuted } from '../network/muting';
import { trainedNeuron } from '../network/network';
import { graphOfCheckpoint, normEpsilon } from '../network/weights';
import { attribute, type Attribution, type AttributionSettings, type Weights } from './attribution';
import { readParameters } from './parameters';
import type { Parameters, PassOutput } from './pass';

const root = resolve(import.meta.dirname, '../..');
const side = 64;
const steps = 4;
const shape = { steps: 1, height: side, width: side, channels: 3 };

interface Loaded {
  graph: NetworkGraph;
  parameters: Parameters;
  operations: Awaited<ReturnType<typeof nodeTraining>>;
}

async function load(file: 'snn' | 'ann'): Promise<Loaded> {
  const checkpoint = await openCheckpoint(await openAsBlob(resolve(root, `models/bccd/${file}.safetensors`)), quietTask);
  const graph = graphOfCheckpoint(checkpoint);
  const operations = await nodeTraining();
  return { graph, parameters: await readParameters(graph, checkpoint, quietTask), operations };
}

const settings = (mode: NetworkMode, more: Partial<AttributionSettings> = {}): AttributionSettings => ({
  mode,
  steps,
  neuron: trainedNeuron,
  surrogate: defaultSurrogate,
  muting: nothingMuted,
  ...more,
});

/** The surest objectness of each scale, and a class of its cell. */
function weighSurest({ logits }: PassOutput, classes: number): Weights {
  return logits.map(({ data }) => {
    const weights = new Float32Array(data.length);
    const stride = 5 + classes;
    let best = 4;
    for (let at = 4; at < data.length; at += stride) if ((data[at] ?? 0) > (data[best] ?? 0)) best = at;
    weights[best] = 0.7;
    weights[best + 1] = -0.4;
    return weights;
  });
}

describe('attribution', () => {
  let snn: Loaded;
  let ann: Loaded;
  let picture: Float32Array;
  beforeAll(async () => {
    [snn, ann] = await Promise.all([load('snn'), load('ann')]);
    // A white cell fills most of this part.
    const pixels = await sharp(resolve(root, 'public/gallery/smear-3.jpg')).extract({ left: 370, top: 140, width: 192, height: 192 }).resize(side, side).removeAlpha().raw().toBuffer();
    picture = Float32Array.from(pixels, (value) => value / 255);
  });

  const explain = async (network: Loaded, chosen: AttributionSettings, values = picture, weigh = (output: PassOutput) => weighSurest(output, 3)): Promise<Attribution> => {
    const attribution = await attribute(network, values, shape, chosen, weigh, quietTask);
    if (!attribution) throw new Error('nothing was explained');
    return attribution;
  };
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

  it.each([
    ['the SNN', 'snn', {}],
    ['the SNN with soft reset and another threshold', 'snn', { neuron: { decay: 0.5, threshold: 0.4, reset: 'soft' as ResetMode } }],
    ['the ANN', 'ann', {}],
  ] as const)('of %s: what adds to the logits directly is all of them', async (_, mode, more) => {
    const { layers, directInput, biases, explained } = await explain(mode === 'snn' ? snn : ann, settings(mode, more));
    const direct = layers.map((layer) => sum(layer.direct));
    expect(direct.filter((value) => Math.abs(value) > 1e-3).length).toBeGreaterThan(3);
    expect(Math.abs(explained)).toBeGreaterThan(0.1);
    expect(sum(direct) + directInput + biases).toBeCloseTo(explained, 3);
  });

  it('still adds up where neurons, channels and blocks are silenced', async () => {
    const muted = [
      { kind: 'block', row: 2 },
      { kind: 'channel', layer: 4, channel: 3 },
      { kind: 'neuron', layer: 9, x: 1, y: 1, channel: 0 },
    ] as const;
    const muting = mutingOf(snn.graph, muted, shape);
    const before = await explain(snn, settings('snn'));
    const { layers, directInput, biases, explained } = await explain(snn, settings('snn', { muting }));
    expect(explained).not.toBeCloseTo(before.explained, 3);
    expect(sum(layers.flatMap(({ direct }) => direct)) + directInput + biases).toBeCloseTo(explained, 3);
    const channel = layers.find(({ layer }) => snn.graph.layers[layer]?.node === snn.graph.layers[4]?.node);
    const channels = channel?.shape.channels ?? 1;
    expect(channel?.values.every((value, at) => at % channels !== 3 || value === 0)).toBe(true);
  });

  it('of the ANN is the slope that finite differences show', async () => {
    const weights = { current: undefined as Weights | undefined };
    const fixed = (output: PassOutput): Weights => (weights.current ??= weighSurest(output, 3));
    const { input } = await explain(ann, settings('ann'), picture, fixed);
    const random = seededRandom(7);
    for (let region = 0; region < 4; region++) {
      const [left, top] = [Math.floor(random() * 40), Math.floor(random() * 40)];
      const inside = (place: number): boolean => place % side >= left && place % side < left + 16 && Math.floor(place / side) >= top && Math.floor(place / side) < top + 16;
      // Every pixel of the region moves the way that raises the score: as much as can be against float32's rounding, and a wrong sign is missed at once.
      const slope = sum(input.map((part, place) => (inside(place) ? Math.abs(part) : 0)));
      // ReLU has corners: the step is small enough that few are met, and large enough for float32.
      const step = 2e-5;
      const moved = async (sign: number): Promise<number> => {
        const values = picture.map((value, at) => {
          const place = Math.floor(at / 3);
          return inside(place) ? value * (1 + sign * step * Math.sign(input[place] ?? 0)) : value;
        });
        return (await explain(ann, settings('ann'), values, fixed)).explained;
      };
      const difference = ((await moved(1)) - (await moved(-1))) / (2 * step);
      expect(Math.abs(difference - slope)).toBeLessThan(0.03 * slope);
    }
  });

  it.each(['hard', 'soft'] as const)('of the SNN is the derivative with the surrogate in place of every spike’s, forwards: %s reset', async (reset) => {
    const neuron = { ...trainedNeuron, reset };
    const surrogate = { shape: 'sigmoid', parameter: 4 } as const;
    const weights = { current: undefined as Weights | undefined };
    const { input, layers } = await explain(snn, settings('snn', { neuron, surrogate }), picture, (output) => (weights.current = weighSurest(output, 3)));
    const forward = (moved: Moved): number => directionalDerivative(snn, picture, { ...neuron, slopeOf: (u) => surrogateDerivative(surrogate, u) }, weights.current ?? [], moved);
    const quarter = (place: number, width: number): boolean => place % width < width / 2 && Math.floor(place / width) < width / 2;

    const expected = sum(input.filter((_, place) => quarter(place, side)));
    const derivative = forward({ input: picture.map((value, at) => (quarter(Math.floor(at / 3), side) ? value : 0)) });
    expect(Math.abs(expected)).toBeGreaterThan(1e-4);
    expect(derivative).toBeCloseTo(expected, 4);
    for (const { layer, shape: layerShape, values } of layers.slice(2, 6)) {
      const { width, channels } = layerShape;
      const inside = (at: number): boolean => at < values.length / 2 && quarter(Math.floor((at % (values.length / steps)) / channels), width);
      expect(forward({ emitted: { node: snn.graph.layers[layer]?.node ?? -1, scale: (at) => (inside(at) ? 1 : 0) } })).toBeCloseTo(
        sum(values.filter((_, at) => inside(at))),
        4,
      );
    }
  });

  it('where it is nothing for a whole block, silencing the block changes nothing', async () => {
    const { graph } = snn;
    let irrelevantBlocks = 0;
    for (const scale of [0, 1]) {
      const only = (output: PassOutput): Weights => weighSurest(output, 3).map((weights, index) => (index === scale ? weights : weights.fill(0)));
      const { blocks, explained } = await explain(snn, settings('snn'), picture, only);
      const irrelevant = blocks.filter(({ magnitude }) => magnitude === 0);
      irrelevantBlocks += irrelevant.length;
      const effects: number[] = [];
      // With the same weights: what is surest may be another cell once a block is silent.
      const weights = { current: undefined as Weights | undefined };
      await explain(snn, settings('snn'), picture, (output) => (weights.current = only(output)));
      for (const { row } of blocks) {
        const muting = mutingOf(graph, [{ kind: 'block', row }], shape);
        const silenced = await explain(snn, settings('snn', { muting }), picture, () => weights.current ?? []);
        if (irrelevant.some((block) => block.row === row)) expect(silenced.explained).toBe(explained);
        else effects.push(Math.abs(silenced.explained - explained));
      }
      expect(Math.max(...effects)).toBeGreaterThan(0.1);
    }
    expect(irrelevantBlocks).toBeGreaterThan(0);
  });

  it('leaves nothing in memory', async () => {
    await explain(snn, settings('snn'));
    const before = snn.operations.memory();
    await explain(snn, settings('snn', { muting: mutingOf(snn.graph, [{ kind: 'block', row: 2 }, { kind: 'channel', layer: 3, channel: 0 }], shape) }));
    expect(await attribute(snn, picture, shape, settings('snn'), () => undefined, quietTask)).toBeUndefined();
    expect(snn.operations.memory().tensors).toBe(before.tensors);
  });
});

interface Moved {
  input?: Float32Array;
  /** Every emission of a node moves by itself times `scale` of its index. */
  emitted?: { node: number; scale: (at: number) => number };
}

interface Dual {
  steps: number;
  height: number;
  width: number;
  channels: number;
  value: Float64Array;
  /** How the value moves with what moves. */
  slope: Float64Array;
}

/**
 * How L moves when the input or a layer's emissions move, carried forwards through the network beside its values, in double precision and
 * written from the definitions alone: an implementation of its own to compare the backward pass with.
 */
function directionalDerivative(
  { graph, parameters }: Loaded,
  values: Float32Array,
  neuron: { decay: number; threshold: number; reset: ResetMode; slopeOf: (u: number) => number },
  weights: Weights,
  moved: Moved,
): number {
  const duals = new Map<number, Dual>();
  const of = (id: number): Dual => {
    const dual = duals.get(id);
    if (!dual) throw new RangeError(`Node ${id} has not run.`);
    return dual;
  };
  const scales = new Map(graph.scales.map(({ node }, index) => [node, index]));
  let derivative = 0;
  for (const node of graph.nodes) {
    if (node.op === 'input') {
      duals.set(node.id, { ...shape, value: Float64Array.from(values), slope: Float64Array.from(moved.input ?? new Float32Array(values.length)) });
    } else if (node.op === 'convolution') {
      const source = of(node.input);
      const output = convolve(node, source, parameters, scales.has(node.id));
      duals.set(node.id, output);
      const scale = scales.get(node.id);
      if (scale === undefined) continue;
      const size = output.slope.length / output.steps;
      output.slope.forEach((slope, at) => (derivative += (slope / output.steps) * (weights[scale]?.[at % size] ?? 0)));
    } else if (node.op === 'neuron') {
      duals.set(node.id, fire(of(node.input), neuron, moved.emitted?.node === node.id ? moved.emitted.scale : () => 0));
    } else if (node.op === 'maxPool') {
      duals.set(node.id, maxPool(of(node.input), node.size));
    } else if (node.op === 'upsample') {
      const source = of(node.input);
      duals.set(node.id, tabulate({ ...source, height: source.height * 2, width: source.width * 2 }, (t, y, x, c) => [source, t, y >> 1, x >> 1, c]));
    } else if (node.op === 'concatenate') {
      const inputs = node.inputs.map(of);
      const channels = inputs.reduce((total, input) => total + input.channels, 0);
      const first = inputs[0] ?? of(0);
      duals.set(
        node.id,
        tabulate({ ...first, steps: Math.max(...inputs.map((input) => input.steps)), channels }, (t, y, x, c) => {
          let channel = c;
          for (const input of inputs) {
            if (channel < input.channels) return [input, t, y, x, channel];
            channel -= input.channels;
          }
          throw new RangeError('channel');
        }),
      );
    } else {
      const [a, b] = [of(node.inputs[0]), of(node.inputs[1])];
      const sum = tabulate({ ...a, steps: Math.max(a.steps, b.steps) }, (t, y, x, c) => [a, t, y, x, c]);
      const other = tabulate({ ...a, steps: sum.steps }, (t, y, x, c) => [b, t, y, x, c]);
      other.value.forEach((value, at) => (sum.value[at] = (sum.value[at] ?? 0) + value));
      other.slope.forEach((slope, at) => (sum.slope[at] = (sum.slope[at] ?? 0) + slope));
      duals.set(node.id, sum);
    }
  }
  return derivative;
}

function empty(like: Omit<Dual, 'value' | 'slope'>): Dual {
  const { steps: t, height, width, channels } = like;
  const size = t * height * width * channels;
  return { steps: t, height, width, channels, value: new Float64Array(size), slope: new Float64Array(size) };
}

function indexIn({ steps: count, height, width, channels }: Dual, t: number, y: number, x: number, c: number): number {
  return (((count === 1 ? 0 : t) * height + y) * width + x) * channels + c;
}

function tabulate(like: Omit<Dual, 'value' | 'slope'>, from: (t: number, y: number, x: number, c: number) => [Dual, number, number, number, number]): Dual {
  const dual = empty(like);
  let at = 0;
  for (let t = 0; t < dual.steps; t++) {
    for (let y = 0; y < dual.height; y++) {
      for (let x = 0; x < dual.width; x++) {
        for (let c = 0; c < dual.channels; c++, at++) {
          const [source, ...place] = from(t, y, x, c);
          const index = indexIn(source, ...place);
          dual.value[at] = source.value[index] ?? NaN;
          dual.slope[at] = source.slope[index] ?? NaN;
        }
      }
    }
  }
  return dual;
}

function maxPool(source: Dual, size: number): Dual {
  return tabulate({ ...source, height: Math.floor(source.height / size), width: Math.floor(source.width / size) }, (t, y, x, c) => {
    let best: [number, number] = [y * size, x * size];
    for (let dy = 0; dy < size; dy++) {
      for (let dx = 0; dx < size; dx++) {
        const place: [number, number] = [y * size + dy, x * size + dx];
        if ((source.value[indexIn(source, t, ...place, c)] ?? 0) > (source.value[indexIn(source, t, ...best, c)] ?? 0)) best = place;
      }
    }
    return [source, t, ...best, c];
  });
}

function fire(
  source: Dual,
  { decay, threshold, reset, slopeOf }: { decay: number; threshold: number; reset: ResetMode; slopeOf: (u: number) => number },
  scale: (at: number) => number,
): Dual {
  const dual = empty({ ...source, steps });
  const size = dual.value.length / steps;
  for (let n = 0; n < size; n++) {
    let [v, dv, s] = [0, 0, 0];
    for (let t = 0; t < steps; t++) {
      const from = source.steps === 1 ? n : t * size + n;
      const left = reset === 'soft' ? v - threshold * s : v * (1 - s);
      v = Math.fround(decay * left + (source.value[from] ?? 0));
      dv = decay * dv * (reset === 'soft' ? 1 : 1 - s) + (source.slope[from] ?? 0);
      s = v > threshold ? 1 : 0;
      const at = t * size + n;
      dual.value[at] = s;
      dual.slope[at] = slopeOf(v - threshold) * dv + s * scale(at);
    }
  }
  return dual;
}

function convolve(node: ConvolutionNode, source: Dual, parameters: Parameters, isDetection: boolean): Dual {
  const { kernel, stride, padding, inputChannels, outputChannels } = node.geometry;
  const weights = parameters.get(node.weightName) ?? new Float32Array();
  const of = (name: string): Float32Array => parameters.get(name) ?? new Float32Array();
  const { shift } = node;
  const dual = empty({
    steps: source.steps,
    height: Math.floor((source.height + 2 * padding - kernel) / stride) + 1,
    width: Math.floor((source.width + 2 * padding - kernel) / stride) + 1,
    channels: outputChannels,
  });
  for (let t = 0; t < dual.steps; t++) {
    for (let y = 0; y < dual.height; y++) {
      for (let x = 0; x < dual.width; x++) {
        const target = indexIn(dual, t, y, x, 0);
        for (let k = 0; k < kernel * kernel; k++) {
          const sy = y * stride + Math.floor(k / kernel) - padding;
          const sx = x * stride + (k % kernel) - padding;
          if (sy < 0 || sx < 0 || sy >= source.height || sx >= source.width) continue;
          for (let i = 0; i < inputChannels; i++) {
            const from = indexIn(source, t, sy, sx, i);
            const [value, slope] = [source.value[from] ?? 0, source.slope[from] ?? 0];
            if (value === 0 && slope === 0) continue;
            const row = (k * inputChannels + i) * outputChannels;
            for (let o = 0; o < outputChannels; o++) {
              dual.value[target + o] = (dual.value[target + o] ?? 0) + value * (weights[row + o] ?? 0);
              dual.slope[target + o] = (dual.slope[target + o] ?? 0) + slope * (weights[row + o] ?? 0);
            }
          }
        }
      }
    }
  }
  if (isDetection || shift.kind === 'bias') return dual;
  const [scale, offset, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => of(`${shift.prefix}.${part}`));
  dual.value.forEach((value, at) => {
    const o = at % outputChannels;
    const factor = (scale?.[o] ?? NaN) / Math.sqrt((variance?.[o] ?? NaN) + normEpsilon);
    dual.value[at] = value * factor + (offset?.[o] ?? NaN) - (mean?.[o] ?? NaN) * factor;
    dual.slope[at] = (dual.slope[at] ?? NaN) * factor;
  });
  return dual;
}
