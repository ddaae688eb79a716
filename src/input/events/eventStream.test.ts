import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventStream } from './eventStream';
import { decodeInPieces, fileOf, pieceLengths, streamBytes, surviveMutations } from './testing';

const header = (type: number, version = 2): number[] => [version, 0, 0, type, 64, 1, 240, 0];

describe.each([
  ['DVS', 1],
  ['ATIS', 2],
])('%s', (_label, type) => {
  it('gives the same events, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(streamBytes, pieceLengths, async (bytes, lengths) => {
        const file = fileOf('Event Stream', header(type), bytes);
        expect(await decodeInPieces(eventStream, file, 'a.es', lengths)).toEqual(await decodeInPieces(eventStream, file, 'a.es', [file.length]));
      }),
    );
  });

  it('survives 300 kinds of damage', async () => {
    const events = Array.from({ length: 400 }, (_, index) => [(index * 5) % 250, index % 256, 0, index % 240, 0]).flat();
    const { read, refused } = await surviveMutations(fileOf('Event Stream', header(type), events), 'a.es', 300);
    expect(read + refused).toBe(300);
  });
});

it('in a DVS stream 0xff lets 127 µs pass, 0xfe nothing, and row 0 is the lowest', async () => {
  const file = fileOf('Event Stream', header(1), [0xff, 0xfe, 0xff, (2 << 1) | 1, 5, 0, 0, 0, 0, 6, 0, 239, 0]);
  expect(await decodeInPieces(eventStream, file, 'a.es', [1])).toEqual({
    rows: [
      [256, 5, 239, 1],
      [256, 6, 0, 0],
    ],
    counts: { otherWords: 1 },
  });
});

it.each([
  ['generic data', header(0), /generic data/],
  ['colour events', header(4), /colour events/],
  ['an unknown type', header(9), /type 9/],
  ['another version', header(1, 1), /version 1/],
])('%s is refused by name', async (_label, bytes, message) => {
  await expect(decodeInPieces(eventStream, fileOf('Event Stream', bytes), 'a.es', [1])).rejects.toMatchObject({ code: 'input/unsupported', message: expect.stringMatching(message) });
});

it('a header that names an impossible size is damaged', async () => {
  await expect(decodeInPieces(eventStream, fileOf('Event Stream', [2, 0, 0, 1, 0, 0, 240, 0]), 'a.es', [1])).rejects.toMatchObject({ code: 'input/unreadable' });
});
