import { AppError, cancelled } from './errors';
import { quietTask, type Task } from './progress';
import { fromTellingWorkerSchema, type ToWorker, type WorkerLike } from './workerMessages';

interface Pending {
  task: Task;
  resolve: (value: unknown) => void;
  reject: (error: AppError) => void;
}

/** What is said when the worker dies. */
export interface CrashWords {
  /** Before a colon: "Training stopped". */
  stopped: string;
  remedy: string;
}

/**
 * Talks to a worker of one's own, which is started when it is first asked for something. What is under way when it dies fails; the next
 * request starts another one. Requests and answers have the types that both sides agree on, by kind.
 */
export class WorkerClient<Requests, Answers extends Record<keyof Requests, unknown>, Event = never> {
  private worker: WorkerLike | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();

  constructor(
    private readonly startWorker: () => WorkerLike,
    private readonly words: CrashWords,
    private readonly onEvent: (event: Event) => void,
  ) {}

  /**
   * A cancelled request is answered by the worker, which may have something to put away first.
   * @throws AppError whatever the worker reports; `cancelled`; `engine/crashed`
   */
  request<K extends keyof Requests & string>(kind: K, payload: Requests[K], task: Task = quietTask): Promise<Answers[K]> {
    if (task.signal.aborted) return Promise.reject(cancelled());
    const id = this.nextId++;
    const cancel = (): void => this.worker?.postMessage({ type: 'cancel', id });
    task.signal.addEventListener('abort', cancel, { once: true });
    const answer = new Promise<unknown>((resolve, reject) => {
      this.pending.set(id, { task, resolve, reject });
      this.post({ type: 'request', id, kind, payload });
    });
    return answer.finally(() => task.signal.removeEventListener('abort', cancel)) as Promise<Answers[K]>;
  }

  /** Ends the worker, whatever it is at. */
  stop(error: AppError = cancelled()): void {
    this.worker?.terminate();
    this.worker = undefined;
    const interrupted = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of interrupted) reject(error);
  }

  private post(message: ToWorker): void {
    this.worker ??= this.start();
    this.worker.postMessage(message);
  }

  private start(): WorkerLike {
    const worker = this.startWorker();
    worker.addEventListener('message', ({ data }) => this.receive(worker, data));
    worker.addEventListener('error', (event) => {
      const said = typeof event === 'object' && event !== null && 'message' in event ? event.message : undefined;
      this.crashed(worker, typeof said === 'string' && said !== '' ? said : 'its worker crashed');
    });
    worker.addEventListener('messageerror', () => this.crashed(worker, 'a message could not be read'));
    return worker;
  }

  private receive(worker: WorkerLike, data: unknown): void {
    if (worker !== this.worker) return;
    const message = fromTellingWorkerSchema.parse(data);
    if (message.type === 'event') {
      this.onEvent(message.event as Event);
      return;
    }
    if (message.type === 'lost') {
      this.crashed(worker, `the graphics device was lost (${message.reason})`);
      return;
    }
    const request = this.pending.get(message.id);
    if (!request) return;
    if (message.type === 'progress') {
      request.task.report({ ...message.progress, total: message.progress.total });
      return;
    }
    this.pending.delete(message.id);
    if (message.type === 'result') request.resolve(message.value);
    else request.reject(AppError.fromReport(message.error));
  }

  private crashed(worker: WorkerLike, reason: string): void {
    if (worker === this.worker) this.stop(new AppError('engine/crashed', `${this.words.stopped}: ${reason}.`, this.words.remedy));
  }
}
