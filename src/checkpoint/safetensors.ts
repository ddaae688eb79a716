import { z } from '../base/schema';
import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import { floatToHalf } from './floats';
import { networkDescriptionSchema } from './manifest';
import { missingTensor, readers } from './pytorch';
import type { Checkpoint, NetworkDescription, NetworkMode, StoredType, TensorEntry } from './types';
import { printable } from './unpickle';

/** The safetensors format: the header's length in 8 bytes, a JSON header, then the values. */

const metadataKey = 'ems-yolo';
/** The format's own limit. */
const maximumHeaderBytes = 100_000_000;

const dtypes: Record<string, { storedAs: StoredType; bytes: number }> = {
  F64: { storedAs: 'float64', bytes: 8 },
  F32: { storedAs: 'float32', bytes: 4 },
  F16: { storedAs: 'float16', bytes: 2 },
  BF16: { storedAs: 'bfloat16', bytes: 2 },
  I64: { storedAs: 'int64', bytes: 8 },
  I32: { storedAs: 'int32', bytes: 4 },
  I16: { storedAs: 'int16', bytes: 2 },
  I8: { storedAs: 'int8', bytes: 1 },
  U8: { storedAs: 'uint8', bytes: 1 },
  BOOL: { storedAs: 'bool', bytes: 1 },
};

const entrySchema = z.object({
  dtype: z.enum(Object.keys(dtypes)),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const headerSchema = z.record(z.string(), z.unknown());
const metadataSchema = z.object({
  format: z.literal(1),
  mode: z.enum(['snn', 'ann']),
  description: networkDescriptionSchema,
});

interface Stored extends TensorEntry {
  from: number;
  to: number;
  elementBytes: number;
}

function malformed(what: string, cause?: unknown): AppError {
  return new AppError('checkpoint/malformed', `The .safetensors file is damaged: ${what}.`, 'Download or save the file again.', cause);
}

export function truncated(cause?: unknown): AppError {
  return new AppError(
    'checkpoint/truncated',
    'The .safetensors file is cut off: it ends before the values that its header lists.',
    'Download the file again, and check that it is as large as it should be.',
    cause,
  );
}

/** @throws AppError `checkpoint/truncated`, `checkpoint/malformed`, `cancelled` */
export async function openSafetensors(blob: Blob, task: Task): Promise<Checkpoint> {
  throwIfCancelled(task.signal);
  if (blob.size < 8) throw truncated();
  const headerBytes = Number((await bytesOf(blob, 0, 8)).getBigUint64(0, true));
  if (headerBytes > maximumHeaderBytes || headerBytes < 2) throw malformed('its header has an impossible length');
  const start = 8 + headerBytes;
  if (start > blob.size) throw truncated();
  const header = parseHeader(new TextDecoder().decode(await bytesOf(blob, 8, start)));
  const tensors = new Map<string, Stored>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    tensors.set(name, storedTensor(name, value, start, blob.size));
  }
  const { mode, description } = ownMetadata(header['__metadata__']);
  return {
    format: 'safetensors',
    description,
    mode,
    tensors,
    async read(name, readTask) {
      const tensor = tensors.get(name);
      if (!tensor) throw missingTensor(name);
      throwIfCancelled(readTask.signal);
      const view = await bytesOf(blob, tensor.from, tensor.to);
      const count = (tensor.to - tensor.from) / tensor.elementBytes;
      const read = readers[tensor.storedAs];
      const values = new Float32Array(count);
      for (let index = 0; index < count; index++) values[index] = read(view, index * tensor.elementBytes);
      return values;
    },
  };
}

async function bytesOf(blob: Blob, from: number, to: number): Promise<DataView> {
  try {
    return new DataView(await blob.slice(from, to).arrayBuffer());
  } catch (cause) {
    // The file was changed or removed after it was opened.
    throw truncated(cause);
  }
}

function parseHeader(text: string): Record<string, unknown> {
  let header: Record<string, unknown>;
  try {
    header = headerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw malformed('its header is not JSON', cause);
  }
  // JSON.parse keeps the last of two equal names; which of two tensors is meant cannot be known.
  const named = topLevelNames(text);
  if (new Set(named).size < named.length) throw malformed('its header lists a name twice');
  return header;
}

/** The names in the outermost object of a text that is JSON. */
function topLevelNames(text: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let lastString = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token !== ':') lastString = token;
    else if (depth === 1) names.push(String(JSON.parse(lastString)));
  }
  return names;
}

function storedTensor(name: string, value: unknown, start: number, size: number): Stored {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) throw malformed(`its header does not describe ${printable(name)}`);
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  const type = dtypes[dtype];
  if (!type) throw malformed(`the type of ${printable(name)} is unknown`);
  const elements = shape.reduce((product, side) => product * side, 1);
  if (offsets[1] - offsets[0] !== elements * type.bytes) throw malformed(`${printable(name)} has another length than its shape says`);
  if (start + offsets[1] > size) throw truncated();
  return { name, shape, storedAs: type.storedAs, elementBytes: type.bytes, from: start + offsets[0], to: start + offsets[1] };
}

/** Other programs' files have no metadata of ours, and are no less readable. */
function ownMetadata(metadata: unknown): { mode: NetworkMode | undefined; description: NetworkDescription | undefined } {
  const text = z.record(z.string(), z.string()).safeParse(metadata).data?.[metadataKey];
  if (text === undefined) return { mode: undefined, description: undefined };
  try {
    const { mode, description } = metadataSchema.parse(JSON.parse(text));
    return { mode, description };
  } catch (cause) {
    throw malformed('what it says about its network cannot be read', cause);
  }
}

export interface WriteEntry {
  name: string;
  shape: readonly number[];
  storedAs: 'float32' | 'float16';
  /** Row-major. */
  data: Float32Array;
}

/** Writes tensors, with the network that they belong to where there is one. */
export async function writeSafetensors(
  entries: Iterable<WriteEntry> | AsyncIterable<WriteEntry>,
  network?: { mode: NetworkMode; description: NetworkDescription },
): Promise<Blob> {
  const header: Record<string, unknown> = {};
  if (network) header['__metadata__'] = { [metadataKey]: JSON.stringify({ format: 1, ...network }) };
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for await (const { name, shape, storedAs, data } of entries) {
    const bytes = storedBytes(data, storedAs);
    header[name] = { dtype: storedAs === 'float16' ? 'F16' : 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  // Spaces at the end bring the values to a multiple of 8 bytes, as the format recommends.
  const encoded = new TextEncoder().encode(text + ' '.repeat((8 - (new TextEncoder().encode(text).length % 8)) % 8));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(encoded.length), true);
  return new Blob([length.buffer, encoded, ...parts]);
}

/** Little-endian values in the type that they are to be stored as. */
export function storedBytes(data: Float32Array, storedAs: 'float32' | 'float16'): Uint8Array<ArrayBuffer> {
  if (storedAs === 'float16') return new Uint8Array(Uint16Array.from(data, floatToHalf).buffer);
  return new Uint8Array(data.slice().buffer);
}
