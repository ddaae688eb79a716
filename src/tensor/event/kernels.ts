/** What the compiled kernels export; kernels/index.ts documents each. Addresses and sizes are whole numbers. */
export interface Kernels {
  memory: WebAssembly.Memory;
  start(thread: number, threads: number): number;
  countSpikes(
    first: number, last: number, masks: number, burst: number, steps: number, height: number, rowWords: number, partRows: number, counts: number,
  ): void;
  listSpikes(
    first: number, last: number, masks: number, burst: number, steps: number, height: number, width: number, words: number, channels: number,
    partRows: number, counts: number, entries: number, starts: number, active: number,
  ): void;
  spread(starts: number, steps: number, height: number, width: number, channels: number, target: number): void;
  leakyIntegrateAndFire(
    first: number, last: number, source: number, stepBytes: number, pixelBytes: number, pixels: number, steps: number, channels: number,
    decay: number, threshold: number, softReset: number, masks: number, maskPixelBytes: number,
  ): void;
  membranes(
    source: number, stepBytes: number, pixelBytes: number, pixels: number, steps: number, bytes: number,
    decay: number, threshold: number, softReset: number, target: number, targetPixelBytes: number,
  ): void;
  carryOver(membranes: number, values: number, decay: number, threshold: number, softReset: number, target: number): void;
  integrateAndFire(
    source: number, stepBytes: number, pixelBytes: number, pixels: number, steps: number, channels: number,
    thresholds: number, burst: number, membrane: number, membranePixelBytes: number, masks: number, maskPixelBytes: number,
  ): void;
  leakySilu(source: number, stepBytes: number, values: number, steps: number, decay: number, target: number): void;
  carryOverSilu(emitted: number, values: number, decay: number, target: number): void;
  spikingConvolution(
    first: number, last: number, starts: number, active: number, steps: number, inputHeight: number, inputWidth: number, inputChannels: number,
    kernel: number, stride: number, padding: number, height: number, width: number, pool: number,
    weights: number, bias: number, channels: number, target: number, targetPixelBytes: number,
    addend: number, addendStepBytes: number, addendPixelBytes: number,
    masks: number, decay: number, threshold: number, softReset: number, quiet: number,
    rowsCapacity: number, mostRows: number, chunkPixels: number, scratch: number, scratchBytes: number,
  ): void;
  surround(
    source: number, steps: number, height: number, width: number, channels: number, pixelBytes: number, padding: number, target: number,
  ): void;
  denseConvolution(
    first: number, last: number, source: number, steps: number, stepBytes: number, rowBytes: number, pixelBytes: number,
    kernelRows: number, run: number, stride: number, height: number, width: number,
    weights: number, bias: number, channels: number, target: number, targetPixelBytes: number,
    fused: number, masks: number, neuronSteps: number, decay: number, threshold: number, softReset: number,
  ): void;
  relu(source: number, values: number, target: number): void;
  add(a: number, b: number, values: number, target: number): void;
  copyChannels(
    first: number, last: number, source: number, sourcePixelBytes: number, bytes: number, target: number, targetPixelBytes: number,
  ): void;
  maxPool(
    first: number, last: number, source: number, sourcePixelBytes: number, height: number, width: number, size: number, bytes: number,
    target: number, targetPixelBytes: number,
  ): void;
  maxPoolOfSums(
    source: number, stepBytes: number, sourcePixelBytes: number, steps: number, height: number, width: number, size: number, bytes: number,
    sums: number, sumsPixelBytes: number, target: number, targetPixelBytes: number,
  ): void;
  upsample(
    source: number, sourcePixelBytes: number, steps: number, height: number, width: number, bytes: number,
    target: number, targetPixelBytes: number,
  ): void;
  runningMean(source: number, stepBytes: number, values: number, steps: number, all: number, target: number): void;
}

/** Fetches or reads the compiled kernels. */
export type KernelSource = () => Promise<BufferSource>;

/** @throws WebAssembly.CompileError where the machine has no SIMD */
export async function startKernels(source: KernelSource): Promise<Kernels> {
  const { instance } = await WebAssembly.instantiate(await source());
  return instance.exports as unknown as Kernels;
}

/** The kernels for several threads: each has an instance of its own, and all the same memory. */
export interface SharedKernels {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  instantiate(): Kernels;
}

/** As the program imports it (src/cli/kernels.ts). */
const sharedPages = { initial: 16, maximum: 32768, shared: true };

/**
 * @throws WebAssembly.CompileError where the machine has no SIMD
 * @throws RangeError where there is no room for the memory
 */
export async function shareKernels(source: KernelSource): Promise<SharedKernels> {
  const module = await WebAssembly.compile(await source());
  const memory = new WebAssembly.Memory(sharedPages);
  return { module, memory, instantiate: () => instantiate(module, memory) };
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { ...(exports as unknown as Kernels), memory };
}
