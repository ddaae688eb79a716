import { describe, expect, it } from 'vitest';
import { EventColumns } from './events';
import { paintSteps } from './steps';

const none = Math.fround(127 / 255);

function events(...rows: [t: number, x: number, y: number, p: number][]): EventColumns {
  const columns = new EventColumns();
  for (const row of rows) columns.push(...row);
  return columns;
}

const sensor = { width: 2, height: 1 };
const window = { fromUs: 100, windowUs: 40, steps: 2 };

describe('Gen1’s rule', () => {
  it('paints the last polarity of each slice on grey, three equal channels', () => {
    const painted = paintSteps(events([100, 0, 0, 1], [119, 0, 0, 0], [120, 1, 0, 1], [139, 0, 0, 1]), sensor, { ...window, representation: 'gen1' });
    expect([...painted]).toEqual([0, 0, 0, none, none, none, 1, 1, 1, 1, 1, 1]);
  });

  it('leaves out what is before the window and what is at its end', () => {
    const painted = paintSteps(events([99, 0, 0, 1], [140, 1, 0, 1]), sensor, { ...window, representation: 'gen1' });
    expect(new Set(painted)).toEqual(new Set([none]));
  });

  it('keeps its slices with times as large as a clock of the day', () => {
    const day = 1_605_537_493_718_345;
    const painted = paintSteps(events([day, 0, 0, 1], [day + 20, 0, 0, 0]), sensor, { fromUs: day, windowUs: 40, steps: 2, representation: 'gen1' });
    expect([painted[0], painted[6]]).toEqual([1, 0]);
  });
});

it('the released loader’s slice 0 is one picture for every step', () => {
  const painted = paintSteps(events([100, 0, 0, 1], [130, 1, 0, 1]), sensor, { ...window, representation: 'gen1-slice-0' });
  expect([...painted]).toEqual([1, 1, 1, none, none, none]);
});

it('counts ON in red and OFF in green', () => {
  const painted = paintSteps(events([100, 0, 0, 1], [101, 0, 0, 1], [102, 0, 0, 0]), sensor, { ...window, representation: 'counts' });
  expect(painted[0]).toBeCloseTo(1 - Math.exp(-2 / 3), 6);
  expect(painted[1]).toBeCloseTo(1 - Math.exp(-1 / 3), 6);
  expect([...painted.subarray(2)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

it('a time surface fades with the age of the last event at the slice’s end', () => {
  const painted = paintSteps(events([100, 0, 0, 1], [110, 0, 0, 1], [125, 1, 0, 0]), sensor, { ...window, representation: 'surface' });
  expect(painted[0]).toBeCloseTo(Math.exp(-10 / 20), 6);
  expect(painted[6 + 3 + 1]).toBeCloseTo(Math.exp(-15 / 20), 6);
});
