/** What the compiled kernels of training export; kernels/training.ts documents each. Addresses and sizes are whole numbers. */
export interface TrainingKernels {
  memory: WebAssembly.Memory;
  initialise(): number;
  listChannels(
    source: number, places: number, channels: number, pixelBytes: number, mode: number, threshold: number, width: number,
    lists: number, listBytes: number, counts: number,
  ): void;
  sumCounts(counts: number, length: number): number;
  packBlocks(source: number, rows: number, outputs: number, target: number): void;
  convolve(
    lists: number, listBytes: number, counts: number, values: number, valueBytes: number,
    frames: number, inputHeight: number, inputWidth: number, inputs: number, kernel: number, stride: number, padding: number,
    height: number, width: number, weights: number, initial: number, outputs: number, target: number,
    rows: number, rowsCapacity: number, starts: number, chunkPixels: number,
  ): void;
  addInputGradient(
    gradient: number, frames: number, height: number, width: number, outputBytes: number,
    weights: number, kernel: number, stride: number, padding: number,
    lists: number, listBytes: number, counts: number, inputHeight: number, inputWidth: number, inputs: number,
    target: number, targetBytes: number, cursors: number, blockChannels: number,
  ): void;
  packTransposed(source: number, kernelTaps: number, inputs: number, outputs: number, outputBytes: number, target: number): void;
  sumDense(
    source: number, frames: number, sourceHeight: number, sourceWidth: number, sourceBytes: number, values: number,
    kernel: number, stride: number, padding: number, backwards: number,
    weights: number, initial: number, target: number, height: number, width: number, channels: number, tables: number,
  ): void;
  addWeightGradient(
    lists: number, listBytes: number, counts: number, values: number, valueBytes: number,
    firstFrame: number, frames: number, inputHeight: number, inputWidth: number, inputs: number, firstRow: number, lastRow: number,
    kernel: number, stride: number, padding: number, gradient: number, height: number, width: number, outputs: number,
    border: number, surrounded: number, starts: number, entries: number, entriesCapacity: number, target: number,
  ): void;
  integrate(
    source: number, sourceStepBytes: number, values: number, steps: number, decay: number, threshold: number, softReset: number, membrane: number,
  ): void;
  addIntegrateGradient(
    membrane: number, gradient: number, penalty: number, values: number, steps: number, decay: number, threshold: number,
    softReset: number, kind: number, width: number, target: number, targetStepBytes: number,
  ): void;
  integrateSilu(
    source: number, sourceStepBytes: number, values: number, steps: number, decay: number, membrane: number, emitted: number,
  ): void;
  addSiluGradient(
    membrane: number, emitted: number, gradient: number, values: number, steps: number, decay: number, target: number, targetStepBytes: number,
  ): void;
  relu(source: number, values: number, target: number): void;
  addReluGradient(emitted: number, gradient: number, values: number, target: number): void;
  sumChannels(source: number, places: number, bytes: number, origin: number, sums: number, squares: number): void;
  affine(source: number, places: number, bytes: number, scale: number, shift: number, target: number): void;
  sumNormGradients(
    gradient: number, source: number, places: number, bytes: number, mean: number, inverse: number, sums: number, products: number,
  ): void;
  normGradient(
    gradient: number, source: number, places: number, bytes: number, mean: number, factor: number, slope: number, offset: number,
  ): void;
  copyScaled(
    source: number, sourceBytes: number, pixels: number, bytes: number, factor: number, target: number, targetBytes: number,
  ): void;
  addScaled(
    source: number, sourceBytes: number, pixels: number, bytes: number, factor: number, target: number, targetBytes: number,
  ): void;
  maxPool(source: number, frames: number, height: number, width: number, size: number, bytes: number, target: number): void;
  addMaxPoolGradient(
    source: number, gradient: number, frames: number, height: number, width: number, size: number, bytes: number, target: number,
  ): void;
  upsample(source: number, frames: number, height: number, width: number, bytes: number, target: number): void;
  addUpsampleGradient(gradient: number, frames: number, height: number, width: number, bytes: number, target: number): void;
}

/** @throws WebAssembly.CompileError where the machine has no SIMD */
export async function startTrainingKernels(program: BufferSource): Promise<TrainingKernels> {
  const { instance } = await WebAssembly.instantiate(program);
  return instance.exports as unknown as TrainingKernels;
}
