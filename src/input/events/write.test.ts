import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writableFormatIds, type WritableFormatId } from '../../base/eventOptions';
import { quietTask } from '../../base/progress';
import { eventsOf, readAll, type EventRow } from './testing';
import { openRecording } from './open';
import { openWriter } from './write';

const sensor = { width: 640, height: 480 };
const names: Record<WritableFormatId, string> = { dat: 'a_td.dat', evt2: 'a.raw', evt3: 'a.raw', npy: 'a.npy', csv: 'a.csv' };

async function written(format: WritableFormatId, rows: readonly EventRow[], pieces = 1): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const writer = openWriter(format, sensor, rows.length, (bytes) => {
    parts.push(bytes);
  });
  const events = eventsOf(rows);
  const size = Math.ceil(rows.length / pieces);
  for (let from = 0; from < rows.length; from += size) await writer.write(events, from, Math.min(from + size, rows.length));
  await writer.end();
  return new Blob(parts);
}

/** Rising times with gaps of every size, rows of neighbours and single pixels. */
const gap = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.integer({ min: 1, max: 200 }) }, { weight: 1, arbitrary: fc.integer({ min: 1000, max: 40_000_000 }) });
const step = fc.record({ gap, x: fc.integer({ min: 0, max: 639 }), y: fc.integer({ min: 0, max: 479 }), p: fc.constantFrom(0, 1), isNeighbour: fc.boolean() });
const recording = fc.array(step, { minLength: 1, maxLength: 120 }).map((steps) => {
  let t = 0;
  return steps.map(({ gap: wait, x, y, p, isNeighbour }, index): EventRow => {
    const before = steps[index - 1];
    if (isNeighbour && before) {
      steps[index] = { gap: 0, x: Math.min(before.x + 1, 639), y: before.y, p: before.p, isNeighbour };
      return [t, Math.min(before.x + 1, 639), before.y, before.p];
    }
    t += wait;
    return [t, x, y, p];
  });
});

describe.each(writableFormatIds)('%s', (format) => {
  it('gives back every event that was written, in its order, however it was cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(recording, fc.integer({ min: 1, max: 4 }), async (rows, pieces) => {
        const { rows: read } = await readAll({ blob: await written(format, rows, pieces), name: names[format] });
        expect(read).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  it('names the sensor, where the format can', async () => {
    const rows: EventRow[] = Array.from({ length: 50 }, (_, index) => [index, index, 3, 1] as const);
    const opened = await openRecording({ blob: await written(format, rows), name: names[format] }, {}, quietTask);
    if (format === 'npy' || format === 'csv') expect(opened.sensorIsKnown).toBe(false);
    else expect(opened.sensor).toEqual(sensor);
  });

  it('undoes the overflows of its clock', async () => {
    // The last time that fits into the clock, for each of them, and gaps across it.
    for (const start of [2 ** 24 - 1, 2 ** 32 - 1, ...(format === 'dat' ? [] : [2 ** 34 - 1])]) {
      const first = format === 'evt3' ? start % 2 ** 24 : start;
      const rows = [0, 1, 2, 70, 5_000, 5_000, 9_000_000, 60_000_000].map((after, index): EventRow => [first + after, index, 7, 1]);
      const { rows: read } = await readAll({ blob: await written(format, rows), name: names[format] });
      expect(read).toEqual(rows);
    }
  });

  it('an empty recording can be written', async () => {
    const blob = await written(format, []);
    expect(blob.size).toBeGreaterThan(0);
  });

  it('a cut-off end costs only what is cut off', async () => {
    const rows: EventRow[] = Array.from({ length: 200 }, (_, index) => [index * 10, index, index % 480, index % 2] as const);
    const whole = await written(format, rows);
    const { rows: read } = await readAll({ blob: whole.slice(0, whole.size - 3), name: names[format] });
    expect(read.length).toBeGreaterThanOrEqual(198);
    expect(read.slice(0, 198)).toEqual(rows.slice(0, 198));
  });
});

it.each(['evt2', 'evt3'] as const)('%s has no room for a sensor of more than 2048 pixels a side', (format) => {
  expect(() => openWriter(format, { width: 2049, height: 480 }, 0, () => undefined)).toThrow(expect.objectContaining({ code: 'input/unsupported' }));
});

it('in the EVT formats a time before the one already written becomes that one', async () => {
  const rows: EventRow[] = [
    [-5, 1, 2, 1],
    [100, 3, 4, 0],
    [90, 5, 6, 1],
  ];
  for (const format of ['evt2', 'evt3'] as const) {
    const { rows: read } = await readAll({ blob: await written(format, rows), name: names[format] });
    expect(read.map(([t]) => t)).toEqual([0, 100, 100]);
  }
});

it('a NumPy file with another number of events than its header promises is no success', async () => {
  const writer = openWriter('npy', sensor, 3, () => undefined);
  await writer.write(eventsOf([[1, 2, 3, 1]]), 0, 1);
  await expect(writer.end()).rejects.toMatchObject({ code: 'internal' });
});
