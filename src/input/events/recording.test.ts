import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quietTask } from '../../base/progress';
import { EventColumns, type Events } from './events';
import { Recording } from './recording';
import type { EventSource, OpenedSource, Position, Tally } from './source';

type Row = [t: number, x: number, y: number, p: number];

/** Gives events in small pieces, as a file does. */
class Pieces implements EventSource {
  readonly unit = 'items';
  readonly start: Position = { done: 0 };
  readonly total: number;
  reads = 0;
  constructor(
    private readonly rows: readonly Row[],
    private readonly size: number,
  ) {
    this.total = rows.length;
  }

  read({ done }: Position, into: EventColumns, _tally: Tally): Promise<Position | undefined> {
    this.reads++;
    for (const row of this.rows.slice(done, done + this.size)) into.push(...row);
    return Promise.resolve(done + this.size < this.total ? { done: done + this.size } : undefined);
  }
}

function recordingOf(rows: readonly Row[], size = 3, sensor: OpenedSource['sensor'] | 'unknown' = { width: 16, height: 16 }): { recording: Recording; pieces: Pieces } {
  const pieces = new Pieces(rows, size);
  return { recording: new Recording({ format: 'test', sensor: sensor === 'unknown' ? undefined : sensor, source: pieces }), pieces };
}

function rowsOf({ t, x, y, p, count }: Events): Row[] {
  return Array.from({ length: count }, (_, index): Row => [t[index] ?? NaN, x[index] ?? NaN, y[index] ?? NaN, p[index] ?? NaN]);
}

const row = fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 }), fc.constantFrom(0, 1));
const ordered = fc.array(row, { minLength: 1, maxLength: 60 }).map((rows) => rows.sort((a, b) => a[0] - b[0]));

describe('a window', () => {
  it('holds exactly the events of its time, in order, wherever pieces begin and whatever was read before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(ordered, fc.array(row, { minLength: 1, maxLength: 60 })),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.tuple(fc.integer({ min: -5, max: 1005 }), fc.integer({ min: 0, max: 400 })), { maxLength: 4 }),
        async (rows, size, windows) => {
          const { recording } = recordingOf(rows, size);
          // Times that fall may lie in a piece that has not been read: the whole index is needed for them.
          await recording.scan(quietTask);
          for (const [from, width] of windows) {
            const expected = rows
              .filter(([t]) => t >= from && t < from + width)
              .map((value, index) => ({ value, index }))
              .sort((a, b) => a.value[0] - b.value[0] || a.index - b.index)
              .map(({ value }) => value);
            expect(rowsOf(await recording.read(from, from + width, quietTask))).toEqual(expected);
          }
        },
      ),
    );
  });

  it('at the beginning is there before the rest is read', async () => {
    const rows = Array.from({ length: 1000 }, (_, index): Row => [index * 10, 1, 1, 1]);
    const { recording, pieces } = recordingOf(rows, 10);
    expect((await recording.read(0, 100, quietTask)).count).toBe(10);
    expect(pieces.reads).toBeLessThan(5);
    expect(recording.progress).toMatchObject({ total: 1000, finished: false });
  });

  it('far inside reads only its own pieces once the index is there', async () => {
    const rows = Array.from({ length: 1000 }, (_, index): Row => [index * 10, 1, 1, 1]);
    const { recording, pieces } = recordingOf(rows, 10);
    await recording.scan(quietTask);
    const before = pieces.reads;
    expect((await recording.read(5000, 5200, quietTask)).count).toBe(20);
    expect(pieces.reads - before).toBeLessThanOrEqual(3);
  });
});

describe('the summary', () => {
  it('counts what a parse can be checked by', async () => {
    const { recording } = recordingOf([
      [5, 1, 2, 1],
      [3, 4, 5, 0],
      [9, 1, 1, 1],
    ]);
    await recording.scan(quietTask);
    expect(recording.summary).toMatchObject({
      events: 3,
      on: 2,
      firstUs: 5,
      lastUs: 9,
      minUs: 3,
      maxUs: 9,
      sumX: 6,
      sumY: 8,
      skipped: [{ kind: 'backwards', count: 1 }],
    });
  });

  it('drops and counts what lies outside the sensor', async () => {
    const { recording } = recordingOf([
      [1, 15, 15, 1],
      [2, 16, 3, 1],
      [3, 3, 400, 1],
    ]);
    await recording.scan(quietTask);
    expect(recording.summary.events).toBe(1);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'outsideSensor', count: 2 }]);
    expect((await recording.read(0, 10, quietTask)).count).toBe(1);
  });

  it('infers a sensor that the file does not name', async () => {
    const { recording } = recordingOf([[1, 77, 41, 1]], 3, 'unknown');
    await recording.scan(quietTask);
    expect(recording.summary).toMatchObject({ sensor: { width: 78, height: 42 }, sensorIsKnown: false });
  });

  it('is that of an empty recording', async () => {
    const { recording } = recordingOf([]);
    await recording.scan(quietTask);
    expect(recording.summary).toMatchObject({ events: 0, firstUs: undefined, minUs: undefined });
    expect((await recording.read(0, 10, quietTask)).count).toBe(0);
  });
});

it('a cancelled reading can be taken up again', async () => {
  const rows = Array.from({ length: 100 }, (_, index): Row => [index, 1, 1, 1]);
  const { recording } = recordingOf(rows, 10);
  await recording.scan(quietTask, 0);
  const controller = new AbortController();
  controller.abort();
  await recording.read(50, 60, { ...quietTask, signal: controller.signal }).catch(() => undefined);
  await recording.scan(quietTask);
  expect(recording.summary.events).toBe(100);
});

it('columns of an event take 13 bytes', () => {
  const { t, x, y, p } = new EventColumns(1000);
  expect(t.byteLength + x.byteLength + y.byteLength + p.byteLength).toBe(13_000);
});
