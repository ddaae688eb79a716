import { expect, it } from 'vitest';
import { createPieceworker, wholeOf, type Pieces } from './pieces';

function* countTo(count: number): Pieces<number> {
  for (let piece = 0; piece < count; piece++) yield;
  return count;
}

/** A page whose clock moves on by 2 ms with every look at it, and that runs what waits when it is told to. */
function page() {
  const waiting: (() => void)[] = [];
  let clock = 0;
  return {
    waiting,
    now: () => (clock += 2),
    later: (run: () => void) => {
      waiting.push(run);
      return () => void waiting.splice(waiting.indexOf(run), 1);
    },
    turn: () => waiting.shift()?.(),
  };
}

it('gives the result of all pieces', () => {
  expect(wholeOf(countTo(5))).toBe(5);
});

it('does short work at once, and long work in turns with the page', () => {
  const done: number[] = [];
  const { later, now, waiting, turn } = page();
  const worker = createPieceworker<number>((result) => done.push(result), later, now);
  worker.want(() => countTo(1));
  expect(done).toEqual([1]);
  expect(waiting).toHaveLength(0);
  worker.want(() => countTo(8));
  expect(done).toEqual([1]);
  expect(waiting).toHaveLength(1);
  while (waiting.length > 0) turn();
  expect(done).toEqual([1, 8]);
});

it('finishes what it has begun, then does the last of the wishes', () => {
  const done: number[] = [];
  const { later, now, waiting, turn } = page();
  const worker = createPieceworker<number>((result) => done.push(result), later, now);
  for (const count of [20, 30, 40]) worker.want(() => countTo(count));
  while (waiting.length > 0) turn();
  expect(done).toEqual([20, 40]);
});

it('stops when it is told to', () => {
  const done: number[] = [];
  const { later, now, waiting } = page();
  const worker = createPieceworker<number>((result) => done.push(result), later, now);
  worker.want(() => countTo(20));
  worker.stop();
  expect(waiting).toHaveLength(0);
  expect(done).toEqual([]);
});
