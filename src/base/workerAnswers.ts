import { asAppError } from './errors';
import type { Task } from './progress';
import { toWorkerSchema, type FromWorker } from './workerMessages';

/** The worker's end of requests that do not wait for one another. */
export class WorkerAnswers {
  private readonly running = new Map<number, AbortController>();

  constructor(
    private readonly handle: (kind: string, payload: unknown, task: Task) => Promise<unknown>,
    private readonly post: (message: FromWorker) => void,
  ) {}

  receive(data: unknown): void {
    const message = toWorkerSchema.parse(data);
    if (message.type === 'cancel') this.running.get(message.id)?.abort();
    else void this.answer(message.id, message.kind, message.payload);
  }

  private async answer(id: number, kind: string, payload: unknown): Promise<void> {
    const controller = new AbortController();
    this.running.set(id, controller);
    const task: Task = { signal: controller.signal, report: (progress) => this.post({ type: 'progress', id, progress }) };
    try {
      this.post({ type: 'result', id, value: await this.handle(kind, payload, task) });
    } catch (thrown) {
      this.post({ type: 'error', id, error: asAppError(thrown).toReport() });
    } finally {
      this.running.delete(id);
    }
  }
}
