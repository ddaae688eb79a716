import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';

/** Addresses of tfjs's WASM binaries on the built site, by the names that tfjs asks for. Only for bundled code: Node has no such imports. */
export const wasmFiles: Readonly<Record<string, string>> = {
  // tfjs insists on an address for its threaded program, which backend.ts switches off.
  'tfjs-backend-wasm-threaded-simd.wasm': simd,
  'tfjs-backend-wasm-simd.wasm': simd,
  'tfjs-backend-wasm.wasm': plain,
};
