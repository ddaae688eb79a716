/**
 * Decompresses an LZ4 frame (the format's description: github.com/lz4/lz4, lz4_Frame_format.md and lz4_Block_format.md). Why not a
 * package: src/decisions/0007-lz4.md. Checksums are not compared.
 */

/** The first four bytes of a frame, little-endian. */
export const lz4Magic = 0x184d2204;
/** Largest block by the code in a frame's descriptor. */
const blockBytes: Readonly<Record<number, number>> = { 4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20 };
const smallestMatch = 4;

/**
 * @param maximumBytes more content than this is refused
 * @returns undefined where the frame is damaged or its content too large
 */
export function decompressLz4(frame: Uint8Array, maximumBytes: number): Uint8Array | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 11 || view.getUint32(0, true) !== lz4Magic) return undefined;
  const flags = view.getUint8(4);
  const largestBlock = blockBytes[(view.getUint8(5) >>> 4) & 7];
  const hasBlockChecksums = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  if (flags >>> 6 !== 1 || largestBlock === undefined || hasDictionary) return undefined;
  let at = 6 + (hasContentSize ? 8 : 0) + 1;
  let target = new Uint8Array(Math.min(largestBlock, maximumBytes));
  let used = 0;
  for (;;) {
    if (at + 4 > frame.length) return undefined;
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return target.subarray(0, used);
    const length = word & 0x7fffffff;
    if (length > largestBlock || at + length > frame.length) return undefined;
    const room = Math.min(used + largestBlock, maximumBytes);
    if (target.length < room) {
      const larger = new Uint8Array(Math.min(Math.max(room, target.length * 2), maximumBytes));
      larger.set(target.subarray(0, used));
      target = larger;
    }
    const block = frame.subarray(at, at + length);
    const end = word >>> 31 === 1 ? copyBlock(block, target, used) : decompressBlock(block, target, used, Math.min(room, target.length));
    if (end < 0) return undefined;
    used = end;
    at += length + (hasBlockChecksums ? 4 : 0);
  }
}

function copyBlock(block: Uint8Array, target: Uint8Array, used: number): number {
  if (used + block.length > target.length) return -1;
  target.set(block, used);
  return used + block.length;
}

/** @returns the end of what was written, or -1 where the block is damaged */
function decompressBlock(block: Uint8Array, target: Uint8Array, start: number, limit: number): number {
  let at = 0;
  let used = start;
  while (at < block.length) {
    const token = block[at++] ?? 0;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (at >= block.length) return -1;
        more = block[at++] ?? 0;
        literals += more;
      }
    }
    if (at + literals > block.length || used + literals > limit) return -1;
    target.set(block.subarray(at, at + literals), used);
    at += literals;
    used += literals;
    // The last sequence has literals only.
    if (at === block.length) return used;
    if (at + 2 > block.length) return -1;
    const offset = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    let match = token & 15;
    if (match === 15) {
      let more = 255;
      while (more === 255) {
        if (at >= block.length) return -1;
        more = block[at++] ?? 0;
        match += more;
      }
    }
    match += smallestMatch;
    if (offset === 0 || offset > used || used + match > limit) return -1;
    // A match may reach into what it writes itself, and then repeats it.
    if (offset >= match) target.copyWithin(used, used - offset, used - offset + match);
    else for (let index = 0; index < match; index++) target[used + index] = target[used + index - offset] ?? 0;
    used += match;
  }
  return used;
}
