import { describe, expect, it } from 'vitest';
import { readAll, surviveMutations, type EventRow } from './testing';

const rows: EventRow[] = Array.from({ length: 40 }, (_, index) => [3811 + index * 7, (index * 37) % 240, (index * 17) % 180, index % 2] as const);
const fileOf = (lines: readonly string[]): Blob => new Blob([lines.join('\n'), '\n']);
const read = async (lines: readonly string[], name = 'events.txt', options = {}): Promise<EventRow[]> => (await readAll({ blob: fileOf(lines), name }, options)).rows;

describe('lines of numbers', () => {
  it.each([
    ['seconds and spaces', rows.map(([t, x, y, p]) => `${(t / 1e6).toFixed(9)} ${x} ${y} ${p}`)],
    ['microseconds and commas', rows.map((row) => row.join(','))],
    ['semicolons and polarity of -1', rows.map(([t, x, y, p]) => [t, x, y, p * 2 - 1].join(';'))],
    ['tabs, time last', rows.map(([t, x, y, p]) => [x, y, p, t].join('\t'))],
    ['names above', ['x,y,polarity,timestamp', ...rows.map(([t, x, y, p]) => [x, y, p, t].join(','))]],
    ['names above, seconds by name', ['t [s],x,y,p', ...rows.map(([t, x, y, p]) => [t / 1e6, x, y, p].join(','))]],
    ['comments', ['# t x y p', '% made by hand', ...rows.map((row) => row.join(' '))]],
    ['carriage returns', rows.map((row) => `${row.join(' ')}\r`)],
    ['True and False', rows.map(([t, x, y, p]) => `${t},${x},${y},${p === 1 ? 'True' : 'False'}`)],
  ])('with %s', async (_label, lines) => {
    expect(await read(lines)).toEqual(rows);
  });

  it('may begin with the sensor’s size', async () => {
    const { rows: events, recording } = await readAll({ blob: fileOf(['240 180', ...rows.map((row) => row.join(' '))]), name: 'a.txt' });
    expect(events).toEqual(rows);
    expect(recording.summary).toMatchObject({ sensor: { width: 240, height: 180 }, sensorIsKnown: true, skipped: [] });
  });

  it('that are none are counted and passed over', async () => {
    const lines = rows.map((row) => row.join(' '));
    const { rows: events, recording } = await readAll({ blob: fileOf([...lines.slice(0, 20), 'lost contact', '12 13', ...lines.slice(20)]), name: 'a.txt' });
    expect(events).toEqual(rows);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'unreadable', count: 2 }]);
  });

  it('that are far too long are damage, to their very end', async () => {
    const lines = rows.map((row) => row.join(' '));
    const long = `${'7'.repeat(3 << 20)} 1 1 1`;
    const { rows: events, recording } = await readAll({ blob: fileOf([...lines.slice(0, 20), long, ...lines.slice(20)]), name: 'a.txt' });
    expect(events).toEqual(rows);
    expect(recording.summary.skipped).toMatchObject([{ kind: 'unreadable', count: 1 }]);
  });

  it('may have hundreds of columns, of which a few count', async () => {
    const [first = '', ...others] = rows.map((row) => row.join(' '));
    expect(await read([first + ' 1'.repeat(500), ...others])).toEqual(rows);
  });

  it('can be read otherwise by a person who knows better', async () => {
    const [first] = await read(rows.map((row) => row.join(' ')), 'a.txt', { table: { timeUnit: 'ns' } });
    expect(first?.[0]).toBe(4);
  });

  it('are read the same however the file is cut into pieces', async () => {
    const lines = Array.from({ length: 60_000 }, (_, index) => `${index} ${index % 640} ${index % 480} ${index % 2}`);
    const events = await read(lines);
    expect(events).toHaveLength(60_000);
    expect(events.every(([t], index) => t === index)).toBe(true);
  });
});

it('survives damage', async () => {
  const bytes = new Uint8Array(await fileOf(rows.map((row) => row.join(' '))).arrayBuffer());
  const { read: readable } = await surviveMutations(bytes, 'a.txt', 300);
  expect(readable).toBeGreaterThan(0);
});
