import { describe, expect, it } from 'vitest';
import { AppError } from '../base/errors';
import type { Progress } from '../base/progress';
import type { ToWorker, WorkerLike } from '../base/workerMessages';
import type { RequestKind } from '../engine/protocol';
import { EngineClient, type EngineNotice } from './engineClient';

/** A worker whose answers the test decides. */
class FakeWorker implements WorkerLike {
  readonly received: { id: number; kind: RequestKind; payload: unknown }[] = [];
  readonly cancelled: number[] = [];
  terminated = false;
  private readonly listeners: Record<string, ((event: { data: unknown }) => void)[]> = {};

  constructor(private readonly backend: () => string) {}

  postMessage(message: ToWorker): void {
    if (message.type === 'cancel') {
      this.cancelled.push(message.id);
      return;
    }
    this.received.push({ id: message.id, kind: message.kind as RequestKind, payload: message.payload });
    if (message.kind === 'open') this.answer(message.id, { name: this.backend(), label: '', reason: '' });
    if (message.kind === 'load') this.answer(message.id, { name: 'model', mode: 'snn' });
  }

  terminate(): void {
    this.terminated = true;
  }

  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    (this.listeners[type] ??= []).push(listener);
  }

  emit(type: string, event: unknown): void {
    for (const listener of this.listeners[type] ?? []) listener(event as { data: unknown });
  }

  answer(id: number, value: unknown): void {
    queueMicrotask(() => this.emit('message', { data: { type: 'result', id, value } }));
  }

  kinds(): RequestKind[] {
    return this.received.map(({ kind }) => kind);
  }

  lastId(): number {
    return this.received.at(-1)?.id ?? -1;
  }
}

function setUp(backendOf: (worker: number) => string = () => 'wasm') {
  const workers: FakeWorker[] = [];
  const notices: EngineNotice[] = [];
  const client = new EngineClient(
    () => {
      const number = workers.length;
      const worker = new FakeWorker(() => backendOf(number));
      workers.push(worker);
      return worker;
    },
    (notice) => notices.push(notice),
  );
  const current = (): FakeWorker => {
    const worker = workers.at(-1);
    if (!worker) throw new Error('no worker was started');
    return worker;
  };
  return { client, workers, notices, current };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const load = { slot: 'snn' as const, source: { kind: 'shipped' as const, name: 'bccd' } };

describe('the engine client', () => {
  it('passes progress on and gives the answer to the request that it belongs to', async () => {
    const { client, current } = setUp();
    await client.open('auto');
    const seen: Progress[] = [];
    const first = client.request('memory', {}, { signal: new AbortController().signal, report: (progress) => seen.push(progress) });
    const second = client.request('memory', {});
    await settled();
    const [one, two] = current().received.filter(({ kind }) => kind === 'memory');
    current().emit('message', { data: { type: 'progress', id: one?.id, progress: { label: 'Reading', done: 1, total: 2, unit: 'bytes' } } });
    current().answer(two?.id ?? -1, { tensors: 2, bytes: 2 });
    current().answer(one?.id ?? -1, { tensors: 1, bytes: 1 });
    expect(await second).toEqual({ tensors: 2, bytes: 2 });
    expect(await first).toEqual({ tensors: 1, bytes: 1 });
    expect(seen).toEqual([{ label: 'Reading', done: 1, total: 2, unit: 'bytes' }]);
  });

  it('turns a reported error into a coded one', async () => {
    const { client, current } = setUp();
    await client.open('auto');
    const answer = client.request('memory', {});
    await settled();
    current().emit('message', {
      data: { type: 'error', id: current().lastId(), error: { code: 'checkpoint/truncated', message: 'Cut off.', remedy: 'Download again.' } },
    });
    await expect(answer).rejects.toMatchObject({ code: 'checkpoint/truncated', remedy: 'Download again.' });
  });

  it('lets go of a cancelled request at once and tells the worker', async () => {
    const { client, current } = setUp();
    await client.open('auto');
    const controller = new AbortController();
    const answer = client.request('memory', {}, { signal: controller.signal, report: () => undefined });
    await settled();
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' });
    expect(current().cancelled).toEqual([current().lastId()]);
    // A late answer to it is nobody's.
    current().answer(current().lastId(), {});
    await settled();
  });

  it('starts again after a crash, loads the models and repeats what was under way', async () => {
    const { client, workers, notices, current } = setUp();
    await client.open('auto');
    await client.request('load', load);
    const answer = client.request('memory', {});
    await settled();
    current().emit('error', { message: 'Uncaught RangeError' });
    await settled();
    expect(workers).toHaveLength(2);
    expect(workers[0]?.terminated).toBe(true);
    expect(current().kinds()).toEqual(['open', 'load', 'memory']);
    current().answer(current().lastId(), { tensors: 3, bytes: 3 });
    expect(await answer).toEqual({ tensors: 3, bytes: 3 });
    expect(notices).toContainEqual({ kind: 'restarted', reason: 'Uncaught RangeError', movedOn: undefined });
  });

  it('goes on with one thread where one was lost, and repeats what was under way', async () => {
    const { client, notices, current } = setUp(() => 'event');
    await client.open('auto', 4);
    await client.request('load', load);
    const answer = client.request('memory', {});
    await settled();
    const first = current();
    const request = first.lastId();
    first.emit('message', { data: { type: 'lost', reason: 'one of its threads ended' } });
    // The engine's own error comes behind it, and is nobody's any more.
    first.emit('message', { data: { type: 'error', id: request, error: { code: 'backend/lost', message: 'Lost.', remedy: 'Again.' } } });
    await settled();
    expect(current()).not.toBe(first);
    expect(current().received.map(({ kind, payload }) => (kind === 'open' ? payload : kind))).toEqual([{ preference: 'auto', avoid: [], threads: 1 }, 'load', 'memory']);
    current().answer(current().lastId(), { tensors: 3, bytes: 3 });
    expect(await answer).toEqual({ tensors: 3, bytes: 3 });
    expect(notices).toContainEqual({ kind: 'restarted', reason: 'one of its threads ended', movedOn: undefined, threads: 1 });
  });

  it('leaves a backend whose device is lost twice', async () => {
    const { client, workers, notices, current } = setUp((worker) => (worker < 2 ? 'webgpu' : 'wasm'));
    await client.open('webgpu');
    current().emit('message', { data: { type: 'lost', reason: 'driver reset' } });
    await settled();
    expect(current().received[0]?.payload).toEqual({ preference: 'webgpu', avoid: [], threads: 1 });
    current().emit('message', { data: { type: 'lost', reason: 'driver reset' } });
    await settled();
    expect(workers).toHaveLength(3);
    expect(current().received[0]?.payload).toEqual({ preference: 'auto', avoid: ['webgpu'], threads: 1 });
    expect(notices.at(-1)).toEqual({ kind: 'backend', choice: { name: 'wasm', label: '', reason: '' } });
    expect(notices).toContainEqual({ kind: 'restarted', reason: 'the graphics device was lost (driver reset)', movedOn: 'webgpu' });
  });

  it('gives up on a request that takes every worker down, and stays usable', async () => {
    const { client, current } = setUp();
    await client.open('auto');
    const answer = client.request('memory', {});
    const outcome = answer.catch((error: unknown) => error);
    for (let crash = 0; crash < 4; crash++) {
      await settled();
      current().emit('error', { message: 'out of memory' });
    }
    expect(await outcome).toBeInstanceOf(AppError);
    await expect(answer).rejects.toMatchObject({ code: 'engine/crashed' });
    const next = client.request('memory', {});
    await settled();
    current().answer(current().lastId(), { tensors: 0, bytes: 0 });
    expect(await next).toEqual({ tensors: 0, bytes: 0 });
  });

  it('stops starting workers that die before they are ready', async () => {
    const workers: FakeWorker[] = [];
    const client = new EngineClient(
      () => {
        const worker = new FakeWorker(() => 'wasm');
        worker.postMessage = () => queueMicrotask(() => worker.emit('error', { message: 'script not found' }));
        workers.push(worker);
        return worker;
      },
      () => undefined,
    );
    await expect(client.open('auto')).rejects.toMatchObject({ code: 'engine/crashed' });
    await settled();
    expect(workers.length).toBeLessThan(10);
    await expect(client.request('memory', {})).rejects.toMatchObject({ code: 'engine/crashed' });
  });

  it('goes back to the backend that worked when another cannot be had', async () => {
    const { client, workers, current } = setUp();
    await client.open('auto');
    const change = client.open('webgl');
    const worker = current();
    // Replace the automatic answer to `open` by a refusal.
    worker.emit('message', {
      data: { type: 'error', id: worker.lastId(), error: { code: 'backend/unavailable', message: 'No WebGL.', remedy: 'Choose another.' } },
    });
    await expect(change).rejects.toMatchObject({ code: 'backend/unavailable' });
    const answer = client.request('memory', {});
    await settled();
    expect(workers).toHaveLength(3);
    expect(current().received[0]?.payload).toEqual({ preference: 'auto', avoid: [], threads: 1 });
    current().answer(current().lastId(), { tensors: 1, bytes: 1 });
    expect(await answer).toEqual({ tensors: 1, bytes: 1 });
  });
});
