/** Events as columns, in the order of the recording; 13 bytes an event. Only the first `count` entries are valid. */
export interface Events {
  readonly count: number;
  /** Microseconds: the recording's own clock, exact to 2^53. */
  readonly t: Float64Array;
  /** Column of the sensor's pixel, from the left. */
  readonly x: Uint16Array;
  /** Row, from the top. */
  readonly y: Uint16Array;
  /** 1: brighter (ON); 0: darker (OFF). */
  readonly p: Uint8Array;
}

/** Columns that grow as events are appended. `clear` keeps the memory for the next piece. */
export class EventColumns implements Events {
  count = 0;
  t: Float64Array;
  x: Uint16Array;
  y: Uint16Array;
  p: Uint8Array;

  constructor(capacity = 1024) {
    this.t = new Float64Array(capacity);
    this.x = new Uint16Array(capacity);
    this.y = new Uint16Array(capacity);
    this.p = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.p.length;
  }

  push(t: number, x: number, y: number, p: number): void {
    const at = this.count;
    if (at === this.p.length) this.reserve(1);
    this.t[at] = t;
    this.x[at] = x;
    this.y[at] = y;
    this.p[at] = p;
    this.count = at + 1;
  }

  /** Makes room for `more` further events, so that a decoder may fill the columns itself and then raise `count`. */
  reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.capacity) return;
    const capacity = Math.max(needed, this.capacity * 2);
    const grow = <A extends Float64Array | Uint16Array | Uint8Array>(column: A, larger: A): A => {
      larger.set(column);
      return larger;
    };
    this.t = grow(this.t, new Float64Array(capacity));
    this.x = grow(this.x, new Uint16Array(capacity));
    this.y = grow(this.y, new Uint16Array(capacity));
    this.p = grow(this.p, new Uint8Array(capacity));
  }

  /** Appends the events `from` to `to - 1` of other columns. */
  append(events: Events, from = 0, to = events.count): void {
    this.reserve(to - from);
    this.t.set(events.t.subarray(from, to), this.count);
    this.x.set(events.x.subarray(from, to), this.count);
    this.y.set(events.y.subarray(from, to), this.count);
    this.p.set(events.p.subarray(from, to), this.count);
    this.count += to - from;
  }

  clear(): void {
    this.count = 0;
  }
}

/** The same events in order of time; events of one time keep their order. */
export function sortedByTime(events: Events): EventColumns {
  const order = Uint32Array.from({ length: events.count }, (_, index) => index);
  order.sort((a, b) => (events.t[a] ?? 0) - (events.t[b] ?? 0) || a - b);
  const sorted = new EventColumns(events.count);
  for (const index of order) sorted.push(events.t[index] ?? 0, events.x[index] ?? 0, events.y[index] ?? 0, events.p[index] ?? 0);
  return sorted;
}
