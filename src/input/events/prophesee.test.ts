import { describe, expect, it } from 'vitest';
import { readAll, type EventRow } from './testing';

/** Words as Prophesee's formats define them, for what neither the writers nor the real recordings cover. */

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];
const blobOf = (header: string, ...bytes: number[][]): Blob => new Blob([new Uint8Array([...ascii(header), ...bytes.flat()])]);
const word16 = (value: number): number[] => [value & 255, value >>> 8];
const word32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const word64 = (high: number, low: number): number[] => [...word32(low), ...word32(high)];

describe('headers', () => {
  const onePixel = [word16(0x8000), word16(0x6000), word16(0x0005), word16(0x2803)].flat();
  it.each([
    ['% evt 3.0\n% geometry 640x480\n% end\n', { width: 640, height: 480 }],
    ['% format EVT3;height=720;width=1280\n% end\n', { width: 1280, height: 720 }],
    ['% evt 3.0\n% sensor_generation 4.1\n% end\n', { width: 1280, height: 720 }],
    ['% evt 3.0\n% plugin_name hal_plugin_gen31_fx3\n', { width: 640, height: 480 }],
    ['% evt 3.0\n% sensor_name IMX636\n% end\n', { width: 1280, height: 720 }],
  ])('%j', async (header, sensor) => {
    const { rows, recording } = await readAll({ blob: blobOf(header, onePixel), name: 'a.raw' });
    expect(rows).toEqual([[0, 3, 5, 1]]);
    expect(recording.summary).toMatchObject({ sensor, sensorIsKnown: true });
  });

  it('an impossible size is not believed', async () => {
    const { recording } = await readAll({ blob: blobOf('% evt 3.0\n% geometry 999999x480\n% end\n', onePixel), name: 'a.raw' });
    expect(recording.summary.sensorIsKnown).toBe(false);
  });
});

describe('EVT 3.0', () => {
  const header = '% evt 3.0\n% geometry 1280x720\n% end\n';
  const read = async (...words: number[]): Promise<{ rows: EventRow[]; skipped: unknown }> => {
    const { rows, recording } = await readAll({ blob: blobOf(header, ...words.map(word16)), name: 'a.raw' });
    return { rows, skipped: recording.summary.skipped };
  };

  it('spreads vectors of 12 and 8 from a base that moves on', async () => {
    const { rows } = await read(0x8001, 0x6002, 0x0007, 0x3864, 0x4801, 0x5081);
    expect(rows).toEqual([
      [4098, 100, 7, 1],
      [4098, 111, 7, 1],
      [4098, 112, 7, 1],
      [4098, 119, 7, 1],
    ]);
  });

  it('counts the overflows of its clock of 24 bits, and no small step back', async () => {
    const { rows } = await read(0x8fff, 0x6fff, 0x0001, 0x2001, 0x8000, 0x6000, 0x2001, 0x8002, 0x2001, 0x8001, 0x2001);
    expect(rows.map(([t]) => t)).toEqual([2 ** 24 - 1, 2 ** 24, 2 ** 24 + 2 * 4096, 2 ** 24 + 4096]);
  });

  it('skips and counts triggers and other words, and events before any time', async () => {
    const { rows, skipped } = await read(0x2001, 0x8000, 0x6000, 0xa101, 0xe001, 0xf123, 0x7001, 0x0001, 0x2002);
    expect(rows).toEqual([[0, 2, 1, 0]]);
    expect(skipped).toMatchObject([
      { kind: 'triggers', count: 1 },
      { kind: 'otherWords', count: 3 },
      { kind: 'damaged', count: 1 },
    ]);
  });
});

describe('EVT 2.0 and 2.1', () => {
  const event = (type: number, low: number, x: number, y: number): number => ((type << 28) | (low << 22) | (x << 11) | y) >>> 0;

  it('counts the overflow of its clock of 34 bits', async () => {
    const words = [0x8fffffff, event(1, 63, 5, 6), 0x80000000, event(0, 1, 7, 8), 0xa0000000];
    const { rows, recording } = await readAll({ blob: blobOf('% evt 2.0\n% geometry 640x480\n% end\n', ...words.map(word32)), name: 'a.raw' });
    expect(rows).toEqual([
      [2 ** 34 - 1, 5, 6, 1],
      [2 ** 34 + 1, 7, 8, 0],
    ]);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'triggers', count: 1 }]);
  });

  it.each([
    ['with the type in the upper half', (high: number, low: number) => word64(high, low)],
    ['with the halves swapped, as older files have them', (high: number, low: number) => word64(low, high)],
  ])('spreads 2.1’s masks of 32 pixels, %s', async (_label, word) => {
    const words = [word(0x80000002, 0), word(event(1, 3, 64, 9), 0x80000005), word(event(0, 4, 0, 1), 1)];
    const { rows, recording } = await readAll({ blob: blobOf('% evt 2.1\n% geometry 640x480\n% end\n', ...words), name: 'a.raw' });
    expect(rows).toEqual([
      [131, 64, 9, 1],
      [131, 66, 9, 1],
      [131, 95, 9, 1],
      [132, 0, 1, 0],
    ]);
    expect(recording.format).toBe('Prophesee RAW EVT 2.1');
  });
});

describe('DAT', () => {
  it('reads version 1’s addresses, and counts the overflow of its clock', async () => {
    const address = (300 | (200 << 9) | (1 << 17)) >>> 0;
    const { rows, recording } = await readAll({
      blob: blobOf('% Data file containing CD events.\n% Version 1\n% Width 304\n% Height 240\n', [0, 8], word32(0xffffffff), word32(address), word32(1), word32(address)),
      name: 'a_td.dat',
    });
    expect(rows).toEqual([
      [2 ** 32 - 1, 300, 200, 1],
      [2 ** 32 + 1, 300, 200, 1],
    ]);
    expect(recording).toMatchObject({ format: 'Prophesee DAT 1', sensor: { width: 304, height: 240 } });
  });

  it('refuses a file of triggers by name', async () => {
    const file = { blob: blobOf('% Data file containing trigger events.\n% Version 2\n', [0x0e, 8], word32(1), word32(1)), name: 'a_td.dat' };
    await expect(readAll(file)).rejects.toMatchObject({ code: 'input/unsupported', message: expect.stringContaining('triggers') });
  });
});

describe('Event Stream and ATIS', () => {
  it('reads an ATIS stream’s changes and counts its grey levels', async () => {
    const es = [...ascii('Event Stream'), 2, 0, 0, 2, ...word16(304), ...word16(240)];
    // 63 * 3 µs pass, then an ON event 2 µs later, then a threshold crossing.
    const { rows, recording } = await readAll({
      blob: new Blob([new Uint8Array([...es, 0xff, (2 << 2) | 2, ...word16(10), ...word16(0), (1 << 2) | 1, ...word16(10), ...word16(0)])]),
      name: 'a.es',
    });
    expect(rows).toEqual([[191, 10, 239, 1]]);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'otherWords', count: 1 }]);
  });

  it('adds the overflows that N-Caltech101 writes as row 240', async () => {
    const event = (x: number, y: number, p: number, t: number): number[] => [x, y, (p << 7) | (t >>> 16), (t >>> 8) & 255, t & 255];
    const { rows } = await readAll({ blob: new Blob([new Uint8Array([...event(1, 2, 1, 10), ...event(0, 240, 0, 11), ...event(3, 4, 0, 12)])]), name: 'a.bin' });
    expect(rows).toEqual([
      [10, 1, 2, 1],
      [8192 + 12, 3, 4, 0],
    ]);
  });
});
