import { describe, expect, it } from 'vitest';
import { BlobWriter, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js';
import { readAll, surviveMutations, type EventRow } from './testing';
import { npyHeader } from '../../base/npy';

const rows: EventRow[] = Array.from({ length: 60 }, (_, index) => [1000 + index * 10, (index * 37) % 240, (index * 17) % 180, index % 2] as const);

type Put = (view: DataView, at: number, value: number) => void;
const kinds: Record<string, { bytes: number; put: Put }> = {
  '<u1': { bytes: 1, put: (view, at, value) => view.setUint8(at, value) },
  '|b1': { bytes: 1, put: (view, at, value) => view.setUint8(at, value) },
  '|i1': { bytes: 1, put: (view, at, value) => view.setInt8(at, value) },
  '<u2': { bytes: 2, put: (view, at, value) => view.setUint16(at, value, true) },
  '>u2': { bytes: 2, put: (view, at, value) => view.setUint16(at, value, false) },
  '<i8': { bytes: 8, put: (view, at, value) => view.setBigInt64(at, BigInt(value), true) },
  '>i8': { bytes: 8, put: (view, at, value) => view.setBigInt64(at, BigInt(value), false) },
  '<f4': { bytes: 4, put: (view, at, value) => view.setFloat32(at, value, true) },
  '<f8': { bytes: 8, put: (view, at, value) => view.setFloat64(at, value, true) },
};
const kindOf = (name: string): { bytes: number; put: Put } => kinds[name] ?? { bytes: 1, put: () => undefined };

function structured(fields: readonly [name: string, kind: string, column: 0 | 1 | 2 | 3][], value = (row: EventRow, column: 0 | 1 | 2 | 3): number => row[column]): Uint8Array<ArrayBuffer> {
  const header = npyHeader(`{'descr': [${fields.map(([name, kind]) => `('${name}', '${kind}')`).join(', ')}], 'fortran_order': False, 'shape': (${rows.length},), }`);
  const rowBytes = fields.reduce((sum, [, kind]) => sum + kindOf(kind).bytes, 0);
  const file = new Uint8Array(header.length + rows.length * rowBytes);
  file.set(header);
  const view = new DataView(file.buffer);
  let at = header.length;
  for (const row of rows) {
    for (const [, kind, column] of fields) {
      const { bytes, put } = kindOf(kind);
      put(view, at, value(row, column));
      at += bytes;
    }
  }
  return file;
}

function matrix(kind: string, order: readonly (0 | 1 | 2 | 3)[], { fortran = false, transposed = false, unit = 1, minus = false } = {}): Uint8Array<ArrayBuffer> {
  const shape = transposed ? `(4, ${rows.length})` : `(${rows.length}, 4)`;
  const header = npyHeader(`{'descr': '${kind}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }`);
  const { bytes, put } = kindOf(kind);
  const file = new Uint8Array(header.length + rows.length * 4 * bytes);
  file.set(header);
  const view = new DataView(file.buffer);
  rows.forEach((row, index) =>
    order.forEach((column, place) => {
      const cell = fortran !== transposed ? place * rows.length + index : index * 4 + place;
      const value = column === 0 ? row[0] * unit : column === 3 && minus ? row[3] * 2 - 1 : row[column];
      put(view, header.length + cell * bytes, value);
    }),
  );
  return file;
}

const read = async (bytes: Uint8Array<ArrayBuffer>, name = 'a.npy', options = {}): Promise<EventRow[]> => (await readAll({ blob: new Blob([bytes]), name }, options)).rows;

describe('structured arrays', () => {
  it('are read by their fields’ names, in any order and of any type', async () => {
    expect(await read(structured([['t', '<i8', 0], ['x', '<u2', 1], ['y', '<u2', 2], ['p', '<u1', 3]]))).toEqual(rows);
    expect(await read(structured([['x', '>u2', 1], ['y', '>u2', 2], ['polarity', '|b1', 3], ['timestamp', '>i8', 0]]))).toEqual(rows);
    expect(await read(structured([['x', '<f4', 1], ['ts', '<f8', 0], ['pol', '|i1', 3], ['y', '<f4', 2]], (row, column) => (column === 3 ? row[3] * 2 - 1 : row[column])))).toEqual(rows);
  });

  it('have seconds where times have fractions', async () => {
    expect(await read(structured([['t', '<f8', 0], ['x', '<u2', 1], ['y', '<u2', 2], ['p', '<u1', 3]], (row, column) => (column === 0 ? row[0] / 1e6 : row[column])))).toEqual(rows);
  });
});

describe('tables of four columns', () => {
  it.each([
    ['t, x, y, p', [0, 1, 2, 3]],
    ['x, y, t, p', [1, 2, 0, 3]],
    ['x, y, p, t', [1, 2, 3, 0]],
    ['t, p, x, y', [0, 3, 1, 2]],
  ] as const)('are understood in the order %s', async (_label, order) => {
    expect(await read(matrix('<i8', order))).toEqual(rows);
    expect(await read(matrix('<f8', order, { fortran: true, unit: 1e-6, minus: true }))).toEqual(rows);
    expect(await read(matrix('<i8', order, { transposed: true }))).toEqual(rows);
  });

  it('can be read otherwise by a person who knows better', async () => {
    const swapped = await read(matrix('<i8', [0, 1, 2, 3]), 'a.npy', { table: { columns: ['t', 'y', 'x', 'p'], timeUnit: 'ms' } });
    expect(swapped[3]).toEqual([(rows[3]?.[0] ?? 0) * 1000, rows[3]?.[2], rows[3]?.[1], rows[3]?.[3]]);
  });
});

describe('npz', () => {
  async function zip(entries: Record<string, Uint8Array>): Promise<Blob> {
    const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
    for (const [name, bytes] of Object.entries(entries)) await writer.add(name, new Uint8ArrayReader(bytes));
    return writer.close();
  }
  const column = (kind: string, place: 0 | 1 | 2 | 3): Uint8Array => {
    const header = npyHeader(`{'descr': '${kind}', 'fortran_order': False, 'shape': (${rows.length},), }`);
    const { bytes, put } = kindOf(kind);
    const file = new Uint8Array(header.length + rows.length * bytes);
    file.set(header);
    rows.forEach((row, index) => put(new DataView(file.buffer), header.length + index * bytes, row[place]));
    return file;
  };

  it('of one array, or of one for each column', async () => {
    const one = await zip({ 'events.npy': matrix('<i8', [0, 1, 2, 3]) });
    expect((await readAll({ blob: one, name: 'a.npz' })).rows).toEqual(rows);
    const four = await zip({ 'x.npy': column('<u2', 1), 'y.npy': column('<u2', 2), 't.npy': column('<i8', 0), 'p.npy': column('|b1', 3) });
    expect((await readAll({ blob: four, name: 'a.npz' })).rows).toEqual(rows);
  });

  it('that unpacks to far more than it is, is refused', async () => {
    const bomb = await zip({ 'events.npy': new Uint8Array(80 << 20) });
    expect(bomb.size).toBeLessThan(200_000);
    await expect(readAll({ blob: bomb, name: 'a.npz' })).rejects.toMatchObject({ code: 'input/too-large' });
  });

  it('survives damage', async () => {
    const bytes = new Uint8Array(await (await zip({ 'events.npy': matrix('<i8', [0, 1, 2, 3]) })).arrayBuffer());
    const { read: readable, refused } = await surviveMutations(bytes, 'a.npz', 200);
    expect(readable + refused).toBe(200);
  });
});

it('npy survives damage, also of what it says of its own size', async () => {
  const bytes = structured([['t', '<i8', 0], ['x', '<u2', 1], ['y', '<u2', 2], ['p', '<u1', 3]]);
  const { read: readable } = await surviveMutations(bytes, 'a.npy', 400);
  expect(readable).toBeGreaterThan(0);
  const lying = npyHeader("{'descr': [('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')], 'fortran_order': False, 'shape': (999999999999,), }");
  expect(await read(lying)).toEqual([]);
});

it.each([
  ['a field that is an array', "[('t', '<i8'), ('x', '<u2', (2,)), ('y', '<u2'), ('p', '|u1')]"],
  ['a date', "[('t', '<M8[us]'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]"],
  ['fields of no size', "[('t', 'u'), ('x', 'u'), ('y', 'u'), ('p', 'u')]"],
])('npy with %s is refused, not misread', async (_label, descr) => {
  const header = npyHeader(`{'descr': ${descr}, 'fortran_order': False, 'shape': (999999999999,), }`);
  await expect(read(new Uint8Array([...header, ...new Uint8Array(150)]))).rejects.toMatchObject({ code: 'input/unreadable' });
});
