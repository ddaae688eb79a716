import { describe, expect, it } from 'vitest';
import { spikeMasks } from './spikeMasks';
import type { LayerTrace } from './trace';

function traceOf(spikes: readonly (readonly number[])[]): LayerTrace {
  const emitted = Float32Array.from(spikes.flat());
  return { emits: 'spikes', steps: spikes.length, height: 1, width: spikes[0]?.length ?? 0, channels: 1, membrane: emitted, emitted, threshold: 0.5 };
}

const trace = traceOf([
  [0, 1, 0, 0, 1, 0],
  [1, 1, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 1],
]);

describe('spike masks', () => {
  it('hold a bit for each step, and the counts', () => {
    const masks = spikeMasks(trace);
    expect([...masks.masks]).toEqual([0b010, 0b011, 0, 0, 0b001, 0b100]);
    expect(masks).toMatchObject({ firedNeurons: 4, spikes: 5 });
    expect([...masks.spikesPerStep]).toEqual([2, 2, 1]);
    expect(spikeMasks(trace)).toBe(masks);
  });

  it('refuse more steps than they have bits', () => {
    expect(() => spikeMasks(traceOf(Array.from({ length: 33 }, () => [0])))).toThrow(expect.objectContaining({ code: 'internal' }) as Error);
  });
});
