import fc from 'fast-check';
import { expect, it } from 'vitest';
import { evt3 } from './evt3';
import { decodeInPieces, fileOf, pieceLengths, streamBytes, surviveMutations } from './testing';

const header = '% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n';
const wordsOf = (...words: number[]): Uint8Array => new Uint8Array(Uint16Array.from(words).buffer);

it('gives the same events, wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(streamBytes, pieceLengths, async (bytes, lengths) => {
      const file = fileOf(header, wordsOf(0x8001, 0x6001), bytes);
      expect(await decodeInPieces(evt3, file, 'a.raw', lengths)).toEqual(await decodeInPieces(evt3, file, 'a.raw', [file.length]));
    }),
  );
});

it('a vector goes on in the next piece', async () => {
  const file = fileOf(header, wordsOf(0x8001, 0x6001, 0x0007, 0x3864, 0x4800, 0x5001, 0x4001));
  const { rows } = await decodeInPieces(evt3, file, 'a.raw', [2]);
  expect(rows).toEqual([
    [4097, 111, 7, 1],
    [4097, 112, 7, 1],
    [4097, 120, 7, 1],
  ]);
});

it('a piece of nothing but full vectors fits', async () => {
  const words = wordsOf(0x8000, 0x6000, 0x0001, 0x3000, ...new Array<number>(20_000).fill(0x4fff));
  const { rows } = await decodeInPieces(evt3, fileOf(header, words), 'a.raw', [1 << 20]);
  expect(rows).toHaveLength(20_000 * 12);
});

it('survives 300 kinds of damage', async () => {
  const words = Array.from({ length: 300 }, (_, index) => [0x8000 + (index >> 4), 0x6000 + index, index % 720, 0x2800 + index, 0x3000 + index, 0x4000 + ((index * 37) & 0xfff)]).flat();
  const { read, refused } = await surviveMutations(fileOf(header, wordsOf(...words)), 'a.raw', 300);
  expect(read + refused).toBe(300);
});
