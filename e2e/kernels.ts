import { readKernels } from '../src/cli/kernels';
import type { BackendName } from '../src/base/backendName';
import type { BackendOptions } from '../src/tensor/backend';

/** What opens any backend that Node has. */
export function nodeBackend(preference: 'auto' | BackendName): BackendOptions {
  return { preference, wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [] };
}
