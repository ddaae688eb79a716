import plainAddress from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import asyncifyAddress from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import { AppError } from '../base/errors';
import type { OnnxRuntime } from './bench/contestants';

/**
 * The ONNX runtime in a page's worker: some 14 MB (WebGPU: 24), fetched from this site when the first ONNX network is opened, and kept for
 * offline use from then on. One thread, as everywhere (decision 0005).
 * @throws AppError `fetch/offline`
 */
export async function openOnnxRuntime(provider: 'wasm' | 'webgpu' = 'wasm'): Promise<OnnxRuntime> {
  try {
    const { env, InferenceSession, Tensor } = await (provider === 'wasm' ? import('onnxruntime-web/wasm') : import('onnxruntime-web/webgpu'));
    env.wasm.numThreads = 1;
    // Here and not when the first network is opened, which would not tell that it could not be fetched.
    env.wasm.wasmBinary ??= await programFrom(provider === 'wasm' ? plainAddress : asyncifyAddress);
    return { InferenceSession, Tensor };
  } catch (cause) {
    throw new AppError('fetch/offline', 'The ONNX runtime could not be fetched from the page’s own server.', 'Check the connection, then open the file again.', cause);
  }
}

async function programFrom(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return response.arrayBuffer();
}
