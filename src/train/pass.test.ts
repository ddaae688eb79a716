import { beforeAll, describe, expect, it } from 'vitest';
import { nodeTraining } from '../../e2e/kernels';
import { seededRandom } from '../base/random';
import { defaultSurrogate } from '../base/surrogate';
import { configurations, defaultAnchors } from '../network/configurations';
import { buildGraph } from '../network/graph';
import { trainedNeuron } from '../network/network';
import type { EventTraining } from '../tensor/event/training';
import { initialParameters } from './parameters';
import { Pass, type PassSettings } from './pass';

const size = 64;
const shape = { steps: 1, images: 2, height: size, width: size, channels: 3 };

function network(configuration: string) {
  return buildGraph({
    rows: configurations[configuration] ?? [],
    depthMultiple: 1,
    widthMultiple: 0.25,
    inputChannels: 3,
    classNames: ['a', 'b'],
    anchors: defaultAnchors,
  });
}

describe('a pass', () => {
  let operations: EventTraining;
  beforeAll(async () => {
    operations = await nodeTraining();
  });

  async function gradientsOf(configuration: string, settings: Partial<PassSettings>, options: Partial<Parameters<Pass['backward']>[1]> = {}) {
    const random = seededRandom(7);
    const graph = network(configuration);
    const parameters = initialParameters(graph, random);
    for (const [name, values] of parameters) if (name.endsWith('bn.bias')) values.forEach((_, index) => (values[index] = random() - 0.3));
    const data = Float32Array.from({ length: 2 * size * size * 3 }, () => random());
    const all: PassSettings = { mode: 'ann', steps: 3, neuron: trainedNeuron, surrogate: defaultSurrogate, statistics: 'batch', ...settings };
    const pass = new Pass(graph, parameters, operations, all);
    const output = await pass.forward(data, shape);
    const weights = output.logits.map(({ data: logits }) => logits.map(() => random() - 0.5));
    const gradients = await pass.backward(weights, { ratePenalty: 0, trace: false, ...options });
    pass.release();
    const valueAt = async (picture: Float32Array): Promise<number> => {
      const moved = new Pass(graph, parameters, operations, all);
      const { logits } = await moved.forward(picture, shape);
      moved.release();
      return logits.reduce((sum, { data: values }, scale) => sum + values.reduce((inner, value, index) => inner + value * (weights[scale]?.[index] ?? NaN), 0), 0);
    };
    return { graph, parameters, data, gradients, output, valueAt };
  }

  it('of an ANN has the gradients that finite differences show, for every kind of parameter', async () => {
    const { parameters, gradients, data, valueAt } = await gradientsOf('res10-ee', {});
    const random = seededRandom(11);
    const relative: number[] = [];
    for (const [name, gradient] of gradients.parameters) {
      const values = parameters.get(name);
      if (!values) throw new Error(`no ${name}`);
      const largest = gradient.reduce((most, value, at) => (Math.abs(value) > Math.abs(gradient[most] ?? 0) ? at : most), 0);
      for (const index of [largest, Math.floor(random() * values.length)]) {
        const before = values[index] ?? 0;
        const difference = async (step: number): Promise<number> => {
          values[index] = before + step;
          const above = await valueAt(data);
          values[index] = before - step;
          const below = await valueAt(data);
          values[index] = before;
          return (above - below) / (2 * step);
        };
        const slope = gradient[index] ?? NaN;
        // ReLU and max pooling have kinks: a step that crosses one shows another slope, a smaller step may not.
        const scale = Math.max(Math.abs(slope), 0.2 * Math.abs(gradient[largest] ?? NaN));
        let error = Infinity;
        for (const step of [1e-3, 3e-3, 3e-4]) if (error >= 0.05) error = Math.min(error, Math.abs((await difference(step)) - slope) / scale);
        relative.push(error);
        expect(error, `${name}[${index}]`).toBeLessThan(0.5);
      }
    }
    expect(relative).toHaveLength(gradients.parameters.size * 2);
    expect(relative.filter((error) => error < 0.05).length).toBeGreaterThan(0.95 * relative.length);
  });

  it('with running statistics traces back to the picture', async () => {
    const { gradients, data, valueAt } = await gradientsOf('resnet10', { statistics: 'running' }, { trace: true });
    const { input } = gradients;
    if (!input) throw new Error('no gradient of the input');
    expect(input).toHaveLength(data.length);
    const strongest = [...input.keys()].sort((a, b) => Math.abs(input[b] ?? 0) - Math.abs(input[a] ?? 0)).slice(0, 5);
    for (const index of strongest) {
      const errors = [];
      for (const step of [1e-2, 3e-3]) {
        const moved = (by: number): Float32Array => data.map((value, at) => (at === index ? value + by : value));
        const numeric = ((await valueAt(moved(step))) - (await valueAt(moved(-step)))) / (2 * step);
        errors.push(Math.abs(numeric - (input[index] ?? NaN)) / (Math.abs(input[index] ?? NaN) + 0.01));
      }
      expect(Math.min(...errors)).toBeLessThan(0.05);
    }
  });

  it('computes only what is asked for, and the same', async () => {
    const all = await gradientsOf('res10-ee', { mode: 'snn' });
    const names = new Set([...all.gradients.parameters.keys()].filter((name) => name.startsWith('model.11.')));
    const some = await gradientsOf('res10-ee', { mode: 'snn' }, { only: names });
    expect(new Set(some.gradients.parameters.keys())).toEqual(names);
    for (const [name, values] of some.gradients.parameters) expect(values).toEqual(all.gradients.parameters.get(name));
  });

  it('is driven to fewer spikes by a penalty on firing', async () => {
    const without = await gradientsOf('res10-ee', { mode: 'snn' });
    const withPenalty = await gradientsOf('res10-ee', { mode: 'snn' }, { ratePenalty: 10 });
    // More current in a norm's shift means more spikes: the penalty adds to its gradient.
    const change = (name: string): number =>
      (withPenalty.gradients.parameters.get(name) ?? new Float32Array()).reduce((sum, value, index) => sum + value - (without.gradients.parameters.get(name)?.[index] ?? 0), 0);
    expect(change('model.1.residual_function.2.bn.bias')).toBeGreaterThan(0);
  });

  it('frees what it took', async () => {
    const before = operations.memory();
    await gradientsOf('resnet34-cat', { mode: 'snn' });
    // The scratch of the convolutions stays.
    expect(operations.memory().tensors - before.tensors).toBeLessThanOrEqual(1);
  });
});
