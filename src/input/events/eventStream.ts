import { AppError } from '../../base/errors';
import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { believableSize } from './rawHeader';
import type { Format, Tally } from './source';

/**
 * Event Stream 2 (`.es`): the signature, three bytes of version, the stream's type, width and height (16 bits each), then events of
 * 5 bytes whose first holds the time since the one before. Rows count from the bottom.
 */
export const eventStream: Format = {
  recognises: (head) => signature.every((byte, index) => head[index] === byte),

  open({ blob, name }, head) {
    const version = head[12];
    const type = head[15];
    if (version !== 2) {
      throw new AppError('input/unsupported', `${name} is an Event Stream of version ${version}, and only 2 is known.`, 'Convert it with faery or sepia first.');
    }
    if (type !== dvs && type !== atis) {
      const kind = type === 0 ? 'generic data' : type === 4 ? 'colour events' : `type ${type}`;
      throw new AppError(
        'input/unsupported',
        `${name} is an Event Stream of ${kind}, which holds no changes of brightness.`,
        'Choose a stream of DVS or ATIS events.',
      );
    }
    const sensor = believableSize((head[16] ?? 0) | ((head[17] ?? 0) << 8), (head[18] ?? 0) | ((head[19] ?? 0) << 8));
    if (!sensor) throw new AppError('input/unreadable', `${name} names no size of its sensor, or an impossible one.`, 'The file is damaged; record or convert it again.');
    return Promise.resolve({
      format: `Event Stream 2 ${type === dvs ? 'DVS' : 'ATIS'}`,
      sensor,
      source: new ByteSource(blob, headerBytes, new EventStreamDecoder(type === atis, sensor.height)),
    });
  },
};

const signature = new TextEncoder().encode('Event Stream');
const headerBytes = 20;
const dvs = 1;
const atis = 2;
const bytesPerEvent = 5;

class EventStreamDecoder implements StreamDecoder {
  constructor(
    private readonly isAtis: boolean,
    private readonly height: number,
    private timeUs = 0,
  ) {}

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    let at = 0;
    let crossings = 0;
    let outside = 0;
    let resets = 0;
    while (at < bytes.length) {
      const first = bytes[at] ?? 0;
      if (this.isAtis ? (first & 0xfc) === 0xfc : first >= 0xfe) {
        // Bytes that only let time pass; in a DVS stream 0xfe is a mark without meaning for events.
        if (this.isAtis) this.timeUs += (first & 3) * 0x3f;
        else if (first === 0xff) this.timeUs += 0x7f;
        else resets++;
        at++;
        continue;
      }
      if (at + bytesPerEvent > bytes.length) break;
      this.timeUs += this.isAtis ? first >>> 2 : first >>> 1;
      const x = (bytes[at + 1] ?? 0) | ((bytes[at + 2] ?? 0) << 8);
      const fromBottom = (bytes[at + 3] ?? 0) | ((bytes[at + 4] ?? 0) << 8);
      at += bytesPerEvent;
      // An ATIS stream also measures grey levels, by the time between two threshold crossings.
      if (this.isAtis && (first & 1) === 1) crossings++;
      else if (fromBottom >= this.height) outside++;
      else into.push(this.timeUs, x, this.height - 1 - fromBottom, this.isAtis ? (first >>> 1) & 1 : first & 1);
    }
    tally.add('otherWords', crossings + resets);
    tally.add('outsideSensor', outside);
    return at;
  }

  clone(): EventStreamDecoder {
    return new EventStreamDecoder(this.isAtis, this.height, this.timeUs);
  }
}
