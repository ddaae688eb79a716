import { describe, expect, it } from 'vitest';
import { intersectionOverUnion, type Box } from '../../base/geometry';
import { saccades, simulateScene, type SimulatedScene } from './scenes';

describe('simulated scenes', () => {
  it.each(['digits', 'road'] as const)('%s: the same seed gives the same recording, with boxes on the sensor', (scene) => {
    const first = simulateScene(scene, 3);
    const again = simulateScene(scene, 3);
    expect(again.boxes).toEqual(first.boxes);
    // Bytes, since `toEqual` looks at each of some hundred thousand numbers for itself.
    const bytes = ({ events }: SimulatedScene): Buffer => Buffer.concat([events.t, events.x, events.y, events.p].map((column) => Buffer.from(column.slice(0, events.count).buffer)));
    expect(bytes(again).equals(bytes(first))).toBe(true);
    expect(simulateScene(scene, 6).boxes).not.toEqual(first.boxes);
    expect(first.boxes.length).toBeGreaterThan(0);
    expect(first.events.count).toBeGreaterThan(1000);
    for (const { box } of first.boxes) {
      expect(Math.min(...box)).toBeGreaterThanOrEqual(0);
      expect(box[2]).toBeLessThanOrEqual(first.sensor.width);
      expect(box[3]).toBeLessThanOrEqual(first.sensor.height);
    }
    const { t, count } = first.events;
    for (let index = 1; index < count; index++) if ((t[index] ?? 0) < (t[index - 1] ?? 0)) throw new Error(`Event ${index} is out of order.`);
  });
});

/** The share of the events for which `isInside` holds. */
function share({ events }: SimulatedScene, isInside: (t: number, x: number, y: number) => boolean): number {
  let inside = 0;
  for (let index = 0; index < events.count; index++) {
    if (isInside(events.t[index] ?? 0, events.x[index] ?? 0, events.y[index] ?? 0)) inside++;
  }
  return inside / events.count;
}

const contains = ([x1, y1, x2, y2]: Box, x: number, y: number): boolean => x + 1 > x1 && x < x2 && y + 1 > y1 && y < y2;

it('digits: up to three, apart from each other, labelled by what they are, with all but noise in their boxes', () => {
  const seen = new Set<number | undefined>();
  for (let seed = 1; seed <= 25; seed++) {
    const scene = simulateScene('digits', seed);
    const { boxes } = scene;
    expect(boxes.length).toBeLessThanOrEqual(3);
    for (const { box, class: digit, name, timeUs } of boxes) {
      seen.add(digit);
      expect([name, timeUs]).toEqual([String(digit), 250_000]);
      for (const other of boxes) if (other.box !== box) expect(intersectionOverUnion(other.box, box)).toBe(0);
    }
    expect(share(scene, (_, x, y) => boxes.some(({ box }) => contains(box, x, y)))).toBeGreaterThan(0.97);
    // Three saccades, each with a rest at its end.
    for (const saccade of [0, 1, 2]) {
      expect(share(scene, (t) => Math.floor(t / 100_000) === saccade)).toBeGreaterThan(0.2);
      expect(share(scene, (t) => t > saccade * 100_000 + 90_000 && t <= saccade * 100_000 + 100_000)).toBeLessThan(0.01);
    }
  }
  expect(seen.size).toBe(10);
});

it('road: cars and pedestrians, with the events of each label’s last moment in its boxes', () => {
  const names = new Set<string | undefined>();
  for (let seed = 1; seed <= 2; seed++) {
    const scene = simulateScene('road', seed);
    for (const { name } of scene.boxes) names.add(name);
    for (const time of new Set(scene.boxes.map(({ timeUs }) => timeUs ?? NaN))) {
      const boxes = scene.boxes.filter(({ timeUs }) => timeUs === time);
      const isNow = (t: number): boolean => t > time - 10_000 && t <= time;
      const inBoxes = share(scene, (t, x, y) => isNow(t) && boxes.some(({ box }) => contains(box, x, y)));
      expect(inBoxes / share(scene, isNow)).toBeGreaterThan(0.8);
    }
  }
  expect(names).toEqual(new Set(['car', 'pedestrian']));
});

it('a still picture comes back to within a pixel of where it was', () => {
  const size = { width: 20, height: 20 };
  const picture = new Uint8Array(400).fill(200);
  picture[5 * 20 + 5] = 0;
  const frames = [...saccades(picture, size)];
  expect(frames).toHaveLength(301);
  expect(frames[0]?.frame).toEqual(picture);
  expect(frames.at(-1)?.frame[5 * 20 + 6]).toBe(0);
});
