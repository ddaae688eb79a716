import { z } from '../base/schema';
import { AppError } from '../base/errors';
import { networkDescriptionSchema } from './manifest';

/**
 * What an ONNX file says about itself: the texts in its `metadata_props` (onnx.proto, field 14 of ModelProto). Only these are
 * read; the graph between them is stepped over.
 */

const metadataField = 14;
const graphField = 7;
/** A text longer than this is none that is looked at. */
const maximumTextBytes = 1_000_000;
/** Fields at the top of a file; a real one has a dozen. */
const maximumFields = 1000;

/** Whether a file begins as ONNX files do: with the number of its format, then a text, the graph or another whole number. */
export function looksLikeOnnx(head: Uint8Array): boolean {
  const [first = 0, version = 0, next = 0] = head;
  // A safetensors file whose header has such a length goes on with `{` at the ninth byte.
  return first === 0x08 && version > 0 && version < 0x80 && (next & 7) <= 2 && next >> 3 >= 2 && next >> 3 <= 20 && head[8] !== 0x7b;
}

/** @throws AppError `checkpoint/malformed` */
export async function readOnnxMetadata(file: Blob): Promise<ReadonlyMap<string, string>> {
  const metadata = new Map<string, string>();
  let at = 0;
  let hasGraph = false;
  for (let fields = 0; at < file.size; fields++) {
    if (fields > maximumFields) throw malformed('it has more parts than a network has');
    const head = new Reader(new Uint8Array(await file.slice(at, at + 20).arrayBuffer()));
    const tag = head.varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    let end: number;
    if (wire === 2) end = head.varint() + head.at;
    else if (wire === 0) end = (head.varint(), head.at);
    else if (wire === 1) end = head.at + 8;
    else if (wire === 5) end = head.at + 4;
    else throw malformed('its parts cannot be told apart');
    if (at + end > file.size) throw malformed('it is cut off');
    if (field === graphField && wire === 2) hasGraph = true;
    if (field === metadataField && wire === 2 && end <= maximumTextBytes) {
      const [key, value] = keyAndValue(new Uint8Array(await file.slice(at + head.at, at + end).arrayBuffer()));
      metadata.set(key, value);
    }
    at += end;
  }
  if (!hasGraph) throw malformed('it holds no network');
  return metadata;
}

function keyAndValue(bytes: Uint8Array): [string, string] {
  const reader = new Reader(bytes);
  const texts: Record<number, string> = {};
  while (reader.at < bytes.length) {
    const tag = reader.varint();
    if (tag % 8 !== 2) throw malformed('a text in it is damaged');
    texts[Math.floor(tag / 8)] = new TextDecoder().decode(reader.take(reader.varint()));
  }
  return [texts[1] ?? '', texts[2] ?? ''];
}

class Reader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Seven bits a byte, lowest first; the top bit says that more follow. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || factor > 2 ** 49) throw malformed('a number in it is damaged');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw malformed('a text in it is damaged');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function malformed(what: string): AppError {
  return new AppError('checkpoint/malformed', `The ONNX file cannot be read: ${what}.`, 'Export or download it again.');
}

/**
 * Class names as ultralytics writes them, a Python dict (`{0: 'person', 1: "child's bicycle"}`) or list; undefined where there are
 * none or they have gaps.
 */
export function classNamesOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const quoted = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/;
  const unescape = (name: string): string => name.replace(/\\(.)/g, '$1');
  const trimmed = text.trim();
  if (trimmed.startsWith('[')) {
    const names = [...trimmed.matchAll(new RegExp(quoted, 'g'))].map(([, single, double]) => unescape(single ?? double ?? ''));
    return names.length > 0 ? names : undefined;
  }
  const names: string[] = [];
  for (const [, number, single, double] of trimmed.matchAll(new RegExp(`(\\d{1,5})\\s*:\\s*(?:${quoted.source})`, 'g'))) names[Number(number)] = unescape(single ?? double ?? '');
  return names.length > 0 && Array.from(names).every((name) => name !== undefined) ? names : undefined;
}

/** Sides of the square or rectangle that ultralytics exported for, `[height, width]`. */
export function imageSizeOf(text: string | undefined): { height: number; width: number } | undefined {
  const [, height, width] = /^\s*\[\s*(\d{1,5})\s*,\s*(\d{1,5})\s*\]\s*$/.exec(text ?? '') ?? [];
  return height === undefined || width === undefined ? undefined : { height: Number(height), width: Number(width) };
}

const ownSchema = z.object({ description: networkDescriptionSchema });

/** The network that this program wrote into the file, if it was this program. */
export function ownDescriptionOf(text: string | undefined): z.infer<typeof networkDescriptionSchema> | undefined {
  if (text === undefined) return undefined;
  try {
    return ownSchema.parse(JSON.parse(text)).description;
  } catch {
    // Somebody else's text under our name: the shapes decide.
    return undefined;
  }
}
