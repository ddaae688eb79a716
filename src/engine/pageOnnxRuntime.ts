import onnxRuntimeAddress from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { AppError } from '../base/errors';
import type { OnnxRuntime } from './bench/contestants';

/**
 * The ONNX runtime in a page's worker: some 14 MB, fetched from this site when the first ONNX network is opened, and kept for
 * offline use from then on. One thread, as everywhere (decision 0005).
 * @throws AppError `fetch/offline`
 */
export async function openOnnxRuntime(): Promise<OnnxRuntime> {
  try {
    const { env, InferenceSession, Tensor } = await import('onnxruntime-web/wasm');
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = { wasm: onnxRuntimeAddress };
    return { InferenceSession, Tensor };
  } catch (cause) {
    throw new AppError('fetch/offline', 'The ONNX runtime could not be fetched from the page’s own server.', 'Check the connection, then open the file again.', cause);
  }
}
