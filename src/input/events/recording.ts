import { AppError } from '../../base/errors';
import type { Size } from '../../base/geometry';
import { throwIfCancelled, type Task } from '../../base/progress';
import { EventColumns, sortedByTime, type Events } from './events';
import { RateBins, type Rate } from './rateBins';
import { maximumSensorSide, skippedKinds, Tally, type OpenedSource, type Position, type SkippedKind, type TableInterpretation } from './source';

/** What a whole recording holds; times in microseconds, sums of pixel coordinates to check a parse by. */
export interface RecordingSummary {
  events: number;
  on: number;
  /** Of the first and the last event in the file's order; undefined without events. */
  firstUs: number | undefined;
  lastUs: number | undefined;
  minUs: number | undefined;
  maxUs: number | undefined;
  sumX: number;
  sumY: number;
  sensor: Size;
  /** False where the file does not say it and the largest coordinates stand for it. */
  sensorIsKnown: boolean;
  /** What was met besides events that make sense. */
  skipped: { kind: SkippedKind; words: string; count: number }[];
  rate: Rate;
}

export interface ScanProgress {
  done: number;
  total: number;
  unit: 'bytes' | 'items';
  finished: boolean;
}

/** A piece of the source, so that a window is read from where it begins. */
interface IndexEntry {
  position: Position;
  count: number;
  minUs: number;
  maxUs: number;
  /** Times never fall within the piece. */
  ordered: boolean;
}

/** A window with more events is refused: its columns alone would take 260 MB. */
export const maximumWindowEvents = 20_000_000;

/**
 * A recording of any format. Reading it once from front to back (`scan`, in portions) builds the index and the
 * statistics; windows of the part that has been scanned can be read at any time, from the place where they begin.
 * Only the index (some dozens of bytes for each 100,000 events or so) and one piece at a time are held in memory.
 */
export class Recording {
  readonly format: string;
  readonly table: TableInterpretation | undefined;
  private readonly index: IndexEntry[] = [];
  private next: Position | undefined;
  private readonly tally = new Tally();
  private readonly rate = new RateBins();
  private readonly piece = new EventColumns(1 << 16);
  private totals = { events: 0, on: 0, sumX: 0, sumY: 0 };
  private firstUs: number | undefined;
  private lastUs: number | undefined;
  private minUs = Infinity;
  private maxUs = -Infinity;
  private largest = { x: -1, y: -1 };

  constructor(private readonly opened: OpenedSource) {
    this.format = opened.format;
    this.table = opened.table;
    this.next = opened.source.start;
  }

  /** As the file says, else as large as the events that were read need it. */
  get sensor(): Size {
    return this.opened.sensor ?? { width: this.largest.x + 1, height: this.largest.y + 1 };
  }

  get sensorIsKnown(): boolean {
    return this.opened.sensor !== undefined;
  }

  get progress(): ScanProgress {
    const { total, unit } = this.opened.source;
    return { done: this.next?.done ?? total, total, unit, finished: this.next === undefined };
  }

  get summary(): RecordingSummary {
    const any = this.totals.events > 0;
    return {
      ...this.totals,
      firstUs: this.firstUs,
      lastUs: this.lastUs,
      minUs: any ? this.minUs : undefined,
      maxUs: any ? this.maxUs : undefined,
      sensor: this.sensor,
      sensorIsKnown: this.sensorIsKnown,
      skipped: Array.from(this.tally.counts, ([kind, count]) => ({ kind, words: skippedKinds[kind], count })),
      rate: this.rate.rate(),
    };
  }

  /** Reads on from where the last call ended, until `budgetMs` are over or the end is reached. */
  async scan(task: Task, budgetMs = Infinity): Promise<ScanProgress> {
    const started = performance.now();
    while (this.next && performance.now() - started < budgetMs) {
      await this.scanPiece(this.next, task);
      task.report({ label: 'Reading the recording', ...this.progress });
    }
    return this.progress;
  }

  /**
   * The events with `fromUs <= t < toUs`, in order of time; what is not scanned yet is scanned first where the window needs it.
   * @throws AppError `input/too-large`, `cancelled`
   */
  async read(fromUs: number, toUs: number, task: Task): Promise<EventColumns> {
    const window = new EventColumns();
    let ordered = true;
    await this.visit(fromUs, toUs, task, (events, from, to) => {
      if (window.count + to - from > maximumWindowEvents) {
        throw new AppError(
          'input/too-large',
          `The window holds more than ${maximumWindowEvents / 1e6} million events.`,
          'Choose a shorter window on the timeline.',
        );
      }
      const before = window.t[window.count - 1] ?? -Infinity;
      if (window.count > 0 && (events.t[from] ?? before) < before) ordered = false;
      window.append(events, from, to);
    });
    if (ordered && isOrdered(window)) return window;
    return sortedByTime(window);
  }

  /** Hands over the events of a window piece by piece, in the file's order; the columns are used again after each call. */
  async visit(
    fromUs: number,
    toUs: number,
    task: Task,
    visitor: (events: Events, from: number, to: number) => void | Promise<void>,
  ): Promise<void> {
    while (this.next && !(this.maxUs >= toUs)) await this.scanPiece(this.next, task);
    const piece = new EventColumns(1 << 16);
    for (const entry of this.index) {
      if (entry.count === 0 || entry.maxUs < fromUs || entry.minUs >= toUs) continue;
      throwIfCancelled(task.signal);
      await this.readPiece(entry.position, piece, new Tally(), task);
      if (entry.ordered) {
        const from = lowerBound(piece, fromUs);
        const to = lowerBound(piece, toUs);
        if (to > from) await visitor(piece, from, to);
      } else {
        keep(piece, (index) => {
          const t = piece.t[index] ?? 0;
          return t >= fromUs && t < toUs;
        });
        if (piece.count > 0) await visitor(piece, 0, piece.count);
      }
    }
  }

  close(): void {
    this.next = undefined;
    this.index.length = 0;
    this.opened.source.close?.();
  }

  private async scanPiece(position: Position, task: Task): Promise<void> {
    const { piece, totals } = this;
    // Counted only when the piece is complete, so that a cancelled reading may be taken up again.
    const tally = new Tally();
    const next = await this.readPiece(position, piece, tally, task);
    for (const [kind, count] of tally.counts) this.tally.add(kind, count);
    let before = this.lastUs ?? -Infinity;
    let minUs = Infinity;
    let maxUs = -Infinity;
    let backwards = 0;
    let ordered = true;
    for (let index = 0; index < piece.count; index++) {
      const t = piece.t[index] ?? 0;
      const x = piece.x[index] ?? 0;
      const y = piece.y[index] ?? 0;
      const p = piece.p[index] ?? 0;
      if (t < before) {
        backwards++;
        if (index > 0) ordered = false;
      }
      before = t;
      if (t < minUs) minUs = t;
      if (t > maxUs) maxUs = t;
      totals.on += p;
      totals.sumX += x;
      totals.sumY += y;
      if (x > this.largest.x) this.largest.x = x;
      if (y > this.largest.y) this.largest.y = y;
      this.rate.add(t, p);
    }
    if (piece.count > 0) {
      this.firstUs ??= piece.t[0];
      this.lastUs = before;
      this.minUs = Math.min(this.minUs, minUs);
      this.maxUs = Math.max(this.maxUs, maxUs);
      totals.events += piece.count;
      this.tally.add('backwards', backwards);
    }
    this.index.push({ position, count: piece.count, minUs, maxUs, ordered });
    this.next = next;
  }

  /** One piece of the source without what lies outside the sensor. */
  private async readPiece(position: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined> {
    into.clear();
    const next = await this.opened.source.read(position, into, tally, task);
    const width = this.opened.sensor?.width ?? maximumSensorSide;
    const height = this.opened.sensor?.height ?? maximumSensorSide;
    if (!isWithin(into, width, height)) {
      const before = into.count;
      keep(into, (index) => (into.x[index] ?? 0) < width && (into.y[index] ?? 0) < height);
      tally.add('outsideSensor', before - into.count);
    }
    return next;
  }
}

function isWithin({ x, y, count }: Events, width: number, height: number): boolean {
  for (let index = 0; index < count; index++) if ((x[index] ?? 0) >= width || (y[index] ?? 0) >= height) return false;
  return true;
}

/** Drops in place what the test refuses; most often nothing. */
function keep(events: EventColumns, test: (index: number) => boolean): void {
  let kept = 0;
  for (let index = 0; index < events.count; index++) {
    if (!test(index)) continue;
    if (kept !== index) {
      events.t[kept] = events.t[index] ?? 0;
      events.x[kept] = events.x[index] ?? 0;
      events.y[kept] = events.y[index] ?? 0;
      events.p[kept] = events.p[index] ?? 0;
    }
    kept++;
  }
  events.count = kept;
}

/** The first index whose time is at least `timeUs`. */
function lowerBound({ t, count }: Events, timeUs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((t[middle] ?? 0) < timeUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isOrdered({ t, count }: Events): boolean {
  for (let index = 1; index < count; index++) if ((t[index] ?? 0) < (t[index - 1] ?? 0)) return false;
  return true;
}
