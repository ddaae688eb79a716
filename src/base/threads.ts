import { maximumThreads } from './backendName';

/** How many threads the CPU engine may use here: as many as there are cores where threads may share memory, else one. */
export function usableThreads(): number {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, maximumThreads) : 1;
}
