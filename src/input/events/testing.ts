import fc from 'fast-check';
import { AppError } from '../../base/errors';
import { quietTask } from '../../base/progress';
import { seededRandom, type Random } from '../../base/random';
import { EventColumns, type Events } from './events';
import type { StreamDecoder } from './byteSource';
import { openRecording } from './open';
import { skippedKinds, Tally, type Format, type RecordingFile, type SkippedKind } from './source';

/** What the tests of the readers share. */

export type EventRow = readonly [t: number, x: number, y: number, p: number];

export function eventsOf(rows: readonly EventRow[]): EventColumns {
  const events = new EventColumns(Math.max(rows.length, 1));
  for (const row of rows) events.push(...row);
  return events;
}

export function rowsOf({ t, x, y, p, count }: Events): EventRow[] {
  return Array.from({ length: count }, (_, index) => [t[index] ?? NaN, x[index] ?? NaN, y[index] ?? NaN, p[index] ?? NaN] as const);
}

/** Every event of a file, in the file's order, and what was counted besides. */
export async function readAll(file: RecordingFile, table?: Parameters<typeof openRecording>[1]): Promise<{ rows: EventRow[]; recording: Awaited<ReturnType<typeof openRecording>> }> {
  const recording = await openRecording(file, table ?? {}, quietTask);
  await recording.scan(quietTask);
  const rows: EventRow[] = [];
  await recording.visit(-Infinity, Infinity, quietTask, (events, from, to) => {
    for (const row of rowsOf(events).slice(from, to)) rows.push(row);
  });
  return { rows, recording };
}

/** A file of a header in letters and of further bytes. */
export function fileOf(header: string, ...parts: (ArrayLike<number> & Iterable<number>)[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...new TextEncoder().encode(header), ...parts.flatMap((part) => [...part])]);
}

/** Bytes behind a header: any, since a decoder must treat nonsense alike too, wherever it is cut. */
export const streamBytes = fc.uint8Array({ maxLength: 400 });
export const pieceLengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

/** What a stream's decoder makes of a file whose bytes arrive in pieces of the given lengths, over and over. */
export async function decodeInPieces(format: Format, bytes: Uint8Array<ArrayBuffer>, name: string, lengths: readonly number[]): Promise<{ rows: EventRow[]; counts: Partial<Record<SkippedKind, number>> }> {
  const { source } = await format.open({ blob: new Blob([bytes]), name }, bytes, {}, quietTask);
  let { done, decoder } = source.start as { done: number; decoder: StreamDecoder };
  const rows: EventRow[] = [];
  const tally = new Tally();
  let end = done;
  for (let piece = 0; done < bytes.length && end < bytes.length; piece++) {
    end = Math.min(end + Math.max(lengths[piece % lengths.length] ?? 1, 1), bytes.length);
    // What is decoded twice from one place must give the same: a recording is indexed once and read again later.
    const again = decoder.clone();
    const [first, second] = [new EventColumns(), new EventColumns()];
    // Once from the front of memory of its own, and once from wherever the bytes lie: words there may not be aligned.
    const used = decoder.decode(bytes.slice(done, end), end === bytes.length, first, tally);
    again.decode(bytes.subarray(done, end), end === bytes.length, second, new Tally());
    if (JSON.stringify(rowsOf(first)) !== JSON.stringify(rowsOf(second))) throw new Error(`Reading again from byte ${done} gives other events.`);
    for (const row of rowsOf(first)) rows.push(row);
    done += used;
    decoder = again;
  }
  tally.add('truncated', bytes.length - done);
  const kinds = Object.keys(skippedKinds) as SkippedKind[];
  return { rows, counts: Object.fromEntries(kinds.filter((kind) => tally.counts.has(kind)).map((kind) => [kind, tally.counts.get(kind)])) };
}

/** Damage of the kinds that files meet: flipped bits, cut ends, repeated, lost and foreign stretches, runs of ones, lengths that lie. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let mutated = new Uint8Array(bytes);
  const at = (): number => Math.floor(random() * Math.max(mutated.length, 1));
  const times = 1 + Math.floor(random() * 4);
  for (let time = 0; time < times; time++) {
    // Descriptions stand in front: damage there is of more kinds.
    const place = random() < 0.5 ? Math.floor(random() * Math.min(mutated.length, 512)) : at();
    const length = 1 + Math.floor(random() * 64);
    switch (Math.floor(random() * 7)) {
      case 0:
        mutated[place] = (mutated[place] ?? 0) ^ (1 << Math.floor(random() * 8));
        break;
      case 1:
        mutated = mutated.slice(0, at());
        break;
      case 2:
        mutated = new Uint8Array([...mutated.subarray(0, place), ...mutated.subarray(place, place + length), ...mutated.subarray(place)]);
        break;
      case 3:
        mutated = new Uint8Array([...mutated.subarray(0, place), ...mutated.subarray(place + length)]);
        break;
      case 4:
        mutated.fill(0xff, place, place + length);
        break;
      case 5:
        new DataView(mutated.buffer).setUint32(Math.max(Math.min(place, mutated.length - 4), 0), Math.floor(random() * 2 ** 32), random() < 0.5);
        break;
      default:
        for (let index = place; index < Math.min(place + length, mutated.length); index++) mutated[index] = Math.floor(random() * 256);
    }
    if (mutated.length < 8) mutated = new Uint8Array(8);
  }
  return mutated;
}

export interface SurvivalReport {
  refused: number;
  read: number;
  slowestMs: number;
  /** The seed of the slowest. */
  slowest: number;
}

/** More memory than this beyond the file's own size is never held by columns. */
const mostColumnBytes = 64 << 20;

/** Opens mutated copies of a file and reads a window of each. @throws where a reader throws anything but a coded `input/` error */
export async function surviveMutations(bytes: Uint8Array, name: string, count: number, firstSeed = 1): Promise<SurvivalReport> {
  const report: SurvivalReport = { refused: 0, read: 0, slowestMs: 0, slowest: 0 };
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const mutated = mutate(bytes, seededRandom(seed));
    const started = performance.now();
    try {
      const recording = await openRecording({ blob: new Blob([mutated]), name }, {}, quietTask);
      await recording.scan(quietTask);
      const { minUs = 0, events } = recording.summary;
      const window = await recording.read(minUs, minUs + 100_000, quietTask);
      if (window.capacity * 13 > mutated.length + mostColumnBytes) throw new Error(`seed ${seed}: ${events} events take ${window.capacity * 13} bytes`);
      recording.close();
      report.read++;
    } catch (thrown) {
      if (!(thrown instanceof AppError) || !thrown.code.startsWith('input/')) throw new Error(`seed ${seed} of ${name}`, { cause: thrown });
      report.refused++;
    }
    const took = performance.now() - started;
    if (took > report.slowestMs) Object.assign(report, { slowestMs: took, slowest: seed });
  }
  return report;
}
