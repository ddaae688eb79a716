import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

export type WebGPUProgram = Parameters<WebGPUBackend['runWebGPUProgram']>[0];

/** A device takes at most this many workgroups along one side. */
const maximumWorkgroupsPerSide = 65535;

/** Workgroups in a line while they fit, else in a rectangle; the surplus finds its index out of range. */
export function flatDispatch(workgroups: number): [number, number, number] {
  if (workgroups <= maximumWorkgroupsPerSide) return [workgroups, 1, 1];
  const side = Math.ceil(Math.sqrt(workgroups));
  return [side, Math.ceil(workgroups / side), 1];
}
