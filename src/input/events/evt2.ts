import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { endianness, evtVersion, readCommentHeader, sensorOf } from './rawHeader';
import type { Format, Tally } from './source';
import { alignedWords } from './words';

/**
 * Prophesee's RAW with EVT 2.0 (32-bit words) and EVT 2.1 (64-bit words, one for up to 32 pixels of a row).
 * A TIME_HIGH word holds bits 6 to 33 of the time in microseconds, events hold the low 6 bits.
 */
export const evt2: Format = {
  recognises(head) {
    const version = evtVersion(readCommentHeader(head));
    return version === '2' || version === '2.1';
  },

  open({ blob }, head) {
    const header = readCommentHeader(head);
    const isVectors = evtVersion(header) === '2.1';
    const order = endianness(header);
    const isSwapped = order === undefined ? hasSwappedHalves(head.subarray(header.dataOffset)) : order === 'legacy';
    const decoder = isVectors ? new Evt21Decoder(isSwapped) : new Evt2Decoder();
    return Promise.resolve({
      format: isVectors ? 'Prophesee RAW EVT 2.1' : 'Prophesee RAW EVT 2.0',
      sensor: sensorOf(header),
      source: new ByteSource(blob, header.dataOffset, decoder),
    });
  },
};

const cdOff = 0x0;
const cdOn = 0x1;
const timeHigh = 0x8;
const trigger = 0xa;

/** Bits of TIME_HIGH; its overflow is one of the whole clock of 34 bits. */
const highs = 2 ** 28;
const lowsPerHigh = 64;

abstract class TimeHighDecoder implements StreamDecoder {
  protected high = 0;
  /** The clock's overflows and TIME_HIGH together, in microseconds; NaN before the first TIME_HIGH. */
  protected baseUs = NaN;
  protected overflowUs = 0;

  abstract decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number;
  abstract clone(): StreamDecoder;

  protected setHigh(high: number): void {
    if (high < this.high && this.high - high > highs / 2) this.overflowUs += highs * lowsPerHigh;
    this.high = high;
    this.baseUs = this.overflowUs + high * lowsPerHigh;
  }

  protected copyTimeTo<D extends TimeHighDecoder>(other: D): D {
    other.high = this.high;
    other.baseUs = this.baseUs;
    other.overflowUs = this.overflowUs;
    return other;
  }
}

class Evt2Decoder extends TimeHighDecoder {
  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    const count = bytes.length >>> 2;
    const words = alignedWords(bytes, count);
    into.reserve(count);
    const { t, x, y, p } = into;
    let { baseUs } = this;
    let at = into.count;
    let triggers = 0;
    let others = 0;
    let timeless = 0;
    for (let index = 0; index < count; index++) {
      const word = words[index] ?? 0;
      const type = word >>> 28;
      if (type <= cdOn) {
        if (baseUs !== baseUs) {
          timeless++;
          continue;
        }
        t[at] = baseUs + ((word >>> 22) & 0x3f);
        x[at] = (word >>> 11) & 0x7ff;
        y[at] = word & 0x7ff;
        p[at] = type;
        at++;
      } else if (type === timeHigh) {
        this.setHigh(word & 0xfffffff);
        baseUs = this.baseUs;
      } else if (type === trigger) triggers++;
      else others++;
    }
    into.count = at;
    tally.add('triggers', triggers);
    tally.add('otherWords', others);
    tally.add('damaged', timeless);
    return count * 4;
  }

  clone(): Evt2Decoder {
    return this.copyTimeTo(new Evt2Decoder());
  }
}

class Evt21Decoder extends TimeHighDecoder {
  constructor(private readonly isSwapped: boolean) {
    super();
  }

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    const count = bytes.length >>> 3;
    const words = alignedWords(bytes, count * 2);
    const head = this.isSwapped ? 0 : 1;
    for (let index = 0; index < count * 2; index += 2) {
      const word = words[index + head] ?? 0;
      const type = word >>> 28;
      if (type === cdOff || type === cdOn) {
        if (Number.isNaN(this.baseUs)) {
          tally.add('damaged');
          continue;
        }
        const time = this.baseUs + ((word >>> 22) & 0x3f);
        const left = (word >>> 11) & 0x7ff;
        const row = word & 0x7ff;
        let mask = words[index + 1 - head] ?? 0;
        into.reserve(32);
        while (mask !== 0) {
          const bit = 31 - Math.clz32(mask & -mask);
          into.push(time, left + bit, row, type);
          mask &= mask - 1;
        }
      } else if (type === timeHigh) this.setHigh(word & 0xfffffff);
      else tally.add(type === trigger ? 'triggers' : 'otherWords');
    }
    return count * 8;
  }

  clone(): Evt21Decoder {
    return this.copyTimeTo(new Evt21Decoder(this.isSwapped));
  }
}

/** Some sensors (IMX636) send the half with the type first. Time words come often: their type is an 8, and their other half is empty. */
function hasSwappedHalves(data: Uint8Array): boolean {
  const words = alignedWords(data, Math.min(data.length >>> 3, 2048) * 2);
  let second = 0;
  let first = 0;
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [a = 0, b = 0] = words.subarray(index, index + 2);
    if (b >>> 28 === timeHigh && a === 0) second++;
    if (a >>> 28 === timeHigh && b === 0) first++;
  }
  return first > second;
}
