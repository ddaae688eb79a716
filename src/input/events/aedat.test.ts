import { compress } from 'lz4js';
import { describe, expect, it } from 'vitest';
import { quietTask } from '../../base/progress';
import { aedat4 } from './aedat4';
import { EventColumns } from './events';
import { Tally, type Position } from './source';
import { readAll, surviveMutations, type EventRow } from './testing';

/** Files of the AEDAT formats as their descriptions say, for what the real recording does not cover. */

const text = (line: string): number[] => [...new TextEncoder().encode(line)];
const blobOf = (...parts: (number[] | Uint8Array)[]): Blob => new Blob(parts.map((part) => new Uint8Array(part)));
const headOf = async (blob: Blob): Promise<Uint8Array> => new Uint8Array(await blob.slice(0, 65536).arrayBuffer());
const big32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const little32 = (value: number): number[] => big32(value).reverse();
const little16 = (value: number): number[] => [value & 255, (value >>> 8) & 255];

describe('AEDAT 2.0', () => {
  const header = (chip: string): number[] => text(`#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# AEChip: ${chip}\r\n`);

  it('reads a DVS128’s addresses: columns from the right, rows from the bottom, 0 is ON', async () => {
    const address = (x: number, y: number, p: number): number => (y << 8) | (x << 1) | p;
    const file = blobOf(header('ch.unizh.ini.jaer.chip.retina.DVS128'), big32(address(3, 0, 1)), big32(10), big32(address(127, 127, 0)), big32(20), big32(0x8000), big32(30));
    const { rows, recording } = await readAll({ blob: file, name: 'a.aedat' });
    expect(rows).toEqual([
      [10, 124, 127, 0],
      [20, 0, 0, 1],
    ]);
    expect(recording.summary).toMatchObject({ sensor: { width: 128, height: 128 }, skipped: [{ kind: 'triggers', count: 1 }] });
  });

  it('reads a DAVIS’s, and counts frames, motion and external events', async () => {
    const address = (x: number, y: number, p: number): number => (y << 22) | (x << 12) | (p << 11);
    const words = [address(5, 0, 1), address(345, 259, 0), 0x80000000, 0x80000c00, 0x400];
    const file = blobOf(header('eu.seebetter.ini.chips.davis.Davis346B'), ...words.flatMap((word, index) => [big32(word), big32(index)]));
    const { rows, recording } = await readAll({ blob: file, name: 'a.aedat' });
    expect(rows).toEqual([
      [0, 340, 259, 1],
      [1, 0, 0, 0],
    ]);
    expect(recording.summary.skipped).toMatchObject([
      { kind: 'frames', count: 1 },
      { kind: 'imu', count: 1 },
      { kind: 'triggers', count: 1 },
    ]);
  });

  it('counts on where the 32-bit clock runs over', async () => {
    const file = blobOf(header('DVS128'), big32(0), big32(0xfffffff0), big32(0), big32(4));
    const { rows } = await readAll({ blob: file, name: 'a.aedat' });
    expect(rows.map(([t]) => t)).toEqual([0xfffffff0, 2 ** 32 + 4]);
  });

  it('shifts nothing behind a damaged time', async () => {
    const times = [10, 0xffff0000, 20, 0x70000000, 30];
    const { rows } = await readAll({ blob: blobOf(header('DVS128'), ...times.flatMap((time) => [big32(0), big32(time)])), name: 'a.aedat' });
    expect(rows.map(([t]) => t)).toEqual([10, 0xffff0000 - 2 ** 32, 20, 0x70000000, 30]);
  });

  it('survives damage', async () => {
    for (const chip of ['DVS128', 'Davis240C']) {
      const file = blobOf(header(chip), ...Array.from({ length: 200 }, (_, index) => [...big32(index * 5000), ...big32(index)]));
      expect((await surviveMutations(new Uint8Array(await file.arrayBuffer()), 'a.aedat', 300)).read).toBeGreaterThan(0);
    }
  });
});

describe('AEDAT 3.1', () => {
  const header = text('#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#!END-HEADER\r\n');
  const packet = (type: number, eventBytes: number, overflow: number, events: number[][]): number[] => [
    ...little16(type),
    ...little16(1),
    ...little32(eventBytes),
    ...little32(4),
    ...little32(overflow),
    ...little32(events.length),
    ...little32(events.length),
    ...little32(events.length),
    ...events.flat(),
  ];
  const polarity = (t: number, x: number, y: number, p: number, valid = 1): number[] => [...little32(((x << 17) | (y << 2) | (p << 1) | valid) >>> 0), ...little32(t)];

  it('reads polarity packets, skips and counts the others, and counts the clock’s overflows', async () => {
    const file = blobOf(
      header,
      packet(1, 8, 0, [polarity(7, 239, 179, 1), polarity(8, 0, 0, 0), polarity(9, 1, 1, 1, 0)]),
      packet(3, 36, 0, [new Array<number>(36).fill(0), new Array<number>(36).fill(0)]),
      packet(1, 8, 2, [polarity(1, 2, 3, 1)]),
    );
    const { rows, recording } = await readAll({ blob: file, name: 'a.aedat' });
    expect(rows).toEqual([
      [7, 239, 179, 1],
      [8, 0, 0, 0],
      [2 * 2 ** 31 + 1, 2, 3, 1],
    ]);
    expect(recording.summary).toMatchObject({
      sensor: { width: 240, height: 180 },
      skipped: [
        { kind: 'otherWords', count: 1 },
        { kind: 'imu', count: 2 },
      ],
    });
  });

  it('goes on with the next packet behind a damaged header', async () => {
    const damaged = packet(1, 8, 0, [polarity(1, 1, 1, 1), polarity(2, 2, 2, 1)]);
    damaged[4] = 0xff;
    const { rows, recording } = await readAll({ blob: blobOf(header, damaged, packet(1, 8, 0, [polarity(7, 3, 3, 1)])), name: 'a.aedat' });
    expect(rows).toEqual([[7, 3, 3, 1]]);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'damaged', count: 1 }]);
  });

  it('reads what is there of a packet that is cut off', async () => {
    const whole = blobOf(header, packet(1, 8, 0, [polarity(1, 1, 1, 1), polarity(2, 2, 2, 1)]));
    const { rows } = await readAll({ blob: whole.slice(0, whole.size - 3), name: 'a.aedat' });
    expect(rows).toEqual([[1, 1, 1, 1]]);
  });

  it('survives damage', async () => {
    const file = blobOf(header, packet(1, 8, 0, Array.from({ length: 200 }, (_, index) => polarity(index, index, 3, 1))));
    const { read } = await surviveMutations(new Uint8Array(await file.arrayBuffer()), 'a.aedat', 300);
    expect(read).toBeGreaterThan(0);
  });
});

describe('AEDAT 4.0', () => {
  /** A flatbuffer with one field in its root table, the vector of events; behind its own length. */
  function eventPacket(rows: readonly EventRow[]): Uint8Array {
    // Length, root, identifier, vtable (8 bytes), table (vtable's distance, field's offset), vector.
    const bytes = new Uint8Array(36 + rows.length * 16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length - 4, true);
    view.setUint32(4, 16, true);
    bytes.set(text('EVTS'), 8);
    view.setUint16(12, 6, true);
    view.setUint16(14, 8, true);
    view.setUint16(16, 4, true);
    view.setInt32(20, 8, true);
    view.setUint32(24, 8, true);
    view.setUint32(32, rows.length, true);
    rows.forEach(([t, x, y, p], index) => {
      const at = 36 + index * 16;
      view.setBigInt64(at, BigInt(t), true);
      view.setInt16(at + 8, x, true);
      view.setInt16(at + 10, y, true);
      view.setUint8(at + 12, p);
    });
    return bytes;
  }

  function file(compression: number, packets: { stream: number; payload: Uint8Array }[]): Blob {
    const xml = text(
      '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/"><node name="0" path="/mainloop/Recorder/outInfo/0/"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info" path="/mainloop/Recorder/outInfo/0/info/"><attr key="sizeX" type="int">346</attr><attr key="sizeY" type="int">260</attr></node></node><node name="1" path="/mainloop/Recorder/outInfo/1/"><attr key="typeIdentifier" type="string">FRME</attr></node></node></dv>',
    );
    const io = new Uint8Array(48 + xml.length);
    const view = new DataView(io.buffer);
    view.setUint32(0, 20, true);
    io.set(text('IOHE'), 4);
    // The vtable: three fields, at 4 (compression), 8 (where the table of packets lies) and 16 (the text).
    [10, 20, 4, 8, 16].forEach((value, index) => view.setUint16(8 + index * 2, value, true));
    view.setInt32(20, 12, true);
    view.setInt32(24, compression, true);
    view.setBigInt64(28, -1n, true);
    view.setUint32(36, 8, true);
    view.setUint32(44, xml.length, true);
    io.set(xml, 48);
    return blobOf(
      text('#!AER-DAT4.0\r\n'),
      little32(io.length),
      io,
      ...packets.flatMap(({ stream, payload }) => [little32(stream), little32(payload.length), payload]),
    );
  }

  const rows: EventRow[] = Array.from({ length: 300 }, (_, index) => [1_605_537_493_718_345 + index, index, index % 260, index % 2] as const);
  /** A Zstandard frame that holds its content as it is (RFC 8878: one raw block). */
  function zstd(content: Uint8Array): Uint8Array {
    const header = ((content.length << 3) | 1) >>> 0;
    return new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xa0, ...little32(content.length), header & 255, (header >>> 8) & 255, (header >>> 16) & 255, ...content]);
  }

  it.each([
    ['not compressed', 0, (content: Uint8Array) => content],
    ['with LZ4', 1, (content: Uint8Array) => compress(content)],
    ['with Zstandard', 3, zstd],
  ])('reads packets %s and counts frames', async (_label, compression, pack) => {
    const blob = file(compression, [
      { stream: 0, payload: pack(eventPacket(rows.slice(0, 100))) },
      { stream: 1, payload: pack(new Uint8Array([...little32(46), ...little32(16), ...text('FRME'), ...new Uint8Array(38)])) },
      { stream: 0, payload: pack(eventPacket(rows.slice(100))) },
    ]);
    const { rows: read, recording } = await readAll({ blob, name: 'a.aedat4' });
    expect(read).toEqual(rows);
    expect(recording.summary).toMatchObject({ sensor: { width: 346, height: 260 }, skipped: [{ kind: 'frames', count: 1 }] });
  });

  it('passes over a damaged packet and reads the next', async () => {
    const damaged = compress(eventPacket(rows.slice(0, 100)));
    damaged.fill(0xff, 12, 60);
    const { rows: read, recording } = await readAll({
      blob: file(1, [
        { stream: 0, payload: damaged },
        { stream: 0, payload: compress(eventPacket(rows.slice(100))) },
      ]),
      name: 'a.aedat4',
    });
    expect(read).toEqual(rows.slice(100));
    expect(recording.summary.skipped).toMatchObject([{ kind: 'damaged', count: 1 }]);
  });

  it.each([0, 1, 3])('survives damage (compression %i)', async (compression) => {
    const pack = compression === 0 ? (content: Uint8Array) => content : compression === 1 ? compress : zstd;
    const blob = file(compression, [{ stream: 0, payload: pack(eventPacket(rows)) }]);
    const { read } = await surviveMutations(new Uint8Array(await blob.arrayBuffer()), 'a.aedat4', 200);
    expect(read).toBeGreaterThan(0);
  });

  it('finds the next packet where one claims another length', async () => {
    const blob = file(1, [
      { stream: 0, payload: compress(eventPacket(rows.slice(0, 100))) },
      { stream: 0, payload: compress(eventPacket(rows.slice(100))) },
    ]);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const first = bytes.findIndex((_, at) => bytes[at] === 0x04 && bytes[at + 1] === 0x22 && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x18);
    bytes.set(little32(0x7fffffff), first - 4);
    const { rows: read, recording } = await readAll({ blob: new Blob([bytes]), name: 'a.aedat4' });
    expect(read).toEqual(rows.slice(100));
    expect(recording.summary.skipped).toMatchObject([{ kind: 'damaged', count: 1 }]);
  });

  describe('that unpacks to far more than it is', () => {
    /** 32 bytes of header; blocks of one byte that is repeated 128 Ki times (4 bytes each) make up the rest. */
    function bomb(blocks: number, namesItsSize: boolean): Uint8Array {
      const start = eventPacket([[1, 1, 1, 1]]).subarray(0, 36);
      start.set(little32(blocks * 8192), 32);
      const descriptor = namesItsSize ? [0xa0, ...little32(36 + blocks * 131072)] : [0x00, 0x88];
      const block = (length: number, kind: number, last: boolean): number[] => little32((length << 3) | (kind << 1) | (last ? 1 : 0)).slice(0, 3);
      const repeats = Array.from({ length: blocks }, (_, index) => [...block(131072, 1, index === blocks - 1), 0]).flat();
      return new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, ...descriptor, ...block(36, 0, false), ...start, ...repeats]);
    }

    it.each([true, false])('takes no more memory than a packet may (names its size: %s)', async (namesItsSize) => {
      const { rows: read, recording } = await readAll({ blob: file(3, [{ stream: 0, payload: bomb(4000, namesItsSize) }]), name: 'a.aedat4' });
      expect(read).toEqual([]);
      expect(recording.summary.skipped).toMatchObject([{ kind: 'damaged', count: 1 }]);
    });

    it('is read a few packets at a time', async () => {
      const packets = Array.from({ length: 12 }, () => ({ stream: 0, payload: bomb(16, false) }));
      const { source } = await aedat4.open({ blob: file(3, packets), name: 'a.aedat4' }, await headOf(file(3, packets)), {}, quietTask);
      let most = 0;
      let total = 0;
      for (let position: Position | undefined = source.start; position; ) {
        const events = new EventColumns();
        position = await source.read(position, events, new Tally(), quietTask);
        most = Math.max(most, events.count);
        total += events.count;
      }
      expect(total).toBe(12 * 16 * 8192);
      expect(most).toBeLessThan(total / 2);
    });
  });

  it('refuses a compression that nobody knows', async () => {
    await expect(readAll({ blob: file(9, []), name: 'a.aedat4' })).rejects.toMatchObject({ code: 'input/unsupported' });
  });
});
