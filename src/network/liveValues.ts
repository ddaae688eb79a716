import type { Operations, Signal, Spikes } from '../tensor/operations';
import { inputsOf, type GraphNode } from './graph';

/**
 * The values of a pass over a graph, each released after its last reader, so that only what is still needed is alive.
 */
export class LiveValues {
  private readonly values = new Map<number, Signal | Spikes>();
  private readonly readersLeft = new Map<number, number>();

  constructor(
    private readonly operations: Operations,
    /** The nodes that will be computed. */
    nodes: readonly GraphNode[],
  ) {
    for (const node of nodes) for (const id of inputsOf(node)) this.readersLeft.set(id, (this.readersLeft.get(id) ?? 0) + 1);
  }

  set(id: number, value: Signal | Spikes): void {
    this.values.set(id, value);
  }

  get(id: number): Signal | Spikes {
    const value = this.values.get(id);
    if (!value) throw new RangeError(`Node ${id} was read after its last reader or before it ran.`);
    return value;
  }

  signal(id: number): Signal {
    const value = this.get(id);
    if (value.kind !== 'signal') throw new TypeError(`Node ${id} emits spikes where a current is needed.`);
    return value;
  }

  /** Whoever computed `node` has read its inputs. */
  finish(node: GraphNode): void {
    for (const id of inputsOf(node)) {
      const left = (this.readersLeft.get(id) ?? 0) - 1;
      this.readersLeft.set(id, left);
      const value = this.values.get(id);
      if (left > 0 || !value) continue;
      this.values.delete(id);
      this.operations.release(value);
    }
  }

  /** Takes a value out; it is the caller's now. */
  take(id: number): Signal | Spikes {
    const value = this.get(id);
    this.values.delete(id);
    return value;
  }

  releaseAll(): void {
    for (const value of this.values.values()) this.operations.release(value);
    this.values.clear();
  }
}
