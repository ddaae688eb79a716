import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerTrace } from '../base/trace';
import { channelMeans, channelThumbs, clampIndex, mapOf, neuronCount, neuronIndex, neuronPlace, neuronSeries, spikeCountMap } from './layerViews';

/** Every value says where it stands: step, row, column and channel as digits. */
function numbered(steps: number, height: number, width: number, channels: number): LayerTrace {
  const values: number[] = [];
  for (let step = 0; step < steps; step++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) for (let channel = 0; channel < channels; channel++) values.push(step * 1000 + y * 100 + x * 10 + channel);
  const membrane = Float32Array.from(values);
  const emitted = membrane.map((value) => (value % 2 === 1 ? 1 : 0));
  return { emits: 'spikes', steps, height, width, channels, membrane, emitted, threshold: 0.5 };
}

const trace = numbered(3, 2, 4, 5);

describe('views of a layer', () => {
  it('reads one channel of one step', () => {
    expect([...mapOf(trace, 'membrane', 3, 2)]).toEqual([2003, 2013, 2023, 2033, 2103, 2113, 2123, 2133]);
  });

  it('combines channels by mean and maximum', () => {
    expect([...mapOf(trace, 'membrane', 'mean', 1)]).toEqual([1002, 1012, 1022, 1032, 1102, 1112, 1122, 1132]);
    expect([...mapOf(trace, 'membrane', 'max', 1)]).toEqual([1004, 1014, 1024, 1034, 1104, 1114, 1124, 1134]);
  });

  it('counts the channels that spike', () => {
    expect([...spikeCountMap(trace, 0)]).toEqual(new Array(8).fill(2));
  });

  it('reads one neuron over all steps', () => {
    expect(neuronSeries(trace, { x: 3, y: 1, channel: 4 })).toEqual({ membrane: [134, 1134, 2134], emitted: [0, 0, 0] });
    expect(neuronSeries(trace, { x: 2, y: 0, channel: 1 })).toEqual({ membrane: [21, 1021, 2021], emitted: [1, 1, 1] });
  });

  it('numbers neurons so that each number leads back to its place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: neuronCount(trace) - 1 }), (index) => {
        const place = neuronPlace(trace, index);
        expect(neuronIndex(trace, place)).toBe(index);
        expect(trace.membrane[index]).toBe(place.y * 100 + place.x * 10 + place.channel);
      }),
    );
  });

  it('takes means of every channel over cells and steps, once', () => {
    const means = channelMeans(trace);
    expect([...means.membrane]).toEqual([1065, 1066, 1067, 1068, 1069]);
    expect([...means.emitted]).toEqual([0, 1, 0, 1, 0]);
    expect(channelMeans(trace)).toBe(means);
  });

  it('shrinks channels by area means', () => {
    const thumbs = channelThumbs(trace, 'membrane', 1, 2);
    expect([thumbs.rows, thumbs.columns]).toEqual([1, 2]);
    expect([...thumbs.values.subarray(0, 4)]).toEqual([1055, 1075, 1056, 1076]);
  });

  it('keeps small channels as they are, and averages all steps when none is named', () => {
    const thumbs = channelThumbs(trace, 'membrane', undefined, 30);
    expect([thumbs.rows, thumbs.columns]).toEqual([2, 4]);
    expect([...thumbs.values.subarray(8, 16)]).toEqual([...mapOf(trace, 'membrane', 1, 1)]);
  });

  it('clamps numbers that come from elsewhere', () => {
    expect(clampIndex(7, 4)).toBe(3);
    expect(clampIndex(-1, 4)).toBe(0);
    expect(clampIndex(2, 0)).toBe(0);
  });
});
