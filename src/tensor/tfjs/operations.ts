import * as tf from '@tensorflow/tfjs';
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
} from '../operations';
import { integrateAndFire } from './integrateKernel';
import { composedLeakyIntegrate, leakyIntegrate } from './neuronKernel';
import type { TfjsBackend } from './start';
import { readTensors, repeatSteps } from './tensors';

interface TensorSignal extends Signal {
  tensor: tf.Tensor4D;
}
interface TensorSpikes extends Spikes {
  tensor: tf.Tensor4D;
}
interface TensorConvolution extends Convolution {
  weights: tf.Tensor4D;
  bias: tf.Tensor1D;
}

/**
 * The operations on tfjs, steps folded into the batch. Spikes are float32 zeros and ones, since tfjs's convolution
 * takes nothing smaller. Every tensor made here is owned by the caller; whatever an operation needs in between is
 * disposed before it returns.
 */
export class TfjsOperations implements Operations {
  private readonly integrate: typeof leakyIntegrate;

  /** @param neuron `stock` composes the neurons of tfjs's own operations where ours would be used, to compare with */
  constructor(
    readonly backend: TfjsBackend,
    neuron: 'ours' | 'stock' = 'ours',
  ) {
    this.integrate = neuron === 'ours' ? leakyIntegrate : composedLeakyIntegrate;
  }

  loadConvolution({ weights, bias, kernel, stride, padding, inputChannels, outputChannels }: ConvolutionWeights): Convolution {
    const convolution: TensorConvolution = {
      kind: 'convolution',
      geometry: { kernel, stride, padding, inputChannels, outputChannels },
      weights: tf.tensor4d(weights, [kernel, kernel, inputChannels, outputChannels]),
      bias: tf.tensor1d(bias),
    };
    return convolution;
  }

  input(values: Float32Array, { steps, height, width, channels }: FeatureShape): Signal {
    return signal(tf.tensor4d(values, [steps, height, width, channels]));
  }

  denseConvolution(input: Signal, convolution: Convolution): Signal {
    return convolve(tensorOf(input), convolution);
  }

  spikingConvolution(input: Spikes, convolution: Convolution): Signal {
    return convolve(tensorOf(input), convolution);
  }

  leakyIntegrateAndFire(input: Signal, steps: number, parameters: NeuronParameters, record: boolean) {
    const attributes = { ...parameters, steps };
    if (!record) {
      return {
        spikes: spikes(this.integrate(tensorOf(input), { ...attributes, emission: 'spikes' })),
        membrane: undefined,
      };
    }
    // A tfjs program has one output: when membranes are wanted, spikes are read off them.
    const membrane = this.integrate(tensorOf(input), { ...attributes, emission: 'membrane' });
    return {
      spikes: spikes(tf.tidy(() => membrane.greater(parameters.threshold).cast('float32'))),
      membrane: signal(membrane),
    };
  }

  leakySilu(input: Signal, steps: number, parameters: NeuronParameters): Signal {
    return signal(this.integrate(tensorOf(input), { ...parameters, steps, emission: 'silu' }));
  }

  carryOver(last: Signal, neuron: 'lif' | 'silu', { decay, threshold, reset }: NeuronParameters): Signal {
    return signal(
      tf.tidy(() => {
        const v = tensorOf(last).slice([last.shape.steps - 1, 0, 0, 0], [1, -1, -1, -1]);
        if (neuron === 'lif' && reset === 'soft') return v.sub<tf.Tensor4D>(v.greater(threshold).cast<tf.Tensor4D>('float32').mul(threshold)).mul(decay);
        const left = neuron === 'silu' ? tf.sub(1, v) : v.lessEqual(threshold).cast('float32');
        return v.mul<tf.Tensor4D>(decay).mul(left);
      }),
    );
  }

  addCarried(input: Signal, steps: number, carried: Signal): Signal {
    return signal(
      tf.tidy(() => {
        const current = tensorOf(input);
        const first = current.slice([0, 0, 0, 0], [1, -1, -1, -1]).add<tf.Tensor4D>(tensorOf(carried));
        if (steps === 1) return first;
        const rest = input.shape.steps === 1 ? repeatSteps(current, 1, steps - 1) : current.slice([1, 0, 0, 0], [steps - 1, -1, -1, -1]);
        return tf.concat([first, rest], 0);
      }),
    );
  }

  integrateAndFire(input: Signal, steps: number, { thresholds, maximumSpikes }: IntegrateAndFireParameters, before: Signal) {
    const limits = tf.tensor1d(thresholds);
    const tensors = { input: tensorOf(input), before: tensorOf(before), thresholds: limits };
    const fired = integrateAndFire(tensors, { steps, maximumSpikes, emission: 'spikes' });
    const left = integrateAndFire(tensors, { steps, maximumSpikes, emission: 'left' });
    limits.dispose();
    return { spikes: spikes(fired), after: signal(left) };
  }

  relu(input: Signal): Signal {
    return signal(tf.relu(tensorOf(input)));
  }

  silence<V extends Signal | Spikes>(value: V, audible: Audible): V {
    const { height, width, channels } = value.shape;
    const tensor = tf.tidy(() => tensorOf(value).mul<tf.Tensor4D>(tf.tensor4d(Float32Array.from(audible), [1, height, width, channels])));
    return { ...value, tensor };
  }

  maxPool(input: Signal, size: number): Signal {
    return signal(tf.maxPool(tensorOf(input), size, size, 'valid'));
  }

  maxPoolOfSums(input: Signal, size: number, steps: number, before: Signal) {
    const [pooled, after] = tf.tidy((): [tf.Tensor4D, tf.Tensor4D] => {
      const current = tensorOf(input);
      const sums = [tensorOf(before)];
      for (let t = 0; t < steps; t++) {
        const next = input.shape.steps === 1 ? current : current.slice([t, 0, 0, 0], [1, -1, -1, -1]);
        sums.push((sums[t] ?? current).add(next));
      }
      const largest = tf.maxPool(tf.concat(sums, 0), size, size, 'valid');
      const last = sums[steps] ?? current;
      return [tf.sub(largest.slice([1, 0, 0, 0], [steps, -1, -1, -1]), largest.slice([0, 0, 0, 0], [steps, -1, -1, -1])), last.clone()];
    });
    return { pooled: signal(pooled), after: signal(after) };
  }

  upsample(input: Signal): Signal {
    const { height, width } = input.shape;
    return signal(tf.image.resizeNearestNeighbor(tensorOf(input), [height * 2, width * 2]));
  }

  concatenate(inputs: readonly Signal[]): Signal {
    return signal(
      tf.tidy(() => {
        const steps = Math.max(...inputs.map((input) => input.shape.steps));
        return tf.concat(
          inputs.map((input) => repeatSteps(tensorOf(input), input.shape.steps, steps)),
          3,
        );
      }),
    );
  }

  add(a: Signal, b: Signal): Signal {
    return signal(tf.add(tensorOf(a), tensorOf(b)));
  }

  meanOverSteps(input: Signal): Signal {
    return signal(tf.mean(tensorOf(input), 0, true));
  }

  runningMean(input: Signal, steps: number): Signal {
    return signal(
      tf.tidy(() => {
        const all = repeatSteps(tensorOf(input), input.shape.steps, steps);
        const sums: tf.Tensor4D[] = [];
        for (let t = 0; t < steps; t++) {
          const current = all.slice([t, 0, 0, 0], [1, -1, -1, -1]);
          const before = sums[t - 1];
          sums.push(before ? before.add(current) : current);
        }
        return tf.concat(
          sums.map((sum, t) => sum.mul<tf.Tensor4D>(1 / (t + 1))),
          0,
        );
      }),
    );
  }

  countSpikes(input: Spikes): Signal {
    return signal(tf.sum(tensorOf(input), [1, 2, 3], true));
  }

  read(values: readonly (Signal | Spikes)[]): Promise<Float32Array[]> {
    return readTensors(values.map(tensorOf), this.backend);
  }

  release(value: Signal | Spikes | Convolution): void {
    if (value.kind === 'convolution') {
      const { weights, bias } = value as TensorConvolution;
      tf.dispose([weights, bias]);
    } else {
      tensorOf(value).dispose();
    }
  }
}

function shapeOf([steps, height, width, channels]: tf.Tensor4D['shape']): FeatureShape {
  return { steps, height, width, channels };
}

function signal(tensor: tf.Tensor4D): Signal {
  const value: TensorSignal = { kind: 'signal', shape: shapeOf(tensor.shape), tensor };
  return value;
}

function spikes(tensor: tf.Tensor4D): Spikes {
  const value: TensorSpikes = { kind: 'spikes', shape: shapeOf(tensor.shape), tensor };
  return value;
}

/** Every value that reaches this class was made by it. */
function tensorOf(value: Signal | Spikes): tf.Tensor4D {
  return (value as TensorSignal | TensorSpikes).tensor;
}

function convolve(x: tf.Tensor4D, convolution: Convolution): Signal {
  const { weights: filter, bias } = convolution as TensorConvolution;
  const { stride, padding } = convolution.geometry;
  return signal(
    tf.tidy(() => tf.fused.conv2d({ x, filter, bias, strides: stride, pad: padding, dimRoundingMode: 'floor' })),
  );
}
