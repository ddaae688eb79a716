import { existsSync, openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { isPresent, sharedDataFolder } from '../../../e2e/golden';
import { AppError } from '../../base/errors';
import { quietTask } from '../../base/progress';
import { EventColumns } from './events';
import { hdf5 } from './hdf5';
import { Tally, type OpenedSource, type OpenOptions, type Position } from './source';

/** libhdf5 writes too; a test knows its types only as far as it uses them. */
interface Writer {
  open(path: string, mode: number, trackOrder: boolean): bigint;
  close_file(file: bigint): number;
  create_group(file: bigint, path: string, trackOrder: boolean): number;
  create_dataset(
    file: bigint,
    path: string,
    from: bigint,
    shape: bigint[],
    most: bigint[],
    chunks: bigint[] | null,
    type: number,
    size: number,
    signed: boolean,
    vlen: boolean,
    filter: number,
    filterOptions: number[],
    trackOrder: boolean,
  ): number;
  create_attribute(file: bigint, path: string, name: string, from: bigint, shape: bigint[], type: number, size: number, signed: boolean, vlen: boolean): number;
  get_plugin_search_paths(): string[];
  _malloc(bytes: number): number;
  _free(at: number): void;
  HEAPU8: Uint8Array;
  FS: {
    mkdirTree(path: string): void;
    readFile(path: string): Uint8Array<ArrayBuffer>;
    writeFile(path: string, bytes: Uint8Array): void;
  };
}

type Numbers = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array | BigInt64Array | BigUint64Array;

interface Stored {
  values: Numbers;
  shape?: number[];
  chunk?: number[];
  filter?: [id: number, options: number[]];
}

const packages = resolve(import.meta.dirname, '../../../node_modules');
let writer: Writer;

beforeAll(async () => {
  const { default: factory } = (await import(resolve(packages, 'h5wasm/dist/esm/hdf5_util.js'))) as {
    default: (settings: object) => Promise<Writer>;
  };
  writer = await factory({ noInitialRun: true, printErr: () => undefined });
  const [folder = '/'] = writer.get_plugin_search_paths();
  writer.FS.mkdirTree(folder);
  const plugin = readFileSync(resolve(packages, 'h5wasm-plugins/plugins/libH5Zblosc.so'));
  writer.FS.writeFile(`${folder}/libH5Zblosc.so`, plugin);
});

/** A file with these datasets and numeric attributes ("group@name"). */
function fileOf(content: Record<string, Stored | Numbers>, attributes: Record<string, Int32Array> = {}): Uint8Array<ArrayBuffer> {
  const file = writer.open('/made.h5', 2, false);
  const groups = new Set<string>();
  const withMemory = (values: Numbers, use: (at: bigint) => void): void => {
    const at = writer._malloc(values.byteLength + 1);
    writer.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    use(BigInt(at));
    writer._free(at);
  };
  for (const [path, given] of Object.entries(content)) {
    const { values, shape = [values.length], chunk, filter = [0, []] } = ArrayBuffer.isView(given) ? { values: given } : given;
    for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
      const group = path.slice(0, end);
      if (!groups.has(group)) writer.create_group(file, group, false);
      groups.add(group);
    }
    const isFloat = values instanceof Float32Array || values instanceof Float64Array;
    const isSigned = /^(Int|BigInt)/.test(values.constructor.name);
    const dimensions = shape.map(BigInt);
    withMemory(values, (at) => {
      writer.create_dataset(
        file, path, at, dimensions, dimensions, chunk?.map(BigInt) ?? null,
        isFloat ? 1 : 0, values.BYTES_PER_ELEMENT, isSigned, false, filter[0], filter[1], false,
      );
    });
  }
  for (const [place, values] of Object.entries(attributes)) {
    const [path = '/', name = ''] = place.split('@');
    withMemory(values, (at) => {
      writer.create_attribute(file, path, name, at, [BigInt(values.length)], 0, 4, true, false);
    });
  }
  writer.close_file(file);
  return writer.FS.readFile('/made.h5');
}

async function open(blob: Blob, options: OpenOptions = {}): Promise<OpenedSource> {
  const head = new Uint8Array(await blob.slice(0, 65536).arrayBuffer());
  return await hdf5.open({ blob, name: 'recording.h5' }, head, options, quietTask);
}

async function readAll({ source }: OpenedSource): Promise<{ events: EventColumns; tally: Tally }> {
  const events = new EventColumns();
  const tally = new Tally();
  for (let position: Position | undefined = source.start; position; ) {
    position = await source.read(position, events, tally, quietTask);
  }
  source.close?.();
  return { events, tally };
}

async function eventsOf(bytes: Uint8Array<ArrayBuffer>, options: OpenOptions = {}) {
  const opened = await open(new Blob([bytes]), options);
  const { events, tally } = await readAll(opened);
  const rows = Array.from({ length: events.count }, (_, index) => [events.t[index], events.x[index], events.y[index], events.p[index]]);
  return { ...opened, rows, tally };
}

async function codeOf(bytes: Uint8Array<ArrayBuffer>): Promise<AppError> {
  const error: unknown = await eventsOf(bytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

const rows = [
  [10, 3, 4, 1],
  [11, 639, 0, 0],
  [15, 0, 479, 1],
];

describe('layouts', () => {
  const dsec = {
    '/events/x': Uint16Array.of(3, 639, 0),
    '/events/y': Uint16Array.of(4, 0, 479),
    '/events/t': Uint32Array.of(10, 11, 15),
    '/events/p': Uint8Array.of(1, 0, 1),
  };

  it('DSEC: the offset is added exactly', async () => {
    const offset = 1605537493718335n;
    const file = fileOf({ ...dsec, '/t_offset': { values: BigInt64Array.of(offset), shape: [] }, '/ms_to_idx': new BigUint64Array(2) });
    const { rows: read, format, sensor, table } = await eventsOf(file);
    expect(read).toEqual(rows.map(([t = 0, ...rest]) => [t + Number(offset), ...rest]));
    expect({ format, sensor, table }).toEqual({ format: 'HDF5, DSEC layout', sensor: undefined, table: undefined });
  });

  it('RVT: height and width beside the events', async () => {
    const size = { '/events/height': { values: Uint16Array.of(480), shape: [] }, '/events/width': { values: Uint16Array.of(640), shape: [] } };
    const { rows: read, sensor, table } = await eventsOf(fileOf({ ...dsec, '/events/t': BigInt64Array.of(10n, 11n, 15n), ...size }));
    expect(read).toEqual(rows);
    expect(sensor).toEqual({ width: 640, height: 480 });
    expect(table).toBeUndefined();
  });

  it('MVSEC: rows of x, y, seconds and -1 or 1', async () => {
    const start = 1506117900.123456;
    const left = Float64Array.of(3, 4, start, 1, 5, 6, start + 0.000002, -1);
    const right = Float64Array.of(7, 7, start, 1);
    const { rows: read, format, sensor } = await eventsOf(
      fileOf({ '/davis/right/events': { values: right, shape: [1, 4] }, '/davis/left/events': { values: left, shape: [2, 4], chunk: [1, 4], filter: [1, [4]] } }),
    );
    expect(read).toEqual([[1506117900123456, 3, 4, 1], [1506117900123458, 5, 6, 0]]);
    expect({ format, sensor }).toEqual({ format: 'HDF5, MVSEC layout', sensor: { width: 346, height: 260 } });
  });

  it('rows without a description, whose order may be changed', async () => {
    const file = fileOf({ '/events': { values: Uint32Array.of(10, 3, 4, 1), shape: [1, 4] } });
    const { rows: read, table } = await eventsOf(file);
    expect(read).toEqual([[10, 3, 4, 1]]);
    expect(table).toEqual({ columns: ['t', 'x', 'y', 'p'], timeUnit: 'us' });
    expect((await eventsOf(file, { table: { columns: ['x', 'y', 't', 'p'], timeUnit: 'ms' } })).rows).toEqual([[4000, 10, 3, 1]]);
  });

  it('columns under other names, in seconds, with the sensor as an attribute', async () => {
    const file = fileOf(
      {
        '/camera/xs': Int16Array.of(3, 639, 0),
        '/camera/ys': Int16Array.of(4, 0, 479),
        '/camera/ts': Float64Array.of(0.00001, 0.000011, 0.000015),
        '/camera/ps': Int8Array.of(1, -1, 1),
      },
      { '/@sensor_resolution': Int32Array.of(480, 640) },
    );
    const { rows: read, sensor, table } = await eventsOf(file);
    expect(read).toEqual(rows);
    expect(sensor).toEqual({ width: 640, height: 480 });
    expect(table?.timeUnit).toBe('s');
  });

  it('nanoseconds since 1970, exact to the microsecond', async () => {
    const t = BigInt64Array.of(1605537493718345999n, 1605537493718346000n, 1605537493718346001n);
    const { rows: read, table } = await eventsOf(fileOf({ ...dsec, '/events/t': t }));
    expect(table?.timeUnit).toBe('ns');
    expect(read.map(([time]) => time)).toEqual([1605537493718345, 1605537493718346, 1605537493718346]);
  });

  it.each([
    ['gzip', [1, [4]]],
    ['blosc', [32001, [0, 0, 0, 0, 5, 1, 1]]],
  ] as const)('%s, in several pieces', async (_, [id, options]) => {
    const count = 300_001;
    const filter: [number, number[]] = [id, [...options]];
    const chunked = (values: Numbers, chunk: number): Stored => ({ values, chunk: [chunk], filter });
    const file = fileOf({
      '/events/x': chunked(Uint16Array.from({ length: count }, (__, index) => index % 640), 7000),
      '/events/y': chunked(Uint16Array.from({ length: count }, (__, index) => index % 480), 7000),
      '/events/t': chunked(Uint32Array.from({ length: count }, (__, index) => index * 3), 3500),
      '/events/p': chunked(Uint8Array.from({ length: count }, (__, index) => index % 2), 9000),
    });
    const { rows: read, source } = await eventsOf(file);
    expect(source.total).toBe(count);
    expect(read).toHaveLength(count);
    expect(read.every(([t, x, y, p], index) => t === index * 3 && x === index % 640 && y === index % 480 && p === index % 2)).toBe(true);
  });

  it('no events at all', async () => {
    const none = fileOf({ '/x': new Uint16Array(), '/y': new Uint16Array(), '/t': new Uint32Array(), '/p': new Uint8Array() });
    expect((await eventsOf(none)).rows).toEqual([]);
  });

  it('what lies outside any sensor is counted', async () => {
    const { rows: read, tally } = await eventsOf(fileOf({ ...dsec, '/events/x': Int16Array.of(3, -1, 0) }));
    expect(read).toEqual([rows[0], rows[2]]);
    expect(tally.counts.get('outsideSensor')).toBe(1);
  });
});

describe('Prophesee', () => {
  it('records', async () => {
    const { rows: read, format, sensor } = await eventsOf(propheseeFile(false));
    expect(read).toEqual([[5_000_000_010, 3, 4, 1], [5_000_000_011, 639, 0, 0]]);
    expect({ format, sensor }).toEqual({ format: 'Prophesee HDF5', sensor: undefined });
  });

  it('the ECF codec is refused by name', async () => {
    const error = await codeOf(propheseeFile(true));
    expect(error.code).toBe('input/unsupported');
    expect(error.message).toContain('ECF');
    expect(error.remedy).toContain('metavision_file_to_dat');
  });
});

describe('refused', () => {
  it('stacked histograms', async () => {
    const error = await codeOf(fileOf({ '/data': { values: new Uint8Array(48), shape: [2, 4, 2, 3] } }));
    expect(error.code).toBe('input/unsupported');
    expect(error.message).toContain('histograms');
  });

  it('other HDF5 files, with what they hold', async () => {
    const error = await codeOf(fileOf({ '/weights/kernel': new Float32Array(4) }));
    expect(error.code).toBe('input/unsupported');
    expect(error.message).toContain('/weights/kernel');
  });
});

describe('damaged', () => {
  const count = 3000;
  const stored = (values: Numbers): Stored => ({ values, chunk: [1000], filter: [1, [4]] });
  const whole = (): Uint8Array<ArrayBuffer> =>
    fileOf({
      '/events/x': stored(Uint16Array.from({ length: count }, (_, index) => (index * 7919) % 640)),
      '/events/y': stored(Uint16Array.from({ length: count }, (_, index) => (index * 104729) % 480)),
      '/events/t': stored(Uint32Array.from({ length: count }, (_, index) => index)),
      '/events/p': stored(new Uint8Array(count)),
    });

  it('anything else is not recognised', () => {
    expect(hdf5.recognises(whole().subarray(0, 64), '')).toBe(true);
    expect(hdf5.recognises(new Uint8Array(65536), 'recording.h5')).toBe(false);
    expect(hdf5.recognises(new Uint8Array(), 'recording.h5')).toBe(false);
  });

  it('a signature and nothing else; a cut-off file', async () => {
    expect((await codeOf(whole().slice(0, 8))).code).toBe('input/unreadable');
    expect((await codeOf(whole().slice(0, 700))).code).toBe('input/unreadable');
  });

  it('mutations end in events or in a coded error, and the next file is read', async () => {
    const original = whole();
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const codes = new Set<string>();
    for (let round = 0; round < 300; round++) {
      const bytes = original.slice(0, random(8) === 0 ? random(original.length) : original.length);
      for (let change = random(4); change >= 0; change--) bytes[random(bytes.length)] = random(2) ? random(256) : 0xff;
      try {
        await eventsOf(bytes);
        codes.add('read');
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        codes.add(error.code);
      }
    }
    for (const code of codes) expect(['read', 'input/unreadable', 'input/unsupported', 'input/too-large']).toContain(code);
    expect((await eventsOf(original)).rows).toHaveLength(count);
  });
});

describe.runIf(isPresent(sharedDataFolder, 'Reading a recording in the layout of DSEC'))('a recording', () => {
  const path = resolve(sharedDataFolder, 'events/dsec_layout_320x240.h5');

  it.runIf(existsSync(path))('has the expected numbers', async () => {
    const table = JSON.parse(readFileSync(resolve(sharedDataFolder, 'events/expected.json'), 'utf8')) as Record<string, Record<string, number>>;
    const expected = table['dsec_layout_320x240.h5'] ?? {};
    const { events } = await readAll(await open(await openAsBlob(path)));
    const sum = (values: ArrayLike<number>): number => Array.from({ length: events.count }, (_, index) => values[index] ?? 0).reduce((a, b) => a + b, 0);
    const largest = (values: Uint16Array): number => values.subarray(0, events.count).reduce((a, b) => Math.max(a, b), 0);
    expect({
      events: events.count,
      on: sum(events.p),
      first_t_us: events.t[0],
      last_t_us: events.t[events.count - 1],
      sum_x: sum(events.x),
      sum_y: sum(events.y),
      width: largest(events.x) + 1,
      height: largest(events.y) + 1,
    }).toEqual({
      events: expected['events'],
      on: expected['on'],
      first_t_us: expected['first_t_us'],
      last_t_us: expected['last_t_us'],
      sum_x: expected['sum_x'],
      sum_y: expected['sum_y'],
      width: expected['width'],
      height: expected['height'],
    });
  });
});

/**
 * `CD/events` with two events of 16 bytes: x, y, p and t. Written by hand (HDF5's version 0 of superblock, version 1 of
 * object headers), because h5wasm writes no records.
 */
function propheseeFile(isEcf: boolean): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(2048);
  const view = new DataView(file.buffer);
  const unset = 2n ** 64n - 1n;
  const put = (at: number, bytes: readonly number[]): number => {
    file.set(bytes, at);
    return at + bytes.length;
  };
  const number = (value: bigint | number, size: number): number[] =>
    Array.from({ length: size }, (_, index) => Number((BigInt(value) >> BigInt(8 * index)) & 255n));
  const text = (value: string): number[] => [...new TextEncoder().encode(value)];

  // Superblock, and the root group's entry in it.
  put(0, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0, 0, 8, 8, 0, ...number(4, 2), ...number(16, 2), ...number(0, 4)]);
  put(24, [...number(0, 8), ...number(unset, 8), ...number(file.length, 8), ...number(unset, 8)]);
  put(56, [...number(0, 8), ...number(128, 8)]);

  /** An object's header at `at`: messages of a type and a content, padded to 8 bytes. */
  const header = (at: number, messages: readonly [type: number, content: number[]][]): void => {
    const padded = messages.map(([type, content]) => [type, [...content, ...number(0, -content.length & 7)]] as const);
    const length = padded.reduce((sum, [, content]) => sum + 8 + content.length, 0);
    let next = put(at, [1, 0, ...number(messages.length, 2), ...number(1, 4), ...number(length, 4), ...number(0, 4)]);
    for (const [type, content] of padded) next = put(next, [...number(type, 2), ...number(content.length, 2), 0, 0, 0, 0, ...content]);
  };
  const linkInfo: [number, number[]] = [2, [0, 0, ...number(unset, 8), ...number(unset, 8)]];
  const link = (name: string, to: number): [number, number[]] => [6, [1, 0, name.length, ...text(name), ...number(to, 8)]];
  header(128, [linkInfo, link('CD', 256)]);
  header(256, [linkInfo, link('events', 384)]);

  const integer = (size: number, signed: boolean): number[] =>
    [0x10, signed ? 8 : 0, 0, 0, ...number(size, 4), ...number(0, 2), ...number(size * 8, 2)];
  const member = (name: string, offset: number, type: number[]): number[] => [
    ...text(name), ...number(0, 8 - name.length), ...number(offset, 4), 0, 0, 0, 0, ...number(0, 4), ...number(0, 4), ...number(0, 16), ...type,
  ];
  // The first version of the message pads integers' properties to nothing, members' names to 8 bytes.
  const record = [
    0x16, 4, 0, 0, ...number(16, 4),
    ...member('x', 0, integer(2, false)), ...member('y', 2, integer(2, false)), ...member('p', 4, integer(2, true)), ...member('t', 8, integer(8, true)),
  ];
  const data = 1536;
  const contiguous = [3, 1, ...number(data, 8), ...number(32, 8)];
  const chunked = [3, 2, 2, ...number(unset, 8), ...number(16384, 4), ...number(16, 4)];
  const filters: [number, number[]] = [11, [1, 1, 0, 0, 0, 0, 0, 0, ...number(0x8ecf, 2), ...number(0, 2), ...number(0, 2), ...number(0, 2)]];
  header(384, [
    [1, [1, 1, 0, 0, 0, 0, 0, 0, ...number(2, 8)]],
    [3, record],
    [5, [2, 2, 2, 0]],
    [8, isEcf ? chunked : contiguous],
    ...(isEcf ? [filters] : []),
  ]);
  const event = (at: number, x: number, y: number, p: number, t: bigint): void => {
    view.setUint16(at, x, true);
    view.setUint16(at + 2, y, true);
    view.setInt16(at + 4, p, true);
    view.setBigInt64(at + 8, t, true);
  };
  event(data, 3, 4, 1, 5_000_000_010n);
  event(data + 16, 639, 0, 0, 5_000_000_011n);
  return file;
}
