import { AppError } from '../../base/errors';
import { ByteSource, type StreamDecoder } from './byteSource';
import type { EventColumns } from './events';
import { fieldMeaning, unitSuffix } from './npy';
import { believableSize } from './rawHeader';
import { columnNames, microsecondsIn, type ColumnName, type Format, type TableInterpretation, type Tally } from './source';
import { guessColumns, guessTimeUnit } from './tableGuess';

/**
 * Events as lines of text: numbers between commas, semicolons, tabs or spaces; lines that begin with # or % are comments. A first
 * line of names says what the columns hold, a first line of two numbers is the sensor's size (as in the RPG data sets' converters).
 */
export const text: Format = {
  recognises: (head, name) => /\.(csv|txt|tsv)$/i.test(name) ? looksLikeText(head) : looksLikeEvents(head),

  open({ blob, name }, head, options) {
    const { rows, names, size } = sampleOf(head);
    if (rows.length === 0) {
      throw new AppError('input/unreadable', `${name} holds no lines of numbers that could be events.`, 'Each line needs a time, x, y and a polarity.');
    }
    const width = Math.max(...rows.map((row) => row.length));
    const sample = Array.from({ length: width }, (_, column) => rows.map((row) => row[column] ?? NaN));
    const named = names?.map((column) => fieldMeaning(column) ?? ('other' as const));
    const isNamed = named !== undefined && columnNames.every((wanted) => named.includes(wanted));
    const columns = options.table?.columns ?? (isNamed ? named : guessColumns(sample));
    const timeColumn = columns.indexOf('t');
    const table: TableInterpretation = {
      columns,
      timeUnit: options.table?.timeUnit ?? unitOfName(names?.[timeColumn]) ?? guessTimeUnit(sample[timeColumn] ?? []),
    };
    if (columnNames.some((wanted) => !table.columns.includes(wanted))) {
      throw new AppError('input/unreadable', `The lines of ${name} have ${width} numbers, and events need four.`, 'Each line needs a time, x, y and a polarity.');
    }
    return Promise.resolve({ format: 'Text', sensor: size, source: new ByteSource(blob, 0, new LineDecoder(table)), table });
  },
};

/** `timestamp_us`, `t [s]`. */
function unitOfName(name: string | undefined): TableInterpretation['timeUnit'] | undefined {
  const unit = unitSuffix.exec(name ?? '')?.[1]?.toLowerCase();
  return unit === 's' || unit === 'ms' || unit === 'us' || unit === 'ns' ? unit : undefined;
}

const separators = /[,;\s]+/;
const sampledLines = 2000;
/** Events have four columns and may have a few besides. */
const mostColumns = 32;

interface Sample {
  rows: number[][];
  names: string[] | undefined;
  size: { width: number; height: number } | undefined;
}

function sampleOf(head: Uint8Array): Sample {
  const lines = new TextDecoder('latin1').decode(head).split('\n').slice(0, sampledLines);
  // The last one may be cut off.
  if (lines.length > 1) lines.pop();
  const sample: Sample = { rows: [], names: undefined, size: undefined };
  lines.forEach((line) => {
    const cells = line.trim().replace(/^[#%]\s*/, '').split(separators, mostColumns).filter((cell) => cell !== '');
    const numbers = cells.map(numberOf);
    const isNumbers = cells.length > 0 && numbers.every((value) => !Number.isNaN(value));
    if (isNumbers && cells.length >= 4 && !/^\s*[#%]/.test(line)) sample.rows.push(numbers);
    else if (sample.rows.length === 0 && isNumbers && cells.length === 2) sample.size = believableSize(numbers[0] ?? 0, numbers[1] ?? 0);
    else if (sample.rows.length === 0 && !isNumbers && cells.length >= 4) sample.names = namesIn(line);
  });
  return sample;
}

/** A name may hold a space, `t [us]`, unless spaces are what separates them. */
function namesIn(line: string): string[] {
  const bare = line.trim().replace(/^[#%]\s*/, '').replaceAll('"', '');
  return bare.split(/[,;\t]/.test(bare) ? /[,;\t]/ : separators).map((name) => name.trim());
}

function numberOf(cell: string): number {
  const lower = cell.toLowerCase();
  if (lower === 'true') return 1;
  if (lower === 'false') return 0;
  return cell === '' ? NaN : Number(cell);
}

function looksLikeText(head: Uint8Array): boolean {
  return head.length > 0 && !head.subarray(0, 4096).some((byte) => byte === 0);
}

function looksLikeEvents(head: Uint8Array): boolean {
  if (!looksLikeText(head)) return false;
  const { rows } = sampleOf(head.subarray(0, 4096));
  return rows.length >= 3 && rows.every((row) => row.length >= 4);
}

/** Lines are short; more bytes without a line's end are not read as one. */
const maximumLineBytes = 4096;
const lineFeed = 0x0a;

class LineDecoder implements StreamDecoder {
  private readonly places: Record<ColumnName, number>;
  private readonly timeUnitUs: number;
  private readonly width: number;

  constructor(
    private readonly table: TableInterpretation,
    /** Names and the sensor's size stand only above the events. */
    private hasEvents = false,
    private isInLongLine = false,
  ) {
    this.places = {
      t: table.columns.indexOf('t'),
      x: table.columns.indexOf('x'),
      y: table.columns.indexOf('y'),
      p: table.columns.indexOf('p'),
    };
    this.timeUnitUs = microsecondsIn[table.timeUnit];
    this.width = Math.max(...Object.values(this.places)) + 1;
  }

  decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number {
    const decoder = new TextDecoder('latin1');
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(lineFeed, at);
      const isOpen = end < 0 && !isEnd;
      const length = (end < 0 ? bytes.length : end) - at;
      if (isOpen && !this.isInLongLine && length <= maximumLineBytes) break;
      if (!this.isInLongLine) {
        if (length > maximumLineBytes) tally.add('unreadable');
        else this.line(decoder.decode(bytes.subarray(at, at + length)), into, tally);
      }
      this.isInLongLine = isOpen;
      at += length + 1;
    }
    return Math.min(at, bytes.length);
  }

  clone(): LineDecoder {
    return new LineDecoder(this.table, this.hasEvents, this.isInLongLine);
  }

  private line(line: string, into: EventColumns, tally: Tally): void {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('%')) return;
    const cells = trimmed.split(separators);
    const { t, x, y, p } = this.places;
    const time = numberOf(cells[t] ?? '') * this.timeUnitUs;
    const column = numberOf(cells[x] ?? '');
    const row = numberOf(cells[y] ?? '');
    const polarity = numberOf(cells[p] ?? '');
    if (cells.length < this.width || Number.isNaN(time + column + row + polarity) || Math.abs(time) > Number.MAX_SAFE_INTEGER) {
      const isHeading = !this.hasEvents && (cells.length === 2 || cells.every((cell) => Number.isNaN(Number(cell))));
      if (!isHeading) tally.add('unreadable');
      return;
    }
    this.hasEvents = true;
    if (column < 0 || row < 0 || column >= 65536 || row >= 65536) tally.add('outsideSensor');
    else into.push(Math.round(time), Math.round(column), Math.round(row), polarity > 0 ? 1 : 0);
  }
}
