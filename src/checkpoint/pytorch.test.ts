import { openAsBlob, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenCases, isPresent, sharedWeightsFolder } from '../../e2e/golden';
import { quietTask } from '../base/progress';
import { openCheckpoint } from './open';
import { openPyTorch } from './pytorch';
import {
  cancelledTask,
  codeOf,
  dict,
  emptyDict,
  emptyList,
  failureOf,
  float,
  integer,
  list,
  mark,
  module,
  name,
  none,
  orderedDict,
  parameter,
  recall,
  reduce,
  remember,
  tensor,
  text,
  torchFile,
  tuple,
  yaml,
  type Code,
  type TensorParts,
} from './testing';

const four = { '0': Float32Array.of(1, 2, 3, 4) };
const square = tensor({ size: [2, 2], stride: [2, 1] });
const names = list(text('car'), text('pedestrian'));

/** The values of the only tensor of a state_dict. */
async function valuesOf(parts: TensorParts, storage: ArrayBufferView<ArrayBuffer> = four['0'], level = 0): Promise<number[]> {
  const checkpoint = await openPyTorch(await torchFile(dict({ weight: tensor(parts) }), { '0': storage }, level), quietTask);
  return [...(await checkpoint.read('weight', quietTask))];
}

async function refusalOf(value: Code | Uint8Array<ArrayBuffer>): Promise<string> {
  return codeOf(openPyTorch(await torchFile(value, four), quietTask));
}

describe('released checkpoints', () => {
  it.each(goldenCases())('$name', async ({ name: caseName, folder, half }) => {
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(folder, 'checkpoint.pt')), quietTask);
    expect(checkpoint).toMatchObject({ format: 'pytorch', mode: undefined });
    const { description, tensors } = checkpoint;
    expect(description?.rows[0]).toMatchObject({ from: [-1], repeats: 1, block: caseName.includes('-ee') ? 'Conv_2' : 'Conv_1' });
    const detect = description?.rows.at(-1);
    expect(detect).toMatchObject({ block: 'Detect', args: ['nc', 'anchors'] });
    expect(description?.anchors).toHaveLength(detect?.from.length ?? 0);
    expect(description?.inputChannels).toBe(3);

    const last = (description?.rows.length ?? 0) - 1;
    const outputs = (5 + (description?.classNames.length ?? 0)) * ((description?.anchors[0]?.length ?? 0) / 2);
    expect(tensors.get(`model.${last}.m.0.bias`)).toMatchObject({ shape: [outputs], storedAs: half ? 'float16' : 'float32' });
    expect(tensors.get('model.0.conv.weight')?.shape.slice(1)).toEqual(caseName.includes('-ee') ? [3, 3, 3] : [3, 7, 7]);
    for (const { name: tensorName, shape } of tensors.values()) {
      const values = await checkpoint.read(tensorName, quietTask);
      expect(values).toHaveLength(shape.reduce((product, side) => product * side, 1));
      expect(values.every(Number.isFinite), tensorName).toBe(true);
    }
  });

  it.runIf(isPresent(sharedWeightsFolder, 'Opening trained weights'))('trained weights', async () => {
    for (const file of readdirSync(sharedWeightsFolder).filter((path) => path.endsWith('.pt'))) {
      const checkpoint = await openCheckpoint(await openAsBlob(resolve(sharedWeightsFolder, file)), quietTask);
      expect(checkpoint.description?.classNames.length, file).toBeGreaterThan(0);
      // Every norm was trained: its variance is no longer the 1 that it began with.
      const variance = await checkpoint.read('model.0.bn.bn.running_var', quietTask);
      expect(variance.every((value) => value > 0 && value !== 1), file).toBe(true);
    }
  });
});

describe('what may hold the weights', () => {
  const weighted = (value: number, className = 'models.yolo.Model'): Code =>
    module(className, { parameters: { weight: parameter(tensor({ size: [1], stride: [1], offset: value - 1 })) } });

  it.each([
    ['ema rather than model', dict({ model: weighted(1), ema: weighted(2) }), 2],
    ['model where ema is None', dict({ ema: none, model: weighted(1) }), 1],
    ['a bare module', weighted(3), 3],
    ['a module that is no model', weighted(3, 'torch.nn.modules.conv.Conv2d'), 3],
    ['a bare state_dict', orderedDict({ weight: tensor({ size: [1], stride: [1] }) }), 1],
    ['a state_dict with module. in front', orderedDict({ 'module.weight': tensor({ size: [1], stride: [1] }) }), 1],
    ...['state_dict', 'model_state_dict', 'model', 'ema'].map(
      (key) => [`a state_dict as ${key}`, dict({ epoch: integer(3), [key]: orderedDict({ weight: tensor({ size: [1], stride: [1], offset: 3 }) }) }), 4] as const,
    ),
  ] as const)('%s', async (_label, value, expected) => {
    const checkpoint = await openPyTorch(await torchFile(value, four), quietTask);
    expect([...checkpoint.tensors.keys()]).toEqual(['weight']);
    expect([...(await checkpoint.read('weight', quietTask))]).toEqual([expected]);
  });

  it('names tensors by their way through the modules', async () => {
    const norm = module('torch.nn.modules.batchnorm.BatchNorm3d', {
      parameters: { weight: parameter(square), bias: none },
      buffers: { running_mean: square, num_batches_tracked: tensor({ size: [], stride: [] }) },
    });
    const model = module('models.yolo.Model', {
      modules: { model: module('torch.nn.modules.container.Sequential', { modules: { '0': norm, '1': none } }) },
    });
    const checkpoint = await openPyTorch(await torchFile(dict({ model }), four), quietTask);
    expect([...checkpoint.tensors.keys()]).toEqual(['model.0.weight', 'model.0.running_mean', 'model.0.num_batches_tracked']);
  });

  it('reads a file as the released training script saves it', async () => {
    const typeOfNumbers = [
      ...reduce(name('numpy', 'dtype'), text('f8'), integer(0), integer(1)),
      ...tuple(integer(3), text('<'), none, none, none, integer(-1), integer(-1), integer(0)),
      0x62,
    ];
    const bytes = reduce(name('_codecs', 'encode'), text('\0\0\0\0\0\0à?'), text('latin1'));
    const blank = reduce(name('numpy.core.multiarray', '_reconstruct'), name('numpy', 'ndarray'), tuple(integer(0)), reduce(name('_codecs', 'encode'), text('b'), text('latin1')));
    const bestFitness = [...blank, ...tuple(integer(1), tuple(integer(1)), typeOfNumbers, [0x89], bytes), 0x62];
    const model = module('models.yolo.Model', {
      parameters: { weight: square },
      attributes: { yaml: yaml(), names, hyp: dict({ box: float(0.05) }), stride: square, inplace: [0x88] },
    });
    const value = dict({ epoch: integer(-1), best_fitness: bestFitness, model, ema: none, optimizer: none, wandb_id: none, date: text('2023-10-01') });
    const checkpoint = await openPyTorch(await torchFile(value, four), quietTask);
    expect(checkpoint.description?.classNames).toEqual(['car', 'pedestrian']);
    expect(checkpoint.tensors.size).toBe(1);
  });
});

describe('description', () => {
  const described = (attributes: Record<string, Code>): Code => module('models.yolo.Model', { parameters: { weight: square }, attributes });

  it('is read from the model', async () => {
    const checkpoint = await openPyTorch(await torchFile(dict({ model: described({ yaml: yaml({ ch: integer(2) }), names }) }), four), quietTask);
    expect(checkpoint.description).toEqual({
      rows: [
        { from: [-1], repeats: 1, block: 'Conv_2', args: [32, 3, 2, 'None'] },
        { from: [0], repeats: 1, block: 'Detect', args: ['nc', 'anchors'] },
      ],
      depthMultiple: 1,
      widthMultiple: 0.25,
      inputChannels: 2,
      classNames: ['car', 'pedestrian'],
      anchors: [[10, 14]],
    });
  });

  it('is read from beside a state_dict', async () => {
    const value = dict({ model_state_dict: orderedDict({ weight: square }), yaml: yaml(), names });
    const checkpoint = await openPyTorch(await torchFile(value, four), quietTask);
    expect(checkpoint.description).toMatchObject({ classNames: ['car', 'pedestrian'], inputChannels: 3 });
  });

  it('takes names by index', async () => {
    const byIndex = [...emptyDict, ...mark, ...integer(10), ...text('c'), ...integer(2), ...text('b'), ...integer(0), ...text('a'), 0x75];
    const checkpoint = await openPyTorch(await torchFile(described({ yaml: yaml(), names: byIndex }), four), quietTask);
    expect(checkpoint.description?.classNames).toEqual(['a', 'b', 'c']);
  });

  it('is not there where the file does not say', async () => {
    const checkpoint = await openPyTorch(await torchFile(orderedDict({ weight: square }), four), quietTask);
    expect(checkpoint.description).toBeUndefined();
  });

  it.each([
    ['rows that are a number', yaml({ backbone: integer(3) }), names],
    ['a row of three', yaml({ head: list(list(integer(-1), integer(1), text('Detect'))) }), names],
    ['a row with an object in it', yaml({ head: list(list(integer(-1), integer(1), text('Detect'), list(name('torch', 'device')))) }), names],
    ['a negative width', yaml({ width_multiple: float(-1) }), names],
    ['a width that is no number', yaml({ width_multiple: float(NaN) }), names],
    ['no anchors', yaml({ anchors: list() }), names],
    ['no names', yaml(), none],
    ['names that are numbers', yaml(), list(integer(1))],
    ['settings that are a list', list(), names],
    ['settings that are no JSON', text('nc: 3'), names],
    ['arguments nested without end', text(`{"depth_multiple":1,"width_multiple":1,"anchors":[[1,2]],"head":[],"backbone":[[-1,1,"Conv_2",${'['.repeat(20_000)}${']'.repeat(20_000)}]]}`), names],
  ])('refuses %s', async (_label, settings, classNames) => {
    expect(await refusalOf(described({ yaml: settings, names: classNames }))).toBe('checkpoint/malformed');
  });
});

describe('tensors', () => {
  const six = Float32Array.of(0, 1, 2, 3, 4, 5);

  it.each([
    ['contiguous', { size: [2, 3], stride: [3, 1] }, [0, 1, 2, 3, 4, 5]],
    ['transposed', { size: [3, 2], stride: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    ['every other value', { size: [3], stride: [2] }, [0, 2, 4]],
    ['with an offset', { size: [2, 2], stride: [2, 1], offset: 2 }, [2, 3, 4, 5]],
    ['broadcast', { size: [3, 2], stride: [0, 1] }, [0, 1, 0, 1, 0, 1]],
    ['overlapping', { size: [3, 2], stride: [1, 1] }, [0, 1, 1, 2, 2, 3]],
    ['three axes, permuted', { size: [1, 3, 2], stride: [6, 1, 3] }, [0, 3, 1, 4, 2, 5]],
    ['one number', { size: [], stride: [], offset: 5 }, [5]],
    ['an axis of one with a wild stride', { size: [1, 2], stride: [999, 1] }, [0, 1]],
    ['empty', { size: [0, 4], stride: [4, 1] }, []],
  ])('%s', async (_label, parts, expected) => {
    expect(await valuesOf(parts, six)).toEqual(expected);
    expect(await valuesOf(parts, six, 6)).toEqual(expected);
  });

  it.each([
    ['DoubleStorage', 'float64', Float64Array.of(0.5, -1e10), [0.5, -1e10]],
    ['FloatStorage', 'float32', Float32Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ['HalfStorage', 'float16', Uint16Array.of(0x3c00, 0x8001), [1, -(2 ** -24)]],
    ['BFloat16Storage', 'bfloat16', Uint16Array.of(0x3f80, 0xc049), [1, -3.140625]],
    ['LongStorage', 'int64', BigInt64Array.of(-5n, 7n), [-5, 7]],
    ['IntStorage', 'int32', Int32Array.of(-5, 70_000), [-5, 70_000]],
    ['ShortStorage', 'int16', Int16Array.of(-5, 300), [-5, 300]],
    ['CharStorage', 'int8', Int8Array.of(-5, 7), [-5, 7]],
    ['ByteStorage', 'uint8', Uint8Array.of(5, 255), [5, 255]],
    ['BoolStorage', 'bool', Uint8Array.of(1, 0), [1, 0]],
  ] as const)('%s', async (storage, storedAs, values, expected) => {
    const file = await torchFile(dict({ weight: tensor({ storage, size: [2], stride: [1] }) }), { '0': values });
    const checkpoint = await openPyTorch(file, quietTask);
    expect(checkpoint.tensors.get('weight')).toMatchObject({ name: 'weight', shape: [2], storedAs });
    expect([...(await checkpoint.read('weight', quietTask))]).toEqual(expected);
  });

  it('may share a storage, and be read in any order and at once', async () => {
    const value = dict({
      a: tensor({ size: [2], stride: [1] }),
      b: tensor({ size: [2], stride: [1], offset: 2 }),
      c: tensor({ key: '1', size: [1], stride: [1] }),
    });
    const checkpoint = await openPyTorch(await torchFile(value, { ...four, '1': Float32Array.of(9) }), quietTask);
    const read = await Promise.all(['b', 'c', 'a', 'c', 'b'].map((key) => checkpoint.read(key, quietTask)));
    expect(read.map((values) => [...values])).toEqual([[3, 4], [9], [1, 2], [9], [3, 4]]);
  });

  it('gives arrays that the caller may change', async () => {
    const checkpoint = await openPyTorch(await torchFile(dict({ weight: square }), four), quietTask);
    (await checkpoint.read('weight', quietTask)).fill(0);
    expect([...(await checkpoint.read('weight', quietTask))]).toEqual([1, 2, 3, 4]);
  });

  it('says which tensor is missing', async () => {
    const checkpoint = await openPyTorch(await torchFile(dict({ weight: square }), four), quietTask);
    const error = await failureOf(checkpoint.read('bias', quietTask));
    expect(error.code).toBe('checkpoint/missing-tensor');
    expect(error.message).toContain('bias');
  });

  const withStorageId = (id: Code): Code =>
    reduce(name('torch._utils', '_rebuild_tensor_v2'), id, integer(0), tuple(integer(1)), tuple(integer(1)), [0x89], none);
  it.each([
    ['more values than stored', { size: [5], stride: [1] }],
    ['an offset behind the end', { size: [1], stride: [1], offset: 4 }],
    ['a stride beyond the end', { size: [2, 2], stride: [3, 1] }],
    ['a negative size', { size: [-1], stride: [1] }],
    ['a negative stride', { size: [2], stride: [-1], offset: 1 }],
    ['a negative offset', { size: [1], stride: [1], offset: -1 }],
    ['a huge size', { size: [2 ** 40], stride: [1] }],
    ['a huge product of sizes', { size: [2 ** 30, 2 ** 30, 2 ** 30], stride: [0, 0, 0] }],
    ['a broadcast of a billion', { size: [10 ** 9], stride: [0] }],
    ['fewer strides than sizes', { size: [2, 2], stride: [1] }],
    ['nine axes', { size: new Array<number>(9).fill(1), stride: new Array<number>(9).fill(1) }],
    ['a storage that is not in the file', { key: '1', size: [1], stride: [1] }],
    ['a storage that is another file of the archive', { key: '../data.pkl', size: [1], stride: [1] }],
    ['doubles where there are bytes for floats', { storage: 'DoubleStorage', size: [3], stride: [1] }],
  ] as const)('refuses %s', async (_label, parts) => {
    expect(await refusalOf(dict({ weight: tensor(parts) }))).toBe('checkpoint/malformed');
  });

  it.each([
    ['no persistent id', withStorageId(none)],
    ['a persistent id that is a text', withStorageId([...text('storage'), 0x51])],
    ['a persistent id of another kind', withStorageId([...tuple(text('module'), name('torch', 'FloatStorage'), text('0')), 0x51])],
    ['a storage of a class that is none', withStorageId([...tuple(text('storage'), name('torch', 'device'), text('0')), 0x51])],
    ['no arguments', reduce(name('torch._utils', '_rebuild_tensor_v2'))],
  ])('refuses a tensor with %s', async (_label, code) => {
    expect(await refusalOf(dict({ weight: code }))).toBe('checkpoint/malformed');
  });
});

describe('hostile files', () => {
  it.each([
    ['os.system', reduce(name('os', 'system'), text('id'))],
    ['posix.system', reduce(name('posix', 'system'), text('id'))],
    ['builtins.eval', reduce(name('builtins', 'eval'), text('1'))],
    ['__builtin__.exec', reduce(name('__builtin__', 'exec'), text('1'))],
    ['builtins.getattr', reduce(reduce(name('builtins', 'getattr'), name('os', 'system'), text('__call__')), text('id'))],
    ['subprocess.Popen', [...name('subprocess', 'Popen'), ...tuple(text('id')), 0x81]],
    ['torch.load', reduce(name('torch', 'load'), text('x'))],
    ['torch.nn.modules.conv.__builtins__', name('torch.nn.modules.conv', '__builtins__')],
    ['torch.UnknownStorage', name('torch', 'UnknownStorage')],
    ['torch.constructorStorage', name('torch', 'constructorStorage')],
    ['__proto__.constructor', name('__proto__', 'constructor')],
  ])('%s is refused by name', async (label, code) => {
    const error = await failureOf(openPyTorch(await torchFile(dict({ model: code }), four), quietTask));
    expect(error.code).toBe('checkpoint/unknown-class');
    expect(error.message).toContain(label);
  });

  it.each(['models.common.C3', 'models.experimental.MixConv2d', 'ultralytics.nn.tasks.DetectionModel', 'torchvision.models.resnet.ResNet'])(
    '%s belongs to another network',
    async (className) => {
      const error = await failureOf(openPyTorch(await torchFile(dict({ model: module(className, {}) }), four), quietTask));
      expect(error.code).toBe('checkpoint/other-network');
      expect(error.message).toContain(className);
    },
  );

  it('takes __proto__ and constructor for names like any other', async () => {
    const odd = { ['__proto__']: square, constructor: square, __setstate__: square };
    const entries = Object.entries(odd);
    const items = [...mark, ...entries.flatMap(([key, value]) => [...text(key), ...value]), 0x75];
    const polluted = [...mark, ...text('__proto__'), ...dict({ polluted: text('yes') }), 0x75];
    const settings = [...yaml(), ...polluted];
    const value = dict({ state_dict: [...emptyDict, ...items], yaml: settings, names });
    const checkpoint = await openPyTorch(await torchFile(value, four), quietTask);
    expect([...checkpoint.tensors.keys()]).toEqual(['__proto__', 'constructor', '__setstate__']);
    expect(checkpoint.description?.classNames).toEqual(['car', 'pedestrian']);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect('polluted' in {}).toBe(false);
  });

  const model = 'models.yolo.Model';
  /** A list of two references to a list of two references ... : 2^60 values if anybody followed them all. */
  const doubling = [
    ...list(text('x')),
    ...remember(0),
    ...Array.from({ length: 60 }, (_, index) => [0x30, ...list(recall(index), recall(index)), ...remember(index + 1)]).flat(),
  ];
  const doublingModules = [
    ...module('torch.nn.modules.linear.Linear', { parameters: { weight: square } }),
    ...remember(0),
    ...Array.from({ length: 35 }, (_, index) => [
      0x30,
      ...module(model, { modules: { a: recall(index), b: recall(index) } }),
      ...remember(index + 1),
    ]).flat(),
  ];
  /** A thousand modules that share one long list of parameters. */
  const wide = module(model, {
    modules: {
      first: [
        ...module(model, { parameters: Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`p${index}`, none])) }),
        ...remember(0),
      ],
      ...Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`m${index}`, recall(0)])),
    },
  });
  const deepModules = Array.from({ length: 200 }).reduce<Code>((inner) => module(model, { modules: { m: inner } }), module(model, {}));
  const ownParent = [
    ...name('models.yolo', 'Model'),
    ...[0x29, 0x81],
    ...remember(0),
    ...dict({ _modules: orderedDict({ self: recall(0) }) }),
    0x62,
  ];
  const ownValue = [...name('torch._utils', '_rebuild_parameter'), ...emptyList, ...remember(0), 0x52, ...remember(1), ...recall(0), ...recall(1), 0x61, 0x30];
  const manyParameters = [
    ...Array.from({ length: 50_000 }, () => [...name('torch._utils', '_rebuild_parameter'), 0x28]).flat(),
    ...none,
    ...Array.from({ length: 50_000 }, () => [0x74, 0x52]).flat(),
  ];
  const described = (settings: Code, classNames: Code): Code =>
    module(model, { parameters: { weight: square }, attributes: { yaml: settings, names: classNames } });
  const oddKey = (key: Code): Code => [...emptyDict, ...key, ...text('a'), 0x73, ...text('k'), ...text('b'), 0x73];
  const deepList = [...new Array<number>(20_000).fill(0x5d), ...new Array<number>(19_999).fill(0x61)];

  it.each([
    ['modules that hold each other twice', doublingModules],
    ['modules that share many parameters', wide],
    ['modules 200 deep', deepModules],
    ['a module in itself', ownParent],
    ['a parameter of itself', dict({ weight: ownValue })],
    ['a parameter of a parameter of a parameter', dict({ weight: manyParameters })],
    ['names that refer to each other', described(yaml(), doubling)],
    ['names by references to each other', described(yaml(), oddKey(doubling))],
    ['names by a list in a list in a list', described(yaml(), oddKey(deepList))],
    ['rows that refer to each other', described(yaml({ backbone: doubling }), names)],
    ['rows in a list in a list in a list', described(yaml({ backbone: deepList }), names)],
    ['rows in themselves', described(yaml({ backbone: [...emptyList, ...remember(0), ...recall(0), 0x61] }), names)],
  ])('%s are refused, and soon enough for a test', async (_label, code) => {
    const file = await torchFile(code, four);
    expect(await codeOf(openPyTorch(file, quietTask))).toMatch(/^checkpoint\/(malformed|not-a-checkpoint)$/);
  });

  it('refuses a description of more than 64 MB before it is read', async () => {
    const file = await torchFile(new Uint8Array(65 * 1024 * 1024), {}, 9);
    expect(file.size).toBeLessThan(200_000);
    expect(await codeOf(openPyTorch(file, quietTask))).toBe('checkpoint/too-large');
  });

  it('refuses a small file that unpacks to a huge storage', async () => {
    const file = await torchFile(dict({ weight: tensor({ storage: 'ByteStorage', size: [1], stride: [1] }) }), { '0': new Uint8Array(101_000_000) }, 9);
    expect(file.size).toBeLessThan(1_000_000);
    expect(await codeOf(openPyTorch(file, quietTask))).toBe('checkpoint/malformed');
  });

  it.each([
    ['nothing', none],
    ['a number', integer(3)],
    ['an empty dict', emptyDict],
    ['a dict of numbers', dict({ epoch: integer(3) })],
    ['a module without tensors', module(model, {})],
  ])('%s is no checkpoint', async (_label, code) => {
    expect(await refusalOf(code)).toBe('checkpoint/not-a-checkpoint');
  });
});

describe('cancelling', () => {
  it('stops opening and reading', async () => {
    const file = await torchFile(dict({ weight: square }), four);
    expect(await codeOf(openPyTorch(file, cancelledTask()))).toBe('cancelled');
    const checkpoint = await openPyTorch(file, quietTask);
    expect(await codeOf(checkpoint.read('weight', cancelledTask()))).toBe('cancelled');
    expect([...(await checkpoint.read('weight', quietTask))]).toEqual([1, 2, 3, 4]);
  });
});
