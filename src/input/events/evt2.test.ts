import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evt2 } from './evt2';
import { decodeInPieces, fileOf, pieceLengths, streamBytes, surviveMutations } from './testing';

const headers = {
  'EVT 2.0': '% evt 2.0\n% geometry 640x480\n% end\n',
  'EVT 2.1': '% evt 2.1\n% format EVT21;height=480;width=640\n% end\n',
  'EVT 2.1 with swapped halves': '% evt 2.1\n% format EVT21;height=480;width=640;endianness=legacy\n% end\n',
};
const cdOn = (low: number, x: number, y: number): number => ((1 << 28) | (low << 22) | (x << 11) | y) >>> 0;
const wordsOf = (...words: number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);

describe.each(Object.entries(headers))('%s', (_label, header) => {
  it('gives the same events, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(streamBytes, pieceLengths, async (bytes, lengths) => {
        // Both halves are a time word, so that either order has one; then the clock overflows.
        const file = fileOf(header, wordsOf(0x8fffffff, 0x8fffffff, 0x80000001, 0x80000001, cdOn(1, 2, 3), cdOn(1, 2, 3)), bytes);
        expect(await decodeInPieces(evt2, file, 'a.raw', lengths)).toEqual(await decodeInPieces(evt2, file, 'a.raw', [file.length]));
      }),
    );
  });

  it('survives 300 kinds of damage', async () => {
    const words = Array.from({ length: 800 }, (_, index) => (index % 16 < 2 ? 0x80000000 + (index >> 4) : cdOn(index % 64, index % 640, index % 480)));
    const { read, refused } = await surviveMutations(fileOf(header, wordsOf(...words)), 'a.raw', 300);
    expect(read + refused).toBe(300);
  });
});

it('the header’s word on the order of the halves counts for more than a guess', async () => {
  // An OFF event of pixel 31 at (0, 0), which looks like a time word of the other order, as often as there are real ones.
  const words = wordsOf(0x80000002, 0, 0, 0x80000000, cdOn(3, 5, 6), 1);
  const { rows } = await decodeInPieces(evt2, fileOf(headers['EVT 2.1 with swapped halves'], words), 'a.raw', [8]);
  expect(rows).toEqual([
    [128, 31, 0, 0],
    [131, 5, 6, 1],
  ]);
});

it('a piece of nothing but full masks fits', async () => {
  const words = wordsOf(0, 0x80000000, ...Array.from({ length: 4000 }, (_, index) => (index % 2 === 0 ? 0xffffffff : cdOn(0, 0, 1))));
  const { rows } = await decodeInPieces(evt2, fileOf(headers['EVT 2.1'], words), 'a.raw', [1 << 20]);
  expect(rows).toHaveLength(2000 * 32);
});
