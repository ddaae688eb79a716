import { describe, expect, it } from 'vitest';
import { EventColumns } from './events';
import { lastPolarity, timeSurface, windowStatistics, withoutHotPixels } from './window';

const sensor = { width: 4, height: 4 };

function scene(): EventColumns {
  const events = new EventColumns();
  for (let index = 0; index < 8; index++) events.push(index, index % 4, 1, index % 2);
  for (let index = 0; index < 200; index++) events.push(10 + index, 3, 3, 1);
  return events;
}

describe('statistics of a window', () => {
  it('name the pixels with most events', () => {
    const { events, on, activePixels, hottest } = windowStatistics(scene(), sensor);
    expect({ events, on, activePixels }).toEqual({ events: 208, on: 204, activePixels: 5 });
    expect(hottest[0]).toEqual({ x: 3, y: 3, events: 200 });
    expect(hottest).toHaveLength(5);
  });
});

describe('hot pixels', () => {
  it('are left out, the rest stays in order', () => {
    // Of 12 pixels with two events each and one with 200 the mean is 17 events.
    const events = new EventColumns();
    for (let index = 0; index < 30; index++) events.push(index, index % 15, 0, 1);
    for (let index = 0; index < 400; index++) events.push(index, 3, 3, 1);
    const { events: kept, hotPixels } = withoutHotPixels(events, { width: 16, height: 4 });
    expect(hotPixels).toBe(1);
    expect(kept.count).toBe(30);
  });

  it('are none where all pixels are alike', () => {
    const events = new EventColumns();
    for (let index = 0; index < 1600; index++) events.push(index, index % 4, (index >> 2) % 4, 1);
    expect(withoutHotPixels(events, sensor)).toEqual({ events, hotPixels: 0 });
  });
});

it('the picture shows the last polarity', () => {
  const events = new EventColumns();
  events.push(1, 0, 0, 1);
  events.push(2, 0, 0, 0);
  events.push(3, 1, 0, 1);
  expect([...lastPolarity(events, { width: 3, height: 1 })]).toEqual([-1, 1, 0]);
});

it('the surface fades with age and keeps the sign', () => {
  const events = new EventColumns();
  events.push(0, 0, 0, 1);
  events.push(10, 1, 0, 0);
  const [on = NaN, off = NaN, none] = timeSurface(events, { width: 3, height: 1 }, 10, 5);
  expect(on).toBeCloseTo(Math.exp(-2), 6);
  expect(off).toBe(-1);
  expect(none).toBe(0);
});
