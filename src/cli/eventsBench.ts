import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { WritableFormatId } from '../base/eventOptions';
import { quietTask } from '../base/progress';
import { seededRandom } from '../base/random';
import { z } from '../base/schema';
import { EventColumns } from '../input/events/events';
import { openRecording } from '../input/events/open';
import { openWriter } from '../input/events/write';
import { parseOption, wholeNumber } from './arguments';
import { openFile } from './surroundings';

/** `events bench`: how fast recordings are read, how soon a large one shows its first picture, and what memory that takes. */

const sensor = { width: 1280, height: 720 };
const endings: Partial<Record<WritableFormatId, string>> = { dat: '_td.dat', evt2: '.raw', evt3: '.raw' };
/** Events made at once and written again and again, later each time. */
const patternEvents = 1 << 19;
const patternUs = 50_000;
const windowUs = 33_000;
const repeats = 3;

interface Row {
  format: string;
  megabytes: number;
  events: number;
  /** Median, smallest and largest over the repeats of a whole scan: decoding, checks, index and statistics. */
  millionEventsPerSecond: { median: number; min: number; max: number };
  /** From opening to the events of the first window, and from then to those of one in the middle, with the index there. */
  firstWindowMs: number;
  jumpMs: number;
  /** The largest growth of the process's memory outside the columns of the window that was read. */
  memoryMb: number;
}

export async function benchCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({ args, options: { megabytes: { type: 'string', default: '256' }, json: { type: 'boolean', default: false } } });
  const megabytes = parseOption('megabytes', options.megabytes, wholeNumber.pipe(z.int().min(1).max(16_384)));
  const folder = await mkdtemp(join(tmpdir(), 'events-bench-'));
  try {
    const rows: Row[] = [];
    for (const [format, ending] of Object.entries(endings) as [WritableFormatId, string][]) {
      const path = join(folder, `bench-${format}${ending}`);
      await writeLargeFile(path, format, megabytes * 1e6);
      rows.push(await measure(path, format));
      await rm(path);
    }
    process.stdout.write(options.json ? `${JSON.stringify({ rows }, null, 2)}\n` : table(rows));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Edges that move over the sensor, and single pixels: rows of neighbours as well as events alone. */
function pattern(): EventColumns {
  const random = seededRandom(1);
  const events = new EventColumns(patternEvents);
  let x = 0;
  let y = 0;
  for (let index = 0; index < patternEvents; index++) {
    if (random() < 0.2) {
      x = Math.floor(random() * sensor.width);
      y = Math.floor(random() * sensor.height);
    } else x = Math.min(x + 1 + Math.floor(random() * 2), sensor.width - 1);
    events.push(Math.floor(index / 8) * ((8 * patternUs) / patternEvents), x, y, (index >> 6) & 1);
  }
  for (let index = 0; index < patternEvents; index++) events.t[index] = Math.floor(events.t[index] ?? 0);
  return events;
}

async function writeLargeFile(path: string, format: WritableFormatId, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    let written = 0;
    const writer = openWriter(format, sensor, 0, async (piece) => {
      written += piece.length;
      await file.write(piece);
    });
    const events = pattern();
    for (; written < bytes; ) {
      await writer.write(events, 0, events.count);
      for (let index = 0; index < events.count; index++) events.t[index] = (events.t[index] ?? 0) + patternUs;
    }
    await writer.end();
  } finally {
    await file.close();
  }
}

async function measure(path: string, format: string): Promise<Row> {
  const blob = await openFile(path);
  const file = { blob, name: path };
  const rates: number[] = [];
  let events = 0;
  let memoryMb = 0;
  let firstWindowMs = 0;
  let jumpMs = 0;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const before = process.memoryUsage().rss;
    const opened = performance.now();
    const recording = await openRecording(file, {}, quietTask);
    await recording.read(0, windowUs, quietTask);
    firstWindowMs = performance.now() - opened;
    const started = performance.now();
    const scannedBefore = recording.summary.events;
    while (!(await recording.scan(quietTask, 200)).finished) memoryMb = Math.max(memoryMb, (process.memoryUsage().rss - before) / 1e6);
    const { summary } = recording;
    rates.push((summary.events - scannedBefore) / (performance.now() - started) / 1000);
    events = summary.events;
    const jumped = performance.now();
    const middleUs = ((summary.minUs ?? 0) + (summary.maxUs ?? 0)) / 2;
    const window = await recording.read(middleUs, middleUs + windowUs, quietTask);
    jumpMs = performance.now() - jumped;
    memoryMb = Math.max(memoryMb, (process.memoryUsage().rss - before - window.capacity * 13) / 1e6);
    recording.close();
  }
  rates.sort((a, b) => a - b);
  return {
    format,
    megabytes: blob.size / 1e6,
    events,
    millionEventsPerSecond: { median: rates[repeats >> 1] ?? NaN, min: rates[0] ?? NaN, max: rates.at(-1) ?? NaN },
    firstWindowMs,
    jumpMs,
    memoryMb,
  };
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ format, megabytes, events, millionEventsPerSecond: { median, min, max }, firstWindowMs, jumpMs, memoryMb }) =>
    [
      format.padEnd(6),
      `${megabytes.toFixed(0)} MB`.padStart(8),
      `${(events / 1e6).toFixed(1)} M events`.padStart(15),
      `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)}) M events/s`.padStart(28),
      `first window ${firstWindowMs.toFixed(0)} ms`.padStart(21),
      `jump to the middle ${jumpMs.toFixed(0)} ms`.padStart(26),
      `memory ${memoryMb.toFixed(0)} MB`.padStart(15),
    ].join('  '),
  );
  return `${lines.join('\n')}\n`;
}
