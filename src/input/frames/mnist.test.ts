import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packDigits, readMnist, unpackDigits } from './mnist';

function digit(label: number) {
  return { label, grey: Uint8Array.from({ length: 784 }, (_, pixel) => (pixel * (label + 1)) % 256) };
}

const pools = { training: [3, 1, 4].map(digit), validation: [9, 2].map(digit) };

describe('packed digits', () => {
  it('come out as they went in', async () => {
    expect(await unpackDigits(await packDigits(pools))).toEqual(pools);
  });

  it('are refused when damaged, never half taken', async () => {
    const packed = await packDigits(pools);
    await fc.assert(
      fc.asyncProperty(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (place, change, cut) => {
        const mutated = cut ? packed.slice(0, place) : packed.slice();
        if (!cut) mutated[place] = (mutated[place] ?? 0) ^ change;
        const found = await unpackDigits(mutated).catch((thrown: unknown) => thrown);
        if (found instanceof Error) expect(found).toMatchObject({ code: 'input/unreadable' });
        else expect(found).toEqual(pools);
      }),
    );
  });

  it.each([
    ['no digit', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['more digits than it holds', [1, 0, 0, 0, 255, 255, 255, 255]],
    ['nothing', []],
  ])('are refused where the file claims %s', async (_, bytes) => {
    await expect(unpackDigits(new Uint8Array(gzipSync(Uint8Array.from(bytes))))).rejects.toMatchObject({ code: 'input/unreadable' });
  });
});

describe('readMnist', () => {
  it('refuses files that are none of MNIST’s', () => {
    expect(() => readMnist(new Uint8Array(20), new Uint8Array(9))).toThrow(expect.objectContaining({ code: 'input/unreadable' }));
  });
});
