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
      expect(events.t.subarray(1, events.count).every((time, index) => time >= (events.t[index] ?? NaN))).toBe(true);
    }
    expect([...counts].sort()).toEqual([1, 2, 3, 4]);
  });
});

describe('a varied recording', () => {
  const alone = { size: 128, objects: { fewest: 1, most: 1 } };
  const none = { degrees: 0, scale: 0, shear: 0, loss: 0 };
  const sides = (variation: Partial<typeof none>): number[] =>
    Array.from({ length: 40 }, (_, seed) => {
      const [x1 = NaN, , x2 = NaN] = composeScene([square(3, 20)], { ...alone, variation: { ...none, ...variation } }, seed).boxes[0]?.box ?? [];
      return x2 - x1;
    });

  it('is as it was where nothing may change', () => {
    const { boxes, events } = composeScene([square(3, 20)], { ...alone, variation: none }, 4);
    const plain = composeScene([square(3, 20)], alone, 4);
    expect(boxes).toEqual(plain.boxes);
    const inBox = ({ x, y, count }: EventColumns): number => {
      const [x1, y1, x2, y2] = boxes[0]?.box ?? [0, 0, 0, 0];
      return Array.from({ length: count }, (_, index) => index).filter((index) => (x[index] ?? 0) >= x1 && (x[index] ?? 0) < x2 && (y[index] ?? 0) >= y1 && (y[index] ?? 0) < y2).length;
    };
    // Noise is drawn after it and differs.
    expect(Math.abs(inBox(events) - inBox(plain.events))).toBeLessThan(30);
  });

  it('grows and shrinks within its share, and leaves no gaps as it grows', () => {
    const widths = sides({ scale: 0.3 });
    expect(Math.max(...widths)).toBeLessThanOrEqual(27);
    expect(Math.max(...widths)).toBeGreaterThan(22);
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(13);
    expect(Math.min(...widths)).toBeLessThan(17);
    const { events, boxes } = composeScene([square(3, 20)], { ...alone, variation: { ...none, scale: 0.3 } }, widths.indexOf(Math.max(...widths)));
    const [x1 = 0, , x2 = 0] = boxes[0]?.box ?? [];
    const columns = new Set(events.x.subarray(0, events.count));
    for (let column = x1; column < x2; column++) expect(columns).toContain(column);
  });

  it('turns and slants', () => {
    // A square's diagonal, and its side with its height's share.
    expect(Math.max(...sides({ degrees: 45 }))).toBeGreaterThan(23);
    expect(Math.max(...sides({ shear: 0.4 }))).toBeGreaterThan(23);
    expect(Math.min(...sides({ degrees: 45 }))).toBeGreaterThanOrEqual(18);
  });

  it('loses no more events than it may', () => {
    const counts = Array.from({ length: 30 }, (_, seed) => composeScene([square(3, 20)], { ...alone, variation: { ...none, loss: 0.5 } }, seed).events.count);
    expect(Math.min(...counts)).toBeLessThan(2200);
    expect(Math.min(...counts)).toBeGreaterThan(1100);
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
