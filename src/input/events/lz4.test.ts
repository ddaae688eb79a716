import fc from 'fast-check';
import { compress } from 'lz4js';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/random';
import { decompressLz4 } from './lz4';
import { mutate } from './testing';

/** Content with repeats of every distance, as packets of events have. */
const content = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 40 })
  .map((parts) => new Uint8Array(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => [...bytes]).flat())));

describe('an LZ4 frame', () => {
  it('gives back what another program compressed', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        expect(decompressLz4(compress(bytes), 1 << 20)).toEqual(bytes);
      }),
    );
  });

  it('is refused where its content would be too large', () => {
    expect(decompressLz4(compress(new Uint8Array(100_000)), 99_999)).toBeUndefined();
    expect(decompressLz4(compress(new Uint8Array(100_000)), 100_000)).toHaveLength(100_000);
  });

  it('that is damaged gives something or nothing, and never more than allowed', () => {
    const frame = compress(Uint8Array.from({ length: 5000 }, (_, index) => (index * index) >> 7));
    for (let seed = 1; seed <= 2000; seed++) {
      const result = decompressLz4(mutate(frame, seededRandom(seed)), 1 << 16);
      if (result) expect(result.length).toBeLessThanOrEqual(1 << 16);
    }
  });
});
