import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import type { Format, Tally } from './source';

/**
 * The 40-bit events of N-MNIST and N-Caltech101: x (8 bits), y (8), polarity (1), time in microseconds (23), big-endian, without
 * a header. An event in row 240 stands for an overflow of the recorder's clock of 2^13 microseconds (N-Caltech101).
 */
export const atisBin: Format = {
  recognises: (head, name) => /\.bin$/i.test(name) && head.length >= bytesPerEvent && isPlausible(head),

  open({ blob }, head) {
    const isWhole = blob.size === head.length;
    const sensor = isWhole && fitsNmnist(head) ? { width: nmnistSide, height: nmnistSide } : undefined;
    return Promise.resolve({ format: 'ATIS 40-bit', sensor, source: new ByteSource(blob, 0, new AtisDecoder(0)) });
  },
};

const bytesPerEvent = 5;
const overflowRow = 240;
const overflowUs = 2 ** 13;
const nmnistSide = 34;

class AtisDecoder implements StreamDecoder {
  constructor(private overflow: number) {}

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    const count = Math.floor(bytes.length / bytesPerEvent);
    into.reserve(count);
    let overflows = 0;
    for (let index = 0; index < count; index++) {
      const at = index * bytesPerEvent;
      const y = bytes[at + 1] ?? 0;
      if (y === overflowRow) {
        this.overflow += overflowUs;
        overflows++;
        continue;
      }
      into.push(timeAt(bytes, at) + this.overflow, bytes[at] ?? 0, y, (bytes[at + 2] ?? 0) >>> 7);
    }
    tally.add('otherWords', overflows);
    return count * bytesPerEvent;
  }

  clone(): AtisDecoder {
    return new AtisDecoder(this.overflow);
  }
}

function timeAt(bytes: Uint8Array, at: number): number {
  return (((bytes[at + 2] ?? 0) & 0x7f) << 16) | ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
}

/** In a recording times rise; in other bytes they fall as often as not. */
function isPlausible(head: Uint8Array): boolean {
  const count = Math.min(Math.floor(head.length / bytesPerEvent), 4096);
  let falls = 0;
  for (let index = 1; index < count; index++) {
    if (timeAt(head, index * bytesPerEvent) < timeAt(head, (index - 1) * bytesPerEvent)) falls++;
  }
  return falls <= count / 20;
}

function fitsNmnist(bytes: Uint8Array): boolean {
  for (let at = 0; at + bytesPerEvent <= bytes.length; at += bytesPerEvent) {
    if ((bytes[at] ?? 0) >= nmnistSide || (bytes[at + 1] ?? 0) >= nmnistSide) return false;
  }
  return true;
}
