import { describe, expect, it } from 'vitest';
import type { ToWorker, WorkerLike } from '../base/workerMessages';
import type { FromTrainer, TrainingEvent } from '../engine/trainingProtocol';
import { TrainingClient } from './trainingClient';

/** A worker whose answers the test gives. */
class TestWorker implements WorkerLike {
  readonly received: ToWorker[] = [];
  terminated = false;
  private readonly listeners = new Map<string, (event: { data: unknown }) => void>();
  postMessage(message: ToWorker): void {
    this.received.push(message);
  }
  terminate(): void {
    this.terminated = true;
  }
  addEventListener(type: string, listener: (event: { data: unknown }) => void): void {
    this.listeners.set(type, listener);
  }
  say(message: FromTrainer): void {
    this.listeners.get('message')?.({ data: message });
  }
  crash(): void {
    this.listeners.get('error')?.({ data: undefined, ...{ message: 'out of memory' } });
  }
}

function setUp() {
  const workers: TestWorker[] = [];
  const events: TrainingEvent[] = [];
  const client = new TrainingClient(() => {
    const worker = new TestWorker();
    workers.push(worker);
    return worker;
  }, (event) => events.push(event));
  return { client, workers, events };
}

describe('TrainingClient', () => {
  it('starts its worker when it is first asked, once', () => {
    const { client, workers } = setUp();
    expect(workers).toHaveLength(0);
    void client.request('keptRun', {});
    void client.request('discard', {});
    expect(workers).toHaveLength(1);
    expect(workers[0]?.received.map((message) => message.type === 'request' && message.kind)).toEqual(['keptRun', 'discard']);
  });

  it('passes progress, events and answers on', async () => {
    const { client, workers, events } = setUp();
    const labels: string[] = [];
    const answer = client.request('resume', {}, { signal: new AbortController().signal, report: ({ label }) => labels.push(label) });
    const [worker] = workers;
    worker?.say({ type: 'progress', id: 1, progress: { label: 'Training', done: 1, total: 2, unit: 'items' } });
    worker?.say({ type: 'event', event: { kind: 'samples', epoch: 1, samples: [] } });
    worker?.say({ type: 'result', id: 1, value: { name: 'mine', mode: 'snn' } });
    expect(await answer).toEqual({ name: 'mine', mode: 'snn' });
    expect(labels).toEqual(['Training']);
    expect(events).toEqual([{ kind: 'samples', epoch: 1, samples: [] }]);
  });

  it('waits for the worker’s word when a run is cancelled: its state is stored by then', async () => {
    const { client, workers } = setUp();
    const controller = new AbortController();
    const answer = client.request('resume', {}, { signal: controller.signal, report: () => undefined });
    let ended = false;
    const settled = answer.catch((error: unknown) => error).finally(() => (ended = true));
    controller.abort();
    await Promise.resolve();
    expect(workers[0]?.received.at(-1)).toEqual({ type: 'cancel', id: 1 });
    expect(ended).toBe(false);
    workers[0]?.say({ type: 'error', id: 1, error: { code: 'cancelled', message: 'The work was cancelled.', remedy: '' } });
    expect(await settled).toMatchObject({ code: 'cancelled' });
  });

  it.each([
    ['crashes', (worker: TestWorker) => worker.crash(), 'out of memory'],
    ['loses its device', (worker: TestWorker) => worker.say({ type: 'lost', reason: 'unplugged' }), 'unplugged'],
  ])('says so when the worker %s, and starts another for the next request', async (_, fail, words) => {
    const { client, workers } = setUp();
    const answer = client.request('resume', {}).catch((error: unknown) => error);
    const [worker] = workers;
    if (worker) fail(worker);
    expect(await answer).toMatchObject({ code: 'engine/crashed', message: expect.stringContaining(words) as string });
    expect(worker?.terminated).toBe(true);
    void client.request('keptRun', {});
    expect(workers).toHaveLength(2);
    // What the dead one still says is not listened to.
    worker?.say({ type: 'result', id: 2, value: 'stale' });
    expect(workers[1]?.received).toHaveLength(1);
  });
});
