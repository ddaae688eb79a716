import { AppError } from '../../base/errors';
import { throwIfCancelled, type Task } from '../../base/progress';
import type { EventColumns } from './events';
import {
  columnNames,
  microsecondsIn,
  type ColumnName,
  type EventSource,
  type Format,
  type OpenedSource,
  type OpenOptions,
  type Position,
  type RecordingFile,
  type TableInterpretation,
  type Tally,
} from './source';
import { guessColumns, guessTimeUnit } from './tableGuess';

/**
 * NumPy's arrays of events: `.npy` with named fields or with four columns, and `.npz` with one such array or with an array for each
 * column. (NumPy's description of its format.)
 */
export const npy: Format = {
  recognises: (head, name) => isNpy(head) || (isZip(head) && (/\.npz$/i.test(name) || isZipOfArrays(head))),

  open: (file, head, options, task) => (isNpy(head) ? openNpy(file, options, task) : openNpz(file, options, task)),
};

function isNpy(head: Uint8Array): boolean {
  return [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((byte, index) => head[index] === byte);
}

function isZip(head: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, index) => head[index] === byte);
}

/** By the name of the first entry. */
function isZipOfArrays(head: Uint8Array): boolean {
  const length = (head[26] ?? 0) | ((head[27] ?? 0) << 8);
  return new TextDecoder('latin1').decode(head.subarray(30, 30 + length)).endsWith('.npy');
}

async function openNpy(file: RecordingFile, options: OpenOptions, task: Task): Promise<OpenedSource> {
  const array = await readHeader(file.blob, file.name);
  const columns = columnsOf(array, file.name);
  return openTable(columns, 'NumPy (npy)', file.name, options, task);
}

/** Unpacked content of a zip is held in memory, so that it can be read from any place. */
const maximumUnpackedBytes = 1 << 30;
/** Events shrink to a tenth or so: what claims to have shrunk further than this may come to a little only. */
const believableShrinking = 100;
const alwaysUnpackedBytes = 64 << 20;

async function openNpz(file: RecordingFile, options: OpenOptions, task: Task): Promise<OpenedSource> {
  const arrays = await unpackArrays(file, task);
  const single = arrays.size === 1 ? [...arrays.values()][0] : arrays.get('events');
  if (single) return openTable(columnsOf(single, file.name), 'NumPy (npz)', file.name, options, task);
  const columns: Column[] = [];
  for (const [entry, array] of arrays) {
    const name = fieldMeaning(entry);
    const [field] = array.fields;
    if (name && field && array.fields.length === 1) columns.push({ ...field, name, blob: array.blob, start: array.dataOffset, stride: array.rowBytes, count: array.rows });
  }
  return openTable({ columns, isNamed: true }, 'NumPy (npz)', file.name, options, task);
}

async function unpackArrays({ blob, name }: RecordingFile, task: Task): Promise<Map<string, NpyArray>> {
  const { BlobReader, ZipReader, configure } = await import('@zip.js/zip.js');
  configure({ useWebWorkers: false });
  const reader = new ZipReader(new BlobReader(blob));
  const arrays = new Map<string, NpyArray>();
  let left = Math.min(maximumUnpackedBytes, Math.max(alwaysUnpackedBytes, blob.size * believableShrinking));
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (entry.directory || !entry.filename.endsWith('.npy')) continue;
      throwIfCancelled(task.signal);
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      if (entry.uncompressedSize > left) {
        throw new AppError('input/too-large', `${name} unpacks to more than can be held here.`, 'Save its events as .npy: that is read piece by piece.');
      }
      // What the archive claims of its sizes is not trusted: what comes out is counted.
      const claimed = entry.uncompressedSize;
      let size = 0;
      await entry.getData(
        new WritableStream<Uint8Array<ArrayBuffer>>({
          write: (chunk) => {
            size += chunk.length;
            if (size > claimed) throw new RangeError('more than the archive says');
            chunks.push(chunk);
          },
        }),
        { signal: task.signal },
      );
      left -= size;
      arrays.set(entry.filename.replace(/\.npy$/, ''), await readHeader(new Blob(chunks), name));
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throwIfCancelled(task.signal);
    throw unreadable(name, 'the archive is damaged', cause);
  } finally {
    await reader.close();
  }
  return arrays;
}

/** One number of each row. */
interface Field {
  name: string;
  type: string;
  bytes: number;
  isLittleEndian: boolean;
  /** Within a row. */
  offset: number;
}

interface NpyArray {
  blob: Blob;
  dataOffset: number;
  fields: Field[];
  rows: number;
  rowBytes: number;
  /** Each field's values lie together, as in Fortran. */
  isByColumn: boolean;
  /** The fields have names of their own. */
  isNamed: boolean;
}

const maximumHeaderBytes = 64 * 1024;

async function readHeader(blob: Blob, name: string): Promise<NpyArray> {
  const head = new Uint8Array(await blob.slice(0, maximumHeaderBytes).arrayBuffer());
  return { blob, ...parseHeader(head, blob.size, name) };
}

/** `('x', '<u2')` */
const fieldPattern = /\(\s*'([^']*)',\s*'([<>|=]?)([a-z?])(\d*)'\s*\)/gi;

/** @param fileBytes what the header claims is clipped to it */
function parseHeader(head: Uint8Array, fileBytes: number, name: string): Omit<NpyArray, 'blob'> {
  if (!isNpy(head) || head.length < 12) throw unreadable(name, 'it is no NumPy array');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const isVersion1 = head[6] === 1;
  const start = isVersion1 ? 10 : 12;
  const length = isVersion1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataOffset = start + length;
  if (dataOffset > head.length) throw unreadable(name, 'its header is cut off');
  const text = new TextDecoder('latin1').decode(head.subarray(start, dataOffset));
  const shape = /'shape':\s*\(([\d\s,L]*)\)/.exec(text)?.[1]?.match(/\d+/g)?.map(Number);
  const descr = /'descr':\s*('[^']*'|\[[^\]]*\])/.exec(text)?.[1];
  if (!shape || !descr) throw unreadable(name, 'its header does not say what is in it');
  const isFortran = /'fortran_order':\s*True/.test(text);
  const dataBytes = fileBytes - dataOffset;
  if (descr.startsWith('[')) {
    let rowBytes = 0;
    const fields = Array.from(descr.matchAll(fieldPattern), ([, field = '', order = '', type = '', size = '']): Field => {
      const bytes = type === '?' ? 1 : Number(size);
      const parsed = { name: field, type, bytes, isLittleEndian: order !== '>', offset: rowBytes };
      rowBytes += bytes;
      return parsed;
    });
    // A field that is not understood (a part of an array, a date) would shift all behind it.
    const isUnderstood = /^[[\],\s]*$/.test(descr.replace(fieldPattern, '')) && fields.every(({ bytes }) => bytes > 0);
    if (!isUnderstood || fields.length === 0 || shape.length !== 1) throw unreadable(name, 'its fields are none of events');
    return { dataOffset, fields, rows: Math.min(shape[0] ?? 0, Math.floor(dataBytes / rowBytes)), rowBytes, isByColumn: false, isNamed: true };
  }
  const [, order = '', type = '', size = ''] = /^'([<>|=]?)([a-z?])(\d*)'$/i.exec(descr) ?? [];
  const bytes = type === '?' ? 1 : Number(size);
  const [first = 0, second = 1] = shape;
  if (type === '' || bytes === 0 || shape.length > 2 || shape.length === 0) throw unreadable(name, `its values are of a kind that is no number (${descr})`);
  // An array of 4 x N holds its columns one after the other.
  const isTransposed = shape.length === 2 && first <= 8 && second > 8;
  const rows = isTransposed ? second : first;
  const columns = shape.length === 1 ? 1 : isTransposed ? first : second;
  if (columns > 64) throw unreadable(name, `it is a table of ${columns} columns`);
  const isByColumn = isTransposed !== isFortran;
  const present = Math.min(rows, Math.floor(dataBytes / (bytes * Math.max(columns, 1))));
  const fields = Array.from({ length: columns }, (_, column): Field => ({
    name: String(column),
    type,
    bytes,
    isLittleEndian: order !== '>',
    // By column the place depends on the rows that the header claims, present or not.
    offset: isByColumn ? column * rows * bytes : column * bytes,
  }));
  return { dataOffset, fields, rows: present, rowBytes: isByColumn ? bytes : bytes * columns, isByColumn, isNamed: false };
}

/** A column of the table of events, wherever its values lie. */
interface Column extends Field {
  blob: Blob;
  /** Of the first row. */
  start: number;
  stride: number;
  count: number;
}

interface Columns {
  columns: Column[];
  isNamed: boolean;
}

function columnsOf(array: NpyArray, name: string): Columns {
  const columns = array.fields.map((field): Column => ({
    ...field,
    blob: array.blob,
    start: array.dataOffset,
    stride: array.rowBytes,
    count: array.rows,
    name: array.isNamed ? (fieldMeaning(field.name) ?? field.name) : field.name,
  }));
  if (!array.isNamed && columns.length < 4) throw unreadable(name, `it has ${columns.length} columns, and events need four`);
  return { columns, isNamed: array.isNamed };
}

const meanings: readonly [ColumnName, RegExp][] = [
  ['t', /^(t|ts|time|timestamps?)$/i],
  ['x', /^(x|xs|x_pos|col)$/i],
  ['y', /^(y|ys|y_pos|row)$/i],
  ['p', /^(p|ps|pol|polarity|polarities|on)$/i],
];

/** `timestamp_us`, `t [s]`. */
export const unitSuffix = /[_\s[(]+(s|ms|us|ns)[\])]?$/i;

/** What a field's name says that it holds. */
export function fieldMeaning(name: string): ColumnName | undefined {
  const bare = name.replace(unitSuffix, '');
  return meanings.find(([, pattern]) => pattern.test(bare))?.[0];
}

async function openTable({ columns, isNamed }: Columns, format: string, name: string, options: OpenOptions, task: Task): Promise<OpenedSource> {
  const sample = await readColumns(columns, 0, Math.min(sampleRows, Math.min(...columns.map(({ count }) => count))), task);
  const table: TableInterpretation = {
    columns: options.table?.columns ?? (isNamed ? columns.map((column) => fieldMeaning(column.name) ?? 'other') : guessColumns(sample)),
    timeUnit: options.table?.timeUnit ?? 'us',
  };
  const chosen = columnNames.map((wanted) => columns[table.columns.indexOf(wanted)]);
  const [t, x, y, p] = chosen;
  if (!t || !x || !y || !p) throw unreadable(name, 'it has no columns for time, x, y and polarity');
  table.timeUnit = options.table?.timeUnit ?? guessTimeUnit(sample[columns.indexOf(t)] ?? []);
  return {
    format,
    sensor: undefined,
    source: new TableSource({ t, x, y, p }, microsecondsIn[table.timeUnit]),
    // Names leave only the unit open.
    table,
  };
}

const sampleRows = 4096;
const pieceRows = 1 << 16;

class TableSource implements EventSource {
  readonly unit = 'items';
  readonly start: Position = { done: 0 };
  readonly total: number;

  constructor(
    private readonly columns: Record<ColumnName, Column>,
    private readonly timeUnitUs: number,
  ) {
    this.total = Math.min(...Object.values(columns).map(({ count }) => count));
  }

  async read({ done }: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined> {
    const end = Math.min(done + pieceRows, this.total);
    const { t, x, y, p } = this.columns;
    const [times, xs, ys, ps] = await readColumns([t, x, y, p], done, end, task);
    into.reserve(end - done);
    for (let index = 0; index < end - done; index++) {
      const time = (times?.[index] ?? NaN) * this.timeUnitUs;
      const column = xs?.[index] ?? NaN;
      const row = ys?.[index] ?? NaN;
      if (!(Math.abs(time) <= Number.MAX_SAFE_INTEGER)) tally.add('damaged');
      else if (!(column >= 0 && row >= 0 && column < 65536 && row < 65536)) tally.add('outsideSensor');
      else into.push(Math.round(time), Math.round(column), Math.round(row), (ps?.[index] ?? 0) > 0 ? 1 : 0);
    }
    return end < this.total ? { done: end } : undefined;
  }
}

/** The values of some columns in the rows `from` to `to - 1`; rows that lie together are read once. */
async function readColumns(columns: readonly Column[], from: number, to: number, task: Task): Promise<Float64Array[]> {
  const rowsRead = new Map<Blob, DataView>();
  const values: Float64Array[] = [];
  for (const column of columns) {
    throwIfCancelled(task.signal);
    const { blob, stride, start, offset } = column;
    const read = async (at: number): Promise<DataView> => new DataView(await blob.slice(at + from * stride, at + to * stride).arrayBuffer());
    if (column.bytes === stride) {
      values.push(numbersOf(await read(start + offset), column, 0, to - from));
      continue;
    }
    const rows = rowsRead.get(blob) ?? (await read(start));
    rowsRead.set(blob, rows);
    values.push(numbersOf(rows, column, offset, to - from));
  }
  return values;
}

/** Rows that the bytes do not reach are left out as NaN. */
function numbersOf(view: DataView, { type, bytes, isLittleEndian, stride }: Pick<Column, 'type' | 'bytes' | 'isLittleEndian' | 'stride'>, offset: number, rows: number): Float64Array {
  const numbers = new Float64Array(rows).fill(NaN);
  const read = readerOf(type, bytes, isLittleEndian);
  for (let row = 0, at = offset; row < rows && at + bytes <= view.byteLength; row++, at += stride) numbers[row] = read(view, at);
  return numbers;
}

type NumberReader = (view: DataView, at: number) => number;

function readerOf(type: string, bytes: number, little: boolean): NumberReader {
  switch (`${type}${bytes}`) {
    case 'b1':
    case '?1':
    case 'u1':
      return (view, at) => view.getUint8(at);
    case 'i1':
      return (view, at) => view.getInt8(at);
    case 'u2':
      return (view, at) => view.getUint16(at, little);
    case 'i2':
      return (view, at) => view.getInt16(at, little);
    case 'u4':
      return (view, at) => view.getUint32(at, little);
    case 'i4':
      return (view, at) => view.getInt32(at, little);
    case 'u8':
      return (view, at) => Number(view.getBigUint64(at, little));
    case 'i8':
      return (view, at) => Number(view.getBigInt64(at, little));
    case 'f4':
      return (view, at) => view.getFloat32(at, little);
    case 'f8':
      return (view, at) => view.getFloat64(at, little);
    default:
      return () => NaN;
  }
}

/** A small structured array, whole. @throws AppError `input/unreadable` */
export function readNpyRecords(bytes: Uint8Array, name: string): Map<string, Float64Array> {
  const { dataOffset, fields, rows, rowBytes } = parseHeader(bytes, bytes.length, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataOffset);
  return new Map(fields.map((field) => [field.name, numbersOf(view, { ...field, stride: rowBytes }, field.offset, rows)]));
}

function unreadable(name: string, why: string, cause?: unknown): AppError {
  return new AppError(
    'input/unreadable',
    `${name} cannot be read as a table of events: ${why}.`,
    'Save it with fields t, x, y and p, or as a table of four columns.',
    cause,
  );
}
