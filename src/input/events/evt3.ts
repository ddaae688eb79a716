import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { evtVersion, readCommentHeader, sensorOf } from './rawHeader';
import type { Format, Tally } from './source';
import { alignedHalfWords } from './words';

/**
 * Prophesee's RAW with EVT 3.0: 16-bit words that change one part of the state (row, time) or give events with the rest of
 * it: one pixel, or the pixels of a mask of 12 or 8. The time of 24 bits in microseconds comes in two words of 12.
 */
export const evt3: Format = {
  recognises: (head) => evtVersion(readCommentHeader(head)) === '3',

  open({ blob }, head) {
    const header = readCommentHeader(head);
    return Promise.resolve({
      format: 'Prophesee RAW EVT 3.0',
      sensor: sensorOf(header),
      source: new ByteSource(blob, header.dataOffset, new Evt3Decoder()),
    });
  },
};

const addressY = 0x0;
const addressX = 0x2;
const vectorBase = 0x3;
const vector12 = 0x4;
const vector8 = 0x5;
const timeLow = 0x6;
const timeHigh = 0x8;
const trigger = 0xa;

/** TIME_HIGH has 12 bits, each worth 4096 µs. */
const highs = 4096;
const lowsPerHigh = 4096;

/** Events that one word gives at most. */
const mostPerWord = 12;

class Evt3Decoder implements StreamDecoder {
  private high = -1;
  private low = 0;
  private overflowUs = 0;
  private row = 0;
  private vectorX = 0;
  private vectorPolarity = 0;

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    const count = bytes.length >>> 1;
    const words = alignedHalfWords(bytes, count);
    into.reserve(count + mostPerWord);
    let { t, x, y, p } = into;
    let { high, low, overflowUs, row, vectorX, vectorPolarity } = this;
    let time = overflowUs + high * lowsPerHigh + low;
    let at = into.count;
    let capacity = into.capacity - mostPerWord;
    let triggers = 0;
    let others = 0;
    let timeless = 0;
    for (let index = 0; index < count; index++) {
      const word = words[index] ?? 0;
      switch (word >>> 12) {
        case addressX:
          if (high < 0) {
            timeless++;
            break;
          }
          t[at] = time;
          x[at] = word & 0x7ff;
          y[at] = row;
          p[at] = (word >>> 11) & 1;
          at++;
          break;
        case vector12:
        case vector8: {
          const is12 = word >>> 12 === vector12;
          let mask = word & (is12 ? 0xfff : 0xff);
          if (high < 0) {
            timeless += mask === 0 ? 0 : 1;
            mask = 0;
          }
          while (mask !== 0) {
            t[at] = time;
            x[at] = vectorX + 31 - Math.clz32(mask & -mask);
            y[at] = row;
            p[at] = vectorPolarity;
            at++;
            mask &= mask - 1;
          }
          vectorX += is12 ? 12 : 8;
          break;
        }
        case addressY:
          row = word & 0x7ff;
          break;
        case vectorBase:
          vectorX = word & 0x7ff;
          vectorPolarity = (word >>> 11) & 1;
          break;
        case timeLow:
          low = word & 0xfff;
          time = overflowUs + high * lowsPerHigh + low;
          break;
        case timeHigh: {
          const next = word & 0xfff;
          // A small step back is noise of the clock; only a large one is its overflow.
          if (next < high && high - next > highs / 2) overflowUs += highs * lowsPerHigh;
          // The low bits of the part that has ended would put the next events into its future.
          if (next !== high) low = 0;
          high = next;
          time = overflowUs + high * lowsPerHigh + low;
          break;
        }
        case trigger:
          triggers++;
          break;
        default:
          others++;
      }
      if (at > capacity) {
        into.count = at;
        into.reserve(count - index + mostPerWord);
        ({ t, x, y, p } = into);
        capacity = into.capacity - mostPerWord;
      }
    }
    into.count = at;
    Object.assign(this, { high, low, overflowUs, row, vectorX, vectorPolarity });
    tally.add('triggers', triggers);
    tally.add('otherWords', others);
    tally.add('damaged', timeless);
    return count * 2;
  }

  clone(): Evt3Decoder {
    return Object.assign(new Evt3Decoder(), this);
  }
}
