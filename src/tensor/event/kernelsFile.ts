import address from './kernels.wasm?url';
import type { KernelSource } from './kernels';

/** The compiled kernels on the built site. Only for bundled code: Node has no such imports. */
export const fetchKernels: KernelSource = async () => {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the server answered ${response.status} for it`);
  return response.arrayBuffer();
};
