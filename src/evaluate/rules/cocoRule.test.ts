import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../base/geometry';
import { CocoTally } from './cocoRule';
import figures from './figures.json';
import { meanAveragePrecision } from './meanAveragePrecision';
import { bestFirst, type ComparedPicture } from './rules';
import { comparedPictures, detection, label } from './testing';

function coco(...pictures: ComparedPicture[]): ReturnType<CocoTally['result']> {
  const tally = new CocoTally();
  for (const { detections, labels } of pictures) tally.add({ detections: bestFirst(detections), labels });
  return tally.result(['a', 'b']);
}

const square: Box = [0, 0, 100, 100];

describe('worked by hand', () => {
  it('a label that is found exactly', () => {
    const result = coco({ detections: [detection(square, 0.9)], labels: [label(square)] });
    expect(result).toMatchObject({ map50: 1, map: 1, map75: 1, mapByArea: { small: undefined, medium: undefined, large: 1 }, recallByLimit: { 1: 1, 10: 1, 100: 1 } });
  });

  it('IoU 0.72: correct at 0.50 to 0.70, so that AP is 5/10', () => {
    const result = coco({ detections: [detection([0, 0, 100, 72], 0.9)], labels: [label(square)] });
    expect(result.map50).toBe(1);
    expect(result.map).toBeCloseTo(0.5, 12);
    expect(result.map75).toBe(0);
  });

  it('one of two labels: precision 1 at the recalls 0 to 0.5, 51 of 101', () => {
    const result = coco({ detections: [detection(square, 0.9)], labels: [label(square), label([200, 200, 300, 300])] });
    expect(result.map50).toBeCloseTo(51 / 101, 12);
    expect(result.recallByLimit[100]).toBe(0.5);
  });

  it('a false one before the right one: precision 1/2 throughout', () => {
    const result = coco({ detections: [detection([200, 200, 300, 300], 0.9), detection(square, 0.8)], labels: [label(square)] });
    expect(result.map50).toBeCloseTo(0.5, 12);
  });

  it('matches anew at each threshold: the surer and looser one is correct at 0.5, the closer one at 0.9', () => {
    const result = coco({ detections: [detection([0, 0, 100, 60], 0.9), detection([0, 0, 100, 95], 0.8)], labels: [label(square)] });
    // 0.50 to 0.60: the first is correct. 0.65 to 0.95: the first is false, the second correct.
    expect(result.map).toBeCloseTo((3 * 1 + 7 * 0.5) / 10, 12);
  });

  it('a detection whose best label is taken takes another that it overlaps enough', () => {
    const labels = [label([0, 0, 100, 100]), label([0, 30, 100, 130])];
    const result = coco({ detections: [detection([0, 0, 100, 100], 0.9), detection([0, 10, 100, 110], 0.8)], labels });
    expect(result.map50).toBe(1);
  });

  it('detections on a crowd are neither right nor wrong, as many as they are', () => {
    const crowd = { ...label([200, 200, 400, 400]), isCrowd: true };
    const onCrowd = [detection([210, 210, 250, 250], 0.95), detection([260, 260, 300, 300], 0.94)];
    const result = coco({ detections: [...onCrowd, detection(square, 0.5)], labels: [label(square), crowd] });
    expect(result.map50).toBe(1);
    expect(result.perClass[0]?.labels).toBe(1);
  });

  it('areas: what is of another size is passed over', () => {
    const small: Box = [300, 300, 320, 320];
    const medium: Box = [400, 400, 450, 450];
    const result = coco({
      detections: [detection(small, 0.9), detection([500, 500, 515, 515], 0.95)],
      labels: [label(square), label(small), label(medium)],
    });
    // Small: a false small one before the right one. Medium and large: not found, and small detections do not disturb.
    expect(result.mapByArea.small).toBeCloseTo(0.5, 12);
    expect(result.mapByArea.medium).toBe(0);
    expect(result.mapByArea.large).toBe(0);
    expect(result.recallByArea.small).toBe(1);
  });

  it('an outline’s area decides where the set knows it', () => {
    const thin = { ...label(square), areaPx: 500 };
    expect(coco({ detections: [detection(square, 0.9)], labels: [thin] }).mapByArea).toEqual({ small: 1, medium: undefined, large: undefined });
  });

  it('at most 1, 10 and 100 detections of a class on a picture', () => {
    const boxes = Array.from({ length: 120 }, (_, index): Box => [index * 10, 0, index * 10 + 9, 9]);
    const result = coco({ detections: boxes.map((box, index) => detection(box, 1 - index / 1000)), labels: boxes.map((box) => label(box)) });
    expect(result.recallByLimit[1]).toBeCloseTo(1 / 120, 12);
    expect(result.recallByLimit[10]).toBeCloseTo(10 / 120, 12);
    expect(result.recallByLimit[100]).toBeCloseTo(100 / 120, 12);
  });

  it('nothing at all is nothing to be told', () => {
    expect(coco({ detections: [], labels: [] })).toMatchObject({ map50: undefined, map: undefined, perClass: [] });
    expect(coco({ detections: [], labels: [label(square)] })).toMatchObject({ map50: 0, map: 0 });
  });
});

describe('figures of other implementations on 9 made-up pictures', () => {
  const result = meanAveragePrecision(figures.pictures as unknown as ComparedPicture[], figures.classNames);

  it('COCO’s rule: pycocotools’ twelve figures and AP per class', () => {
    const { map, map50, map75, mapByArea, recallByLimit, recallByArea, perClass } = result.coco;
    const ours = [map, map50, map75, mapByArea.small, mapByArea.medium, mapByArea.large, recallByLimit[1], recallByLimit[10], recallByLimit[100], recallByArea.small, recallByArea.medium, recallByArea.large];
    ours.forEach((value, index) => expect(value, `figure ${index}`).toBeCloseTo(figures.coco.stats[index] ?? NaN, 9));
    expect(perClass).toHaveLength(3);
    perClass.forEach(({ ap, ap50 }, index) => {
      expect(ap).toBeCloseTo(figures.coco.perClass[index]?.ap ?? NaN, 9);
      expect(ap50).toBeCloseTo(figures.coco.perClass[index]?.ap50 ?? NaN, 9);
    });
  });

  it('the released rule: a version in NumPy', () => {
    expect(result.released.map50).toBeCloseTo(figures.released.map50, 9);
    expect(result.released.map).toBeCloseTo(figures.released.map, 9);
    result.released.perClass.forEach(({ ap, ap50 }, index) => {
      expect(ap).toBeCloseTo(figures.released.perClass[index]?.ap ?? NaN, 9);
      expect(ap50).toBeCloseTo(figures.released.perClass[index]?.ap50 ?? NaN, 9);
    });
  });
});

describe('in general', () => {
  it('figures lie in [0, 1], and do not depend on the order of pictures or of detections', () => {
    fc.assert(
      fc.property(comparedPictures, (pictures) => {
        const result = coco(...pictures);
        const turned = coco(...[...pictures].reverse().map(({ detections, labels }) => ({ detections: [...detections].reverse(), labels })));
        for (const { ap, ap50 } of result.perClass) {
          expect(ap).toBeGreaterThanOrEqual(0);
          expect(ap50).toBeLessThanOrEqual(1);
        }
        expect(result.recallByLimit[1] ?? 0).toBeLessThanOrEqual(result.recallByLimit[10] ?? 0);
        expect(turned.map ?? -1).toBeCloseTo(result.map ?? -1, 9);
      }),
    );
  });

  it('labels given as detections score 1, and a false detection that is less sure than all others changes nothing', () => {
    fc.assert(
      fc.property(comparedPictures, (pictures) => {
        let score = 1;
        const perfect = pictures.map(({ labels }) => ({ labels, detections: labels.map((box) => detection(box.box, (score *= 0.99), box.class)) }));
        const { map, perClass } = coco(...perfect);
        fc.pre(perClass.length > 0);
        expect(map).toBeCloseTo(1, 9);
        const [first, ...others] = perfect;
        if (!first) return;
        const worse = coco({ ...first, detections: [...first.detections, detection([1000, 1000, 1010, 1010], 1e-9, 0)] }, ...others);
        expect(worse.map).toBeCloseTo(1, 9);
      }),
    );
  });
});
