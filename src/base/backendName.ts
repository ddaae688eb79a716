/** Where the network can run. `event` and `wasm` (tfjs) are the CPU; `reference` is plain JavaScript, to compare with. */
export const backendNames = ['webgpu', 'event', 'wasm', 'webgl', 'reference'] as const;
export type BackendName = (typeof backendNames)[number];

/** Of the event-driven engine. */
export const maximumThreads = 16;
