/**
 * Channels whose sums are held in registers are taken 16, then 4 at a time. With 32, V8's code (Node 20, Chromium 156) takes half as long again:
 * measured for forward passes and gradients of weights, with and without multiplications.
 */
// @ts-ignore: decorator
@inline
export function blockOf(left: i32): i32 {
  return left >= 16 ? 16 : 4;
}
