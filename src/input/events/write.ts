import { AppError } from '../../base/errors';
import type { WritableFormatId } from '../../base/eventOptions';
import type { Size } from '../../base/geometry';
import { npyHeader } from '../../base/npy';
import type { Events } from './events';

/**
 * Writers of recordings, piece by piece. Events are taken in the order in which they come.
 *
 * Times are rounded to microseconds. Clocks of the binary formats have few bits: DAT's 32, EVT 2.0's 34, EVT 3.0's 24. In DAT what
 * lies above them is lost, but a reader counts the overflows that follow the first event where no gap is longer than half a clock; in
 * the EVT formats overflows are written so that a reader counts them, up to 64 between two events, and a time that lies before the one
 * already written, or before 0, is written as that one, or as 0. A DAT file cannot hold times before 0 either: they wrap.
 */
export interface RecordingWriter {
  /** The events `from` to `to - 1`. */
  write(events: Events, from: number, to: number): Promise<void>;
  /** @throws AppError `internal` where a NumPy header promised another number of events */
  end(): Promise<void>;
}

export type ByteSink = (bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>;

/** The EVT formats have 11 bits for a column or row. */
const largestSides: Partial<Record<WritableFormatId, number>> = { evt2: 2048, evt3: 2048 };

/**
 * @param total how many events will be written, which a NumPy header must know beforehand
 * @throws AppError `input/unsupported` where the format has no room for the sensor's coordinates
 */
export function openWriter(format: WritableFormatId, sensor: Size, total: number, sink: ByteSink): RecordingWriter {
  const largest = largestSides[format] ?? Infinity;
  if (sensor.width > largest || sensor.height > largest) {
    throw new AppError(
      'input/unsupported',
      `A sensor of ${sensor.width} x ${sensor.height} pixels does not fit into this format, which ends at ${largest}.`,
      'Save the recording as DAT, npy or CSV.',
    );
  }
  return new PieceWriter(encoders[format](sensor, total), sink);
}

interface Encoder {
  header(): Uint8Array<ArrayBuffer>;
  /** At most so many bytes for one event. */
  readonly bytesPerEvent: number;
  /** Writes the events into `target` and returns how many bytes that took. */
  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number;
  /** Called after the last event. */
  end?(): void;
}

/** Events encoded at once: bounds the memory, whatever the recording's length. */
const pieceEvents = 1 << 15;

class PieceWriter implements RecordingWriter {
  private begun = false;
  private buffer = new DataView(new ArrayBuffer(0));

  constructor(
    private readonly encoder: Encoder,
    private readonly sink: ByteSink,
  ) {}

  async write(events: Events, from: number, to: number): Promise<void> {
    await this.begin();
    const needed = Math.min(to - from, pieceEvents) * this.encoder.bytesPerEvent;
    if (this.buffer.byteLength < needed) this.buffer = new DataView(new ArrayBuffer(needed));
    for (let first = from; first < to; first += pieceEvents) {
      const used = this.encoder.encode(events, first, Math.min(first + pieceEvents, to), this.buffer);
      await this.sink(new Uint8Array(this.buffer.buffer.slice(0, used)));
    }
  }

  async end(): Promise<void> {
    await this.begin();
    this.encoder.end?.();
  }

  private async begin(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    await this.sink(this.encoder.header());
  }
}

const encoders: Record<WritableFormatId, (sensor: Size, total: number) => Encoder> = {
  dat: (sensor) => new DatEncoder(sensor),
  evt2: (sensor) => new Evt2Encoder(sensor),
  evt3: (sensor) => new Evt3Encoder(sensor),
  npy: (_sensor, total) => new NpyEncoder(total),
  csv: () => new CsvEncoder(),
};

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

class DatEncoder implements Encoder {
  readonly bytesPerEvent = 8;
  constructor(private readonly sensor: Size) {}

  header(): Uint8Array<ArrayBuffer> {
    const { width, height } = this.sensor;
    const text = ascii(`% Data file containing CD events.\n% Version 2\n% Width ${width}\n% Height ${height}\n`);
    return Uint8Array.from([...text, 0x0c, 8]);
  }

  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number {
    for (let index = from, at = 0; index < to; index++, at += 8) {
      target.setUint32(at, Math.round(events.t[index] ?? 0) % 2 ** 32, true);
      target.setUint32(at + 4, ((events.x[index] ?? 0) & 0x3fff) | (((events.y[index] ?? 0) & 0x3fff) << 14) | ((events.p[index] ?? 0) << 28), true);
    }
    return (to - from) * 8;
  }
}

function rawHeader(version: string, format: string, { width, height }: Size): Uint8Array<ArrayBuffer> {
  return ascii(`% evt ${version}\n% format ${format};height=${height};width=${width}\n% geometry ${width}x${height}\n% end\n`);
}

/**
 * A gap in time of many overflows would write many words for one event (a clock of the day has a hundred million of EVT 3.0's); more
 * than this many are not written, and the gap is shortened.
 */
const mostOverflows = 64;

/** A clock of few bits whose upper part is written as words of its own. */
abstract class ClockEncoder {
  private high: number | undefined;
  /** Overflows that are not written, in microseconds; undefined before the first event. */
  private lostUs: number | undefined;
  private lastUs = 0;
  protected target = new DataView(new ArrayBuffer(0));
  protected at = 0;

  constructor(
    private readonly highs: number,
    private readonly lowsPerHigh: number,
  ) {}

  protected abstract putHigh(high: number): void;

  /** Writes the words that bring a reader's clock to the time's upper part, and returns the lower one. */
  protected tick(timeUs: number): number {
    const clockUs = this.highs * this.lowsPerHigh;
    const whole = Math.round(timeUs);
    this.lostUs ??= Math.max(Math.floor(whole / clockUs) - mostOverflows, 0) * clockUs;
    let time = Math.max(whole - this.lostUs, this.lastUs);
    const beyond = time - this.lastUs - mostOverflows * clockUs;
    if (beyond > 0) {
      const shortened = Math.ceil(beyond / clockUs) * clockUs;
      this.lostUs += shortened;
      time -= shortened;
    }
    this.lastUs = time;
    const high = Math.floor(time / this.lowsPerHigh);
    if (high !== this.high) {
      // A reader takes a fall by more than half of the range for an overflow.
      let reached = this.high ?? 0;
      while (Math.floor(reached / this.highs) < Math.floor(high / this.highs)) {
        this.putHigh(this.highs - 1);
        this.putHigh(0);
        reached = (Math.floor(reached / this.highs) + 1) * this.highs;
      }
      this.putHigh(high % this.highs);
      this.high = high;
    }
    return time % this.lowsPerHigh;
  }
}

class Evt2Encoder extends ClockEncoder implements Encoder {
  readonly bytesPerEvent = 8 + mostOverflows * 8;
  constructor(private readonly sensor: Size) {
    super(2 ** 28, 64);
  }

  header(): Uint8Array<ArrayBuffer> {
    return rawHeader('2.0', 'EVT2', this.sensor);
  }

  protected putHigh(high: number): void {
    this.target.setUint32(this.at, 0x80000000 + high, true);
    this.at += 4;
  }

  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number {
    this.target = target;
    this.at = 0;
    for (let index = from; index < to; index++) {
      const low = this.tick(events.t[index] ?? 0);
      const place = (((events.x[index] ?? 0) & 0x7ff) << 11) | ((events.y[index] ?? 0) & 0x7ff);
      target.setUint32(this.at, (((events.p[index] ?? 0) << 28) | (low << 22) | place) >>> 0, true);
      this.at += 4;
    }
    return this.at;
  }
}

/** From this many pixels on, the base and masks of a vector take fewer words than the pixels themselves. */
const shortestVector = 4;
const vectorWidth = 12;

class Evt3Encoder extends ClockEncoder implements Encoder {
  readonly bytesPerEvent = 10 + mostOverflows * 4;
  private low = -1;
  private row = -1;

  constructor(private readonly sensor: Size) {
    super(4096, 4096);
  }

  header(): Uint8Array<ArrayBuffer> {
    return rawHeader('3.0', 'EVT3', this.sensor);
  }

  protected putHigh(high: number): void {
    this.put(0x8, high);
    // Readers differ in what becomes of the low bits.
    this.low = -1;
  }

  private put(type: number, value: number): void {
    this.target.setUint16(this.at, (type << 12) | value, true);
    this.at += 2;
  }

  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number {
    this.target = target;
    this.at = 0;
    const { t, x, y, p } = events;
    for (let index = from; index < to; ) {
      const low = this.tick(t[index] ?? 0);
      if (low !== this.low) this.put(0x6, low);
      this.low = low;
      const row = (y[index] ?? 0) & 0x7ff;
      if (row !== this.row) this.put(0x0, row);
      this.row = row;
      const end = vectorEnd(events, index, to);
      const polarity = (p[index] ?? 0) << 11;
      if (end - index < shortestVector) {
        this.put(0x2, polarity | ((x[index] ?? 0) & 0x7ff));
        index++;
        continue;
      }
      let base = (x[index] ?? 0) & 0x7ff;
      this.put(0x3, polarity | base);
      while (index < end) {
        let mask = 0;
        for (; index < end && (x[index] ?? 0) < base + vectorWidth; index++) mask |= 1 << ((x[index] ?? 0) - base);
        this.put(0x4, mask);
        base += vectorWidth;
      }
    }
    return this.at;
  }
}

/** Where a run of pixels ends that one vector can hold: the same time, row and polarity, rising columns without gaps of a whole mask. */
function vectorEnd({ t, x, y, p }: Events, from: number, to: number): number {
  let end = from + 1;
  while (
    end < to &&
    t[end] === t[from] &&
    y[end] === y[from] &&
    p[end] === p[from] &&
    (x[end] ?? 0) > (x[end - 1] ?? 0) &&
    (x[end] ?? 0) < (x[end - 1] ?? 0) + vectorWidth &&
    (x[end] ?? 0) <= 0x7ff
  ) {
    end++;
  }
  return end;
}

class NpyEncoder implements Encoder {
  readonly bytesPerEvent = 13;
  private written = 0;

  constructor(private readonly total: number) {}

  header(): Uint8Array<ArrayBuffer> {
    return npyHeader(`{'descr': [('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')], 'fortran_order': False, 'shape': (${this.total},), }`);
  }

  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number {
    for (let index = from, at = 0; index < to; index++, at += 13) {
      target.setBigInt64(at, BigInt(Math.round(events.t[index] ?? 0)), true);
      target.setUint16(at + 8, events.x[index] ?? 0, true);
      target.setUint16(at + 10, events.y[index] ?? 0, true);
      target.setUint8(at + 12, events.p[index] ?? 0);
    }
    this.written += to - from;
    return (to - from) * 13;
  }

  end(): void {
    if (this.written === this.total) return;
    throw new AppError('internal', `The header of the NumPy file promises ${this.total} events, and ${this.written} were written.`, 'Save the recording again.');
  }
}

class CsvEncoder implements Encoder {
  /** Digits of a time, two coordinates and a polarity, with separators. */
  readonly bytesPerEvent = 40;

  header(): Uint8Array<ArrayBuffer> {
    return ascii('t,x,y,p\n');
  }

  encode(events: Events, from: number, to: number, target: DataView<ArrayBuffer>): number {
    const lines: string[] = [];
    for (let index = from; index < to; index++) lines.push(`${Math.round(events.t[index] ?? 0)},${events.x[index]},${events.y[index]},${events.p[index]}\n`);
    return new TextEncoder().encodeInto(lines.join(''), new Uint8Array(target.buffer)).written;
  }
}
