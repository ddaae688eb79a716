import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { quietTask } from '../base/progress';
import { floatToHalf, halfToFloat } from './floats';
import { openSafetensors, writeSafetensors, type WriteEntry } from './safetensors';
import { cancelledTask, codeOf, failureOf, safetensorsFile } from './testing';
import type { NetworkDescription } from './types';

const eight = new Uint8Array(Float32Array.of(1.5, -2).buffer);
const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };

describe('files of other programs', () => {
  it.each(goldenCases())('$name', async ({ folder, height, width }) => {
    const file = await openSafetensors(await openAsBlob(resolve(folder, 'expected.safetensors')), quietTask);
    expect(file).toMatchObject({ format: 'safetensors', description: undefined, mode: undefined });
    const name = file.tensors.has('steps') ? 'steps' : 'input';
    expect(file.tensors.get(name)?.shape.slice(1)).toEqual([3, height, width]);
    const values = await file.read(name, quietTask);
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(values.some((value) => value > 0)).toBe(true);
  });

  it.each([
    ['F64', 'float64', Float64Array.of(0.5, -1e10), [0.5, -1e10]],
    ['F32', 'float32', Float32Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ['F16', 'float16', Uint16Array.of(0x3c00, 0x8001), [1, -(2 ** -24)]],
    ['BF16', 'bfloat16', Uint16Array.of(0x3f80, 0xc049), [1, -3.140625]],
    ['I64', 'int64', BigInt64Array.of(-5n, 7n), [-5, 7]],
    ['I32', 'int32', Int32Array.of(-5, 70_000), [-5, 70_000]],
    ['I16', 'int16', Int16Array.of(-5, 300), [-5, 300]],
    ['I8', 'int8', Int8Array.of(-5, 7), [-5, 7]],
    ['U8', 'uint8', Uint8Array.of(5, 255), [5, 255]],
    ['BOOL', 'bool', Uint8Array.of(1, 0), [1, 0]],
  ] as const)('%s', async (dtype, storedAs, values, expected) => {
    const header = JSON.stringify({ weight: { dtype, shape: [1, 2], data_offsets: [0, values.byteLength] } });
    const file = await openSafetensors(safetensorsFile(header, new Uint8Array(values.buffer)), quietTask);
    expect(file.tensors.get('weight')).toMatchObject({ name: 'weight', shape: [1, 2], storedAs });
    expect([...(await file.read('weight', quietTask))]).toEqual(expected);
  });

  it('takes a name that looks like structure', async () => {
    const names = ['a":{', '\\', '{', '__metadata', 'constructor'];
    const header = JSON.stringify(Object.fromEntries(names.map((name) => [name, entry])));
    const file = await openSafetensors(safetensorsFile(header, eight), quietTask);
    expect([...file.tensors.keys()]).toEqual(names);
  });
});

describe('refusals', () => {
  const withEntry = (changes: object): string => JSON.stringify({ weight: { ...entry, ...changes } });
  const withMetadata = (text: string): string => JSON.stringify({ __metadata__: { 'ems-yolo': text }, weight: entry });
  it.each([
    ['a header that is no JSON', '{"weight": ', 'malformed'],
    ['a header that is a list', '[1, 2]', 'malformed'],
    ['an unknown type', withEntry({ dtype: 'F8_E4M3' }), 'malformed'],
    ['the type constructor', withEntry({ dtype: 'constructor' }), 'malformed'],
    ['a negative side', withEntry({ shape: [-2] }), 'malformed'],
    ['a side that is not whole', withEntry({ shape: [0.5] }), 'malformed'],
    ['a shape that needs more bytes', withEntry({ shape: [3] }), 'malformed'],
    ['a shape of 2^60', withEntry({ shape: [2 ** 30, 2 ** 30] }), 'malformed'],
    ['offsets the wrong way round', withEntry({ data_offsets: [8, 0] }), 'malformed'],
    ['negative offsets', withEntry({ data_offsets: [-8, 0] }), 'malformed'],
    ['three offsets', withEntry({ data_offsets: [0, 8, 16] }), 'malformed'],
    ['values behind the end', withEntry({ data_offsets: [8, 16] }), 'truncated'],
    ['a name twice', `{"weight":${JSON.stringify(entry)},"weight":${JSON.stringify(entry)}}`, 'malformed'],
    ['a name twice, once escaped', `{"weight":${JSON.stringify(entry)},"\\u0077eight":${JSON.stringify(entry)}}`, 'malformed'],
    ['our metadata, not JSON', withMetadata('{'), 'malformed'],
    ['our metadata of another format', withMetadata('{"format":2}'), 'malformed'],
    ['our metadata without end', withMetadata('['.repeat(50_000) + ']'.repeat(50_000)), 'malformed'],
  ])('%s', async (_label, header, kind) => {
    expect(await codeOf(openSafetensors(safetensorsFile(header, eight), quietTask))).toBe(`checkpoint/${kind}`);
  });

  it.each([
    ['a header longer than the file', [100, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d], 'truncated'],
    ['a header of 2^63 bytes', [0, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d], 'malformed'],
    ['a header of one byte', [1, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d], 'malformed'],
    ['seven bytes', [2, 0, 0, 0, 0, 0, 0], 'truncated'],
  ])('%s', async (_label, bytes, kind) => {
    expect(await codeOf(openSafetensors(new Blob([Uint8Array.from(bytes)]), quietTask))).toBe(`checkpoint/${kind}`);
  });

  it('a tensor that is not there, a cancelled task, a file that is gone', async () => {
    const blob = safetensorsFile(JSON.stringify({ weight: entry }), eight);
    const file = await openSafetensors(blob, quietTask);
    expect((await failureOf(file.read('bias', quietTask))).message).toContain('bias');
    expect(await codeOf(file.read('constructor', quietTask))).toBe('checkpoint/missing-tensor');
    expect(await codeOf(file.read('weight', cancelledTask()))).toBe('cancelled');
    expect(await codeOf(openSafetensors(blob, cancelledTask()))).toBe('cancelled');
    blob.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) as Blob;
    expect(await codeOf(file.read('weight', quietTask))).toBe('checkpoint/truncated');
  });
});

describe('writing', () => {
  const description: NetworkDescription = {
    rows: [
      { from: [-1], repeats: 2, block: 'Conv_2', args: [32, 3, 2, 'None', null, true] },
      { from: [-1, 0], repeats: 1, block: 'Detect', args: ['nc', [[10, 14]]] },
    ],
    depthMultiple: 1,
    widthMultiple: 0.25,
    inputChannels: 3,
    classNames: ['Blutplättchen', '"quoted"'],
    anchors: [[10, 14, 23, 27]],
  };

  it('puts the values at a multiple of 8 bytes', async () => {
    for (let length = 1; length < 10; length++) {
      const blob = await writeSafetensors([{ name: 'x'.repeat(length), shape: [], storedAs: 'float32', data: Float32Array.of(7) }]);
      const header = new DataView(await blob.arrayBuffer()).getBigUint64(0, true);
      expect(header % 8n).toBe(0n);
      expect(blob.size).toBe(8 + Number(header) + 4);
    }
  });

  it('keeps the network', async () => {
    for (const mode of ['snn', 'ann'] as const) {
      const file = await openSafetensors(await writeSafetensors([], { mode, description }), quietTask);
      expect(file.mode).toBe(mode);
      expect(file.description).toEqual(description);
    }
  });

  it('reads back what it wrote, from a list or a stream', async () => {
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
    const entries: fc.Arbitrary<WriteEntry[]> = fc.uniqueArray(
      fc
        .tuple(
          fc.string({ minLength: 1 }).filter((name) => !name.startsWith('__')),
          shape,
          fc.constantFrom('float32' as const, 'float16' as const),
          fc.float32Array({ minLength: 256, maxLength: 256, noNaN: true }),
        )
        .map(([name, sides, storedAs, values]) => {
          const count = sides.reduce((product, side) => product * side, 1);
          return { name, shape: sides, storedAs, data: values.slice(0, count) };
        }),
      { selector: ({ name }) => name, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(entries, async (written) => {
        async function* stream(): AsyncGenerator<WriteEntry> {
          for (const item of written) yield Promise.resolve(item);
        }
        for (const source of [written, stream()]) {
          const file = await openSafetensors(await writeSafetensors(source), quietTask);
          expect(file.tensors.size).toBe(written.length);
          for (const { name, shape: sides, storedAs, data } of written) {
            expect(file.tensors.get(name)).toMatchObject({ shape: sides, storedAs });
            const expected = storedAs === 'float32' ? data : data.map((value) => halfToFloat(floatToHalf(value)));
            expect(await file.read(name, quietTask)).toEqual(expected);
          }
        }
      }),
    );
  });
});
