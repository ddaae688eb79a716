import { AppError, asAppError } from '../base/errors';
import type { Progress, Task } from '../base/progress';
import { tell, usePlayground } from '../state/store';

export function dismiss(id: number): void {
  usePlayground.setState(({ messages }) => ({ messages: messages.filter((message) => message.id !== id) }));
}

export function tellError(thrown: unknown): void {
  const { code, message, remedy } = asAppError(thrown);
  if (code === 'cancelled') return;
  tell({ tone: 'error', title: message, detail: remedy, code });
}

/** The work under way by name; starting the same again cancels what ran before. */
const running = new Map<string, AbortController>();

/** Shorter work shows no bar: it would only flicker. */
const quietMs = 150;

/**
 * Runs cancellable work that shows its progress under `name`. A failure is told to the person; the result is then
 * undefined, and whatever was on the page stays.
 */
export async function underWay<T>(name: string, label: string, work: (task: Task) => Promise<T>): Promise<T | undefined> {
  running.get(name)?.abort();
  const controller = new AbortController();
  running.set(name, controller);
  const started = performance.now();
  const show = (progress: Progress): void => {
    if (running.get(name) !== controller || performance.now() - started < quietMs) return;
    usePlayground.setState(({ activities }) => ({
      activities: { ...activities, [name]: { progress, cancel: () => controller.abort() } },
    }));
  };
  const timer = setTimeout(() => show({ label, done: 0, total: undefined, unit: 'items' }), quietMs);
  try {
    return await work({ signal: controller.signal, report: show });
  } catch (thrown) {
    if (running.get(name) === controller) tellError(thrown);
    return undefined;
  } finally {
    clearTimeout(timer);
    if (running.get(name) === controller) {
      running.delete(name);
      usePlayground.setState(({ activities }) => {
        const { [name]: finished, ...others } = activities;
        return finished ? { activities: others } : {};
      });
    }
  }
}

/** Whether work of this name runs now. */
export function isUnderWay(name: string): boolean {
  return running.has(name);
}

export function unreadablePicture(cause: unknown): AppError {
  return new AppError(
    'input/unreadable',
    'The file is not a picture that this browser can read.',
    'Choose a PNG, JPEG, WebP, AVIF or GIF picture, or a checkpoint (.pt, .safetensors).',
    cause,
  );
}
