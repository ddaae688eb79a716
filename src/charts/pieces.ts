import { useEffect, useRef, useState } from 'react';

/** Work that is done piece by piece, so that the page can answer in between: it yields after each piece, and returns its result. */
export type Pieces<T> = Generator<undefined, T, undefined>;

/** All pieces in one go. */
export function wholeOf<T>(pieces: Pieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/** Pieces are done for so long before the page gets its turn. */
const budgetMs = 6;

export interface Pieceworker<T> {
  /** What is to be done next. What runs is finished first, so that a wish that changes all the time is not never met; of several wishes the last counts. */
  want: (make: () => Pieces<T>) => void;
  stop: () => void;
}

/** @param later runs a function after the page had its turn; what it gives takes that back */
export function createPieceworker<T>(onDone: (result: T) => void, later: (run: () => void) => () => void, now: () => number): Pieceworker<T> {
  let running: Pieces<T> | undefined;
  let next: (() => Pieces<T>) | undefined;
  let takeBack: (() => void) | undefined;
  const run = (): void => {
    const started = now();
    for (;;) {
      if (!running) {
        running = next?.();
        next = undefined;
      }
      if (!running) return;
      const { done, value } = running.next();
      if (done) {
        running = undefined;
        onDone(value);
        if (!next) return;
      }
      if (now() - started >= budgetMs) break;
    }
    takeBack = later(run);
  };
  return {
    want(make) {
      next = make;
      if (!running) run();
    },
    stop() {
      takeBack?.();
      running = undefined;
      next = undefined;
    },
  };
}

/**
 * The result of work that is too long for one go: the last one while the next is on its way, undefined before the first. Short work is done at once.
 * @param make keep its identity while what it works on stays the same
 */
export function usePieces<T>(make: () => Pieces<T>): T | undefined {
  const [result, setResult] = useState<T>();
  const worker = useRef<Pieceworker<T>>(undefined);
  useEffect(() => {
    worker.current = createPieceworker<T>(
      (done) => setResult(() => done),
      (run) => {
        const timer = setTimeout(run, 0);
        return () => clearTimeout(timer);
      },
      () => performance.now(),
    );
    return () => worker.current?.stop();
  }, []);
  useEffect(() => worker.current?.want(make), [make]);
  return result;
}
