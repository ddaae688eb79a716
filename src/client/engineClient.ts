import type { BackendName } from '../base/backendName';
import { AppError, asAppError, cancelled } from '../base/errors';
import { quietTask, type Task } from '../base/progress';
import { fromWorkerSchema, type WorkerLike } from '../base/workerMessages';
import type { RequestKind, RequestPayload, ResponseOf } from '../engine/protocol';

/** The part of a Worker that the client uses; tests put their own in its place. */
export type BackendPreference = RequestPayload<'open'>['preference'];

/** Something that the page tells the person about. */
export type EngineNotice =
  | { kind: 'backend'; choice: ResponseOf['open'] }
  /** The engine stopped and was started again; `movedOn` when it left the backend that failed, `threads` when it goes on with fewer. */
  | { kind: 'restarted'; reason: string; movedOn: BackendName | undefined; threads: number | undefined };

interface Pending {
  id: number;
  kind: RequestKind;
  payload: unknown;
  task: Task;
  resolve: (value: unknown) => void;
  reject: (error: AppError) => void;
  /** How often a worker died with this request under way. */
  crashes: number;
  /** Part of starting a worker: a new start repeats it by itself. */
  partOfStart: boolean;
}

/** A backend that fails this often in one session is left for the next one. */
const failuresToMoveOn = 2;
/** A request that took down this many workers is given up. */
const crashesToGiveUp = 4;
/** A worker that dies this often in a row before it is ready is not started again. */
const failedStartsToGiveUp = 6;

/**
 * Talks to the engine's worker. When the worker crashes or loses its device it starts another, opens a backend, loads
 * the models again and repeats what was under way; a backend that failed twice is left for the next one.
 */
export class EngineClient {
  private worker: WorkerLike | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly failures = new Map<BackendName, number>();
  private preference: BackendPreference = 'auto';
  private threads = 1;
  private backend: BackendName | undefined;
  /** What must be loaded or converted again on a new worker, in this order. */
  private readonly loaded = new Map<string, { kind: 'load' | 'convert'; payload: unknown }>();
  private ready: Promise<void> | undefined;
  private failedStarts = 0;

  constructor(
    private readonly startWorker: () => WorkerLike,
    private readonly notify: (notice: EngineNotice) => void,
  ) {}

  /**
   * Opens the engine on the backend that is asked for; another choice later takes a new worker and loads the models again.
   * @param threads of the CPU engine, where the page may have more than one
   */
  async open(preference: BackendPreference, threads = 1): Promise<void> {
    const before = this.preference;
    this.preference = preference;
    this.threads = threads;
    this.failures.clear();
    this.failedStarts = 0;
    const reopened = this.start();
    this.ready = reopened;
    try {
      await reopened;
    } catch (error) {
      // What was working before is put back, so that a choice that cannot be had costs nothing.
      if (before !== preference) {
        this.preference = before;
        this.ready = this.start();
      }
      throw error;
    }
  }

  /** @throws AppError whatever the engine reports; `cancelled` when the task's signal is aborted */
  async request<K extends RequestKind>(kind: K, payload: RequestPayload<K>, task: Task = quietTask): Promise<ResponseOf[K]> {
    await this.ready;
    const value = await this.send(kind, payload, task, false);
    if (kind === 'load' || kind === 'convert') {
      const { mode } = value as ResponseOf['load'];
      this.loaded.set(mode, { kind, payload });
    } else if (kind === 'unload') {
      this.loaded.delete((payload as RequestPayload<'unload'>).slot);
    }
    return value as ResponseOf[K];
  }

  private send(kind: RequestKind, payload: unknown, task: Task, partOfStart: boolean): Promise<unknown> {
    if (task.signal.aborted) return Promise.reject(cancelled());
    let stopListening: () => void = () => undefined;
    const answer = new Promise((resolve, reject) => {
      const request: Pending = { id: this.nextId++, kind, payload, task, resolve, reject, crashes: 0, partOfStart };
      this.pending.set(request.id, request);
      const cancel = (): void => this.cancel(request);
      task.signal.addEventListener('abort', cancel, { once: true });
      stopListening = () => task.signal.removeEventListener('abort', cancel);
      this.post(request);
    });
    return answer.finally(() => stopListening());
  }

  private post({ id, kind, payload }: Pending): void {
    this.worker?.postMessage({ type: 'request', id, kind, payload });
  }

  /** The person gets the page back at once; the engine's own answer is dropped when it comes. */
  private cancel(request: Pending): void {
    if (!this.pending.delete(request.id)) return;
    this.worker?.postMessage({ type: 'cancel', id: request.id });
    request.reject(cancelled());
  }

  private async start(): Promise<void> {
    this.worker?.terminate();
    this.failedStarts++;
    const worker = this.startWorker();
    this.worker = worker;
    worker.addEventListener('message', ({ data }) => this.receive(worker, data));
    worker.addEventListener('error', (event) => this.crashed(worker, describeCrash(event)));
    worker.addEventListener('messageerror', () => this.crashed(worker, 'a message could not be read'));
    const avoid = [...this.failures].filter(([, count]) => count >= failuresToMoveOn).map(([name]) => name);
    // A backend chosen by name is left too when it keeps failing: a page that works beats a choice that does not.
    const preference = this.preference !== 'auto' && avoid.includes(this.preference) ? 'auto' : this.preference;
    const choice = (await this.send('open', { preference, avoid, threads: this.threads }, quietTask, true)) as ResponseOf['open'];
    this.backend = choice.name;
    this.notify({ kind: 'backend', choice });
    for (const { kind, payload } of this.loaded.values()) await this.send(kind, payload, quietTask, true);
    this.failedStarts = 0;
  }

  private receive(worker: WorkerLike, data: unknown): void {
    if (worker !== this.worker) return;
    const message = fromWorkerSchema.parse(data);
    if (message.type === 'lost') {
      // What the CPU loses is a thread, and one alone cannot be lost.
      if (this.backend === 'event') this.crashed(worker, message.reason, 1);
      else this.crashed(worker, `the graphics device was lost (${message.reason})`);
      return;
    }
    const request = this.pending.get(message.id);
    if (!request) return;
    switch (message.type) {
      case 'progress':
        request.task.report({ ...message.progress, total: message.progress.total });
        break;
      case 'result':
        this.pending.delete(message.id);
        request.resolve(message.value);
        break;
      case 'error':
        this.pending.delete(message.id);
        request.reject(AppError.fromReport(message.error));
        break;
    }
  }

  /** @param threads how many the next worker gets, where that changes */
  private crashed(worker: WorkerLike, reason: string, threads?: number): void {
    if (worker !== this.worker) return;
    this.threads = threads ?? this.threads;
    const failed = this.backend;
    const failures = failed ? (this.failures.get(failed) ?? 0) + 1 : 0;
    if (failed) this.failures.set(failed, failures);
    const interrupted = [...this.pending.values()];
    this.pending.clear();
    const error = crashError(reason);
    const givesUp = this.failedStarts >= failedStartsToGiveUp;
    const repeatable: Pending[] = [];
    for (const request of interrupted) {
      request.crashes++;
      if (givesUp || request.partOfStart || request.crashes >= crashesToGiveUp) request.reject(error);
      else repeatable.push(request);
    }
    if (givesUp) {
      worker.terminate();
      this.ready = rejected(error);
      return;
    }
    this.notify({ kind: 'restarted', reason, movedOn: failures >= failuresToMoveOn ? failed : undefined, threads });
    const restarted = this.start();
    this.ready = restarted;
    restarted.then(
      () => {
        for (const request of repeatable) {
          this.pending.set(request.id, request);
          this.post(request);
        }
      },
      (startError: unknown) => {
        for (const request of repeatable) request.reject(asAppError(startError));
      },
    );
  }
}

/** For whoever asks next; that nobody waits for it now is no fault. */
function rejected(error: AppError): Promise<never> {
  const promise = Promise.reject<never>(error);
  promise.catch(() => undefined);
  return promise;
}

function crashError(reason: string): AppError {
  return new AppError(
    'engine/crashed',
    `The engine stopped: ${reason}.`,
    'Try a smaller picture or fewer steps, or choose another backend.',
  );
}

function describeCrash(event: unknown): string {
  if (typeof event === 'object' && event !== null && 'message' in event && typeof event.message === 'string') {
    return event.message;
  }
  return 'its worker crashed';
}
