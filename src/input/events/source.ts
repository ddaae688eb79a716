import { columnNames, maximumSensorSide, timeUnits, type ColumnName, type TimeUnit } from '../../base/eventOptions';
import type { Size } from '../../base/geometry';
import type { Task } from '../../base/progress';
import type { EventColumns } from './events';

/**
 * What every format gives to the one {@link Recording}: a source of events that can be read piece by piece from any
 * place that an earlier reading came by. The recording does the rest (index, windows, statistics, checks), so that a
 * format's file holds only what is special to that format.
 */

/** What a reader met that is no event, or an event that makes no sense; counted and shown to the person. */
export const skippedKinds = {
  outsideSensor: 'events outside the sensor (dropped)',
  backwards: 'events that run backwards in time (kept)',
  truncated: 'bytes of a cut-off end',
  damaged: 'damaged packets or words',
  checksum: 'packets with a wrong checksum',
  unreadable: 'lines that are no events',
  triggers: 'triggers (skipped)',
  otherWords: 'other words (skipped)',
  frames: 'frames (skipped)',
  imu: 'motion (IMU) records (skipped)',
  otherPackets: 'other packets (skipped)',
} as const;
export type SkippedKind = keyof typeof skippedKinds;

/** Counts what was skipped. */
export class Tally {
  readonly counts = new Map<SkippedKind, number>();

  add(kind: SkippedKind, count = 1): void {
    if (count > 0) this.counts.set(kind, (this.counts.get(kind) ?? 0) + count);
  }
}

/** A place in a source. Opaque to whoever reads: only the source that made it knows what it means. */
export interface Position {
  /** How far into the source this is, in the unit of {@link EventSource.total}. */
  readonly done: number;
}

export interface EventSource {
  /** Length in bytes or events: what `done` counts up to. */
  readonly total: number;
  readonly unit: 'bytes' | 'items';
  readonly start: Position;
  /**
   * Appends the piece that begins at `position` (up to a few hundred thousand events) and returns where the next one
   * begins; undefined at the end. The same position always gives the same events. Damaged content is skipped and
   * counted, never thrown.
   */
  read(position: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined>;
  /** Frees what the source holds besides memory of its own (an open HDF5 file). */
  close?(): void;
}

export { columnNames, maximumSensorSide, timeUnits, type ColumnName, type TimeUnit };

/** Microseconds in one unit of time. */
export const microsecondsIn: Readonly<Record<TimeUnit, number>> = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 };

/** How a table of numbers was understood; a person may change it where a format does not say. */
export interface TableInterpretation {
  /** Which column of the table holds what, in the table's order. */
  columns: readonly (ColumnName | 'other')[];
  timeUnit: TimeUnit;
}

export interface OpenedSource {
  /** As a person names it: "Prophesee RAW EVT 3.0". */
  format: string;
  /** The sensor, where the file says so; else it is inferred from the events. */
  sensor: Size | undefined;
  source: EventSource;
  /** Only for tables without a description of themselves. */
  table?: TableInterpretation;
}

export interface OpenOptions {
  /** Overrides what was detected. */
  table?: Partial<TableInterpretation>;
}

export interface RecordingFile {
  blob: Blob;
  name: string;
}

/** One file format. */
export interface Format {
  /** True where the first bytes (up to 64 KiB; the whole of a smaller file) are of this format; the name only settles doubt. */
  recognises(head: Uint8Array, name: string): boolean;
  /** @throws AppError `input/unsupported` for a kind of the format that is refused by name, `input/unreadable` */
  open(file: RecordingFile, head: Uint8Array, options: OpenOptions, task: Task): Promise<OpenedSource>;
}
