import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quietTask } from '../base/progress';
import { writePyTorch } from './exportPyTorch';
import { floatToHalf, halfToFloat } from './floats';
import { openPyTorch } from './pytorch';
import type { WriteEntry } from './safetensors';
import type { NetworkDescription } from './types';

const description: NetworkDescription = {
  rows: [
    { from: [-1], repeats: 2, block: 'Conv_2', args: [32, 3, 2, 'None', null, true] },
    { from: [-1, 0], repeats: 1, block: 'Detect', args: ['nc', [[10, 14]]] },
  ],
  depthMultiple: 0.33,
  widthMultiple: 0.25,
  inputChannels: 3,
  classNames: ['Blutplättchen', '"quoted"'],
  anchors: [[10.5, 14, 23, 27]],
};

describe('writePyTorch', () => {
  it('is read back with its description', async () => {
    const checkpoint = await openPyTorch(await writePyTorch([{ name: 'a', shape: [1], storedAs: 'float32', data: Float32Array.of(1) }], { description }), quietTask);
    expect(checkpoint.description).toEqual(description);
  });

  it('takes a network with more rows than a call takes arguments', async () => {
    const long = 'x'.repeat(100);
    const rows = Array.from({ length: 1000 }, () => ({ from: [-1], repeats: 1, block: 'Conv_2', args: [long, long] }));
    const blob = await writePyTorch([{ name: 'a', shape: [1], storedAs: 'float32', data: Float32Array.of(1) }], { description: { ...description, rows } });
    expect((await openPyTorch(blob, quietTask)).description?.rows).toHaveLength(1000);
  });

  it('is read back with its values', async () => {
    const entries: fc.Arbitrary<WriteEntry[]> = fc.uniqueArray(
      fc
        .tuple(
          fc.string({ minLength: 1 }).filter((name) => !name.startsWith('module.')),
          fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
          fc.constantFrom('float32' as const, 'float16' as const),
          fc.float32Array({ minLength: 256, maxLength: 256, noNaN: true }),
        )
        .map(([name, shape, storedAs, values]) => {
          const count = shape.reduce((product, side) => product * side, 1);
          return { name, shape, storedAs, data: values.slice(0, count) };
        }),
      { selector: ({ name }) => name, minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(entries, async (written) => {
        const checkpoint = await openPyTorch(await writePyTorch(written, { description }), quietTask);
        expect([...checkpoint.tensors.keys()]).toEqual(written.map(({ name }) => name));
        for (const { name, shape, storedAs, data } of written) {
          expect(checkpoint.tensors.get(name)).toMatchObject({ shape, storedAs });
          const expected = storedAs === 'float32' ? data : data.map((value) => halfToFloat(floatToHalf(value)));
          expect(await checkpoint.read(name, quietTask)).toEqual(expected);
        }
      }),
    );
  });
});
