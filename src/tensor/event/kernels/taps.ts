/**
 * Which pixels and taps of a convolution belong to a pixel. A table has, for every place along one side, their number and then
 * for each where the other pixel is and where the tap's weights are, in steps that the caller chooses: `u32[1 + 2 kernel]`.
 */

/** What `writeTaps` wrote: addresses of pixels and of weights. Kernels up to 11 x 11. */
export const taps: usize = memory.data(121 * 8);

// @ts-ignore: decorator
@inline
export function tableBytesOf(kernel: i32): usize {
  return <usize>(4 + 8 * kernel);
}

/** For every output along a side the inputs that it sums. */
export function tabulateOutputs(
  outputs: i32, inputs: i32, kernel: i32, stride: i32, padding: i32, inputStep: usize, tapStep: usize, table: usize,
): void {
  for (let output = 0; output < outputs; output++) {
    let to = table + 4;
    for (let tap = 0; tap < kernel; tap++) {
      const input = output * stride + tap - padding;
      if (input >= 0 && input < inputs) to = writeTap(<usize>input * inputStep, <usize>tap * tapStep, to);
    }
    table = endTable(table, to, kernel);
  }
}

/** For every input along a side the outputs that it is summed in. */
export function tabulateInputs(
  inputs: i32, outputs: i32, kernel: i32, stride: i32, padding: i32, outputStep: usize, tapStep: usize, table: usize,
): void {
  for (let input = 0; input < inputs; input++) {
    let to = table + 4;
    for (let tap = 0; tap < kernel; tap++) {
      const scaled = input + padding - tap;
      if (scaled < 0 || scaled >= outputs * stride || scaled % stride != 0) continue;
      to = writeTap(<usize>(scaled / stride) * outputStep, <usize>tap * tapStep, to);
    }
    table = endTable(table, to, kernel);
  }
}

// @ts-ignore: decorator
@inline
function writeTap(pixel: usize, weights: usize, to: usize): usize {
  store<u32>(to, <u32>pixel);
  store<u32>(to, <u32>weights, 4);
  return to + 8;
}

// @ts-ignore: decorator
@inline
function endTable(table: usize, end: usize, kernel: i32): usize {
  store<u32>(table, <u32>((end - table) >> 3));
  return table + tableBytesOf(kernel);
}

/** Every row's tap with every column's. @returns the end of `taps` */
// @ts-ignore: decorator
@inline
export function writeTaps(pixels: usize, weights: usize, rowTaps: usize, columnTaps: usize): usize {
  const rowsEnd = rowTaps + 4 + (<usize>load<u32>(rowTaps) << 3);
  const columnsEnd = columnTaps + 4 + (<usize>load<u32>(columnTaps) << 3);
  let end = taps;
  for (let row = rowTaps + 4; row < rowsEnd; row += 8) {
    const rowPixels = pixels + load<u32>(row);
    const rowWeights = weights + load<u32>(row, 4);
    for (let column = columnTaps + 4; column < columnsEnd; column += 8) {
      store<u32>(end, <u32>(rowPixels + load<u32>(column)));
      store<u32>(end, <u32>(rowWeights + load<u32>(column, 4)), 4);
      end += 8;
    }
  }
  return end;
}
