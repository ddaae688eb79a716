import fc from 'fast-check';
import { expect, it } from 'vitest';
import { atisBin } from './atisBin';
import { decodeInPieces, fileOf, pieceLengths, streamBytes, surviveMutations } from './testing';

it('gives the same events, wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(streamBytes, pieceLengths, async (bytes, lengths) => {
      // An overflow of the clock, then anything.
      const file = fileOf('', [0, 240, 0, 0, 0], bytes, [1, 2, 0, 0, 3]);
      expect(await decodeInPieces(atisBin, file, 'a.bin', lengths)).toEqual(await decodeInPieces(atisBin, file, 'a.bin', [file.length]));
    }),
  );
});

const rising = new Uint8Array(Array.from({ length: 300 }, (_, index) => [index % 34, (index * 7) % 34, (index % 2) << 7, index >> 2, (index & 3) << 6]).flat());

it('takes rising times and a name in .bin, nothing else', () => {
  expect(atisBin.recognises(rising, 'a.bin')).toBe(true);
  expect(atisBin.recognises(rising, 'a.xyz')).toBe(false);
  expect(atisBin.recognises(rising.slice().reverse(), 'a.bin')).toBe(false);
  expect(atisBin.recognises(new Uint8Array(), 'a.bin')).toBe(false);
});

it('survives 300 kinds of damage', async () => {
  const { read, refused } = await surviveMutations(rising, 'a.bin', 300);
  expect(read + refused).toBe(300);
});
