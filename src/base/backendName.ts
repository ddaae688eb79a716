/** Where the network can run. `webgpu-half` computes with numbers of 16 bits where it can; `event` and `wasm` (tfjs) are the CPU; `reference` is plain JavaScript, to compare with. */
export const backendNames = ['webgpu', 'webgpu-half', 'event', 'wasm', 'webgl', 'reference'] as const;
export type BackendName = (typeof backendNames)[number];

/** Of the event-driven engine. */
export const maximumThreads = 16;
