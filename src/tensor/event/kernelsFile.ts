import { relaxedSimd } from 'wasm-feature-detect';
import address from './kernels.wasm?url';
import relaxedAddress from './relaxedKernels.wasm?url';
import relaxedThreadedAddress from './relaxedThreadedKernels.wasm?url';
import threadedAddress from './threadedKernels.wasm?url';
import trainingAddress from './trainingKernels.wasm?url';
import type { KernelSource } from './kernels';

/** The compiled kernels on the built site. Only for bundled code: Node has no such imports. */
export const fetchKernels: KernelSource = async () => fetchProgram((await relaxedSimd()) ? relaxedAddress : address);
/** The same for a memory that threads share. */
export const fetchThreadedKernels: KernelSource = async () => fetchProgram((await relaxedSimd()) ? relaxedThreadedAddress : threadedAddress);
export const fetchTrainingKernels: KernelSource = () => fetchProgram(trainingAddress);

async function fetchProgram(from: string): Promise<ArrayBuffer> {
  const response = await fetch(from);
  if (!response.ok) throw new Error(`the server answered ${response.status} for it`);
  return response.arrayBuffer();
}
