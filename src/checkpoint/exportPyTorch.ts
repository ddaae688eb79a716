import { BlobReader, BlobWriter, ZipWriter } from '@zip.js/zip.js';
import { storedBytes, type WriteEntry } from './safetensors';
import type { NetworkDescription } from './types';

/**
 * Writes a `.pt` that `torch.load(path, weights_only=True)` reads: `{ model_state_dict, yaml, names }`, the state_dict
 * with the released code's tensor names, the rows as YAML text (written as JSON, which is YAML too) and the class names.
 * Text, because the restricted loader of older PyTorch versions knows no floating-point numbers.
 */
export async function writePyTorch(
  entries: Iterable<WriteEntry> | AsyncIterable<WriteEntry>,
  network: { description: NetworkDescription },
): Promise<Blob> {
  const zip = new ZipWriter(new BlobWriter('application/zip'), { level: 0, extendedTimestamp: false });
  const pickle = new Pickler();
  const tensors: TensorRecord[] = [];
  for await (const { name, shape, storedAs, data } of entries) {
    const key = String(tensors.length);
    tensors.push({ name, shape, storedAs, key, count: data.length });
    await zip.add(`archive/data/${key}`, new BlobReader(new Blob([storedBytes(data, storedAs)])));
  }
  const bytes = pickle.checkpoint(tensors, network.description);
  await zip.add('archive/data.pkl', new BlobReader(new Blob([bytes])));
  await zip.add('archive/version', new BlobReader(new Blob(['3\n'])));
  return zip.close();
}

interface TensorRecord {
  name: string;
  shape: readonly number[];
  storedAs: WriteEntry['storedAs'];
  key: string;
  count: number;
}

/** The few instructions of pickle protocol 2 that a checkpoint needs; no memo, so that nothing is shared. */
class Pickler {
  private readonly bytes: number[] = [];

  checkpoint(tensors: readonly TensorRecord[], description: NetworkDescription): Uint8Array<ArrayBuffer> {
    this.bytes.push(0x80, 2); // PROTO 2
    this.bytes.push(0x7d, 0x28); // EMPTY_DICT, MARK
    this.value('model_state_dict');
    this.stateDict(tensors);
    this.value('yaml');
    this.value(JSON.stringify(yamlOf(description)));
    this.value('names');
    this.value(description.classNames);
    this.bytes.push(0x75, 0x2e); // SETITEMS, STOP
    return Uint8Array.from(this.bytes);
  }

  private stateDict(tensors: readonly TensorRecord[]): void {
    this.global('collections', 'OrderedDict');
    this.bytes.push(0x29, 0x52, 0x28); // EMPTY_TUPLE, REDUCE, MARK
    for (const tensor of tensors) {
      this.value(tensor.name);
      this.tensor(tensor);
    }
    this.bytes.push(0x75); // SETITEMS
  }

  /** `_rebuild_tensor_v2(storage, 0, shape, strides, requires_grad=False, OrderedDict())` */
  private tensor({ shape, storedAs, key, count }: TensorRecord): void {
    this.global('torch._utils', '_rebuild_tensor_v2');
    this.bytes.push(0x28, 0x28); // MARK (arguments), MARK (persistent id)
    this.value('storage');
    this.global('torch', storedAs === 'float16' ? 'HalfStorage' : 'FloatStorage');
    this.value(key);
    this.value('cpu');
    this.value(count);
    this.bytes.push(0x74, 0x51); // TUPLE, BINPERSID
    this.value(0);
    this.tuple(shape);
    this.tuple(contiguousStrides(shape));
    this.value(false);
    this.global('collections', 'OrderedDict');
    this.bytes.push(0x29, 0x52); // EMPTY_TUPLE, REDUCE
    this.bytes.push(0x74, 0x52); // TUPLE, REDUCE
  }

  private tuple(numbers: readonly number[]): void {
    this.bytes.push(0x28);
    for (const number of numbers) this.value(number);
    this.bytes.push(0x74);
  }

  private global(module: string, name: string): void {
    this.bytes.push(0x63, ...new TextEncoder().encode(`${module}\n${name}\n`));
  }

  private value(value: boolean | number | string | readonly string[]): void {
    if (typeof value === 'boolean') this.bytes.push(value ? 0x88 : 0x89);
    else if (typeof value === 'number') this.integer(value);
    else if (typeof value === 'string') this.text(value);
    else {
      this.bytes.push(0x5d, 0x28); // EMPTY_LIST, MARK
      for (const item of value) this.text(item);
      this.bytes.push(0x65); // APPENDS
    }
  }

  private integer(value: number): void {
    const view = new DataView(new ArrayBuffer(4));
    view.setInt32(0, value, true);
    this.bytes.push(0x4a, ...new Uint8Array(view.buffer)); // BININT
  }

  private text(text: string): void {
    const encoded = new TextEncoder().encode(text);
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, encoded.length, true);
    this.bytes.push(0x58, ...new Uint8Array(length.buffer)); // BINUNICODE
    // Not spread: the rows of a deep network are more bytes than a call takes arguments.
    for (const byte of encoded) this.bytes.push(byte);
  }
}

function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const side of [...shape].reverse()) {
    strides.unshift(stride);
    stride *= side;
  }
  return strides;
}

/** The released form of the settings; the split into backbone and head has no meaning of its own. */
function yamlOf({ rows, depthMultiple, widthMultiple, inputChannels, classNames, anchors }: NetworkDescription): unknown {
  return {
    nc: classNames.length,
    depth_multiple: depthMultiple,
    width_multiple: widthMultiple,
    anchors,
    backbone: rows.map(({ from, repeats, block, args }) => [from.length === 1 ? (from[0] ?? -1) : from, repeats, block, args]),
    head: [],
    ch: inputChannels,
  };
}
