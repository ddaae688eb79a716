import * as tf from '@tensorflow/tfjs';
import type { TfjsBackend } from './start';

/** Brings tensors back as plain arrays. From a GPU every read-back waits for the queue, so that there all travel in one. */
export async function readTensors(tensors: readonly tf.Tensor[], backend: TfjsBackend): Promise<Float32Array[]> {
  if (backend === 'wasm' || tensors.length === 0) {
    return Promise.all(tensors.map(async (tensor) => (await tensor.data()) as Float32Array));
  }
  const joined = tf.tidy(() => tf.concat(tensors.map((tensor) => tensor.flatten())));
  try {
    const data = (await joined.data()) as Float32Array;
    let offset = 0;
    return tensors.map(({ size }) => data.slice(offset, (offset += size)));
  } finally {
    joined.dispose();
  }
}

/**
 * What has one step, at all of `steps`. By concatenation: tfjs-wasm's `tile` is many times slower.
 * @param x steps times pictures in the first axis
 */
export function repeatSteps(x: tf.Tensor4D, from: number, steps: number): tf.Tensor4D {
  if (from === steps) return x;
  return tf.concat(
    Array.from({ length: steps }, () => x),
    0,
  );
}
