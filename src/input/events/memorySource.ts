import type { EventColumns, Events } from './events';
import type { EventSource, Position } from './source';

/** Events that are in memory already, in pieces. */
export class MemorySource implements EventSource {
  readonly unit = 'items';
  readonly start: Position = { done: 0 };
  readonly total: number;

  constructor(private readonly events: Events) {
    this.total = events.count;
  }

  read({ done }: Position, into: EventColumns): Promise<Position | undefined> {
    const end = Math.min(done + pieceEvents, this.total);
    into.append(this.events, done, end);
    return Promise.resolve(end < this.total ? { done: end } : undefined);
  }
}

const pieceEvents = 1 << 17;
