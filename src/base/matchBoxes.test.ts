import { expect, it } from 'vitest';
import type { Box, Detection } from './geometry';
import { matchBoxes } from './matchBoxes';

const detection = (box: Box, score: number, label = 0, name = 'car'): Detection => ({ box, score, class: label, name });
const label = (box: Box, classIndex: number | undefined, name?: string): { box: Box; class: number | undefined; name: string | undefined } => ({
  box,
  class: classIndex,
  name,
});

it('the surest detection takes the label, a second one on it is false, and what nobody found is missed', () => {
  const truth = [label([0, 0, 10, 10], 0), label([50, 50, 60, 60], 0)];
  const detections = [detection([0, 0, 10, 9], 0.6), detection([0, 0, 10, 10], 0.9)];
  expect(matchBoxes(detections, truth)).toEqual({ found: [false, true], missed: [1] });
});

it('classes must agree: by name where the label has one, by index else', () => {
  const box: Box = [0, 0, 10, 10];
  expect(matchBoxes([detection(box, 0.9, 1, 'RBC')], [label(box, 0)]).missed).toEqual([0]);
  expect(matchBoxes([detection(box, 0.9, 1, 'RBC')], [label(box, undefined, 'RBC')]).missed).toEqual([]);
  expect(matchBoxes([detection(box, 0.9, 1, 'RBC')], [label(box, undefined)]).missed).toEqual([]);
});

it('an overlap below the limit finds nothing', () => {
  expect(matchBoxes([detection([0, 0, 10, 10], 0.9)], [label([0, 6, 10, 16], 0)])).toEqual({ found: [false], missed: [0] });
});
