/**
 * Every failure that a person may meet has a code. Tests name codes; people read `message` (what happened) and `remedy`
 * (what to do). Codes are grouped by the room that raises them.
 */
export const errorCodes = [
  // base
  'cancelled',
  'internal',
  'usage',
  // checkpoint
  'checkpoint/not-a-checkpoint',
  'checkpoint/legacy-tar',
  'checkpoint/truncated',
  'checkpoint/unknown-class',
  'checkpoint/malformed',
  'checkpoint/other-network',
  'checkpoint/missing-tensor',
  'checkpoint/misshapen-tensor',
  'checkpoint/hash-mismatch',
  'checkpoint/too-large',
  'checkpoint/unsupported-head',
  // network
  'network/unsupported-block',
  'network/invalid-rows',
  'network/invalid-settings',
  // tensor
  'backend/unavailable',
  'backend/lost',
  'backend/out-of-memory',
  // input
  'input/unreadable',
  'input/unsupported',
  'input/too-large',
  // evaluate
  'dataset/unknown',
  'dataset/unreadable',
  'dataset/other-classes',
  // train
  'train/invalid-settings',
  'train/no-data',
  'train/unreadable-run',
  'train/diverged',
  'train/already-running',
  // what the site keeps on the machine
  'storage/unavailable',
  'storage/full',
  // getting things
  'fetch/offline',
  'fetch/failed',
  // engine
  'engine/no-model',
  'engine/no-dataset',
  'engine/no-evaluation',
  'engine/crashed',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What crosses the worker's boundary in place of an {@link AppError}. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  remedy: string;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  toReport(): ErrorReport {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }

  static fromReport(report: ErrorReport): AppError {
    return new AppError(report.code, report.message, report.remedy);
  }
}

/** Anything thrown, as a coded error; what is not coded yet becomes `internal` and keeps its cause. */
export function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof DOMException && thrown.name === 'AbortError') return cancelled();
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError(
    'internal',
    `Something went wrong inside the program: ${text}.`,
    'Try again; if it happens once more, reload the page and report it with these words.',
    thrown,
  );
}

export function cancelled(): AppError {
  return new AppError('cancelled', 'The work was cancelled.', 'Start it again when you want the result.');
}
