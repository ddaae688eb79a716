import type { Size } from '../../base/geometry';
import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import type { Format, Tally } from './source';

/**
 * AEDAT 1.0 and 2.0 (jAER): text lines that begin with `#`, then address and time in microseconds of each event, big-endian: 16 and 32
 * bits in version 1, 32 and 32 in version 2. What an address means depends on the chip that the header names. (iniVation's descriptions
 * of the formats; where they and jAER differ, jAER, which wrote the files: columns count from the right, rows from the bottom, and a
 * DVS128's polarity bit is 0 for ON.)
 */
export const aedat2: Format = {
  recognises: (head) => /^#!AER-DAT[12]\.0/.test(new TextDecoder('latin1').decode(head.subarray(0, 16))),

  open({ blob }, head) {
    const { text, dataOffset } = jaerHeader(head);
    const version = text.startsWith('#!AER-DAT1') ? 1 : 2;
    const chip = chipOf(version === 1 ? 'DVS128' : text);
    return Promise.resolve({
      format: `AEDAT ${version}.0 (${chip.name})`,
      sensor: chip.size,
      source: new ByteSource(blob, dataOffset, new JaerDecoder(chip, version === 1 ? 2 : 4)),
    });
  },
};

interface Chip {
  name: string;
  size: Size;
  isDavis: boolean;
}

const chips: readonly (Chip & { pattern: RegExp })[] = [
  { name: 'DVS128', pattern: /DVS128|Tmpdiff128/i, size: { width: 128, height: 128 }, isDavis: false },
  { name: 'DAVIS346', pattern: /DAVIS\s*346/i, size: { width: 346, height: 260 }, isDavis: true },
  { name: 'DAVIS640', pattern: /DAVIS\s*640/i, size: { width: 640, height: 480 }, isDavis: true },
  { name: 'DAVIS208', pattern: /DAVIS\s*208/i, size: { width: 208, height: 192 }, isDavis: true },
  { name: 'DAVIS240', pattern: /DAVIS/i, size: { width: 240, height: 180 }, isDavis: true },
];

/** Older files name no chip; then it is the one that jAER began with. */
function chipOf(text: string): Chip {
  const named = /AEChip:\s*(\S+)/.exec(text)?.[1] ?? text;
  const found = chips.find(({ pattern }) => pattern.test(named)) ?? chips[0];
  if (!found) throw new RangeError('No chip is known.');
  return found;
}

const headerEnd = '#End Of ASCII Header';

function jaerHeader(head: Uint8Array): { text: string; dataOffset: number } {
  const text = new TextDecoder('latin1').decode(head);
  let offset = 0;
  while (text[offset] === '#') {
    const end = text.indexOf('\n', offset);
    // Data may begin with the byte of a `#` too, but not with a whole line of text.
    const line = text.slice(offset, end);
    if (end < 0 || !/^[\t\r\x20-\x7e\xa0-\xff]*$/.test(line)) break;
    offset = end + 1;
    if (line.startsWith(headerEnd)) break;
  }
  return { text: text.slice(0, offset), dataOffset: offset };
}

class JaerDecoder implements StreamDecoder {
  constructor(
    private readonly chip: Chip,
    private readonly addressBytes: 2 | 4,
    private lastTime: number | undefined = undefined,
    private overflowUs = 0,
  ) {}

  decode(bytes: Uint8Array, _isEnd: boolean, into: EventColumns, tally: Tally): number {
    const { isDavis, size } = this.chip;
    const { addressBytes } = this;
    const eventBytes = addressBytes + 4;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = Math.floor(bytes.length / eventBytes);
    into.reserve(count);
    let frames = 0;
    let imu = 0;
    let external = 0;
    for (let index = 0; index < count; index++) {
      const at = index * eventBytes;
      const address = addressBytes === 4 ? view.getUint32(at) : view.getUint16(at);
      const time = view.getUint32(at + addressBytes);
      // The shorter way round the clock, so that one damaged time shifts no others.
      const step = time - (this.lastTime ?? time);
      if (step < -(2 ** 31)) this.overflowUs += 2 ** 32;
      else if (step > 2 ** 31) this.overflowUs -= 2 ** 32;
      this.lastTime = time;
      if (isDavis ? address >>> 31 === 1 : (address & 0x80008000) !== 0) {
        if (!isDavis) external++;
        else if (((address >>> 10) & 3) === 3) imu++;
        else frames++;
        continue;
      }
      if (isDavis && ((address >>> 10) & 1) === 1) {
        external++;
        continue;
      }
      const fromRight = isDavis ? (address >>> 12) & 0x3ff : (address >>> 1) & 0x7f;
      const fromBottom = isDavis ? (address >>> 22) & 0x1ff : (address >>> 8) & 0x7f;
      // What lies outside the sensor stays there, to be counted as such.
      const x = fromRight < size.width ? size.width - 1 - fromRight : fromRight;
      const y = fromBottom < size.height ? size.height - 1 - fromBottom : fromBottom;
      into.push(time + this.overflowUs, x, y, isDavis ? (address >>> 11) & 1 : ~address & 1);
    }
    tally.add('frames', frames);
    tally.add('imu', imu);
    tally.add('triggers', external);
    return count * eventBytes;
  }

  clone(): JaerDecoder {
    return new JaerDecoder(this.chip, this.addressBytes, this.lastTime, this.overflowUs);
  }
}
