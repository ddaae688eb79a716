import { configure, BlobReader, ZipReader, type FileEntry } from '@zip.js/zip.js';
import { z } from '../base/schema';
import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import { bfloatToFloat, halfToFloat } from './floats';
import { rowArgumentSchema } from './manifest';
import type { Checkpoint, NetworkDescription, StoredType, TensorEntry } from './types';
import { PersistentId, PickledName, PickledObject, printable, unpickle, type PickledValue } from './unpickle';

/**
 * Official checkpoints: a zip of a pickle (`NAME/data.pkl`) and of raw little-endian storages (`NAME/data/KEY`).
 * The pickle is read when the file is opened; a storage is read when one of its tensors is asked for.
 */

configure({ useWebWorkers: false });

/** A released checkpoint's is below 1 MB. */
const maximumPickleBytes = 64 * 1024 * 1024;
/** One tensor, and one storage; the largest of EMS-YOLO has 5 million. */
const maximumElements = 100_000_000;
/** Modules in modules; the released networks nest 6 deep. */
const maximumDepth = 40;
/** Modules, parameters and settings that are looked at: a few references to references could otherwise stand for billions. */
const maximumVisits = 200_000;

/** Counts what is looked at, and refuses to go on without end. */
class Budget {
  private left = maximumVisits;
  spend(visits: number, depth: number): void {
    this.left -= visits;
    if (depth > maximumDepth || this.left < 0) throw malformed('its objects are nested without end');
  }
}

const knownModuleClasses = new Set([
  ...['Model', 'Detect'].map((name) => `models.yolo.${name}`),
  ...[
    'BasicBlock_1',
    'BasicBlock_2',
    'BasicBlock_ms',
    'BatchNorm3d1',
    'BatchNorm3d2',
    'Concat',
    'ConcatBlock_ms',
    'Concat_res2',
    'Conv',
    'Conv_1',
    'Conv_2',
    'Sample',
    'Snn_Conv2d',
    'batch_norm_2d',
    'batch_norm_2d1',
    'mem_update',
  ].map((name) => `models.common.${name}`),
]);

const knownNames = new Set([
  ...knownModuleClasses,
  'collections.OrderedDict',
  '__builtin__.set',
  'builtins.set',
  'torch._utils._rebuild_tensor',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
  'torch.Size',
  'torch.device',
  // best_fitness: the released training script saves it as an array of one number.
  ...['numpy.core.multiarray', 'numpy._core.multiarray'].flatMap((module) => [`${module}.scalar`, `${module}._reconstruct`]),
  'numpy.ndarray',
  'numpy.dtype',
  '_codecs.encode',
]);

const storageTypes: Record<string, { storedAs: StoredType; bytes: number }> = {
  DoubleStorage: { storedAs: 'float64', bytes: 8 },
  FloatStorage: { storedAs: 'float32', bytes: 4 },
  HalfStorage: { storedAs: 'float16', bytes: 2 },
  BFloat16Storage: { storedAs: 'bfloat16', bytes: 2 },
  LongStorage: { storedAs: 'int64', bytes: 8 },
  IntStorage: { storedAs: 'int32', bytes: 4 },
  ShortStorage: { storedAs: 'int16', bytes: 2 },
  CharStorage: { storedAs: 'int8', bytes: 1 },
  ByteStorage: { storedAs: 'uint8', bytes: 1 },
  BoolStorage: { storedAs: 'bool', bytes: 1 },
};

function acceptsName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (/^torch\.nn\.modules\.[a-z_]+\.[A-Za-z0-9]+$/.test(name)) return true;
  if (/^torch\.[A-Za-z0-9]+Storage$/.test(name)) return Object.hasOwn(storageTypes, name.slice('torch.'.length));
  if (/^(models|ultralytics|yolov\d*|torchvision|timm|detectron2|mmdet)\./.test(name)) throw otherNetwork(`a ${printable(name)}`);
  return false;
}

function otherNetwork(found: string): AppError {
  return new AppError(
    'checkpoint/other-network',
    `The checkpoint belongs to another network: it contains ${found}, which EMS-YOLO does not have.`,
    'Load a checkpoint of EMS-YOLO; its blocks are listed in the help.',
  );
}

function malformed(what: string, cause?: unknown): AppError {
  return new AppError('checkpoint/malformed', `The checkpoint is damaged: ${what}.`, 'Download or save the file again.', cause);
}

/** A tensor as the pickle describes it. Numbers are in elements, not bytes. */
interface StridedTensor extends TensorEntry {
  key: string;
  elementBytes: number;
  offset: number;
  strides: readonly number[];
}

/**
 * Opens an official `.pt`.
 * @throws AppError `checkpoint/truncated`, `checkpoint/not-a-checkpoint`, `checkpoint/unknown-class`, `checkpoint/malformed`, `checkpoint/other-network`, `cancelled`
 */
export async function openPyTorch(blob: Blob, task: Task): Promise<Checkpoint> {
  const entries = await zipEntries(blob);
  throwIfCancelled(task.signal);
  const pickle = [...entries.values()].find(({ filename }) => /^([^/]+\/)?data\.pkl$/.test(filename));
  if (!pickle) throw notACheckpoint(entries);
  const prefix = pickle.filename.slice(0, -'data.pkl'.length);
  if (entries.has(`${prefix}constants.pkl`)) {
    throw new AppError(
      'checkpoint/not-a-checkpoint',
      'The file is a TorchScript program, which holds code in place of a plain checkpoint.',
      'Save the model itself or its state_dict with torch.save, and load that.',
    );
  }
  if (pickle.uncompressedSize > maximumPickleBytes) {
    throw new AppError(
      'checkpoint/too-large',
      `The checkpoint’s description of its weights takes ${Math.round(pickle.uncompressedSize / 1e6)} MB, and at most ${maximumPickleBytes / 1024 / 1024} are read.`,
      'Save only the model or its state_dict, without other objects.',
    );
  }
  task.report({ label: 'Reading the checkpoint', done: 0, total: blob.size, unit: 'bytes' });
  const root = unpickle(await readEntry(pickle, task), acceptsName);
  const { tensors, description } = interpret(root);
  for (const tensor of tensors.values()) checkBounds(tensor, entries.get(`${prefix}data/${tensor.key}`));

  // Tensors of one storage are usually asked for one after the other.
  let last: { key: string; bytes: Uint8Array } | undefined;
  return {
    format: 'pytorch',
    description,
    mode: undefined,
    tensors,
    async read(name, readTask) {
      const tensor = tensors.get(name);
      if (!tensor) throw missingTensor(name);
      throwIfCancelled(readTask.signal);
      if (last?.key !== tensor.key) {
        const entry = entries.get(`${prefix}data/${tensor.key}`);
        if (!entry) throw missingTensor(name);
        last = { key: tensor.key, bytes: await readEntry(entry, readTask) };
      }
      return gather(tensor, last.bytes);
    },
  };
}

export function missingTensor(name: string): AppError {
  return new AppError(
    'checkpoint/missing-tensor',
    `The checkpoint has no tensor ${printable(name)}.`,
    'Save the whole model again, or check that nothing was removed from the file.',
  );
}

async function zipEntries(blob: Blob): Promise<Map<string, FileEntry>> {
  try {
    const entries = await new ZipReader(new BlobReader(blob)).getEntries();
    const files = entries.filter((entry) => !entry.directory);
    return new Map(files.map((entry) => [entry.filename, entry]));
  } catch (cause) {
    throw truncated(cause);
  }
}

function truncated(cause?: unknown): AppError {
  return new AppError(
    'checkpoint/truncated',
    'The checkpoint is cut off or damaged: its table of contents at the end is missing or wrong.',
    'Download the file again, and check that it is as large as it should be.',
    cause,
  );
}

function notACheckpoint(entries: ReadonlyMap<string, FileEntry>): AppError {
  const first = entries.keys().next().value;
  return new AppError(
    'checkpoint/not-a-checkpoint',
    `The file is a zip archive without a checkpoint in it${first === undefined ? '' : ` (it begins with ${printable(first)})`}.`,
    'Choose a .pt file that torch.save wrote, or a .safetensors file.',
  );
}

async function readEntry(entry: FileEntry, task: Task): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await entry.arrayBuffer({ signal: task.signal }));
  } catch (cause) {
    throwIfCancelled(task.signal);
    throw truncated(cause);
  }
  if (bytes.length !== entry.uncompressedSize) throw truncated();
  return bytes;
}

const yamlSchema = z.object({
  depth_multiple: z.number().positive().max(10),
  width_multiple: z.number().positive().max(10),
  ch: z.int().positive().max(64).optional(),
  anchors: z.array(z.array(z.number().positive().max(1e5)).min(2).max(64)).min(1).max(8),
  backbone: z.array(z.unknown()).max(1000),
  head: z.array(z.unknown()).max(1000),
});

const rowSchema = z.tuple([z.union([z.int(), z.array(z.int()).min(1).max(32)]), z.int().positive().max(100), z.string().max(100), z.array(rowArgumentSchema).max(32)]);
const namesSchema = z.array(z.string().max(200)).min(1).max(10000);

interface Interpreted {
  tensors: Map<string, StridedTensor>;
  description: NetworkDescription | undefined;
}

/** Finds the model in whatever was saved: the training script's dict, a module, or a state_dict. */
function interpret(root: PickledValue): Interpreted {
  if (root instanceof PickledObject && isModule(root)) return fromModule(root);
  const dict = dictOf(root);
  if (!dict) throw noWeights();
  for (const key of ['ema', 'model', 'model_state_dict', 'state_dict']) {
    const value = dict.get(key) ?? null;
    if (value === null) continue;
    if (value instanceof PickledObject && isModule(value)) return fromModule(value);
    const inner = dictOf(value);
    if (inner) return fromStateDict(inner, dict.get('yaml') ?? null, dict.get('names') ?? null);
  }
  return fromStateDict(dict, null, null);
}

function noWeights(): AppError {
  return new AppError(
    'checkpoint/not-a-checkpoint',
    'The file is a PyTorch file, but there are no weights of a network in it.',
    'Choose the file that holds the model or its state_dict.',
  );
}

function fromStateDict(dict: Map<PickledValue, PickledValue>, yaml: PickledValue, names: PickledValue): Interpreted {
  const tensors = new Map<string, StridedTensor>();
  for (const [key, value] of dict) {
    const tensor = typeof key === 'string' ? tensorOf(key.replace(/^module\./, ''), value) : undefined;
    if (tensor) tensors.set(tensor.name, tensor);
  }
  if (tensors.size === 0) throw noWeights();
  return { tensors, description: yaml === null ? undefined : describe(yaml, names) };
}

function fromModule(module: PickledObject): Interpreted {
  const tensors = new Map<string, StridedTensor>();
  collectTensors(module, '', 0, tensors, new Budget());
  if (tensors.size === 0) throw noWeights();
  const state = dictOf(module.state);
  const yaml = state?.get('yaml') ?? null;
  return { tensors, description: yaml === null ? undefined : describe(yaml, state?.get('names') ?? null) };
}

function collectTensors(
  module: PickledObject,
  prefix: string,
  depth: number,
  tensors: Map<string, StridedTensor>,
  budget: Budget,
): void {
  budget.spend(1, depth);
  const state = dictOf(module.state);
  for (const part of ['_parameters', '_buffers']) {
    const values = dictOf(state?.get(part) ?? null);
    budget.spend(values?.size ?? 0, depth);
    for (const [key, value] of values ?? []) {
      const tensor = typeof key === 'string' ? tensorOf(prefix + key, value) : undefined;
      if (tensor) tensors.set(tensor.name, tensor);
    }
  }
  const children = dictOf(state?.get('_modules') ?? null);
  budget.spend(children?.size ?? 0, depth);
  for (const [key, value] of children ?? []) {
    if (typeof key === 'string' && value instanceof PickledObject) collectTensors(value, `${prefix}${key}.`, depth + 1, tensors, budget);
  }
}

function isModule(object: PickledObject): boolean {
  return dictOf(object.state)?.has('_modules') ?? false;
}

/** A dict, or an OrderedDict. */
function dictOf(value: PickledValue): Map<PickledValue, PickledValue> | undefined {
  if (value instanceof Map) return value;
  if (value instanceof PickledObject && value.name === 'collections.OrderedDict') return value.items;
  return undefined;
}

function describe(yaml: PickledValue, names: PickledValue): NetworkDescription {
  const parsed = yamlSchema.safeParse(typeof yaml === 'string' ? jsonOf(yaml) : plain(yaml, new Budget()));
  if (!parsed.success) throw malformed(`the rows of its network cannot be read (${z.prettifyError(parsed.error).split('\n')[0] ?? ''})`);
  const { backbone, head, anchors, depth_multiple: depthMultiple, width_multiple: widthMultiple, ch } = parsed.data;
  const rows = [...backbone, ...head].map((row, index) => {
    const read = rowSchema.safeParse(row);
    if (!read.success) throw malformed(`row ${index} of its network is not [from, repeats, block, arguments]`);
    const [from, repeats, block, args] = read.data;
    // The released settings name blocks by class, some with their module in front.
    return { from: Array.isArray(from) ? from : [from], repeats, block: block.split('.').at(-1) ?? block, args };
  });
  const classNames = namesSchema.safeParse(listOfNames(names));
  if (!classNames.success) throw malformed('the names of its classes cannot be read');
  return { rows, depthMultiple, widthMultiple, inputChannels: ch ?? 3, classNames: classNames.data, anchors };
}

/** Our own exported checkpoints carry their rows as text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed('the rows of its network are not JSON', cause);
  }
}

/** A list, or a dict from index to name. */
function listOfNames(names: PickledValue): unknown {
  const dict = dictOf(names);
  if (!dict) return plain(names, new Budget());
  const indices = [...dict.keys()].filter((index) => typeof index === 'number');
  return indices.sort((a, b) => a - b).map((index) => dict.get(index));
}

/** Dicts of strings as objects without a prototype, so that `__proto__` is a key like any other. */
function plain(value: PickledValue, budget: Budget, depth = 0): unknown {
  budget.spend(1, depth);
  if (Array.isArray(value)) return value.map((item) => plain(item, budget, depth + 1));
  const dict = dictOf(value);
  if (!dict) return value;
  budget.spend(dict.size, depth);
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of dict) if (typeof key === 'string') object[key] = plain(item, budget, depth + 1);
  return { ...object };
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, ...)`, alone or inside of `_rebuild_parameter(tensor, ...)`. */
function tensorOf(name: string, value: PickledValue): StridedTensor | undefined {
  const held = argumentsOf(value, /^torch\._utils\._rebuild_parameter$/)?.[0] ?? value;
  const rebuilt = argumentsOf(held, /^torch\._utils\._rebuild_tensor(_v2)?$/);
  if (!rebuilt) return undefined;
  const [storage, offset, size, stride] = rebuilt;
  const [kind, type, key] = storage instanceof PersistentId && Array.isArray(storage.id) ? storage.id : [];
  if (kind !== 'storage' || !(type instanceof PickledName) || (typeof key !== 'string' && typeof key !== 'number')) {
    throw malformed(`the storage of ${printable(name)} is not named`);
  }
  const stored = storageTypes[type.name.slice('torch.'.length)];
  const shape = counts(size);
  const strides = counts(stride);
  if (!stored || !isCount(offset) || !shape || !strides || shape.length !== strides.length || shape.length > 8) {
    throw malformed(`the shape of ${printable(name)} makes no sense`);
  }
  const elements = shape.reduce((product, side) => product * side, 1);
  if (elements > maximumElements) throw malformed(`${printable(name)} claims to have ${elements} elements`);
  return { name, shape, storedAs: stored.storedAs, key: String(key), elementBytes: stored.bytes, offset, strides };
}

/** What an object was made from, where its class is the one asked for. */
function argumentsOf(value: PickledValue, className: RegExp): PickledValue[] | undefined {
  return value instanceof PickledObject && className.test(value.name) && Array.isArray(value.args) ? value.args : undefined;
}

function isCount(value: PickledValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: PickledValue | undefined): number[] | undefined {
  const list = argumentsOf(value ?? null, /^torch\.Size$/)?.[0] ?? value;
  return Array.isArray(list) && list.every(isCount) ? list : undefined;
}

/** Before anything is allocated: every element must lie inside of the storage that the file really holds. */
function checkBounds({ name, shape, strides, offset, elementBytes }: StridedTensor, entry: FileEntry | undefined): void {
  if (!entry) throw malformed(`the values of ${printable(name)} are not in the file`);
  if (entry.uncompressedSize > maximumElements * elementBytes) throw malformed(`the values of ${printable(name)} take more room than any network needs`);
  if (shape.includes(0)) return;
  const last = shape.reduce((sum, side, axis) => sum + (side - 1) * (strides[axis] ?? 0), offset);
  const stored = Math.floor(entry.uncompressedSize / elementBytes);
  if (last >= stored) throw malformed(`${printable(name)} reaches beyond its ${stored} stored values`);
}

/** The values in row-major order of the shape, whatever the strides. */
function gather({ shape, strides, offset, storedAs, elementBytes }: StridedTensor, bytes: Uint8Array): Float32Array {
  const count = shape.reduce((product, side) => product * side, 1);
  const target = new Float32Array(count);
  if (count === 0) return target;
  const read = readers[storedAs];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isContiguous(shape, strides)) {
    for (let index = 0; index < count; index++) target[index] = read(view, (offset + index) * elementBytes);
    return target;
  }
  const position = shape.map(() => 0);
  let source = offset;
  for (let index = 0; index < count; index++) {
    target[index] = read(view, source * elementBytes);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      const stride = strides[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        position[axis] = next;
        source += stride;
        break;
      }
      position[axis] = 0;
      source -= (next - 1) * stride;
    }
  }
  return target;
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] ?? 1;
  }
  return true;
}

/** One little-endian value of a stored type at a byte offset. */
export const readers: Record<StoredType, (view: DataView, at: number) => number> = {
  float64: (view, at) => view.getFloat64(at, true),
  float32: (view, at) => view.getFloat32(at, true),
  float16: (view, at) => halfToFloat(view.getUint16(at, true)),
  bfloat16: (view, at) => bfloatToFloat(view.getUint16(at, true)),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  int32: (view, at) => view.getInt32(at, true),
  int16: (view, at) => view.getInt16(at, true),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
};
