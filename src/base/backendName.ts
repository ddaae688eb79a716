/** Where the network can run. `wasm` is the CPU; `reference` is plain JavaScript, to compare with. */
export const backendNames = ['webgpu', 'wasm', 'webgl', 'reference'] as const;
export type BackendName = (typeof backendNames)[number];
