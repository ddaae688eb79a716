/** Lists of channels, written eight neurons at a time; what inference and training share. */

/** For each of 256 masks the positions of its bits, `u16[8]`; what is behind the last bit is not read. */
const bitPositions: usize = memory.data(256 * 16);

/** Fills the table. @returns the first address that is free */
export function initialise(): usize {
  for (let mask = 0; mask < 256; mask++) {
    let target = bitPositions + (mask << 4);
    for (let bit = 0; bit < 8; bit++) {
      if ((mask >> bit) & 1) {
        store<u16>(target, <u16>bit);
        target += 2;
      }
    }
  }
  return __heap_base;
}

/** Appends the channels `first + bit` of a mask of 8 bits to a list that is written in whole vectors. @returns its new end */
// @ts-ignore: decorator
@inline
export function append(mask: i32, first: i32, end: usize): usize {
  const positions = v128.load(bitPositions + (<usize>mask << 4));
  v128.store(end, i16x8.add(positions, i16x8.splat(<i16>first)));
  return end + (<usize>popcnt(mask) << 1);
}
