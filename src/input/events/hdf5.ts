import { AppError } from '../../base/errors';
import type { Size } from '../../base/geometry';
import { throwIfCancelled, type Task } from '../../base/progress';
import type { EventColumns } from './events';
import {
  maximumSensorSide,
  microsecondsIn,
  type ColumnName,
  type EventSource,
  type Format,
  type OpenedSource,
  type OpenOptions,
  type Position,
  type RecordingFile,
  type Tally,
  type TimeUnit,
} from './source';

/**
 * Event recordings in HDF5: DSEC (`events/x,y,t,p` and `t_offset`), MVSEC (`davis/left/events`, rows of x, y, t, p),
 * Prophesee (`CD/events`, records), what RVT makes of Gen1 and 1 Mpx (`events/x,y,t,p,height,width`), and whatever else has
 * such columns, rows or records under usual names. libhdf5 reads them, compiled to WASM (h5wasm); it is fetched when the
 * first HDF5 file is opened, and so is the filter that the file is compressed with.
 *
 * Each file has a libhdf5 of its own (30 ms), so that one that a damaged file broke is never used again.
 */
export const hdf5: Format = {
  recognises(head) {
    // A user block of 512, 1024, ... bytes may come first.
    for (let at = 0; at + signature.length <= head.length; at = at === 0 ? 512 : at * 2) {
      if (signature.every((byte, index) => head[at + index] === byte)) return true;
    }
    return false;
  },

  async open(file, _head, options, task) {
    const library = await Library.open(file, task);
    try {
      return await openEvents(library, file, options);
    } catch (error) {
      library.close();
      throw error;
    }
  },
};

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Events read at once; more where the chunks are longer, because a chunk is always decompressed as a whole. */
const pieceEvents = 1 << 17;
const maximumPieceEvents = 1 << 20;
/** What one chunk, or one column of one piece, may take in memory. */
const maximumChunkBytes = 64 << 20;
/** A file that claims more bytes of events than this times its own length does not hold them. */
const maximumCompression = 1000;

// ------------------------------------------------------------------------------------------------ layouts

type NumberType = { kind: 'integer' | 'float'; size: number; signed: boolean };

/** Where one column of events lies: a dataset of its own, a column of rows, or a member of records. */
interface Column {
  path: string;
  type: NumberType;
  /** Bytes from one event to the next, and of the value within that. */
  stride: number;
  offset: number;
}

interface Layout {
  columns: Record<ColumnName, Column>;
  count: number;
  /** The group that holds the events, for looking for the sensor's size. */
  group: string;
  /** Set where the file's kind says nothing of the unit or of the order of columns. */
  isGeneric: boolean;
  timeUnit: TimeUnit;
  /** Microseconds to add: DSEC's `t_offset`. */
  offsetUs: number;
  sensor: Size | undefined;
  format: string;
  order: readonly ColumnName[];
}

const columnAliases: Readonly<Record<ColumnName, readonly string[]>> = {
  x: ['x', 'xs'],
  y: ['y', 'ys'],
  t: ['t', 'ts', 'timestamp', 'timestamps', 'time'],
  p: ['p', 'ps', 'pol', 'polarity', 'polarities'],
};

async function openEvents(library: Library, file: RecordingFile, options: OpenOptions): Promise<OpenedSource> {
  const datasets = library.datasets();
  const layout = findLayout(library, datasets, options) ?? refuse(library, datasets, file);
  const paths = [...new Set(Object.values(layout.columns).map(({ path }) => path))];
  await prepareFilters(library, paths, file);
  checkSizes(library, paths, file);
  if (layout.isGeneric && !options.table?.timeUnit) layout.timeUnit = guessTimeUnit(library, layout);
  layout.sensor ??= sensorNear(library, layout.group);
  const source = new Hdf5Source(library, layout, paths);
  return {
    format: layout.format,
    sensor: layout.sensor,
    source,
    ...(layout.isGeneric && { table: { columns: layout.order, timeUnit: layout.timeUnit } }),
  };
}

/** The first of: records, columns in one group, rows; events of a group named `events` or `left` before others. */
function findLayout(library: Library, datasets: readonly string[], options: OpenOptions): Layout | undefined {
  const likely = (path: string): number => (/(^|\/)(events|left)(\/|$)/.test(path) ? 0 : 1);
  const ordered = [...datasets].sort((a, b) => likely(a) - likely(b));
  for (const path of ordered) {
    const found = recordsAt(library, path);
    if (found) return found;
  }
  for (const group of new Set(ordered.map(parentOf))) {
    const found = columnsIn(library, group, datasets, options);
    if (found) return found;
  }
  for (const path of ordered) {
    const found = rowsAt(library, path, options);
    if (found) return found;
  }
  return undefined;
}

/** One dataset of records with members x, y, p, t: Prophesee's `CD/events`. */
function recordsAt(library: Library, path: string): Layout | undefined {
  const { shape, compound_type: compound, size } = library.describe(path);
  if (!compound || shape?.length !== 1) return undefined;
  const member = (name: ColumnName): Column | undefined => {
    const found = compound.members.find((one) => columnAliases[name].includes(one.name.toLowerCase()));
    const type = found && numberType(found);
    return type && found.offset + type.size <= size ? { path, type, stride: size, offset: found.offset } : undefined;
  };
  const columns = allColumns(member);
  if (!columns) return undefined;
  const isProphesee = path === '/CD/events';
  return {
    columns,
    count: shape[0] ?? 0,
    group: parentOf(path),
    isGeneric: !isProphesee,
    timeUnit: 'us',
    offsetUs: 0,
    sensor: undefined,
    format: isProphesee ? 'Prophesee HDF5' : `HDF5, records in ${path}`,
    order: inOrder(columns),
  };
}

/** Datasets of one length in one group: DSEC, RVT, and what is like them. */
function columnsIn(
  library: Library,
  group: string,
  datasets: readonly string[],
  options: OpenOptions,
): Layout | undefined {
  const inGroup = datasets.filter((path) => parentOf(path) === group);
  let count: number | undefined;
  const column = (name: ColumnName): Column | undefined => {
    for (const alias of columnAliases[name]) {
      const path = inGroup.find((one) => one.slice(one.lastIndexOf('/') + 1).toLowerCase() === alias);
      if (path === undefined) continue;
      const description = library.describe(path);
      const type = numberType(description);
      const length = description.shape?.length === 1 ? description.shape[0] : undefined;
      if (!type || length === undefined) continue;
      count ??= length;
      if (length === count) return { path, type, stride: type.size, offset: 0 };
    }
    return undefined;
  };
  const columns = allColumns(column);
  if (!columns || count === undefined) return undefined;
  const offsetPath = ['/t_offset', `${group}/t_offset`].find((path) => datasets.includes(path));
  const isDsec = offsetPath !== undefined && datasets.includes('/ms_to_idx');
  const hasSize = datasets.includes(`${group}/width`) && datasets.includes(`${group}/height`);
  const isGeneric = !isDsec && !(hasSize && columns.t.type.kind === 'integer');
  return {
    columns,
    count,
    group,
    isGeneric,
    timeUnit: (isGeneric && options.table?.timeUnit) || 'us',
    offsetUs: (offsetPath !== undefined && library.scalar(offsetPath)) || 0,
    sensor: undefined,
    format: isDsec ? 'HDF5, DSEC layout' : `HDF5, columns in ${group || '/'}`,
    order: inOrder(columns),
  };
}

/** One dataset of rows of four numbers: MVSEC's x, y, t, p with seconds; else t, x, y, p as v2e writes them. */
function rowsAt(library: Library, path: string, options: OpenOptions): Layout | undefined {
  const description = library.describe(path);
  const type = numberType(description);
  const [count, width] = description.shape ?? [];
  if (!type || description.shape?.length !== 2 || count === undefined || width !== 4) return undefined;
  if (!/events?$/i.test(path)) return undefined;
  const isMvsec = /^\/davis\/(left|right)\/events$/.test(path);
  const chosen = options.table?.columns?.filter((name) => name !== 'other');
  const order: readonly ColumnName[] =
    !isMvsec && chosen && new Set(chosen).size === 4 ? chosen : isMvsec ? ['x', 'y', 't', 'p'] : ['t', 'x', 'y', 'p'];
  const columns = allColumns((name) => ({ path, type, stride: 4 * type.size, offset: order.indexOf(name) * type.size }));
  if (!columns) return undefined;
  return {
    columns,
    count,
    group: parentOf(path),
    isGeneric: !isMvsec,
    timeUnit: isMvsec ? 's' : (options.table?.timeUnit ?? 'us'),
    offsetUs: 0,
    // The DAVIS m346B of the data set; its files do not say it.
    sensor: isMvsec ? { width: 346, height: 260 } : undefined,
    format: isMvsec ? 'HDF5, MVSEC layout' : `HDF5, rows in ${path}`,
    order,
  };
}

function allColumns(find: (name: ColumnName) => Column | undefined): Record<ColumnName, Column> | undefined {
  const x = find('x');
  const y = x && find('y');
  const t = y && find('t');
  const p = t && find('p');
  return p && { x, y, t, p };
}

/** For showing: as they follow each other in a record, else as they are usually named. */
function inOrder(columns: Record<ColumnName, Column>): readonly ColumnName[] {
  return (['x', 'y', 't', 'p'] as const).toSorted((a, b) => columns[a].offset - columns[b].offset);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function refuse(library: Library, datasets: readonly string[], file: RecordingFile): never {
  if (datasets.some((path) => library.describe(path).shape?.length === 4)) {
    throw new AppError(
      'input/unsupported',
      `${file.name} holds event frames that were already counted (stacked histograms, tensors), not events.`,
      'Open the recording that they were made from.',
    );
  }
  const named = datasets.slice(0, 6).join(', ');
  throw new AppError(
    'input/unsupported',
    `${file.name} is an HDF5 file without events in a layout that is known here${named && `; it holds ${named}`}.`,
    'Events are found as DSEC, MVSEC and Prophesee store them, or as columns x, y, t and p in one group.',
  );
}

/**
 * Dimensions are only claims. What is not compressed must fit into the file, and the rest must not be longer than any
 * compression would make of it; else a few damaged bytes would cost hours of reading nothing.
 */
function checkSizes(library: Library, paths: readonly string[], file: RecordingFile): void {
  let claimed = 0;
  for (const path of paths) {
    const { shape, size, chunks, total_size: items, virtual_sources: elsewhere } = library.describe(path);
    if (elsewhere) throw unsupported(file, 'keeps its events in further files');
    const bytes = items * size;
    claimed += bytes;
    const isFiltered = library.filters(path).length > 0;
    if (!Number.isSafeInteger(bytes) || (!isFiltered && bytes > file.blob.size)) throw unreadable(file.name);
    const chunkBytes = (chunks ?? []).reduce((product, side) => product * side, size);
    if (isFiltered && chunkBytes > maximumChunkBytes) {
      throw new AppError(
        'input/too-large',
        `${file.name} is stored in chunks of more than ${maximumChunkBytes >> 20} MB.`,
        'Store it anew with smaller chunks (h5repack -l CHUNK=65536).',
      );
    }
    if (shape === null) throw unreadable(file.name);
  }
  if (claimed > maximumCompression * file.blob.size) throw unreadable(file.name);
}

/** Seconds are the only floating times with fractions; as integers only nanoseconds since 1970 pass 1e17. */
function guessTimeUnit(library: Library, layout: Layout): TimeUnit {
  const { t } = layout.columns;
  const sample = Math.min(layout.count, 4096);
  const bytes = sample > 0 ? library.read(t.path, 0, sample) : undefined;
  if (!bytes) return t.type.kind === 'float' ? 's' : 'us';
  const times = valuesOf(bytes, sample, t);
  let fractions = false;
  let largest = 0;
  for (let index = 0; index < sample; index++) {
    const time = times[index] ?? 0;
    if (!Number.isInteger(time)) fractions = true;
    if (time > largest) largest = time;
  }
  if (fractions) return 's';
  return largest > 1e17 ? 'ns' : 'us';
}

/** From attributes or datasets `width` and `height`, `geometry` ("1280x720") or `sensor_resolution` (rows, columns). */
function sensorNear(library: Library, group: string): Size | undefined {
  for (const place of new Set([group || '/', '/'])) {
    const attribute = (name: string): (number | string)[] => library.attribute(place, name);
    const number = (name: string): number => {
      const value = attribute(name)[0] ?? library.scalar(`${place === '/' ? '' : place}/${name}`);
      return typeof value === 'number' ? value : NaN;
    };
    const [resolutionHeight, resolutionWidth] = attribute('sensor_resolution').map(Number);
    const [, geometryWidth, geometryHeight] = /^(\d+)x(\d+)$/.exec(String(attribute('geometry')[0] ?? '')) ?? [];
    const sizes = [
      { width: number('width'), height: number('height') },
      { width: Number(geometryWidth), height: Number(geometryHeight) },
      { width: resolutionWidth ?? NaN, height: resolutionHeight ?? NaN },
    ];
    const isSide = (side: number): boolean => Number.isInteger(side) && side > 0 && side <= maximumSensorSide;
    const found = sizes.find(({ width, height }) => isSide(width) && isSide(height));
    if (found) return found;
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------ reading

class Hdf5Source implements EventSource {
  readonly total: number;
  readonly unit = 'items';
  readonly start: Position = { done: 0 };
  private readonly pieceLength: number;
  /** The step in which a piece that cannot be read as a whole is read again. */
  private readonly shortLength: number;

  constructor(
    private readonly library: Library,
    private readonly layout: Layout,
    private readonly paths: readonly string[],
  ) {
    this.total = layout.count;
    const longestChunk = Math.max(1, ...paths.map((path) => library.describe(path).chunks?.[0] ?? 1));
    const widest = Math.max(...paths.map((path) => rowBytes(library, path)));
    const most = Math.max(1, Math.min(maximumPieceEvents, Math.floor(maximumChunkBytes / widest)));
    this.pieceLength = Math.min(most, Math.ceil(pieceEvents / longestChunk) * longestChunk);
    this.shortLength = Math.min(this.pieceLength, Math.max(longestChunk, 1 << 12));
  }

  read({ done }: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined> {
    throwIfCancelled(task.signal);
    const end = Math.min(done + this.pieceLength, this.total);
    if (!this.append(done, end, into, tally)) {
      for (let from = done; from < end; from += this.shortLength) {
        throwIfCancelled(task.signal);
        if (!this.append(from, Math.min(from + this.shortLength, end), into, tally)) tally.add('damaged');
      }
    }
    return Promise.resolve(end < this.total ? { done: end } : undefined);
  }

  close(): void {
    this.library.close();
  }

  /** False where one of the columns cannot be read; then nothing is appended. */
  private append(from: number, end: number, into: EventColumns, tally: Tally): boolean {
    const count = end - from;
    if (count <= 0) return true;
    const bytes = new Map<string, Uint8Array>();
    for (const path of this.paths) {
      const read = this.library.read(path, from, count);
      if (!read) return false;
      bytes.set(path, read);
    }
    const { columns, timeUnit, offsetUs } = this.layout;
    const values = (name: ColumnName): ArrayLike<number> =>
      valuesOf(bytes.get(columns[name].path) ?? new Uint8Array(), count, columns[name]);
    const x = values('x');
    const y = values('y');
    const p = values('p');
    const t = timesOf(bytes.get(columns.t.path) ?? new Uint8Array(), count, columns.t, timeUnit);
    into.reserve(count);
    let outside = 0;
    let damaged = 0;
    let at = into.count;
    for (let index = 0; index < count; index++) {
      const column = Math.round(x[index] ?? 0);
      const row = Math.round(y[index] ?? 0);
      const time = (t[index] ?? 0) + offsetUs;
      if (!(Math.abs(time) <= Number.MAX_SAFE_INTEGER)) damaged++;
      else if (!(column >= 0 && column <= 0xffff && row >= 0 && row <= 0xffff)) outside++;
      else {
        into.t[at] = time;
        into.x[at] = column;
        into.y[at] = row;
        // Stored as 0 and 1, as -1 and 1, or as truth values.
        into.p[at] = (p[index] ?? 0) > 0 ? 1 : 0;
        at++;
      }
    }
    into.count = at;
    tally.add('damaged', damaged);
    tally.add('outsideSensor', outside);
    return true;
  }
}

function rowBytes(library: Library, path: string): number {
  const { shape, size } = library.describe(path);
  return (shape ?? []).slice(1).reduce((product, side) => product * side, size);
}

/** One column out of bytes as libhdf5 gives them (little-endian). Copies only where the values do not lie side by side. */
function valuesOf(bytes: Uint8Array, count: number, { type, stride, offset }: Column): ArrayLike<number> {
  const { kind, size, signed } = type;
  if (stride === size && !(kind === 'integer' && size === 8)) {
    const { buffer, byteOffset } = bytes;
    if (kind === 'float') return size === 8 ? new Float64Array(buffer, byteOffset, count) : new Float32Array(buffer, byteOffset, count);
    if (size === 1) return signed ? new Int8Array(buffer, byteOffset, count) : new Uint8Array(buffer, byteOffset, count);
    if (size === 2) return signed ? new Int16Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count);
    return signed ? new Int32Array(buffer, byteOffset, count) : new Uint32Array(buffer, byteOffset, count);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(count);
  const get = getter(view, type);
  for (let index = 0, at = offset; index < count; index++, at += stride) values[index] = get(at);
  return values;
}

function getter(view: DataView, { kind, size, signed }: NumberType): (at: number) => number {
  if (kind === 'float') return size === 8 ? (at) => view.getFloat64(at, true) : (at) => view.getFloat32(at, true);
  if (size === 1) return signed ? (at) => view.getInt8(at) : (at) => view.getUint8(at);
  if (size === 2) return signed ? (at) => view.getInt16(at, true) : (at) => view.getUint16(at, true);
  if (size === 4) return signed ? (at) => view.getInt32(at, true) : (at) => view.getUint32(at, true);
  // Exact to 2^53, and many times faster than by way of BigInt.
  return signed
    ? (at) => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
    : (at) => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** Whole microseconds: what a clock in seconds has beyond them is only the rounding of its floating point. */
function timesOf(bytes: Uint8Array, count: number, column: Column, unit: TimeUnit): ArrayLike<number> {
  if (unit === 'ns' && column.type.kind === 'integer' && column.type.size === 8) {
    return wholeMicroseconds(bytes, count, column);
  }
  const values = valuesOf(bytes, count, column);
  if (unit === 'us' && column.type.kind === 'integer') return values;
  const factor = microsecondsIn[unit];
  return Float64Array.from(values, (value) => Math.round(value * factor));
}

/** Nanoseconds since 1970 do not fit into 2^53, so the two halves of the integer are divided before they are joined. */
function wholeMicroseconds(bytes: Uint8Array, count: number, { stride, offset, type }: Column): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const times = new Float64Array(count);
  for (let index = 0, at = offset; index < count; index++, at += stride) {
    const high = type.signed ? view.getInt32(at + 4, true) : view.getUint32(at + 4, true);
    // 2^32 = 4294967 · 1000 + 296.
    times[index] = high * 4294967 + Math.floor((high * 296 + view.getUint32(at, true)) / 1000);
  }
  return times;
}

// ------------------------------------------------------------------------------------------------ filters

/** The compressions that are no part of libhdf5 and whose programs are served beside it, by their registered numbers. */
const filterPlugins: Readonly<Record<number, { name: string; url: () => URL }>> = {
  32000: { name: 'lzf', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zlzf.so', import.meta.url) },
  32001: { name: 'blosc', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zblosc.so', import.meta.url) },
  32004: { name: 'lz4', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zlz4.so', import.meta.url) },
  32008: { name: 'bshuf', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zbshuf.so', import.meta.url) },
  32015: { name: 'zstd', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zzstd.so', import.meta.url) },
  32026: { name: 'blosc2', url: () => new URL('../../../node_modules/h5wasm-plugins/plugins/libH5Zblosc2.so', import.meta.url) },
};
/** Deflate, shuffle, Fletcher checksum, n-bit, scale-offset. */
const builtInFilters = [1, 2, 3, 5, 6];
const ecfFilter = 0x8ecf;

async function prepareFilters(library: Library, paths: readonly string[], file: RecordingFile): Promise<void> {
  const filters = new Map(paths.flatMap((path) => library.filters(path)).map((filter) => [filter.id, filter]));
  for (const { id, name } of filters.values()) {
    if (builtInFilters.includes(id)) continue;
    if (id === ecfFilter) {
      throw new AppError(
        'input/unsupported',
        `${file.name} is compressed with Prophesee's ECF codec, which is not read here.`,
        'Convert it with metavision_file_to_dat or metavision_file_to_csv of the Metavision SDK, or open the RAW file that it was made from.',
      );
    }
    const plugin = filterPlugins[id];
    if (!plugin) throw unsupported(file, `is compressed with the HDF5 filter ${id}${name && ` (${name})`}, which is not known here`);
    library.addPlugin(plugin.name, await bytesAt(plugin.url()));
  }
}

/** A file of the program itself. */
async function bytesAt(url: URL): Promise<Uint8Array> {
  if (url.protocol === 'file:') {
    // In Node, whose `fetch` reads no files; written so that no bundle looks for the module.
    const { readFile } = process.getBuiltinModule('node:fs/promises');
    return readFile(url);
  }
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} for ${url.href}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw partMissing(error);
  }
}

// ------------------------------------------------------------------------------------------------ libhdf5

interface Description {
  type: number;
  size: number;
  signed: boolean;
  vlen: boolean;
  shape: number[] | null;
  total_size: number;
  chunks: number[] | null;
  compound_type?: { members: (Description & { name: string; offset: number })[] };
  virtual_sources?: unknown[];
}

interface Filter {
  id: number;
  name: string;
}

/** What is used of h5wasm's WASM module; `h5wasm` itself would make one module for the whole page, for ever. */
interface H5Module {
  open(path: string, mode: number, trackOrder: boolean): bigint;
  close_file(file: bigint): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  get_dataset_metadata(file: bigint, path: string): Description;
  get_dataset_filters(file: bigint, path: string): Filter[];
  get_dataset_data(file: bigint, path: string, count: bigint[], offset: bigint[], strides: bigint[], to: bigint): number;
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): Description;
  get_attribute_data(file: bigint, path: string, name: string, to: bigint): number;
  get_plugin_search_paths(): string[];
  UTF8ToString(at: number, most?: number): string;
  _malloc(bytes: number): number;
  _free(at: number): void;
  readonly HEAPU8: Uint8Array;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  readonly FS: {
    writeFile(path: string, bytes: Uint8Array): void;
    mkdirTree(path: string): void;
    lookupPath(path: string): { node: FileNode };
  };
}

/** A node of Emscripten's file system in memory, whose content is replaced. */
interface FileNode {
  usedBytes: number;
  stream_ops: { read: (stream: unknown, buffer: Uint8Array, offset: number, length: number, position: number) => number };
}

type ModuleFactory = (settings: {
  noInitialRun: boolean;
  wasmMemory: WebAssembly.Memory;
  print: () => void;
  printErr: () => void;
}) => Promise<H5Module>;

const pageBytes = 64 * 1024;
const initialMemoryBytes = 16 << 20;
/** libhdf5 gets no more than this whatever a file claims: room for two columns of chunks, packed and unpacked. */
const maximumMemoryBytes = 512 << 20;

const integerClass = 0;
const floatClass = 1;
const stringClass = 3;
const enumClass = 8;

/** A walk through groups ends here: recordings have a few dozen objects in two or three levels. */
const maximumObjects = 1000;
const maximumDepth = 5;
const maximumAttributeBytes = 4096;

/** One open file, and the libhdf5 that reads it. Synchronous once it is open. */
class Library {
  private readonly descriptions = new Map<string, Description>();

  private constructor(
    private module: H5Module | undefined,
    private readonly handle: bigint,
    private readonly fileName: string,
  ) {}

  static async open(file: RecordingFile, task: Task): Promise<Library> {
    const bytes = await synchronousBytes(file);
    const url = new URL('../../../node_modules/h5wasm/dist/esm/hdf5_util.js', import.meta.url);
    const factory = await import(/* @vite-ignore */ url.href).then(
      (library: { default: ModuleFactory }) => library.default,
      (error: unknown) => {
        throw partMissing(error);
      },
    );
    throwIfCancelled(task.signal);
    const module = await factory({
      noInitialRun: true,
      wasmMemory: new WebAssembly.Memory({
        initial: initialMemoryBytes / pageBytes,
        maximum: maximumMemoryBytes / pageBytes,
      }),
      print: () => undefined,
      printErr: () => undefined,
    });
    const path = '/recording.h5';
    module.FS.writeFile(path, new Uint8Array());
    const { node } = module.FS.lookupPath(path);
    node.usedBytes = file.blob.size;
    node.stream_ops = {
      ...node.stream_ops,
      read: (_stream, buffer, offset, length, position) => {
        const read = bytes.read(position, Math.min(length, file.blob.size - position));
        buffer.set(read, offset);
        return read.length;
      },
    };
    const library = new Library(module, -1n, file.name);
    const handle = library.call((h5) => h5.open(path, 0, false));
    if (handle === undefined || handle < 0n) throw unreadable(file.name);
    return new Library(module, handle, file.name);
  }

  close(): void {
    try {
      this.module?.close_file(this.handle);
    } catch {
      // Broken by a damaged file: forgetting it frees all that it held.
    }
    this.module = undefined;
  }

  addPlugin(name: string, bytes: Uint8Array): void {
    this.call((h5) => {
      const [folder = '/'] = h5.get_plugin_search_paths();
      h5.FS.mkdirTree(folder);
      h5.FS.writeFile(`${folder}/libH5Z${name}.so`, bytes);
    });
  }

  /** The paths of all datasets, "/events/x". */
  datasets(): string[] {
    const found: string[] = [];
    let seen = 0;
    const visit = (group: string, depth: number): void => {
      for (const name of this.call((h5) => h5.get_names(this.handle, group || '/', false)) ?? []) {
        if (++seen > maximumObjects) return;
        const path = `${group}/${name}`;
        const type = this.call((h5) => [h5.get_type(this.handle, path), h5.H5G_GROUP, h5.H5G_DATASET]);
        if (!type) continue;
        if (type[0] === type[1] && depth < maximumDepth) visit(path, depth + 1);
        if (type[0] === type[2] && this.describe(path).size > 0) found.push(path);
      }
    };
    visit('', 1);
    return found;
  }

  /** Of a dataset; an unreadable one counts as empty. */
  describe(path: string): Description {
    const known = this.descriptions.get(path);
    if (known) return known;
    const description = this.call((h5) => h5.get_dataset_metadata(this.handle, path)) ?? nothing;
    this.descriptions.set(path, description);
    return description;
  }

  filters(path: string): Filter[] {
    return this.call((h5) => h5.get_dataset_filters(this.handle, path)) ?? [];
  }

  /** Rows `from` to `from + count - 1` of a dataset as little-endian bytes; undefined where libhdf5 cannot read them. */
  read(path: string, from: number, count: number): Uint8Array | undefined {
    const { shape, size } = this.describe(path);
    if (!shape) return undefined;
    const rows = shape.length > 0 ? [count, ...shape.slice(1)] : [];
    const bytes = rows.reduce((product, side) => product * side, size);
    if (bytes > maximumChunkBytes) return undefined;
    return this.withMemory(bytes, (h5, at) => {
      const offset = rows.map((_, axis) => (axis === 0 ? BigInt(from) : 0n));
      const strides = rows.map(() => 1n);
      return h5.get_dataset_data(this.handle, path, rows.map(BigInt), offset, strides, BigInt(at)) >= 0;
    });
  }

  /** The one number of a dataset; undefined where there is no such thing. */
  scalar(path: string): number | undefined {
    const type = this.call((h5) => h5.get_type(this.handle, path) === h5.H5G_DATASET) && numberType(this.describe(path));
    if (!type || this.describe(path).total_size !== 1) return undefined;
    const bytes = this.read(path, 0, 1);
    return bytes && getter(new DataView(bytes.buffer), type)(0);
  }

  /** The values of an attribute: numbers, or one text; none where it is missing or something else. */
  attribute(path: string, name: string): (number | string)[] {
    const names = this.call((h5) => h5.get_attribute_names(this.handle, path));
    if (!names?.includes(name)) return [];
    const description = this.call((h5) => h5.get_attribute_metadata(this.handle, path, name));
    if (!description) return [];
    const bytes = description.size * description.total_size;
    if (!(bytes > 0 && bytes <= maximumAttributeBytes)) return [];
    const read = this.withMemory(bytes, (h5, at) => h5.get_attribute_data(this.handle, path, name, BigInt(at)) >= 0);
    if (!read) return [];
    const view = new DataView(read.buffer);
    if (description.type === stringClass) {
      if (!description.vlen) return [new TextDecoder().decode(read).replace(/\0.*$/s, '')];
      return [this.call((h5) => h5.UTF8ToString(view.getUint32(0, true), maximumAttributeBytes)) ?? ''];
    }
    const type = numberType(description);
    if (!type) return [];
    return Array.from({ length: description.total_size }, (_, index) => getter(view, type)(index * type.size));
  }

  /** Memory of libhdf5 that `fill` writes into, as a copy; undefined where it answers false or there is none. */
  private withMemory(bytes: number, fill: (h5: H5Module, at: number) => boolean): Uint8Array | undefined {
    return this.call((h5) => {
      const at = h5._malloc(bytes);
      if (at === 0) return undefined;
      // Where a file has no value for an item, libhdf5 may leave it as it was.
      h5.HEAPU8.fill(0, at, at + bytes);
      const copy = fill(h5, at) ? h5.HEAPU8.slice(at, at + bytes) : undefined;
      h5._free(at);
      return copy;
    });
  }

  /**
   * Calls libhdf5; undefined where it refuses.
   * @throws AppError `input/unreadable` where it broke down (a trap, an abort): from then on it answers nothing
   */
  private call<T>(run: (h5: H5Module) => T): T | undefined {
    if (!this.module) throw unreadable(this.fileName);
    try {
      return run(this.module);
    } catch (error) {
      // h5wasm's own way of saying that there is no such object.
      if (error instanceof Error && error.message.startsWith('error - ')) return undefined;
      this.module = undefined;
      throw unreadable(this.fileName, error);
    }
  }
}

const nothing: Description = { type: -1, size: 0, signed: false, vlen: false, shape: null, total_size: 0, chunks: null };

function numberType({ type, size, signed, vlen }: Description): NumberType | undefined {
  if (vlen) return undefined;
  // h5py stores truth values as an enumeration of one byte.
  if ((type === integerClass || type === enumClass) && [1, 2, 4, 8].includes(size)) return { kind: 'integer', size, signed };
  if (type === floatClass && (size === 4 || size === 8)) return { kind: 'float', size, signed: true };
  return undefined;
}

// ------------------------------------------------------------------------------------------------ the file's bytes

interface SynchronousBytes {
  /** At most `length` bytes from `position` on. */
  read(position: number, length: number): Uint8Array;
}

/** Without a way to wait for a slice (outside of a browser's worker) the file is held in memory, up to this. */
const maximumHeldBytes = 2 ** 30;

/** libhdf5 asks for bytes in the middle of its work and cannot wait. */
async function synchronousBytes({ blob, name }: RecordingFile): Promise<SynchronousBytes> {
  if (typeof FileReaderSync !== 'undefined') return new PagedBytes(blob, new FileReaderSync());
  if (blob.size > maximumHeldBytes) {
    throw new AppError(
      'input/too-large',
      `${name} is larger than ${maximumHeldBytes / 2 ** 30} GB, the most that an HDF5 file may have on the command line.`,
      'Open it on the page, which reads it in pieces.',
    );
  }
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return { read: (position, length) => bytes.subarray(position, position + Math.max(0, length)) };
}

/** Reads slices of a file while the worker waits; keeps a few, because libhdf5 asks for dozens of bytes at a time. */
class PagedBytes implements SynchronousBytes {
  private static readonly sliceBytes = 256 * 1024;
  private static readonly mostSlices = 64;
  /** In the order of their last use. */
  private readonly slices = new Map<number, Uint8Array>();

  constructor(
    private readonly blob: Blob,
    private readonly reader: FileReaderSync,
  ) {}

  read(position: number, length: number): Uint8Array {
    if (length <= 0) return new Uint8Array();
    if (length >= PagedBytes.sliceBytes) return this.direct(position, position + length);
    const index = Math.floor(position / PagedBytes.sliceBytes);
    const slice = this.slice(index);
    const within = position - index * PagedBytes.sliceBytes;
    // May be fewer than asked for at the slice's end; the caller then asks for the rest.
    return slice.subarray(within, within + length);
  }

  private slice(index: number): Uint8Array {
    const from = index * PagedBytes.sliceBytes;
    const slice = this.slices.get(index) ?? this.direct(from, from + PagedBytes.sliceBytes);
    this.slices.delete(index);
    this.slices.set(index, slice);
    const [oldest] = this.slices.keys();
    if (this.slices.size > PagedBytes.mostSlices && oldest !== undefined) this.slices.delete(oldest);
    return slice;
  }

  private direct(from: number, to: number): Uint8Array {
    return new Uint8Array(this.reader.readAsArrayBuffer(this.blob.slice(from, to)));
  }
}

// ------------------------------------------------------------------------------------------------ errors

function unreadable(name: string, cause?: unknown): AppError {
  return new AppError(
    'input/unreadable',
    `${name} is a damaged HDF5 file.`,
    'Copy or download it again; h5repack may save what is left of it.',
    cause,
  );
}

function unsupported({ name }: RecordingFile, what: string): AppError {
  return new AppError('input/unsupported', `${name} ${what}.`, 'Store it anew without that (h5repack), or export the events as text.');
}

function partMissing(cause: unknown): AppError {
  return new AppError(
    'fetch/failed',
    'The part of the program that reads HDF5 could not be fetched.',
    'Check the connection, and open the file again.',
    cause,
  );
}
