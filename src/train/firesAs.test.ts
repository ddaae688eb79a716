import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeTraining } from '../../e2e/kernels';
import { resetModes } from '../base/neuron';
import type { NeuronParameters } from '../tensor/operations';
import { currentThatFires } from './firesAs';

const threshold = Math.fround(0.45);
const ulp = 2 ** -25;

describe('neurons that fire as they did elsewhere', () => {
  it('are left alone where they do so anyway', () => {
    expect(currentThatFires(Float32Array.of(0.5, 0.1), [1, 0], Float32Array.of(1, 0), 1, { decay: 0.25, threshold })).toBeUndefined();
  });

  it('take the membrane just over the threshold, or onto it, and nothing else moves', () => {
    const over = Float32Array.of(threshold - 3 * ulp, 0.2);
    expect(currentThatFires(over, [1, 0], Float32Array.of(0, 0), 1, { decay: 0.25, threshold })).toEqual(Float32Array.of(threshold + ulp, 0.2));
    const onto = Float32Array.of(0.9, threshold + 3 * ulp);
    const [first, second = NaN] = currentThatFires(onto, [1, 0], Float32Array.of(1, 1), 1, { decay: 0.25, threshold }) ?? [];
    expect(first).toBe(Math.fround(0.9));
    expect(second).toBeLessThanOrEqual(threshold);
    expect(second).toBeGreaterThanOrEqual(threshold - 2 * ulp);
  });

  it('repeats one current for all steps only from where it has to differ', () => {
    // 0.4, then 0.1 + 0.4 > 0.45: a spike at step 1, which is not wanted; 0.45 / 4 + 0.4 is wanted at step 2.
    const moved = currentThatFires(Float32Array.of(0.4), [0, 0, 1], Float32Array.of(0, 1, 0), 3, { decay: 0.25, threshold });
    expect(moved?.[0]).toBe(Math.fround(0.4));
    expect(moved?.[1]).toBeCloseTo(0.35, 6);
    expect(moved?.[2]).toBe(Math.fround(0.4));
  });

  it('fire in the kernels exactly as they are told, whatever the current', async () => {
    const operations = await nodeTraining();
    const neurons = 8;
    const steps = 4;
    const shape = { images: 1, height: 1, width: 2, channels: neurons / 2 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: neurons * steps, maxLength: neurons * steps }),
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: neurons * steps, maxLength: neurons * steps }),
        fc.record<NeuronParameters>({
          decay: fc.double({ min: 0, max: 1, noNaN: true }),
          threshold: fc.double({ min: -1, max: 1, noNaN: true }),
          reset: fc.constantFrom(...resetModes),
        }),
        fc.boolean(),
        async (values, spikes, parameters, still) => {
          const current = Float32Array.from(still ? values.slice(0, neurons) : values);
          const fires = async (data: Float32Array): Promise<Float32Array> => {
            const input = operations.values(data, { ...shape, steps: data.length / neurons });
            const output = operations.fire(input, steps, 'lif', parameters);
            const [fired = new Float32Array()] = await operations.read([output]);
            operations.release(input);
            operations.release(output);
            return fired;
          };
          const before = await fires(current);
          const moved = currentThatFires(current, spikes, before, steps, parameters);
          expect([...(moved ? await fires(moved) : before)]).toEqual(spikes);
        },
      ),
      { numRuns: 300 },
    );
  });
});
