import { AppError } from '../../base/errors';
import { isNpy, numbersOf, parseNpyHeader, type NpyField, type NpyLayout } from '../../base/npy';
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

interface NpyArray extends NpyLayout {
  blob: Blob;
}

const maximumHeaderBytes = 64 * 1024;

async function readHeader(blob: Blob, name: string): Promise<NpyArray> {
  const head = new Uint8Array(await blob.slice(0, maximumHeaderBytes).arrayBuffer());
  return { blob, ...parseNpyHeader(head, blob.size, name) };
}

/** A column of the table of events, wherever its values lie. */
interface Column extends NpyField {
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

function unreadable(name: string, why: string, cause?: unknown): AppError {
  return new AppError(
    'input/unreadable',
    `${name} cannot be read as a table of events: ${why}.`,
    'Save it with fields t, x, y and p, or as a table of four columns.',
    cause,
  );
}
