import type {
  Audible,
  Convolution,
  ConvolutionWeights,
  FeatureShape,
  IntegrateAndFireParameters,
  NeuronParameters,
  Operations,
  Signal,
  Spikes,
} from './operations';
import { convolvedShape, elementCount } from './operations';

interface PlainSignal extends Signal {
  data: Float32Array;
}
interface PlainSpikes extends Spikes {
  data: Float32Array;
}
interface PlainConvolution extends Convolution {
  weights: ConvolutionWeights;
}

/**
 * The operations as their definitions read: loops over plain arrays, sums in double precision. Slow, and made to be
 * compared with.
 */
export class ReferenceOperations implements Operations {
  readonly backend = 'reference';

  loadConvolution(weights: ConvolutionWeights): Convolution {
    const { kernel, stride, padding, inputChannels, outputChannels } = weights;
    const convolution: PlainConvolution = {
      kind: 'convolution',
      geometry: { kernel, stride, padding, inputChannels, outputChannels },
      weights,
    };
    return convolution;
  }

  input(values: Float32Array, shape: FeatureShape): Signal {
    return signal(shape, values.slice());
  }

  denseConvolution(input: Signal, convolution: Convolution): Signal {
    return this.convolve(dataOf(input), input.shape, convolution);
  }

  spikingConvolution(input: Spikes, convolution: Convolution): Signal {
    return this.convolve(dataOf(input), input.shape, convolution);
  }

  private convolve(source: Float32Array, shape: FeatureShape, convolution: Convolution): Signal {
    const { kernel, stride, padding, inputChannels, outputChannels } = convolution.geometry;
    const { weights, bias } = (convolution as PlainConvolution).weights;
    const out = convolvedShape(shape, convolution.geometry);
    const target = new Float32Array(elementCount(out));
    const sums = new Float64Array(outputChannels);
    for (let t = 0; t < out.steps; t++) {
      for (let y = 0; y < out.height; y++) {
        for (let x = 0; x < out.width; x++) {
          sums.set(bias);
          for (let ky = 0; ky < kernel; ky++) {
            const sy = y * stride + ky - padding;
            if (sy < 0 || sy >= shape.height) continue;
            for (let kx = 0; kx < kernel; kx++) {
              const sx = x * stride + kx - padding;
              if (sx < 0 || sx >= shape.width) continue;
              const from = ((t * shape.height + sy) * shape.width + sx) * inputChannels;
              for (let i = 0; i < inputChannels; i++) {
                const value = at(source, from + i);
                if (value === 0) continue;
                const row = ((ky * kernel + kx) * inputChannels + i) * outputChannels;
                for (let o = 0; o < outputChannels; o++) sums[o] = at(sums, o) + value * at(weights, row + o);
              }
            }
          }
          target.set(sums, ((t * out.height + y) * out.width + x) * outputChannels);
        }
      }
    }
    return signal(out, target);
  }

  leakyIntegrateAndFire(input: Signal, steps: number, parameters: NeuronParameters, record: boolean) {
    const shape = { ...input.shape, steps };
    const { membrane, emitted } = integrate(input, steps, (v) => ({
      emitted: v > parameters.threshold ? 1 : 0,
      carried: leftOf(v, parameters),
    }));
    return { spikes: spikes(shape, emitted), membrane: record ? signal(shape, membrane) : undefined };
  }

  leakySilu(input: Signal, steps: number, { decay }: NeuronParameters): Signal {
    const { emitted } = integrate(input, steps, (v) => {
      const s = v / (1 + Math.exp(-v));
      return { emitted: s, carried: decay * s * (1 - s) };
    });
    return signal({ ...input.shape, steps }, emitted);
  }

  carryOver(last: Signal, neuron: 'lif' | 'silu', parameters: NeuronParameters): Signal {
    const shape = { ...last.shape, steps: 1 };
    const neurons = elementCount(shape);
    const values = dataOf(last).slice((last.shape.steps - 1) * neurons);
    return signal(
      shape,
      values.map((v) => (neuron === 'silu' ? parameters.decay * v * (1 - v) : leftOf(v, parameters))),
    );
  }

  addCarried(input: Signal, steps: number, carried: Signal): Signal {
    const shape = { ...input.shape, steps };
    return signal(
      shape,
      tabulate(shape, (t, y, x, c) => pick(input, t, y, x, c) + (t === 0 ? pick(carried, 0, y, x, c) : 0)),
    );
  }

  integrateAndFire(input: Signal, steps: number, { thresholds, maximumSpikes }: IntegrateAndFireParameters, before: Signal) {
    const shape = { ...input.shape, steps };
    const source = dataOf(input);
    const membrane = dataOf(before).slice();
    const neurons = membrane.length;
    const fired = new Float32Array(neurons * steps);
    for (let t = 0; t < steps; t++) {
      for (let n = 0; n < neurons; n++) {
        const threshold = at(thresholds, n % shape.channels);
        let v = Math.fround(at(membrane, n) + at(source, input.shape.steps === 1 ? n : t * neurons + n));
        let count = 0;
        for (; count < maximumSpikes && v >= threshold; count++) v = Math.fround(v - threshold);
        membrane[n] = v;
        fired[t * neurons + n] = count;
      }
    }
    return { spikes: spikes(shape, fired), after: signal(before.shape, membrane) };
  }

  relu(input: Signal): Signal {
    return signal(input.shape, dataOf(input).map((value) => Math.max(value, 0)));
  }

  silence<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const data = dataOf(value).map((each, index) => each * (audible[index % audible.length] ?? 1));
    return { ...value, data };
  }

  maxPool(input: Signal, size: number): Signal {
    const shape = input.shape;
    const out = { ...shape, height: Math.floor(shape.height / size), width: Math.floor(shape.width / size) };
    return signal(
      out,
      tabulate(out, (t, y, x, c) => {
        let largest = -Infinity;
        for (let dy = 0; dy < size; dy++) {
          for (let dx = 0; dx < size; dx++) {
            largest = Math.max(largest, pick(input, t, y * size + dy, x * size + dx, c));
          }
        }
        return largest;
      }),
    );
  }

  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal) {
    let sums = before;
    const parts: Float32Array[] = [];
    for (let t = 0; t < steps; t++) {
      const next = signal(
        before.shape,
        tabulate(before.shape, (_, y, x, c) => pick(sums, 0, y, x, c) + pick(input, t, y, x, c)),
      );
      const earlier = dataOf(this.maxPool(sums, size));
      parts.push(dataOf(this.maxPool(next, size)).map((largest, index) => largest - at(earlier, index)));
      sums = next;
    }
    const { height, width } = before.shape;
    const shape = { ...before.shape, steps, height: Math.floor(height / size), width: Math.floor(width / size) };
    const pooled = new Float32Array(elementCount(shape));
    parts.forEach((part, t) => pooled.set(part, t * part.length));
    // A copy, since both stay alive.
    return { pooled: signal(shape, pooled), after: signal(before.shape, dataOf(sums).slice()) };
  }

  upsample(input: Signal): Signal {
    const out = { ...input.shape, height: input.shape.height * 2, width: input.shape.width * 2 };
    return signal(
      out,
      tabulate(out, (t, y, x, c) => pick(input, t, y >> 1, x >> 1, c)),
    );
  }

  concatenate(inputs: readonly Signal[]): Signal {
    const first = inputs[0];
    if (!first) throw new RangeError('Nothing to concatenate.');
    const channels = inputs.reduce((sum, input) => sum + input.shape.channels, 0);
    const steps = Math.max(...inputs.map((input) => input.shape.steps));
    const out = { ...first.shape, steps, channels };
    return signal(
      out,
      tabulate(out, (t, y, x, c) => {
        let channel = c;
        for (const input of inputs) {
          if (channel < input.shape.channels) return pick(input, t, y, x, channel);
          channel -= input.shape.channels;
        }
        return 0;
      }),
    );
  }

  add(a: Signal, b: Signal): Signal {
    const out = { ...a.shape, steps: Math.max(a.shape.steps, b.shape.steps) };
    return signal(
      out,
      tabulate(out, (t, y, x, c) => pick(a, t, y, x, c) + pick(b, t, y, x, c)),
    );
  }

  meanOverSteps(input: Signal): Signal {
    const out = { ...input.shape, steps: 1 };
    return signal(
      out,
      tabulate(out, (_, y, x, c) => meanUpTo(input, input.shape.steps - 1, y, x, c)),
    );
  }

  runningMean(input: Signal, steps: number): Signal {
    const out = { ...input.shape, steps };
    return signal(
      out,
      tabulate(out, (t, y, x, c) => meanUpTo(input, t, y, x, c)),
    );
  }

  countSpikes(input: Spikes): Signal {
    const { steps } = input.shape;
    const data = dataOf(input);
    const perStep = data.length / steps;
    const counts = Float32Array.from({ length: steps }, (_, t) =>
      data.subarray(t * perStep, (t + 1) * perStep).reduce((sum, spike) => sum + spike, 0),
    );
    return signal({ steps, height: 1, width: 1, channels: 1 }, counts);
  }

  read(values: readonly (Signal | Spikes)[]): Promise<Float32Array[]> {
    return Promise.resolve(values.map((value) => dataOf(value).slice()));
  }

  release(): void {
    // Plain arrays are collected by themselves.
  }
}

function signal(shape: FeatureShape, data: Float32Array): Signal {
  const value: PlainSignal = { kind: 'signal', shape, data };
  return value;
}

function spikes(shape: FeatureShape, data: Float32Array): Spikes {
  const value: PlainSpikes = { kind: 'spikes', shape, data };
  return value;
}

/** Every value that reaches this class was made by it. */
function dataOf(value: Signal | Spikes): Float32Array {
  return (value as PlainSignal | PlainSpikes).data;
}

/** Reads inside the bounds that the loops guarantee; typed arrays are typed as if they could have holes. */
function at(array: Float32Array | Float64Array, index: number): number {
  return array[index] ?? NaN;
}

function pick(input: Signal, t: number, y: number, x: number, c: number): number {
  const { steps, height, width, channels } = input.shape;
  const step = steps === 1 ? 0 : t;
  return at(dataOf(input), ((step * height + y) * width + x) * channels + c);
}

function meanUpTo(input: Signal, last: number, y: number, x: number, c: number): number {
  let sum = 0;
  for (let t = 0; t <= last; t++) sum += pick(input, t, y, x, c);
  return sum / (last + 1);
}

function tabulate(
  shape: FeatureShape,
  value: (t: number, y: number, x: number, c: number) => number,
): Float32Array {
  const data = new Float32Array(elementCount(shape));
  let index = 0;
  for (let t = 0; t < shape.steps; t++) {
    for (let y = 0; y < shape.height; y++) {
      for (let x = 0; x < shape.width; x++) {
        for (let c = 0; c < shape.channels; c++) data[index++] = value(t, y, x, c);
      }
    }
  }
  return data;
}

/** What a step leaves of a LIF neuron's membrane for the next one. */
function leftOf(v: number, { decay, threshold, reset }: NeuronParameters): number {
  if (v <= threshold) return decay * v;
  return reset === 'soft' ? decay * Math.fround(v - Math.fround(threshold)) : 0;
}

/** @param emit what a membrane emits, and what of it is carried on */
function integrate(input: Signal, steps: number, emit: (membrane: number) => { emitted: number; carried: number }) {
  const source = dataOf(input);
  const neurons = source.length / input.shape.steps;
  const membrane = new Float32Array(neurons * steps);
  const emitted = new Float32Array(neurons * steps);
  for (let n = 0; n < neurons; n++) {
    let left = 0;
    for (let t = 0; t < steps; t++) {
      // Rounded as float32 arithmetic does, since the decision at the threshold is what has to agree.
      const current = at(source, input.shape.steps === 1 ? n : t * neurons + n);
      const v = Math.fround(Math.fround(left) + current);
      const { emitted: s, carried } = emit(v);
      left = carried;
      membrane[t * neurons + n] = v;
      emitted[t * neurons + n] = s;
    }
  }
  return { membrane, emitted };
}
