/** The first `count` little-endian 32-bit words, as a view where the bytes lie on a multiple of four. */
export function alignedWords(bytes: Uint8Array, count: number): Uint32Array {
  return new Uint32Array(...aligned(bytes, count, 4));
}

/** The first `count` little-endian 16-bit words. */
export function alignedHalfWords(bytes: Uint8Array, count: number): Uint16Array {
  return new Uint16Array(...aligned(bytes, count, 2));
}

// Every machine that runs WebAssembly stores numbers little-endian.
function aligned(bytes: Uint8Array, count: number, width: number): [ArrayBufferLike, number, number] {
  if (bytes.byteOffset % width === 0) return [bytes.buffer, bytes.byteOffset, count];
  const copy = bytes.slice(0, count * width);
  return [copy.buffer, 0, count];
}
