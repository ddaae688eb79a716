import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerTrace } from '../base/trace';
import { spikeMasks } from '../base/spikeMasks';
import { wholeOf } from './pieces';
import * as pieces from './rasterIndex';
import { clampRange, representativeRow, zoomRange, type RasterOrder, type RasterSource } from './rasterIndex';

const rasterOf = (...given: Parameters<typeof pieces.rasterOf>): RasterSource => wholeOf(pieces.rasterOf(...given));
const orderNeurons = (...given: Parameters<typeof pieces.orderNeurons>): Uint32Array => wholeOf(pieces.orderNeurons(...given));
const bandRates = (...given: Parameters<typeof pieces.bandRates>): Float32Array => wholeOf(pieces.bandRates(...given));

function traceOf(spikes: readonly (readonly number[])[], channels = 1): LayerTrace {
  const neurons = spikes[0]?.length ?? 0;
  const emitted = Float32Array.from(spikes.flat());
  return { emits: 'spikes', steps: spikes.length, height: 1, width: neurons / channels, channels, membrane: emitted, emitted, threshold: 0.5 };
}

/** Two steps of two cells with three channels. */
const trace = traceOf(
  [
    [0, 1, 0, 0, 1, 0],
    [1, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1],
  ],
  3,
);

const traces = fc.integer({ min: 1, max: 16 }).chain((steps) =>
  fc
    .integer({ min: 1, max: 60 })
    .chain((neurons) => fc.array(fc.array(fc.constantFrom(0, 1), { minLength: neurons, maxLength: neurons }), { minLength: steps, maxLength: steps }))
    .map((spikes) => traceOf(spikes)),
);

const sourceOf = (...windows: LayerTrace[]): RasterSource => rasterOf(windows.map(spikeMasks));

describe('order', () => {
  const source = sourceOf(trace);
  const order = (by: RasterOrder, hideSilent: boolean): number[] => [...orderNeurons(source, trace.channels, by, hideSilent)];

  it('by rate has most spikes first, then the earlier first spike', () => {
    expect(order('rate', false)).toEqual([1, 4, 0, 5, 2, 3]);
    expect(order('rate', true)).toEqual([1, 4, 0, 5]);
  });

  it('by place and by channel follows the layer', () => {
    expect(order('place', false)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(order('channel', false)).toEqual([0, 3, 1, 4, 2, 5]);
    expect(order('channel', true)).toEqual([0, 1, 4, 5]);
  });

  it('shows every neuron once, whatever the order, and only silent ones go', () => {
    fc.assert(
      fc.property(traces, fc.constantFrom<RasterOrder>('rate', 'place', 'channel'), fc.boolean(), (any, by, hideSilent) => {
        const index = sourceOf(any);
        const wanted = [...index.counts.keys()].filter((neuron) => !hideSilent || index.counts[neuron] !== 0);
        expect([...orderNeurons(index, any.channels, by, hideSilent)].sort((a, b) => a - b)).toEqual(wanted);
      }),
    );
  });
});

describe('bands', () => {
  it('give the share of their neurons that spiked in each step', () => {
    const masks = sourceOf(trace);
    const rows = orderNeurons(masks, 3, 'place', false);
    expect([...bandRates(masks, rows, { first: 0, last: 6 }, 3)]).toEqual([0.5, 1, 0, 0, 0, 0, 0.5, 0, 0.5]);
    expect([...bandRates(masks, rows, { first: 4, last: 5 }, 1)]).toEqual([1, 0, 0]);
  });

  it('lose no spike', () => {
    fc.assert(
      fc.property(traces, fc.integer({ min: 1, max: 20 }), (any, wanted) => {
        const masks = sourceOf(any);
        const rows = orderNeurons(masks, any.channels, 'rate', false);
        const bands = Math.min(wanted, rows.length);
        const rates = bandRates(masks, rows, { first: 0, last: rows.length }, bands);
        let spikes = 0;
        for (let band = 0; band < bands; band++) {
          const neurons = Math.floor(((band + 1) * rows.length) / bands) - Math.floor((band * rows.length) / bands);
          for (let step = 0; step < any.steps; step++) spikes += (rates[band * any.steps + step] ?? 0) * neurons;
        }
        expect(spikes).toBeCloseTo(masks.spikes, 3);
      }),
    );
  });

  it('point at a neuron that spiked, where one shares the pixel', () => {
    const masks = sourceOf(trace);
    const rows = orderNeurons(masks, 3, 'place', false);
    expect(representativeRow(masks, rows, 2, 4, 2)).toBe(5);
    expect(representativeRow(masks, rows, 2, 2, 2)).toBe(2);
  });
});

describe('several windows', () => {
  const later = traceOf([[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]], 3);
  const source = sourceOf(trace, later);

  it('stand one after the other, a column for each of their steps', () => {
    expect(source).toMatchObject({ columns: 6, neurons: 6, firedNeurons: 5, spikes: 8 });
    expect([...source.spikesPerColumn]).toEqual([2, 2, 1, 2, 0, 1]);
    expect([...source.counts]).toEqual([2, 2, 0, 2, 1, 1]);
    expect([...source.firsts]).toEqual([1, 0, 6, 3, 0, 2]);
    expect([...orderNeurons(source, 3, 'rate', true)]).toEqual([1, 0, 3, 4, 5]);
  });

  it('are shaded for the columns and neurons that are asked for', () => {
    const rows = orderNeurons(source, 3, 'place', false);
    expect([...bandRates(source, rows, { first: 0, last: 6 }, 2, { first: 2, last: 5 })]).toEqual([0, 1 / 3, 0, 1 / 3, 1 / 3, 0].map((rate) => Math.fround(rate)));
    expect([...bandRates(source, rows, { first: 0, last: 6 }, 1, undefined, (neuron) => neuron === 3)]).toEqual([0, 0, 0, 1 / 6, 0, 1 / 6].map((rate) => Math.fround(rate)));
    expect(representativeRow(source, rows, 1, 5, 3)).toBe(3);
  });
});

describe('zoom', () => {
  it('keeps the row under the cursor where it is', () => {
    expect(zoomRange({ first: 0, last: 1000 }, 0.5, 200, 1000)).toEqual({ first: 100, last: 600 });
  });

  it('stays within the rows and above its smallest length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0.01, max: 10, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (count, factor, at) => {
        const { first, last } = zoomRange({ first: 0, last: count }, factor, at * count, count);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(last).toBeLessThanOrEqual(count);
        expect(last - first).toBeGreaterThanOrEqual(Math.min(8, count));
      }),
    );
  });

  it('falls back to everything when its rows are gone', () => {
    expect(clampRange({ first: 50, last: 60 }, 40)).toEqual({ first: 0, last: 40 });
    expect(clampRange({ first: 30, last: 60 }, 40)).toEqual({ first: 30, last: 40 });
    expect(clampRange(undefined, 40)).toEqual({ first: 0, last: 40 });
  });
});
