import { cancelled } from './errors';

/** One kind of progress event for everything that takes time; `done` and `total` share the unit that `unit` names. */
export interface Progress {
  /** What is being done, as a person would say it: "Reading weights". */
  label: string;
  done: number;
  /** Undefined only while the total is really not known. */
  total: number | undefined;
  unit: 'bytes' | 'layers' | 'steps' | 'items';
}

/** Handed down through every call that may take long. */
export interface Task {
  signal: AbortSignal;
  report: (progress: Progress) => void;
}

/** A task that nobody watches or cancels. */
export const quietTask: Task = { signal: new AbortController().signal, report: () => undefined };

/** Throws the coded error `cancelled` once the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled();
}
