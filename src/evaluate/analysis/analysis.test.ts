import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../base/geometry';
import { comparedPictures, detection, label } from '../rules/testing';
import { countConfusion, emptyConfusion } from './confusion';
import { countErrors, explainPicture, noErrors, pictureF1 } from './errors';

const square: Box = [0, 0, 100, 100];
/** Has this IoU with the square. */
const overlapping = (iou: number): Box => [0, 0, 100, 100 * iou];
const elsewhere: Box = [500, 500, 600, 600];

describe('errors by kind', () => {
  it.each<[string, Box, number, string, string]>([
    ['correct', overlapping(0.5), 0, 'correct', 'found'],
    ['place', overlapping(0.49), 0, 'place', 'mistaken'],
    ['place, at its lower end', overlapping(0.1), 0, 'place', 'mistaken'],
    ['class', overlapping(0.5), 1, 'class', 'mistaken'],
    ['both', overlapping(0.3), 1, 'both', 'missed'],
    ['background near a label of its class', overlapping(0.09), 0, 'background', 'missed'],
    ['background near a label of another class', overlapping(0.09), 1, 'background', 'missed'],
    ['background far away', elsewhere, 0, 'background', 'missed'],
  ])('%s', (_, box, labelIndex, verdict, labelVerdict) => {
    expect(explainPicture({ detections: [detection(box, 0.9, labelIndex)], labels: [label(square)] })).toEqual({ detections: [verdict], labels: [labelVerdict] });
  });

  it('duplicate: the surer one is correct, wherever it stands in the list', () => {
    expect(explainPicture({ detections: [detection(square, 0.3), detection(overlapping(0.8), 0.9)], labels: [label(square)] }).detections).toEqual(['duplicate', 'correct']);
  });

  it('a taken label leaves another that fits', () => {
    const labels = [label(square), label([0, 10, 100, 110])];
    expect(explainPicture({ detections: [detection(square, 0.9), detection([0, 5, 100, 105], 0.8)], labels }).labels).toEqual(['found', 'found']);
  });

  it('what lies on a crowd is neither right nor wrong', () => {
    const picture = { detections: [detection([10, 10, 20, 20], 0.9)], labels: [{ ...label(square), isCrowd: true }] };
    const explained = explainPicture(picture);
    expect(explained).toEqual({ detections: ['crowd'], labels: ['crowd'] });
    expect(pictureF1(explained)).toBe(1);
    const counts = noErrors();
    countErrors(counts, explained);
    expect(counts).toEqual(noErrors());
  });

  it('every detection has one verdict, and as many are correct as labels are found', () => {
    fc.assert(
      fc.property(comparedPictures, (pictures) => {
        for (const picture of pictures) {
          const explained = explainPicture(picture);
          expect(explained.detections).toHaveLength(picture.detections.length);
          const correct = explained.detections.filter((verdict) => verdict === 'correct').length;
          expect(explained.labels.filter((verdict) => verdict === 'found')).toHaveLength(correct);
          expect(pictureF1(explained)).toBeGreaterThanOrEqual(0);
          expect(pictureF1(explained)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('the confusion matrix', () => {
  it('counts pairs, misses and false alarms', () => {
    const matrix = emptyConfusion(2);
    countConfusion(matrix, {
      detections: [detection(square, 0.9, 1), detection(elsewhere, 0.9, 0), detection([200, 0, 300, 100], 0.5, 1)],
      labels: [label(square, 0), label([200, 0, 300, 100], 1), label([0, 300, 50, 350], 1)],
    });
    // Rows: labels of class 0, 1, nothing. Columns: detections of class 0, 1, nothing.
    expect(matrix).toEqual([
      [0, 1, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
  });

  it('every label is in one row, every detection in one column', () => {
    fc.assert(
      fc.property(comparedPictures, (pictures) => {
        const matrix = emptyConfusion(2);
        for (const picture of pictures) countConfusion(matrix, picture);
        const labels = pictures.flatMap((picture) => picture.labels);
        const detections = pictures.flatMap((picture) => picture.detections);
        for (const index of [0, 1]) {
          expect(matrix[index]?.reduce((sum, count) => sum + count, 0)).toBe(labels.filter((one) => one.class === index).length);
          expect(matrix.reduce((sum, row) => sum + (row[index] ?? 0), 0)).toBe(detections.filter((one) => one.class === index).length);
        }
      }),
    );
  });
});
