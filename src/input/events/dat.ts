import { AppError } from '../../base/errors';
import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { headerValue, readCommentHeader, sensorOf } from './rawHeader';
import type { Format, Tally } from './source';
import { alignedWords } from './words';

/**
 * Prophesee's DAT, versions 1 and 2 (Gen1's `*_td.dat`): comment lines, two bytes for the events' type and size, then
 * 8 bytes an event, little-endian: time in microseconds (32 bits), address. Version 2: x 14 bits, y 14, polarity 4;
 * version 1: x 9 bits, y 8, polarity 1.
 */
export const dat: Format = {
  recognises(head, name) {
    const header = readCommentHeader(head);
    if (header.lines.length === 0) return /_td\.dat$/i.test(name);
    const [type, size] = head.subarray(header.dataOffset);
    const isRaw = header.lines.some((line) => /^(evt|format|system_ID|geometry)\b/i.test(line));
    return !isRaw && size === 8 && type !== undefined && (/\.dat$/i.test(name) || header.lines.some((line) => /^(data file|version|date|height|width)/i.test(line)));
  },

  open({ blob, name }, head) {
    const header = readCommentHeader(head);
    const hasHeader = header.lines.length > 0;
    const type = hasHeader ? head[header.dataOffset] : 0;
    if (type !== 0 && type !== 0x0c) {
      throw new AppError(
        'input/unsupported',
        `${name} holds ${type === 0x0e ? 'external triggers' : `events of type ${type}`}, not changes of brightness (CD).`,
        'Choose the file of CD events, which ends in _td.dat or _cd.dat.',
      );
    }
    const version = Number(headerValue(header, /^version\s+(\d)/i) ?? 2);
    const source = new ByteSource(blob, header.dataOffset + (hasHeader ? 2 : 0), new DatDecoder(version === 1));
    return Promise.resolve({ format: `Prophesee DAT ${version === 1 ? 1 : 2}`, sensor: sensorOf(header), source });
  },
};

const halfClock = 2 ** 31;
const clock = 2 ** 32;

class DatDecoder implements StreamDecoder {
  constructor(
    private readonly isVersion1: boolean,
    private lastTime = 0,
    /** What the 32-bit clock has run over, in microseconds. */
    private overflowUs = 0,
  ) {}

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, _tally: Tally): number {
    const count = bytes.length >>> 3;
    const words = alignedWords(bytes, count * 2);
    into.reserve(count);
    const { t, x, y, p } = into;
    const { isVersion1 } = this;
    let { lastTime, overflowUs } = this;
    let at = into.count;
    for (let word = 0; word < count * 2; word += 2) {
      const time = words[word] ?? 0;
      const address = words[word + 1] ?? 0;
      if (time < lastTime && lastTime - time > halfClock) overflowUs += clock;
      lastTime = time;
      t[at] = time + overflowUs;
      if (isVersion1) {
        x[at] = address & 0x1ff;
        y[at] = (address >>> 9) & 0xff;
        p[at] = (address >>> 17) & 1;
      } else {
        x[at] = address & 0x3fff;
        y[at] = (address >>> 14) & 0x3fff;
        p[at] = (address >>> 28) & 1;
      }
      at++;
    }
    into.count = at;
    this.lastTime = lastTime;
    this.overflowUs = overflowUs;
    return count * 8;
  }

  clone(): DatDecoder {
    return new DatDecoder(this.isVersion1, this.lastTime, this.overflowUs);
  }
}
