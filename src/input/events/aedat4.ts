import { AppError } from '../../base/errors';
import type { Size } from '../../base/geometry';
import { ByteSource, maximumPacketBytes, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { decompressLz4 } from './lz4';
import { believableSize } from './rawHeader';
import type { Format, SkippedKind, Tally } from './source';

/**
 * AEDAT 4.0 (DV): the signature, a flatbuffer that describes the file, then packets of one stream each, little-endian: the stream's
 * number, the payload's length, the payload, which is a flatbuffer, compressed by LZ4 or Zstandard or not at all.
 * (iniVation's description of the format.) Zstandard's decompressor is fetched with the first file that needs it.
 */
export const aedat4: Format = {
  recognises: (head) => new TextDecoder('latin1').decode(head.subarray(0, 14)).startsWith('#!AER-DAT4.'),

  async open({ blob, name }, head) {
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    const headerBytes = head.length >= 18 ? view.getUint32(signatureBytes, true) : 0;
    const dataOffset = signatureBytes + 4 + headerBytes;
    if (headerBytes === 0 || headerBytes > maximumHeaderBytes || dataOffset > blob.size) throw damaged(name);
    const header = new Uint8Array(await blob.slice(signatureBytes + 4, dataOffset).arrayBuffer());
    const table = rootTable(header, 0);
    if (!table) throw damaged(name);
    const compression = table.int32(0) ?? 0;
    const tableOffset = table.int64(1) ?? -1;
    const streams = streamsOf(table.text(2) ?? '');
    const decompress = await decompressor(compression, name);
    const sensor = [...streams.values()].find(({ kind }) => kind === 'EVTS')?.size;
    // Behind the packets lies a table of them, which a recording that was cut off lacks.
    const end = tableOffset > dataOffset && tableOffset <= blob.size ? tableOffset : blob.size;
    return {
      format: `AEDAT 4.0 (${compressionNames[compression] ?? 'compressed'})`,
      sensor,
      source: new ByteSource(blob.slice(0, end), dataOffset, new PacketDecoder(streams, decompress)),
    };
  },
};

const signatureBytes = 14;
const maximumHeaderBytes = 1 << 20;
const packetHeaderBytes = 8;
const eventBytes = 16;

const compressionNames: readonly string[] = ['not compressed', 'LZ4', 'LZ4', 'Zstandard', 'Zstandard'];

/** @returns undefined where the payload is damaged or would take more memory than a packet can need */
type Decompress = (payload: Uint8Array) => Uint8Array | undefined;

async function decompressor(compression: number, name: string): Promise<Decompress> {
  switch (compression) {
    case 0:
      return (payload) => payload;
    case 1:
    case 2:
      return (payload) => decompressLz4(payload, maximumPacketBytes);
    case 3:
    case 4: {
      const { decompress } = await import('fzstd');
      return guarded((payload) => {
        const size = zstdContentBytes(payload);
        if (size === undefined) return decompressUnsized(payload, decompress);
        const target = boundedBuffer(size);
        return target && decompress(payload, target);
      });
    }
    default:
      throw new AppError(
        'input/unsupported',
        `${name} is compressed in a way that is not known here (number ${compression}).`,
        'Export it from DV without compression, or with LZ4 or Zstandard.',
      );
  }
}

function guarded(decompress: Decompress): Decompress {
  return (payload) => {
    try {
      return decompress(payload);
    } catch {
      return undefined;
    }
  };
}

function boundedBuffer(bytes: number): Uint8Array | undefined {
  return bytes >= 0 && bytes <= maximumPacketBytes ? new Uint8Array(bytes) : undefined;
}

/** Frames without a length grow their target as they go; a payload is small enough for that. */
function decompressUnsized(payload: Uint8Array, decompress: (payload: Uint8Array) => Uint8Array): Uint8Array | undefined {
  return payload.length <= maximumPacketBytes / 64 ? decompress(payload) : undefined;
}

/** The content's length that a Zstandard frame names (RFC 8878, section 3.1.1.1); undefined where it names none. */
export function zstdContentBytes(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) throw new RangeError('not a Zstandard frame');
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  switch (descriptor >>> 6) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

interface Stream {
  kind: string;
  size: Size | undefined;
}

/** What the XML in the header says of each stream. */
function streamsOf(xml: string): Map<number, Stream> {
  const streams = new Map<number, Stream>();
  const parts = xml.split(/<node name="(\d+)" path="[^"]*outInfo\/\d+\/">/);
  for (let part = 1; part + 1 < parts.length; part += 2) {
    const text = parts[part + 1] ?? '';
    const attribute = (key: string): string => new RegExp(`<attr key="${key}"[^>]*>([^<]*)<`).exec(text)?.[1] ?? '';
    streams.set(Number(parts[part]), {
      kind: attribute('typeIdentifier'),
      size: believableSize(Number(attribute('sizeX')), Number(attribute('sizeY'))),
    });
  }
  return streams;
}

const skippedKinds: Readonly<Record<string, SkippedKind>> = { FRME: 'frames', IMUS: 'imu', TRIG: 'triggers' };

class PacketDecoder implements StreamDecoder {
  constructor(
    private readonly streams: ReadonlyMap<number, Stream>,
    private readonly decompress: Decompress,
  ) {}

  decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at + packetHeaderBytes <= bytes.length) {
      const stream = view.getInt32(at, true);
      const length = view.getInt32(at + 4, true);
      if (length < 0 || length > maximumPacketBytes || stream < 0) {
        // Without a length that makes sense nobody knows where the next packet begins.
        tally.add('damaged');
        tally.add('truncated', bytes.length - at);
        return bytes.length;
      }
      const start = at + packetHeaderBytes;
      if (start + length > bytes.length) {
        if (isEnd) tally.add('damaged');
        break;
      }
      this.decodePacket(this.streams.get(stream)?.kind, bytes.subarray(start, start + length), into, tally);
      at = start + length;
    }
    return at;
  }

  clone(): PacketDecoder {
    return this;
  }

  private decodePacket(kind: string | undefined, payload: Uint8Array, into: EventColumns, tally: Tally): void {
    if (kind !== undefined && kind !== '' && kind !== 'EVTS') {
      tally.add(skippedKinds[kind] ?? 'otherPackets');
      return;
    }
    const content = this.decompress(payload);
    // The packet's own identifier stands behind its length and the offset of its table.
    const identifier = content && new TextDecoder('latin1').decode(content.subarray(8, 12));
    if (!content || !/^[A-Z0-9]{4}$/.test(identifier ?? '')) {
      tally.add('damaged');
      return;
    }
    if (identifier !== 'EVTS') {
      tally.add(skippedKinds[identifier ?? ''] ?? 'otherPackets');
      return;
    }
    const elements = rootTable(content, 4)?.vector(0, eventBytes);
    if (!elements) {
      tally.add('damaged');
      return;
    }
    into.reserve(elements.count);
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    for (let index = 0; index < elements.count; index++) {
      const event = elements.start + index * eventBytes;
      const t = view.getUint32(event, true) + view.getInt32(event + 4, true) * 2 ** 32;
      into.push(t, view.getUint16(event + 8, true), view.getUint16(event + 10, true), view.getUint8(event + 12) === 0 ? 0 : 1);
    }
  }
}

/** The few fields of a flatbuffer's table that are needed here, each undefined where it is absent or lies outside the bytes. */
interface FlatTable {
  int32(field: number): number | undefined;
  int64(field: number): number | undefined;
  text(field: number): string | undefined;
  /** Clipped to what fits into the bytes. */
  vector(field: number, elementBytes: number): { start: number; count: number } | undefined;
}

/** @param base where the offset of the root table stands */
function rootTable(bytes: Uint8Array, base: number): FlatTable | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): boolean => at >= 0 && at + length <= bytes.length;
  if (!within(base, 4)) return undefined;
  const table = base + view.getUint32(base, true);
  if (!within(table, 4)) return undefined;
  const vtable = table - view.getInt32(table, true);
  if (!within(vtable, 4)) return undefined;
  const vtableBytes = view.getUint16(vtable, true);
  const place = (field: number, length: number): number | undefined => {
    const entry = vtable + 4 + field * 2;
    if (4 + field * 2 + 2 > vtableBytes || !within(entry, 2)) return undefined;
    const offset = view.getUint16(entry, true);
    return offset !== 0 && within(table + offset, length) ? table + offset : undefined;
  };
  const vector = (field: number, elementBytes: number): { start: number; count: number } | undefined => {
    const at = place(field, 4);
    if (at === undefined) return undefined;
    const start = at + view.getUint32(at, true);
    if (!within(start, 4)) return undefined;
    const fits = Math.floor((bytes.length - start - 4) / elementBytes);
    return { start: start + 4, count: Math.min(view.getUint32(start, true), fits) };
  };
  return {
    int32: (field) => {
      const at = place(field, 4);
      return at === undefined ? undefined : view.getInt32(at, true);
    },
    int64: (field) => {
      const at = place(field, 8);
      return at === undefined ? undefined : Number(view.getBigInt64(at, true));
    },
    text: (field) => {
      const found = vector(field, 1);
      return found && new TextDecoder().decode(bytes.subarray(found.start, found.start + found.count));
    },
    vector,
  };
}

function damaged(name: string): AppError {
  return new AppError('input/unreadable', `${name} begins as an AEDAT 4 recording, but its description is damaged.`, 'Record or export it again.');
}
