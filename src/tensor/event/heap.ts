import { AppError } from '../../base/errors';

const pageBytes = 65536;
/** Blocks begin where a cache line begins. */
const alignment = 64;

interface FreeBlock {
  address: number;
  bytes: number;
}

/** Memory of the kernels, handed out and taken back explicitly. What is freed is used again before the memory grows. */
export class Heap {
  /** By address; no two touch each other. */
  private readonly free: FreeBlock[] = [];
  private readonly sizes = new Map<number, number>();
  private end: number;
  private bytes = 0;
  private peakBytes = 0;
  private view: Float32Array;

  constructor(
    private readonly memory: WebAssembly.Memory,
    base: number,
  ) {
    this.end = alignUp(base);
    this.view = new Float32Array(memory.buffer);
  }

  /** Blocks that are in use, their bytes, the most bytes that ever were, and how far the blocks reach into the memory. */
  get used(): { blocks: number; bytes: number; peakBytes: number; extentBytes: number } {
    return { blocks: this.sizes.size, bytes: this.bytes, peakBytes: this.peakBytes, extentBytes: this.end };
  }

  /** All of the memory, seen as float32. Valid until the next `allocate`. */
  get floats(): Float32Array {
    // Growing the memory detaches the buffer that was there before.
    if (this.view.buffer !== this.memory.buffer) this.view = new Float32Array(this.memory.buffer);
    return this.view;
  }

  /** A view of `length` unsigned whole numbers of 32 bits. Valid until the next `allocate`. */
  wholeNumbers(address: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, address, length);
  }

  /** @throws AppError `backend/out-of-memory` */
  allocate(wanted: number): number {
    const bytes = Math.max(alignUp(wanted), alignment);
    const address = this.takeSmallestThatFits(bytes) ?? this.extend(bytes);
    this.sizes.set(address, bytes);
    this.bytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return address;
  }

  release(address: number): void {
    let bytes = this.sizes.get(address);
    if (bytes === undefined) throw new RangeError(`There is no block at ${address}.`);
    this.sizes.delete(address);
    this.bytes -= bytes;
    let index = this.free.findIndex((block) => block.address > address);
    if (index < 0) index = this.free.length;
    const next = this.free[index];
    if (next && address + bytes === next.address) {
      bytes += next.bytes;
      this.free.splice(index, 1);
    }
    const previous = this.free[index - 1];
    if (previous && previous.address + previous.bytes === address) previous.bytes += bytes;
    else this.free.splice(index, 0, { address, bytes });
  }

  private takeSmallestThatFits(bytes: number): number | undefined {
    let best: FreeBlock | undefined;
    for (const block of this.free) {
      if (block.bytes >= bytes && (!best || block.bytes < best.bytes)) best = block;
    }
    if (!best) return undefined;
    const { address } = best;
    best.address += bytes;
    best.bytes -= bytes;
    if (best.bytes === 0) this.free.splice(this.free.indexOf(best), 1);
    return address;
  }

  private extend(bytes: number): number {
    const last = this.free.at(-1);
    let address = this.end;
    if (last && last.address + last.bytes === this.end) {
      address = last.address;
      this.free.pop();
    }
    this.end = address + bytes;
    const missing = this.end - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / pageBytes));
      } catch (cause) {
        throw new AppError(
          'backend/out-of-memory',
          'There is no memory left for the network on this picture.',
          'Choose a smaller input size or fewer steps, or close other tabs.',
          cause,
        );
      }
    }
    return address;
  }
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
