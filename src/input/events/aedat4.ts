import { AppError } from '../../base/errors';
import type { Size } from '../../base/geometry';
import { throwIfCancelled, type Task } from '../../base/progress';
import { maximumPacketBytes, pieceBytes } from './byteSource';
import type { EventColumns } from './events';
import { decompressLz4, lz4Magic } from './lz4';
import { believableSize } from './rawHeader';
import type { EventSource, Format, Position, SkippedKind, Tally } from './source';

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
      source: new PacketSource(blob.slice(0, end), dataOffset, streams, compression, decompress),
    };
  },
};

const signatureBytes = 14;
const maximumHeaderBytes = 1 << 20;
const packetHeaderBytes = 8;
/** As many bytes as tell a packet from others: its header, then a flatbuffer's length, offset and kind. */
const probeBytes = packetHeaderBytes + 12;
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
      return (payload) => {
        try {
          const size = zstdContentBytes(payload, maximumPacketBytes);
          // With a target of our own it allocates neither what a frame claims nor the window that it asks for.
          return size === undefined ? undefined : decompress(payload, new Uint8Array(size));
        } catch {
          return undefined;
        }
      };
    }
    default:
      throw new AppError(
        'input/unsupported',
        `${name} is compressed in a way that is not known here (number ${compression}).`,
        'Export it from DV without compression, or with LZ4 or Zstandard.',
      );
  }
}

/**
 * The memory that the content of a Zstandard frame needs (RFC 8878, section 3.1.1): the length that it names, else an upper bound, and
 * never more than its blocks can hold, whatever it claims.
 * @returns undefined where the frame is damaged or its content larger than `maximumBytes`
 */
export function zstdContentBytes(frame: Uint8Array, maximumBytes: number): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== zstdMagic) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][sizeCode] ?? 0;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  let at = sizeAt + sizeBytes;
  let bound = 0;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > frame.length) return undefined;
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const kind = (block >>> 1) & 3;
    const length = block >>> 3;
    bound += kind === zstdCompressed ? largestZstdBlock : length;
    at += 3 + (kind === zstdRepeated ? 1 : length);
    isLast = (block & 1) === 1;
  }
  const size = sizeBytes === 0 ? bound : readSize(view, sizeAt, sizeBytes);
  return size <= Math.min(bound, maximumBytes) ? size : undefined;
}

function readSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

const zstdMagic = 0xfd2fb528;
const zstdRepeated = 1;
const zstdCompressed = 2;
const largestZstdBlock = 128 << 10;

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

/** A piece ends where its packets came to this much: a few bytes may unpack to megabytes. */
const maximumPieceBytes = 8 << 20;

/** The packets of a file; where one is damaged, reading goes on with the next that is found. */
class PacketSource implements EventSource {
  readonly unit = 'bytes';
  readonly start: Position;
  readonly total: number;

  constructor(
    private readonly blob: Blob,
    dataOffset: number,
    private readonly streams: ReadonlyMap<number, Stream>,
    private readonly compression: number,
    private readonly decompress: Decompress,
  ) {
    this.start = { done: dataOffset };
    this.total = blob.size;
  }

  async read({ done }: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined> {
    // A packet may be longer than a piece: then the piece grows until it holds it.
    for (let length = pieceBytes; done < this.total; length *= 2) {
      throwIfCancelled(task.signal);
      const end = Math.min(done + length, this.total);
      const bytes = new Uint8Array(await this.blob.slice(done, end).arrayBuffer());
      const used = this.decode(bytes, end === this.total, into, tally);
      if (used > 0) return { done: done + used };
    }
    return undefined;
  }

  /** @returns how many bytes that took; all of them at the file's end, unless the piece is full */
  private decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    for (let unpacked = 0; at < bytes.length && unpacked < maximumPieceBytes; ) {
      const canTell = at + probeBytes <= bytes.length;
      if (!canTell && !isEnd) break;
      const isPacket = canTell && this.isPacketAt(view, at);
      const end = isPacket ? at + packetHeaderBytes + view.getInt32(at + 4, true) : Infinity;
      if (end <= bytes.length) {
        unpacked += this.decodePacket(view.getInt32(at, true), bytes.subarray(at + packetHeaderBytes, end), into, tally);
        at = end;
        continue;
      }
      if (isPacket && !isEnd) break;
      tally.add('damaged');
      let next = at + 1;
      while (next + probeBytes <= bytes.length && !this.isPacketAt(view, next)) next++;
      if (isEnd && next + probeBytes > bytes.length) {
        tally.add('truncated', bytes.length - at);
        return bytes.length;
      }
      at = next;
    }
    return at;
  }

  /** A payload is a compressed frame or, where nothing is compressed, a flatbuffer behind its own length; both can be told from other bytes. */
  private isPacketAt(view: DataView, at: number): boolean {
    const length = view.getInt32(at + 4, true);
    const first = view.getUint32(at + packetHeaderBytes, true);
    if (view.getInt32(at, true) < 0 || length < probeBytes - packetHeaderBytes || length > maximumPacketBytes) return false;
    if (this.compression !== 0) return first === (this.compression <= 2 ? lz4Magic : zstdMagic);
    return first + 4 <= length && identifierAt(new Uint8Array(view.buffer, view.byteOffset), at + packetHeaderBytes) !== undefined;
  }

  /** @returns how many bytes were unpacked for it */
  private decodePacket(stream: number, payload: Uint8Array, into: EventColumns, tally: Tally): number {
    const kind = this.streams.get(stream)?.kind ?? '';
    if (kind !== '' && kind !== 'EVTS') {
      tally.add(skippedKinds[kind] ?? 'otherPackets');
      return 0;
    }
    const content = this.decompress(payload);
    const identifier = content && identifierAt(content, 0);
    if (identifier !== undefined && identifier !== 'EVTS') {
      tally.add(skippedKinds[identifier] ?? 'otherPackets');
      return content?.length ?? 0;
    }
    const elements = content && identifier && rootTable(content, 4)?.vector(0, eventBytes);
    if (!elements) {
      tally.add('damaged');
      return content?.length ?? 0;
    }
    into.reserve(elements.count);
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    for (let index = 0; index < elements.count; index++) {
      const event = elements.start + index * eventBytes;
      const t = view.getUint32(event, true) + view.getInt32(event + 4, true) * 2 ** 32;
      into.push(t, view.getUint16(event + 8, true), view.getUint16(event + 10, true), view.getUint8(event + 12) === 0 ? 0 : 1);
    }
    return content.length;
  }
}

/** The four letters of a flatbuffer's kind, behind its length and the offset of its table. */
function identifierAt(bytes: Uint8Array, at: number): string | undefined {
  const letters = bytes.subarray(at + 8, at + 12);
  const isOne = letters.length === 4 && letters.every((byte) => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a));
  return isOne ? String.fromCharCode(...letters) : undefined;
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
