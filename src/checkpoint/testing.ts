import { BlobReader, BlobWriter, ZipWriter } from '@zip.js/zip.js';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';

/** For tests only: an assembler of small pickles and checkpoints, honest and hostile. Every function gives opcodes. */
export type Code = readonly number[];

const bytesOf = (text: string): number[] => [...new TextEncoder().encode(text)];

export function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

export const none: Code = [0x4e];
export const mark: Code = [0x28];
export const emptyList: Code = [0x5d];
export const emptyDict: Code = [0x7d];

export function text(value: string): Code {
  const bytes = bytesOf(value);
  return [0x58, ...littleEndian(bytes.length, 4), ...bytes];
}

export function integer(value: number): Code {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  return Math.abs(value) < 2 ** 31 ? [0x4a, ...new Uint8Array(view.buffer, 0, 4)] : [0x8a, 8, ...new Uint8Array(view.buffer)];
}

export function float(value: number): Code {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, false);
  return [0x47, ...new Uint8Array(view.buffer)];
}

export function name(module: string, member: string): Code {
  return [0x63, ...bytesOf(`${module}\n${member}\n`)];
}

export function tuple(...items: readonly Code[]): Code {
  return [...mark, ...items.flat(), 0x74];
}

export function list(...items: readonly Code[]): Code {
  return [...emptyList, ...mark, ...items.flat(), 0x65];
}

export function dict(items: Readonly<Record<string, Code>>): Code {
  return [...emptyDict, ...setItems(items)];
}

export function setItems(items: Readonly<Record<string, Code>>): Code {
  return [...mark, ...Object.entries(items).flatMap(([key, value]) => [...text(key), ...value]), 0x75];
}

/** `callee(*args)` */
export function reduce(callee: Code, ...args: readonly Code[]): Code {
  return [...callee, ...tuple(...args), 0x52];
}

export function orderedDict(items: Readonly<Record<string, Code>>): Code {
  return [...reduce(name('collections', 'OrderedDict')), ...setItems(items)];
}

/** Puts what lies on top of the stack into the memo, and gets it back. */
export const remember = (index: number): Code => [0x72, ...littleEndian(index, 4)];
export const recall = (index: number): Code => [0x6a, ...littleEndian(index, 4)];

export interface TensorParts {
  key?: string;
  storage?: string;
  offset?: number;
  size: readonly number[];
  stride: readonly number[];
}

export function tensor({ key = '0', storage = 'FloatStorage', offset = 0, size, stride }: TensorParts): Code {
  const id = tuple(text('storage'), name('torch', storage), text(key), text('cpu'), integer(0));
  return reduce(
    name('torch._utils', '_rebuild_tensor_v2'),
    [...id, 0x51],
    integer(offset),
    tuple(...size.map(integer)),
    tuple(...stride.map(integer)),
    [0x89],
    orderedDict({}),
  );
}

export function parameter(inner: Code): Code {
  return reduce(name('torch._utils', '_rebuild_parameter'), inner, [0x88], orderedDict({}));
}

interface ModuleParts {
  parameters?: Readonly<Record<string, Code>>;
  buffers?: Readonly<Record<string, Code>>;
  modules?: Readonly<Record<string, Code>>;
  attributes?: Readonly<Record<string, Code>>;
}

/** A pickled `torch.nn.Module`. */
export function module(className: string, { parameters = {}, buffers = {}, modules = {}, attributes = {} }: ModuleParts): Code {
  const dot = className.lastIndexOf('.');
  const state = dict({
    training: [0x89],
    _parameters: orderedDict(parameters),
    _buffers: orderedDict(buffers),
    _modules: orderedDict(modules),
    ...attributes,
  });
  return [...name(className.slice(0, dot), className.slice(dot + 1)), 0x29, 0x81, ...state, 0x62];
}

/** The settings that a released model carries, with one row and one Detect. */
export function yaml(changes: Readonly<Record<string, Code>> = {}): Code {
  const detect = list(list(integer(0)), integer(1), text('Detect'), list(text('nc'), text('anchors')));
  return dict({
    nc: integer(2),
    depth_multiple: float(1),
    width_multiple: float(0.25),
    anchors: list(list(integer(10), integer(14))),
    backbone: list(list(integer(-1), integer(1), text('Conv_2'), list(integer(32), integer(3), integer(2), text('None')))),
    head: list(detect),
    ...changes,
  });
}

export function pickle(value: Code): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x80, 2, ...value, 0x2e]);
}

/** Compressed where a level above 0 is given. */
export async function zipped(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>, level = 0): Promise<Blob> {
  const zip = new ZipWriter(new BlobWriter('application/zip'), { level, extendedTimestamp: false });
  for (const [path, bytes] of Object.entries(files)) await zip.add(path, new BlobReader(new Blob([bytes])));
  return zip.close();
}

/** A `.pt` whose pickle is `value`, with its storages by key. */
export function torchFile(
  value: Code | Uint8Array<ArrayBuffer>,
  storages: Readonly<Record<string, ArrayBufferView<ArrayBuffer>>> = {},
  level = 0,
): Promise<Blob> {
  const files: Record<string, Uint8Array<ArrayBuffer>> = {
    'archive/data.pkl': value instanceof Uint8Array ? value : pickle(value),
    'archive/version': Uint8Array.from(bytesOf('3\n')),
  };
  for (const [key, { buffer, byteOffset, byteLength }] of Object.entries(storages)) {
    files[`archive/data/${key}`] = new Uint8Array(buffer, byteOffset, byteLength);
  }
  return zipped(files, level);
}

/** A `.safetensors` file with this header and these values. */
export function safetensorsFile(header: string, values: Uint8Array<ArrayBuffer>): Blob {
  const encoded = Uint8Array.from(bytesOf(header));
  return new Blob([Uint8Array.from(littleEndian(encoded.length, 8)), encoded, values]);
}

/** The code of what a promise is rejected with; anything but a coded error fails the test. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await failureOf(promise)).code;
}

export async function failureOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('It should have been refused.');
}

export function cancelledTask(): Task {
  return { signal: AbortSignal.abort(), report: () => undefined };
}
