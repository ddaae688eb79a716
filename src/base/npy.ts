import { AppError } from './errors';

/** NumPy's file format, as far as tables of numbers need it. (NumPy's description of the format, versions 1 to 3.) */

/** One number of each row. */
export interface NpyField {
  name: string;
  type: string;
  bytes: number;
  isLittleEndian: boolean;
  /** Within a row. */
  offset: number;
}

/** Where the values of an array lie in its file. */
export interface NpyLayout {
  dataOffset: number;
  fields: NpyField[];
  rows: number;
  rowBytes: number;
  /** Each field's values lie together, as in Fortran. */
  isByColumn: boolean;
  /** The fields have names of their own. */
  isNamed: boolean;
}

/** `('x', '<u2')` */
const fieldPattern = /\(\s*'([^']*)',\s*'([<>|=]?)([a-z?])(\d*)'\s*\)/gi;

/**
 * @param head the beginning of the file
 * @param fileBytes what the header claims is clipped to it
 * @throws AppError `input/unreadable`
 */
export function parseNpyHeader(head: Uint8Array, fileBytes: number, name: string): NpyLayout {
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
    const fields = Array.from(descr.matchAll(fieldPattern), ([, field = '', order = '', type = '', size = '']): NpyField => {
      const bytes = type === '?' ? 1 : Number(size);
      const parsed = { name: field, type, bytes, isLittleEndian: order !== '>', offset: rowBytes };
      rowBytes += bytes;
      return parsed;
    });
    // A field that is not understood (a part of an array, a date) would shift all behind it.
    const isUnderstood = /^[[\],\s]*$/.test(descr.replace(fieldPattern, '')) && fields.every(({ bytes }) => bytes > 0);
    if (!isUnderstood || fields.length === 0 || shape.length !== 1) throw unreadable(name, 'its fields are of a kind that is not read here');
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
  const fields = Array.from({ length: columns }, (_, column): NpyField => ({
    name: String(column),
    type,
    bytes,
    isLittleEndian: order !== '>',
    // By column the place depends on the rows that the header claims, present or not.
    offset: isByColumn ? column * rows * bytes : column * bytes,
  }));
  return { dataOffset, fields, rows: present, rowBytes: isByColumn ? bytes : bytes * columns, isByColumn, isNamed: false };
}

/** Rows that the bytes do not reach are left out as NaN. */
export function numbersOf(view: DataView, { type, bytes, isLittleEndian, stride }: Pick<NpyField, 'type' | 'bytes' | 'isLittleEndian'> & { stride: number }, offset: number, rows: number): Float64Array {
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
  const { dataOffset, fields, rows, rowBytes } = parseNpyHeader(bytes, bytes.length, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataOffset);
  return new Map(fields.map((field) => [field.name, numbersOf(view, { ...field, stride: rowBytes }, field.offset, rows)]));
}

export function isNpy(head: Uint8Array): boolean {
  return [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((byte, index) => head[index] === byte);
}

/** NumPy's file header, version 1.0: it ends with a line feed on a multiple of 64 bytes. */
export function npyHeader(description: string): Uint8Array<ArrayBuffer> {
  const bytes = Math.ceil((10 + description.length + 1) / 64) * 64;
  const header = Uint8Array.from(`\u0000NUMPY\u0001\u0000\u0000\u0000${description.padEnd(bytes - 11)}\n`, (character) => character.charCodeAt(0));
  header[0] = 0x93;
  new DataView(header.buffer).setUint16(8, bytes - 10, true);
  return header;
}

function unreadable(name: string, why: string): AppError {
  return new AppError('input/unreadable', `${name} cannot be read as a NumPy array: ${why}.`, 'Save it with NumPy as a table of numbers.');
}

const arrayTypes = { float32: '<f4', uint8: '|u1' } as const;

/** An array as `numpy.load` reads it, row-major. Every machine that runs a browser is little-endian, as the header says. */
export function npyFile(values: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>, shape: readonly number[]): Blob {
  const type = arrayTypes[values instanceof Uint8Array ? 'uint8' : 'float32'];
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  return new Blob([npyHeader(`{'descr': '${type}', 'fortran_order': False, 'shape': (${sides}), }`), values], { type: 'application/octet-stream' });
}
