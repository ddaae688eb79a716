/**
 * The kernels of the event-driven engine, in AssemblyScript: compiled to WASM SIMD by the build (src/cli/kernels.ts).
 *
 * Real-valued features are float32 `[steps, height, width, stride]`, stride the channels rounded up to a multiple of 4;
 * what lies beyond the channels is never read as a value. What fired is first one bit for each neuron and step, then lists
 * (spikes.ts says how they lie). Addresses, and sizes that end in `Bytes`, are in bytes.
 *
 * Kernels that begin with `first` and `last` do that part of their work; parts may be done by several threads at once, in any order.
 *
 * Every sum starts with the bias and adds in the order kernel row, kernel column, channel, in float32 and without fused
 * multiply-adds, so that results are the same on every machine; only dense convolutions that no neuron follows may fuse, in the programs for
 * relaxed SIMD.
 */
export { start } from './scratch';
export * from './spikes';
export * from './neurons';
export * from './spikingConvolution';
export * from './denseConvolution';
export * from './elements';
