import { describe, expect, it } from 'vitest';
import { saccades, simulateScene } from './scenes';

describe('simulated scenes', () => {
  it.each(['digits', 'road'] as const)('%s: the same seed gives the same recording, with boxes on the sensor', (scene) => {
    const first = simulateScene(scene, 1);
    expect(simulateScene(scene, 1)).toEqual(first);
    expect(simulateScene(scene, 2).boxes).not.toEqual(first.boxes);
    expect(first.boxes.length).toBeGreaterThan(0);
    expect(first.events.count).toBeGreaterThan(1000);
    for (const { box } of first.boxes) {
      expect(Math.min(...box)).toBeGreaterThanOrEqual(0);
      expect(box[2]).toBeLessThanOrEqual(first.sensor.width);
      expect(box[3]).toBeLessThanOrEqual(first.sensor.height);
    }
  });
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
