import type { ConvolutionGeometry } from '../operations';

/** Order of the weights of one convolution: rows are kernel row, kernel column, input channel; blocks are output channels. */
export type WeightLayout = 'spiking' | 'dense';

/** How many output channels are computed at a time, block after block; the last may be wider than what is left. */
export function outputBlocks(outputs: number, layout: WeightLayout): number[] {
  const blocks: number[] = [];
  // As the kernels count: channels are padded to a multiple of 4, which makes 30 of them a block of 32.
  for (let left = Math.ceil(outputs / 4) * 4; left > 0; left -= blocks.at(-1) ?? 8) {
    blocks.push(layout === 'dense' ? 8 : left >= 32 ? 32 : left > 8 ? 16 : 8);
  }
  return blocks;
}

/** Number of floats that the packed weights take. */
export function packedLength({ kernel, inputChannels, outputChannels }: ConvolutionGeometry, layout: WeightLayout): number {
  return kernel * kernel * inputChannels * outputBlocks(outputChannels, layout).reduce((sum, block) => sum + block, 0);
}

/** `[kernel, kernel, in, out]` to blocks of `[kernel, kernel, in, block]`; columns beyond the output channels stay as they are. */
export function packWeights(weights: Float32Array, geometry: ConvolutionGeometry, layout: WeightLayout, packed: Float32Array): void {
  eachRun(geometry, layout, (plain, at, length) => packed.set(weights.subarray(plain, plain + length), at));
}

export function unpackWeights(packed: Float32Array, geometry: ConvolutionGeometry, layout: WeightLayout): Float32Array {
  const { kernel, inputChannels, outputChannels } = geometry;
  const weights = new Float32Array(kernel * kernel * inputChannels * outputChannels);
  eachRun(geometry, layout, (plain, at, length) => weights.set(packed.subarray(at, at + length), plain));
  return weights;
}

function eachRun(
  { kernel, inputChannels, outputChannels }: ConvolutionGeometry,
  layout: WeightLayout,
  visit: (plain: number, packed: number, length: number) => void,
): void {
  const rows = kernel * kernel * inputChannels;
  let packed = 0;
  let first = 0;
  for (const block of outputBlocks(outputChannels, layout)) {
    const length = Math.min(block, outputChannels - first);
    for (let row = 0; row < rows; row++) {
      visit(row * outputChannels + first, packed, length);
      packed += block;
    }
    first += block;
  }
}
