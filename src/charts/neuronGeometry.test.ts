import { describe, expect, it } from 'vitest';
import { membraneCourse, potentialDomain } from './neuronGeometry';

describe('course of a membrane', () => {
  it('falls to zero after a spike and goes on from there', () => {
    const { charges, resets } = membraneCourse({ membrane: [0.4, 0.7, 0.2], emitted: [0, 1, 0] }, 'spikes');
    expect(resets).toEqual([{ from: { step: 1, potential: 0.7 }, to: { step: 1, potential: 0 } }]);
    expect(charges).toEqual([
      { from: { step: 0, potential: 0.4 }, to: { step: 1, potential: 0.7 } },
      { from: { step: 1, potential: 0 }, to: { step: 2, potential: 0.2 } },
    ]);
  });

  it('shows the reset after a spike in the last step', () => {
    expect(membraneCourse({ membrane: [0.7], emitted: [1] }, 'spikes')).toMatchObject({ charges: [], resets: [{ to: { step: 0, potential: 0 } }] });
  });

  it('shows what another reset leaves', () => {
    const { charges, resets } = membraneCourse({ membrane: [0.7, 0.3], emitted: [1, 0] }, 'spikes', (potential) => potential - 0.5);
    expect(resets[0]?.to.potential).toBeCloseTo(0.2, 12);
    expect(charges[0]?.from.potential).toBeCloseTo(0.2, 12);
  });

  it('has no resets where neurons emit values', () => {
    expect(membraneCourse({ membrane: [0.7, 0.2], emitted: [0.5, 0.1] }, 'values').resets).toEqual([]);
  });
});

describe('shown potentials', () => {
  it('contain zero, the threshold and all values', () => {
    const [low, high] = potentialDomain([-0.3, -0.1], 0.5);
    expect(low).toBeLessThan(-0.3);
    expect(high).toBeGreaterThan(0.5);
  });

  it('have a length even for a neuron at rest', () => {
    expect(potentialDomain([0, 0], undefined)).toEqual([-0.5, 0.5]);
  });
});
