import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../base/errors';
import { writeOnnx } from './onnx';
import { classNamesOf, imageSizeOf, looksLikeOnnx, ownDescriptionOf, readOnnxMetadata } from './onnxMetadata';

const graph = {
  name: 'tiny',
  inputs: [{ name: 'images', shape: [1, 3, 32, 32] }],
  outputs: [{ name: 'out', shape: [1, 3, 32, 32] }],
  nodes: [{ operator: 'Relu', inputs: ['images'], outputs: ['out'] }],
  initializers: [{ name: 'weights', shape: [300], data: new Float32Array(300).fill(1) }],
};

describe('what an ONNX file says about itself', () => {
  it('is read past the network, whatever the texts', async () => {
    const file = writeOnnx(graph, { names: "{0: 'RBC', 1: 'WBC'}", task: 'detect', empty: '' });
    expect(looksLikeOnnx(new Uint8Array(await file.slice(0, 16).arrayBuffer()))).toBe(true);
    expect(Object.fromEntries(await readOnnxMetadata(file))).toEqual({ names: "{0: 'RBC', 1: 'WBC'}", task: 'detect', empty: '' });
  });

  it('is refused with a code where the file is cut off or changed', async () => {
    const bytes = new Uint8Array(await writeOnnx(graph, { names: 'x' }).arrayBuffer());
    await expect(readOnnxMetadata(new Blob([bytes.slice(0, 200)]))).rejects.toMatchObject({ code: 'checkpoint/malformed' });
    await expect(readOnnxMetadata(new Blob([Uint8Array.of(0x08, 0x08)]))).rejects.toMatchObject({ code: 'checkpoint/malformed' });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          await readOnnxMetadata(new Blob([changed]));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is not looked for in files of other kinds', () => {
    const bytes = (...list: number[]): Uint8Array => Uint8Array.from([...list, ...new Array<number>(16).fill(0)]);
    expect(looksLikeOnnx(bytes(0x50, 0x4b, 3, 4))).toBe(false);
    expect(looksLikeOnnx(bytes(0x08, 0x02, 0x12, 0, 0, 0, 0, 0, 0x7b))).toBe(false);
    expect(looksLikeOnnx(bytes(0x80, 0x02, 0x7d))).toBe(false);
    expect(looksLikeOnnx(new Uint8Array())).toBe(false);
  });
});

describe('texts that exporters write', () => {
  it('name classes as a dict or a list of Python', () => {
    expect(classNamesOf(`{0: 'person', 1: "child's bicycle", 2: 'it\\'s'}`)).toEqual(['person', "child's bicycle", "it's"]);
    expect(classNamesOf("['person', 'car']")).toEqual(['person', 'car']);
    for (const none of [undefined, '', '{}', '[]', 'person', "{0: 'a', 2: 'c'}"]) expect(classNamesOf(none)).toBeUndefined();
  });

  it('give the size of the picture', () => {
    expect(imageSizeOf('[480, 640]')).toEqual({ height: 480, width: 640 });
    for (const none of [undefined, '640', '[640]', '[a, b]']) expect(imageSizeOf(none)).toBeUndefined();
  });

  it('are ours only where they can be read as ours', () => {
    expect(ownDescriptionOf('{"description": {}}')).toBeUndefined();
    expect(ownDescriptionOf('not JSON')).toBeUndefined();
  });
});
