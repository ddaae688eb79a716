import { throwIfCancelled, type Task } from '../../base/progress';
import type { EventColumns } from './events';
import type { EventSource, Position, Tally } from './source';

/** Turns a stream of bytes into events and carries over what the format carries from one piece to the next. */
export interface StreamDecoder {
  /**
   * Decodes what is complete at the front of `bytes`, appends it, and returns how many bytes that took. Fewer than all
   * may stay for the next call, which begins with them; at `isEnd` nothing more will come, and what cannot be used is
   * counted in `tally` and taken as used.
   */
  decode(bytes: Uint8Array, isEnd: boolean, into: EventColumns, tally: Tally): number;
  /** A decoder that goes on from here, independent of this one. */
  clone(): StreamDecoder;
}

/** Bytes read at once: long enough for full speed, short enough that a jump decodes little that nobody wants. */
export const pieceBytes = 1 << 18;
/** A packet that wants more than this at once is taken for damage. */
export const maximumPacketBytes = 32 << 20;

interface BytePosition extends Position {
  decoder: StreamDecoder;
}

/** A file that is one stream of words or packets behind a header. */
export class ByteSource implements EventSource {
  readonly total: number;
  readonly unit = 'bytes';
  readonly start: BytePosition;

  constructor(
    private readonly blob: Blob,
    dataOffset: number,
    decoder: StreamDecoder,
  ) {
    this.total = blob.size;
    this.start = { done: Math.min(dataOffset, blob.size), decoder };
  }

  async read(position: Position, into: EventColumns, tally: Tally, task: Task): Promise<Position | undefined> {
    const { done, decoder: before } = position as BytePosition;
    if (done >= this.total) return undefined;
    // A packet may be longer than a piece: then the piece grows until it holds it.
    for (let length = pieceBytes; ; length *= 2) {
      throwIfCancelled(task.signal);
      const end = Math.min(done + length, this.total);
      const bytes = new Uint8Array(await this.blob.slice(done, end).arrayBuffer());
      const decoder = before.clone();
      const isEnd = end === this.total;
      const used = decoder.decode(bytes, isEnd, into, tally);
      if (isEnd) {
        tally.add('truncated', bytes.length - used);
        return undefined;
      }
      if (used > 0) {
        const next: BytePosition = { done: done + used, decoder };
        return next;
      }
      if (length >= maximumPacketBytes) {
        tally.add('damaged');
        tally.add('truncated', this.total - done);
        return undefined;
      }
    }
  }
}
