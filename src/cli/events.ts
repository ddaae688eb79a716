import { mkdir, open, writeFile, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../base/errors';
import type { WritableFormatId } from '../base/eventOptions';
import type { Size } from '../base/geometry';
import { splitIndices } from '../base/random';
import { z } from '../base/schema';
import { composeScene } from '../input/events/compose';
import type { EventColumns } from '../input/events/events';
import type { Recording } from '../input/events/recording';
import type { TruthBox } from '../base/truth';
import { openWriter } from '../input/events/write';
import { writeGen1Boxes } from '../base/writeTruth';
import { benchCommand } from './eventsBench';
import { labelledRecordings, openPath } from './labelledRecordings';
import { parseOption, seed as seedSchema, share, wholeNumber } from './arguments';
import { terminalTask } from './surroundings';

const commands: Record<string, (args: string[]) => Promise<void>> = { info, convert, scenes, bench: benchCommand };

export async function eventsCommand([name = '', ...args]: string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw usage(`"events ${name}" is no command.`);
  await command(args);
}

function usage(message: string): AppError {
  return new AppError('usage', message, 'See the usage below.');
}

async function info(args: string[]): Promise<void> {
  const { values: options, positionals } = parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw usage('"events info" takes one file.');
  const task = terminalTask();
  const recording = await openPath(path, task);
  await recording.scan(task);
  process.stdout.write(options.json ? `${JSON.stringify(jsonOf(recording), null, 2)}\n` : tableOf(recording));
}

/** The contract of the command line; null where there are no events. */
function jsonOf({ format, summary }: Recording): Record<string, string | number | null> {
  const { events, on, firstUs, lastUs, minUs, maxUs, sumX, sumY, sensor } = summary;
  return {
    format,
    events,
    on,
    firstUs: firstUs ?? null,
    lastUs: lastUs ?? null,
    minUs: minUs ?? null,
    maxUs: maxUs ?? null,
    sumX,
    sumY,
    ...sensor,
  };
}

function tableOf(recording: Recording): string {
  const { summary, format } = recording;
  const { events, on, minUs = 0, maxUs = 0, sensor, sensorIsKnown } = summary;
  const seconds = (maxUs - minUs) / 1e6;
  return [
    `${format}, ${sensor.width} x ${sensor.height}${sensorIsKnown ? '' : ' (inferred from the events)'}`,
    `${events} events, ${on} ON, ${events - on} OFF`,
    `from ${minUs} to ${maxUs} µs: ${seconds.toFixed(3)} s${seconds > 0 ? `, ${Math.round(events / seconds)} events a second` : ''}`,
    ...summary.skipped.map(({ words, count }) => `${count} ${words}`),
    '',
  ].join('\n');
}

async function convert(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [from, to] = positionals;
  if (from === undefined || to === undefined || positionals.length > 2) throw usage('"events convert" takes two files.');
  const format = formatOf(to);
  const task = terminalTask();
  const recording = await openPath(from, task);
  await recording.scan(task);
  const { sensor, events } = recording.summary;
  // A format that cannot hold the recording says so before the file is touched.
  const opened: { file?: FileHandle } = {};
  const writer = openWriter(format, sensor, events, async (bytes) => {
    await opened.file?.writeFile(bytes);
  });
  const file = await open(to, 'w');
  opened.file = file;
  try {
    await recording.visit(-Infinity, Infinity, task, (piece, first, end) => writer.write(piece, first, end));
    await writer.end();
  } finally {
    await file.close();
  }
}

const endings: readonly [ending: string, format: WritableFormatId][] = [
  ['.evt2.raw', 'evt2'],
  ['.raw', 'evt3'],
  ['.dat', 'dat'],
  ['.npy', 'npy'],
  ['.csv', 'csv'],
  ['.txt', 'csv'],
];

function formatOf(path: string): WritableFormatId {
  const found = endings.find(([ending]) => path.toLowerCase().endsWith(ending));
  if (found) return found[1];
  throw usage(`The ending of ${basename(path)} is none that recordings are written with.`);
}

async function scenes(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      recordings: { type: 'string' },
      labels: { type: 'string' },
      out: { type: 'string' },
      count: { type: 'string' },
      seed: { type: 'string', default: '1' },
      size: { type: 'string', default: '128' },
      objects: { type: 'string', default: '1-4' },
      part: { type: 'string', default: 'all' },
      validation: { type: 'string', default: '0.1' },
    },
  });
  const text = z.string().min(1, 'it is needed');
  const folder = parseOption('recordings', options.recordings, text);
  const labels = parseOption('labels', options.labels, text);
  const out = parseOption('out', options.out, text);
  const count = parseOption('count', options.count, wholeNumber.pipe(z.int().min(1).max(1_000_000)));
  const seed = parseOption('seed', options.seed, seedSchema);
  const size = parseOption('size', options.size, wholeNumber.pipe(z.int().min(32).max(1280)));
  const objects = parseOption('objects', options.objects, objectsSchema);
  const part = parseOption('part', options.part, z.enum(['all', 'train', 'validation']));
  const validation = parseOption('validation', options.validation, share.pipe(z.number().gt(0).lt(1)));

  const task = terminalTask();
  const { recordings, classes } = await labelledRecordings(folder, labels, task);
  if (recordings.length < 2) throw new AppError('input/unreadable', 'Fewer than two labelled recordings were found.', 'Check --recordings and --labels.');
  const chosen = part === 'all' ? recordings : splitIndices(recordings.length, validation, seed)[part].flatMap((index) => recordings[index] ?? []);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'classes.json'), `${JSON.stringify(classes)}\n`);
  const digits = String(count - 1).length;
  for (let index = 0; index < count; index++) {
    // The parts must not see the same scenes of different recordings either: each has seeds of its own.
    const scene = composeScene(chosen, { size, objects }, sceneSeed(seed, part, index));
    const name = join(out, `scene_${String(index).padStart(digits, '0')}`);
    await writeScene(name, scene, { width: size, height: size });
    task.report({ label: 'Composing scenes', done: index + 1, total: count, unit: 'items' });
  }
}

function sceneSeed(seed: number, part: string, index: number): number {
  return (Math.imul(seed, 2_654_435_761) ^ Math.imul(part.length, 0x9e3779b9) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
}

async function writeScene(name: string, { events, boxes }: { events: EventColumns; boxes: readonly TruthBox[] }, sensor: Size): Promise<void> {
  const parts: Uint8Array[] = [];
  const writer = openWriter('dat', sensor, events.count, (bytes) => {
    parts.push(bytes.slice());
  });
  await writer.write(events, 0, events.count);
  await writer.end();
  await writeFile(`${name}_td.dat`, Buffer.concat(parts));
  await writeFile(`${name}_bbox.npy`, writeGen1Boxes(boxes));
}

const objectsSchema = z
  .string()
  .regex(/^\d+(-\d+)?$/, 'it is a number or a range such as 1-4')
  .transform((range) => {
    const [fewest = 1, most = fewest] = range.split('-').map(Number);
    return { fewest, most };
  })
  .refine(({ fewest, most }) => fewest >= 1 && most >= fewest && most <= 64, { error: 'it goes from 1 to at most 64' });
