import type { Size } from '../../base/geometry';
import { ByteSource, maximumPacketBytes, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import type { Format, SkippedKind, Tally } from './source';

/**
 * AEDAT 3.0 and 3.1 (cAER): text lines that begin with `#`, then packets of events of one type, little-endian: a header of 28 bytes,
 * then events of one size. (iniVation's description of the format.)
 */
export const aedat3: Format = {
  recognises: (head) => new TextDecoder('latin1').decode(head.subarray(0, 11)).startsWith('#!AER-DAT3.'),

  open({ blob }, head) {
    const text = new TextDecoder('latin1').decode(head);
    const marker = text.indexOf('#!END-HEADER');
    const dataOffset = marker >= 0 ? text.indexOf('\n', marker) + 1 : endOfComments(text);
    const header = text.slice(0, dataOffset);
    const sensor = sensors.find(([pattern]) => pattern.test(/^#Source \d+:\s*(\S+)/m.exec(header)?.[1] ?? ''))?.[1];
    const version = text.startsWith('#!AER-DAT3.0') ? '3.0' : '3.1';
    // Version 3.0 counts rows from the bottom.
    const flipHeight = version === '3.0' ? sensor?.height : undefined;
    return Promise.resolve({ format: `AEDAT ${version}`, sensor, source: new ByteSource(blob, dataOffset, new PacketDecoder(flipHeight)) });
  },
};

const sensors: readonly [pattern: RegExp, size: Size][] = [
  [/DVS128/i, { width: 128, height: 128 }],
  [/DAVIS346/i, { width: 346, height: 260 }],
  [/DAVIS640/i, { width: 640, height: 480 }],
  [/DAVIS208/i, { width: 208, height: 192 }],
  [/DAVIS128/i, { width: 128, height: 128 }],
  [/DAVIS240/i, { width: 240, height: 180 }],
];

function endOfComments(text: string): number {
  let offset = 0;
  while (text[offset] === '#') {
    const end = text.indexOf('\n', offset);
    if (end < 0) break;
    offset = end + 1;
  }
  return offset;
}

const packetHeaderBytes = 28;
const polarityType = 1;
const polarityBytes = 8;

const skippedTypes: Readonly<Record<number, SkippedKind>> = { 0: 'triggers', 2: 'frames', 3: 'imu', 4: 'imu' };

/** Bytes of an event, by the packet's type; the time stands behind the first four. Frames have no fixed size. */
const fixedBytes: Readonly<Record<number, number>> = { 0: 8, 1: polarityBytes, 3: 36, 4: 48 };
const largestType = 63;

function isHeaderAt(view: DataView, at: number): boolean {
  const type = view.getInt16(at, true);
  const eventBytes = view.getInt32(at + 4, true);
  const timeOffset = view.getInt32(at + 8, true);
  const overflow = view.getInt32(at + 12, true);
  const capacity = view.getInt32(at + 16, true);
  const number = view.getInt32(at + 20, true);
  const valid = view.getInt32(at + 24, true);
  return (
    type >= 0 &&
    type <= largestType &&
    eventBytes === (fixedBytes[type] ?? eventBytes) &&
    timeOffset >= 0 &&
    timeOffset < eventBytes &&
    overflow >= 0 &&
    valid >= 0 &&
    valid <= number &&
    number <= capacity &&
    eventBytes * number <= maximumPacketBytes
  );
}

/** The next place at which a packet may begin: one of events, with another packet or the end of the bytes right behind it. */
function nextHeader(view: DataView, from: number): number {
  const last = view.byteLength - packetHeaderBytes;
  for (let at = from; at <= last; at++) {
    if (!isHeaderAt(view, at) || view.getInt32(at + 20, true) === 0) continue;
    const end = at + packetHeaderBytes + view.getInt32(at + 4, true) * view.getInt32(at + 20, true);
    if (end > last || isHeaderAt(view, end)) return at;
  }
  return Math.max(from, last + 1);
}

class PacketDecoder implements StreamDecoder {
  constructor(private readonly flipHeight: number | undefined) {}

  decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at + packetHeaderBytes <= bytes.length) {
      if (!isHeaderAt(view, at)) {
        tally.add('damaged');
        at = nextHeader(view, at + 1);
        continue;
      }
      const type = view.getInt16(at, true);
      const eventBytes = view.getInt32(at + 4, true);
      const overflow = view.getInt32(at + 12, true);
      const length = eventBytes * view.getInt32(at + 20, true);
      const start = at + packetHeaderBytes;
      const isCut = start + length > bytes.length;
      if (isCut && !isEnd) break;
      const end = isCut ? start + Math.floor((bytes.length - start) / eventBytes) * eventBytes : start + length;
      if (type === polarityType) this.decodePolarity(view, start, end, overflow * 2 ** 31, into, tally);
      else tally.add(skippedTypes[type] ?? 'otherPackets', (end - start) / eventBytes);
      at = end;
      if (isCut) break;
    }
    return at;
  }

  clone(): PacketDecoder {
    return this;
  }

  private decodePolarity(view: DataView, start: number, end: number, overflowUs: number, into: EventColumns, tally: Tally): void {
    into.reserve((end - start) / polarityBytes);
    let invalid = 0;
    for (let at = start; at < end; at += polarityBytes) {
      const data = view.getUint32(at, true);
      if ((data & 1) === 0) {
        invalid++;
        continue;
      }
      const row = (data >>> 2) & 0x7fff;
      const y = this.flipHeight !== undefined && row < this.flipHeight ? this.flipHeight - 1 - row : row;
      into.push(view.getInt32(at + 4, true) + overflowUs, data >>> 17, y, (data >>> 1) & 1);
    }
    tally.add('otherWords', invalid);
  }
}
