import { describe, expect, it } from 'vitest';
import { splitIndices } from '../../base/random';
import { composeScene, labelTimeUs, type ObjectRecording } from './compose';
import { EventColumns } from './events';

/** A square of events, in time from 0 to 300 ms. */
function square(label: number, side: number): ObjectRecording {
  const events = new EventColumns();
  for (let index = 0; index < 3000; index++) events.push(index * 100, 5 + (index % side), 5 + (Math.floor(index / side) % side), index % 2);
  return { events, sensor: { width: 34, height: 34 }, class: label, name: String(label) };
}

const recordings = [square(3, 20), square(7, 12)];
const settings = { size: 128, objects: { fewest: 1, most: 4 } };

describe('a composed scene', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(composeScene(recordings, settings, 5)).toEqual(composeScene(recordings, settings, 5));
    expect(composeScene(recordings, settings, 5).boxes).not.toEqual(composeScene(recordings, settings, 6).boxes);
  });

  it('has one to four boxes that fit their objects, on the sensor, labelled at the end of the window', () => {
    const counts = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const { events, boxes, used } = composeScene(recordings, settings, seed);
      counts.add(boxes.length);
      expect(used).toHaveLength(boxes.length);
      for (const { box, class: label, timeUs } of boxes) {
        const side = label === 3 ? 20 : 12;
        expect(box[2] - box[0]).toBeGreaterThanOrEqual(side - 2);
        expect(box[2] - box[0]).toBeLessThanOrEqual(side);
        expect(Math.min(...box)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...box)).toBeLessThanOrEqual(128);
        expect(timeUs).toBe(labelTimeUs);
      }
      for (let index = 1; index < events.count; index++) expect(events.t[index]).toBeGreaterThanOrEqual(events.t[index - 1] ?? NaN);
    }
    expect([...counts].sort()).toEqual([1, 2, 3, 4]);
  });
});

describe('the parts for training and validation', () => {
  it('share no recording and leave none out', () => {
    const { train, validation } = splitIndices(1000, 0.1, 3);
    expect(validation).toHaveLength(100);
    expect(new Set([...train, ...validation]).size).toBe(1000);
    expect(splitIndices(1000, 0.1, 3)).toEqual({ train, validation });
    expect(splitIndices(2, 0.01, 1)).toMatchObject({ train: { length: 1 }, validation: { length: 1 } });
  });
});
