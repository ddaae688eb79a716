import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dat } from './dat';
import { decodeInPieces, fileOf, pieceLengths, streamBytes, surviveMutations } from './testing';

const header = (version: number): string => `% Data file containing CD events.\n% Version ${version}\n% Width 304\n% Height 240\n`;

it.each([1, 2])('version %d gives the same events, wherever the bytes are cut', async (version) => {
  await fc.assert(
    fc.asyncProperty(streamBytes, pieceLengths, async (bytes, lengths) => {
      const file = fileOf(header(version), [0x0c, 8], bytes);
      expect(await decodeInPieces(dat, file, 'a_td.dat', lengths)).toEqual(await decodeInPieces(dat, file, 'a_td.dat', [file.length]));
    }),
  );
});

it('a small step back in time is kept as it is, and only a large one is an overflow of the clock', async () => {
  const times = new Uint32Array([10, 0, 5, 0, 0xfffffff0, 0, 0xffffffe0, 0, 3, 0]);
  const { rows } = await decodeInPieces(dat, fileOf(header(2), [0x0c, 8], new Uint8Array(times.buffer)), 'a_td.dat', [8]);
  expect(rows.map(([t]) => t)).toEqual([10, 5, 0xfffffff0, 0xffffffe0, 2 ** 32 + 3]);
});

it('survives 300 kinds of damage', async () => {
  const words = Uint32Array.from({ length: 800 }, (_, index) => (index % 2 === 0 ? index * 50 : (index % 304) | ((index % 240) << 14) | ((index % 3) << 28)));
  const { read, refused } = await surviveMutations(fileOf(header(2), [0x0c, 8], new Uint8Array(words.buffer)), 'a_td.dat', 300);
  expect(read + refused).toBe(300);
});
