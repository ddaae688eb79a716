import { describe, expect, it } from 'vitest';
import { defaultStack } from '../base/blockStacks';
import { ReferenceOperations } from '../tensor/reference';
import type { Backend } from '../tensor/backend';
import { MessageHandler } from './messages';
import type { FromWorker } from '../base/workerMessages';
import type { Surroundings } from './session';

function setUp(backend: Partial<Backend> = {}) {
  const posted: FromWorker[] = [];
  let release: (blob: Blob) => void = () => undefined;
  const surroundings: Surroundings = {
    readModelFile: () => new Promise((resolve) => (release = resolve)),
    decodePicture: () => Promise.reject(new Error('no picture')),
    encodePicture: () => Promise.resolve(new Blob(['picture'])),
    openOnnxRuntime: () => import('onnxruntime-web'),
  decodeVideo: () => {
      throw new Error('no video');
    },
    trainingKernels: () => Promise.reject(new Error('no training')),
  };
  const handler = new MessageHandler(surroundings, { wasmPaths: undefined }, (message) => posted.push(message), () =>
    Promise.resolve({
      choice: { name: 'reference', label: 'Reference', reason: 'For the test.' },
      operations: new ReferenceOperations(),
      lost: new Promise(() => undefined),
      memory: () => ({ tensors: 0, bytes: 0 }),
      ...backend,
    }),
  );
  const ask = (id: number, kind: string, payload: unknown): void => handler.receive({ type: 'request', id, kind, payload });
  const open = (): void => ask(1, 'open', { preference: 'auto', avoid: [], threads: 1 });
  const answered = async (id: number): Promise<FromWorker | undefined> => {
    for (let turn = 0; turn < 50; turn++) {
      const answer = posted.find((message) => 'id' in message && message.id === id && message.type !== 'progress');
      if (answer) return answer;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return undefined;
  };
  return { handler, posted, ask, open, answered, release: (blob: Blob) => release(blob) };
}

describe('messages to the engine', () => {
  it('are answered under their number', async () => {
    const { ask, open, answered } = setUp();
    open();
    ask(2, 'memory', {});
    expect(await answered(1)).toMatchObject({ type: 'result', value: { name: 'reference' } });
    expect(await answered(2)).toEqual({ type: 'result', id: 2, value: { tensors: 0, bytes: 0 } });
  });

  it('get a coded error when they cannot be served', async () => {
    const { ask, open, answered } = setUp();
    ask(7, 'memory', {});
    expect(await answered(7)).toMatchObject({ type: 'error', error: { code: 'internal' } });
    open();
    ask(2, 'detect', { slot: 'snn' });
    expect(await answered(2)).toMatchObject({ type: 'error', error: { code: 'internal' } });
    ask(3, 'constructor', {});
    expect(await answered(3)).toMatchObject({ type: 'error', error: { code: 'internal' } });
    ask(4, 'trace', { slot: 'snn', frame: { id: 'x', image: new Blob() }, settings: { steps: 17, decay: 0.25, threshold: 0.5, inputSize: 'native' }, layer: 0 });
    expect(await answered(4)).toMatchObject({ type: 'error' });
  });

  it('wait for each other, and a waiting one can be cancelled', async () => {
    const { handler, ask, open, answered, release } = setUp();
    open();
    ask(2, 'load', { slot: 'snn', source: { kind: 'shipped', name: 'bccd' } });
    ask(3, 'memory', {});
    await answered(1);
    expect(await answered(3)).toBeUndefined();
    handler.receive({ type: 'cancel', id: 3 });
    release(new Blob(['no manifest']));
    expect(await answered(2)).toMatchObject({ type: 'error', error: { code: 'checkpoint/malformed' } });
    expect(await answered(3)).toMatchObject({ type: 'error', error: { code: 'cancelled' } });
  });

  it('measure gradients step by step, and a cancelled measurement ends', async () => {
    const { handler, ask, open, answered } = setUp();
    open();
    const settings = { ...defaultStack, depth: 2, width: 4, samples: 8 };
    ask(2, 'measureGradient', { kind: 'ems', settings, seed: 1 });
    expect(await answered(2)).toMatchObject({ type: 'result', value: [expect.any(Number), expect.any(Number), 1] });
    ask(3, 'predictGradient', { kind: 'sew', settings: { ...settings, depth: 1 } });
    expect(await answered(3)).toMatchObject({ type: 'result', value: [expect.any(Number), 1] });
    ask(4, 'measureSpectrum', { kind: 'ems-shape', place: 2, settings, seed: 1 });
    expect(await answered(4)).toMatchObject({ type: 'result', value: { measured: { mean: expect.any(Number) } } });
    ask(5, 'measureGradient', { kind: 'ems', settings: { ...settings, depth: 64 }, seed: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    handler.receive({ type: 'cancel', id: 5 });
    expect(await answered(5)).toMatchObject({ type: 'error', error: { code: 'cancelled' } });
    ask(6, 'measureGradient', { kind: 'ems', settings: { ...settings, width: 1000 }, seed: 1 });
    expect(await answered(6)).toMatchObject({ type: 'error' });
  });

  it('end with a word when the device is gone', async () => {
    let lose: (reason: string) => void = () => undefined;
    const { posted, open, answered } = setUp({ lost: new Promise((resolve) => (lose = resolve)) });
    open();
    await answered(1);
    lose('driver reset');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(posted).toContainEqual({ type: 'lost', reason: 'driver reset' });
  });
});
