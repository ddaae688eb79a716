import { AppError, cancelled } from '../base/errors';
import { quietTask, type Task } from '../base/progress';
import type { ToWorker } from '../engine/protocol';
import { fromTrainerSchema, type TrainingEvent, type TrainingRequest, type TrainingRequestKind, type TrainingResponseOf } from '../engine/trainingProtocol';
import type { WorkerLike } from './engineClient';

interface Pending {
  task: Task;
  resolve: (value: unknown) => void;
  reject: (error: AppError) => void;
}

/**
 * Talks to the worker that trains, which is started when it is first asked for something. A run whose worker dies is lost only back to
 * its last stored state: the next request starts another worker, and `resume` goes on from there.
 */
export class TrainingClient {
  private worker: WorkerLike | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();

  constructor(
    private readonly startWorker: () => WorkerLike,
    private readonly onEvent: (event: TrainingEvent) => void,
  ) {}

  /**
   * Unlike the engine's, a cancelled request is answered by the worker: a run stores its state before it says that it was cancelled.
   * @throws AppError whatever the worker reports; `cancelled`; `engine/crashed`
   */
  request<K extends TrainingRequestKind>(kind: K, payload: TrainingRequest<K>, task: Task = quietTask): Promise<TrainingResponseOf[K]> {
    if (task.signal.aborted) return Promise.reject(cancelled());
    const id = this.nextId++;
    const cancel = (): void => this.post({ type: 'cancel', id });
    task.signal.addEventListener('abort', cancel, { once: true });
    const answer = new Promise<unknown>((resolve, reject) => {
      this.pending.set(id, { task, resolve, reject });
      this.post({ type: 'request', id, kind, payload });
    });
    return answer.finally(() => task.signal.removeEventListener('abort', cancel)) as Promise<TrainingResponseOf[K]>;
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
    const message = fromTrainerSchema.parse(data);
    if (message.type === 'event') {
      this.onEvent(message.event);
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
    if (worker !== this.worker) return;
    worker.terminate();
    this.worker = undefined;
    const interrupted = [...this.pending.values()];
    this.pending.clear();
    const error = new AppError('engine/crashed', `Training stopped: ${reason}.`, 'Resume it: the run goes on from the state that was stored last.');
    for (const { reject } of interrupted) reject(error);
  }
}
