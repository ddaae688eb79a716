import { throwIfCancelled, type Task } from '../../base/progress';

/** Lets the worker read its messages (a cancellation may be among them), and reports. @throws AppError `cancelled` */
export async function goOn(task: Task, label: string, done: number, total: number): Promise<void> {
  task.report({ label, done, total, unit: 'items' });
  await new Promise((resolve) => setTimeout(resolve, 0));
  throwIfCancelled(task.signal);
}
