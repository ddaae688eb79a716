/** What the compiled kernels export; kernels/index.ts documents each. Addresses and sizes are whole numbers. */
export interface Kernels {
  memory: WebAssembly.Memory;
  initialise(): number;
  leakyIntegrateAndFire(
    source: number, stepBytes: number, pixelBytes: number, pixels: number, steps: number, channels: number,
    decay: number, threshold: number, softReset: number,
    membrane: number, membranePixelBytes: number,
    lists: number, listBytes: number, counts: number, firstChannel: number,
  ): void;
  integrateAndFire(
    source: number, stepBytes: number, pixelBytes: number, pixels: number, steps: number, channels: number,
    thresholds: number, burst: number,
    membrane: number, membranePixelBytes: number,
    lists: number, listBytes: number, counts: number, firstChannel: number,
  ): void;
  sumCounts(counts: number, length: number): number;
  spread(lists: number, listBytes: number, counts: number, places: number, channels: number, target: number): void;
  leakySilu(source: number, stepBytes: number, values: number, steps: number, decay: number, target: number): void;
  spikingConvolution(
    lists: number, listBytes: number, counts: number, steps: number, inputHeight: number, inputWidth: number, inputChannels: number,
    kernel: number, stride: number, padding: number, height: number, width: number, pool: number,
    weights: number, start: number, startPixelBytes: number, outputs: number, target: number, targetPixelBytes: number, separate: number,
    addend: number, addendStepBytes: number, addendPixelBytes: number,
    rows: number, rowsCapacity: number, starts: number, chunkPixels: number,
  ): void;
  surround(
    source: number, steps: number, height: number, width: number, channels: number, pixelBytes: number, padding: number, target: number,
  ): void;
  denseConvolution(
    source: number, stepBytes: number, rowBytes: number, pixelBytes: number, steps: number,
    kernelRows: number, run: number, stride: number, height: number, width: number,
    weights: number, bias: number, outputs: number, target: number, targetPixelBytes: number,
    places: number, chunkPixels: number,
  ): void;
  relu(source: number, values: number, target: number): void;
  add(a: number, b: number, values: number, target: number): void;
  copyChannels(source: number, sourcePixelBytes: number, pixels: number, bytes: number, target: number, targetPixelBytes: number): void;
  maxPool(
    source: number, sourcePixelBytes: number, steps: number, height: number, width: number, size: number, bytes: number,
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
