/**
 * Writes ONNX files: the few messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that a network of
 * float32 tensors needs, in protobuf's encoding (https://protobuf.dev/programming-guides/encoding/). protobufjs would compile
 * the schema with `eval`, which the page's content security policy forbids.
 */

export interface OnnxTensor {
  name: string;
  shape: readonly number[];
  /** Row-major. */
  data: Float32Array;
}

export interface OnnxNode {
  operator: string;
  /** Names of values; an empty name leaves an optional input out. */
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, number | string | readonly number[]>>;
}

/** A side that is not fixed has a name in place of a number; equal names are equal sides. */
export interface OnnxValue {
  name: string;
  shape: readonly (number | string)[];
}

export interface OnnxGraph {
  name: string;
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  nodes: readonly OnnxNode[];
  initializers: readonly OnnxTensor[];
}

/** Version 8 of the format with operators of version 17, which every ONNX runtime since 2022 reads. */
const formatVersion = 8;
const operatorsVersion = 17;
const float32 = 1;
const attributeTypes = { int: 2, string: 3, ints: 7 } as const;

type Bytes = Uint8Array<ArrayBuffer>;

/** A message under construction: pieces in order, so that weights are not copied. */
class Message {
  readonly pieces: Bytes[] = [];
  length = 0;

  /** A whole number that is not negative. */
  integer(field: number, value: number): this {
    return this.append(varint(field * 8)).append(varint(value));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Bytes): this {
    return this.append(varint(field * 8 + 2)).append(varint(value.length)).append(value);
  }

  /** Whole numbers one after the other ("packed"). */
  integers(field: number, values: readonly number[]): this {
    const packed = new Message();
    for (const value of values) packed.append(varint(value));
    return this.message(field, packed);
  }

  message(field: number, { pieces, length }: Message): this {
    this.append(varint(field * 8 + 2)).append(varint(length));
    for (const piece of pieces) this.append(piece);
    return this;
  }

  messages<T>(field: number, values: Iterable<T>, encode: (value: T) => Message): this {
    for (const value of values) this.message(field, encode(value));
    return this;
  }

  private append(piece: Bytes): this {
    this.pieces.push(piece);
    this.length += piece.length;
    return this;
  }
}

/** Seven bits a byte, lowest first; the top bit says that more follow. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** @param metadata texts that travel with the file, by name */
export function writeOnnx(graph: OnnxGraph, metadata: Readonly<Record<string, string>>): Blob {
  const model = new Message()
    .integer(1, formatVersion)
    .text(2, 'EMS-YOLO Playground')
    .message(7, encodeGraph(graph))
    .message(8, new Message().text(1, '').integer(2, operatorsVersion))
    .messages(14, Object.entries(metadata), ([key, value]) => new Message().text(1, key).text(2, value));
  return new Blob(model.pieces);
}

function encodeGraph({ name, inputs, outputs, nodes, initializers }: OnnxGraph): Message {
  return new Message()
    .messages(1, nodes, encodeNode)
    .text(2, name)
    .messages(5, initializers, encodeTensor)
    .messages(11, inputs, encodeValue)
    .messages(12, outputs, encodeValue);
}

function encodeNode({ operator, inputs, outputs, attributes = {} }: OnnxNode): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  return message
    .text(3, outputs[0] ?? '')
    .text(4, operator)
    .messages(5, Object.entries(attributes), ([key, value]) => {
      const attribute = new Message().text(1, key);
      if (typeof value === 'number') return attribute.integer(3, value).integer(20, attributeTypes.int);
      if (typeof value === 'string') return attribute.text(4, value).integer(20, attributeTypes.string);
      return attribute.integers(8, value).integer(20, attributeTypes.ints);
    });
}

function encodeTensor({ name, shape, data }: OnnxTensor): Message {
  const message = new Message();
  if (shape.length > 0) message.integers(1, shape);
  // The format is little-endian, as every machine is that runs a browser.
  const bytes = new Uint8Array(data.slice().buffer);
  return message.integer(2, float32).text(8, name).bytes(9, bytes);
}

function encodeValue({ name, shape }: OnnxValue): Message {
  const dimensions = new Message().messages(1, shape, (side) =>
    typeof side === 'number' ? new Message().integer(1, side) : new Message().text(2, side),
  );
  const tensor = new Message().integer(1, float32).message(2, dimensions);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
