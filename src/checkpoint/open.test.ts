import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, type ErrorCode } from '../base/errors';
import { quietTask } from '../base/progress';
import { openCheckpoint } from './open';
import { writeSafetensors } from './safetensors';
import { codeOf, dict, failureOf, list, module, parameter, pickle, tensor, text, torchFile, yaml, zipped } from './testing';

const weights = { '0': Float32Array.of(1, 2, 3, 4) };
const model = module('models.yolo.Model', {
  parameters: { weight: parameter(tensor({ size: [2, 2], stride: [2, 1] })) },
  attributes: { yaml: yaml(), names: list(text('a'), text('b')) },
});

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

async function safetensors(): Promise<Blob> {
  const description = {
    rows: [{ from: [-1], repeats: 1, block: 'Conv_2', args: [32, 3, 2] }],
    depthMultiple: 1,
    widthMultiple: 1,
    inputChannels: 3,
    classNames: ['a'],
    anchors: [[10, 14]],
  };
  return writeSafetensors([{ name: 'weight', shape: [2, 2], storedAs: 'float16', data: weights['0'] }], { mode: 'snn', description });
}

describe('what is in the file decides', () => {
  it('opens .pt, compressed too', async () => {
    for (const level of [0, 6]) {
      const checkpoint = await openCheckpoint(await torchFile(dict({ model }), weights, level), quietTask);
      expect(checkpoint.format).toBe('pytorch');
      expect([...(await checkpoint.read('weight', quietTask))]).toEqual([1, 2, 3, 4]);
    }
  });

  it('opens .safetensors', async () => {
    expect((await openCheckpoint(await safetensors(), quietTask)).format).toBe('safetensors');
  });

  const head = (bytes: readonly (number | string)[], length = 600): Uint8Array<ArrayBuffer> => {
    const file = new Uint8Array(length);
    file.set(bytes.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : [part])));
    return file;
  };
  const tar = (mark: string): Uint8Array<ArrayBuffer> => {
    const file = head(['sys_info'], 1024);
    for (const [at, field] of [[100, '0000644\0'], [148, '0011065\0'], [257, mark]] as const) file.set(new TextEncoder().encode(field), at);
    return file;
  };
  const notACheckpoint: ErrorCode = 'checkpoint/not-a-checkpoint';
  const cases: [string, Uint8Array<ArrayBuffer> | string, ErrorCode, RegExp][] = [
    ['an empty file', '', notACheckpoint, /empty/],
    ['one byte', 'x', notACheckpoint, /text/],
    ['a web page', '\n<!DOCTYPE html><html><head><title>Weights é</title>', notACheckpoint, /web page/],
    ['a web page with a byte order mark', '\ufeff<html lang="zh"><body>权重', notACheckpoint, /web page/],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n', notACheckpoint, /Git LFS/],
    ['a YAML file', 'nc: 80\ndepth_multiple: 1.0\n', notACheckpoint, /text/],
    ['a JSON file', '{"a": 1, {"b": 2}}', notACheckpoint, /text/],
    ['a pickle without an archive', pickle(dict({ a: text('b') })), notACheckpoint, /bare pickle/],
    ['a gzip file', head([0x1f, 0x8b, 8]), notACheckpoint, /gzip/],
    ['an ONNX model', head([0x08, 0x07, 0x12, 0x07, 'pytorch', 0x1a, 0x06, '1.13.0']), notACheckpoint, /ONNX/],
    ['a PNG picture', head([0x89, 'PNG\r\n', 0x1a, '\n']), notACheckpoint, /kind that is known/],
    ['zeros', new Uint8Array(600), notACheckpoint, /kind that is known/],
    ['a PyTorch file from before 1.6', head([0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]), 'checkpoint/legacy-tar', /before version 1\.6/],
    ['a tar archive', tar('ustar\0'), 'checkpoint/legacy-tar', /tar archive/],
    ['a tar archive without a mark', tar(''), 'checkpoint/legacy-tar', /tar archive/],
  ];
  it.each(cases)('refuses %s', async (_label, content, code, words) => {
    const error = await failureOf(openCheckpoint(new Blob([content]), quietTask));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.remedy).toMatch(/\.$/);
  });

  it('refuses other archives', async () => {
    const three = Uint8Array.from([1, 2, 3]);
    const without = await failureOf(openCheckpoint(await zipped({ 'word/document.xml': three }), quietTask));
    expect(without.code).toBe('checkpoint/not-a-checkpoint');
    expect(without.message).toContain('word/document.xml');
    expect(await codeOf(openCheckpoint(await zipped({}), quietTask))).toBe('checkpoint/not-a-checkpoint');
    const script = await failureOf(
      openCheckpoint(await zipped({ 'net/data.pkl': pickle(text('a')), 'net/constants.pkl': three, 'net/code/__torch__.py': three }), quietTask),
    );
    expect(script.code).toBe('checkpoint/not-a-checkpoint');
    expect(script.message).toContain('TorchScript');
  });

  it('says so when the file can no longer be read', async () => {
    const gone = new Blob(['x']);
    gone.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) as Blob;
    expect(await codeOf(openCheckpoint(gone, quietTask))).toBe('checkpoint/not-a-checkpoint');
  });
});

/** Opens and reads everything; true where that works. Anything but a coded error of this room is a failure. */
async function survives(file: Blob): Promise<boolean> {
  try {
    const checkpoint = await openCheckpoint(file, quietTask);
    for (const name of checkpoint.tensors.keys()) await checkpoint.read(name, quietTask);
    return true;
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('checkpoint/')) throw error;
    return false;
  }
}

describe.each([
  ['.pt', () => torchFile(dict({ model }), weights)],
  ['.pt, compressed', () => torchFile(dict({ model }), weights, 6)],
  ['.safetensors', safetensors],
])('damaged %s', (_label, make) => {
  it('is refused wherever it is cut off', async () => {
    const whole = await make();
    expect(await survives(whole)).toBe(true);
    for (let length = 0; length < whole.size; length++) {
      expect(await survives(whole.slice(0, length)), `${length} of ${whole.size} bytes`).toBe(false);
    }
  });

  it('is opened or refused whatever was changed', async () => {
    const whole = await bytesOf(await make());
    const place = fc.nat(whole.length - 1);
    const change = fc.oneof(
      fc.record({ at: place, remove: fc.constant(1), insert: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
      fc.record({ at: place, remove: fc.nat(8), insert: fc.uint8Array({ maxLength: 8 }) }),
      fc.record({ at: place, remove: fc.constantFrom(4, 8), insert: fc.constantFrom(new Uint8Array(4).fill(255), new Uint8Array(8).fill(255), new Uint8Array(8).fill(127)) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        let bytes = [...whole];
        for (const { at, remove, insert } of changes) bytes = [...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)];
        await survives(new Blob([Uint8Array.from(bytes)]));
      }),
      { numRuns: 500 },
    );
  });
});

describe('damaged pickles in a sound archive', () => {
  it('are opened or refused whatever was changed', async () => {
    const whole = pickle(dict({ model }));
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, async (flips) => {
        const bytes = whole.slice();
        for (const [at, value] of flips) bytes[at] = value;
        await survives(await torchFile(bytes, weights));
      }),
      { numRuns: 500 },
    );
  });
});
