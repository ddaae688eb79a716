import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHead, recogniseHead, type HeadOutput } from './yoloHeads';

const input = { width: 640, height: 640 };
const named = (...shapes: number[][]): { name: string; shape: number[] }[] => shapes.map((shape, index) => ({ name: `output${index}`, shape }));

describe('the head of a YOLO detector', () => {
  it.each([
    ['YOLOv8', named([1, 84, 8400]), undefined, 80],
    ['YOLOv8', named([1, 84, 8400]), 80, 80],
    ['YOLOv8', named([1, 8400, 84]), 80, 80],
    ['YOLOv8', named([1, 5, 8400]), 1, 1],
    ['YOLOv5', named([1, 25200, 85]), undefined, 80],
    ['YOLOv5', named([1, 25200, 85]), 80, 80],
    // With the raw scales beside the decoded boxes.
    ['YOLOv5', named([1, 3, 80, 80, 85], [1, 25200, 85]), undefined, 80],
    ['YOLOv5', named([1, 3, 80, 80, 7], [1, 3, 40, 40, 7], [1, 3, 20, 20, 7]), 2, 2],
    ['YOLOv3', named([1, 255, 20, 20], [1, 255, 40, 40], [1, 255, 80, 80]), undefined, 80],
    ['YOLOv3', named([1, 20, 20, 255], [1, 40, 40, 255], [1, 80, 80, 255]), undefined, 80],
    ['YOLOv3', named([1, 255, 20, 20], [1, 255, 40, 40]), undefined, 80],
  ])('%s of %j with %s names has %i classes', (family, outputs, knownClasses, classCount) => {
    expect(recogniseHead(outputs, input, knownClasses)).toMatchObject({ family, classCount });
  });

  it.each([
    ['a classifier', named([1, 1000])],
    ['boxes after NMS', named([1, 300, 6])],
    ['a picture', named([1, 3, 640, 640])],
    ['masks beside boxes', named([1, 116, 8400], [1, 32, 160, 160]), 80],
    ['as many candidates as values', named([1, 85, 85])],
    ['another number of classes than names', named([1, 84, 8400]), 3],
    ['scales that do not fit the picture', named([1, 255, 21, 21], [1, 255, 40, 40], [1, 255, 80, 80])],
    ['scales of different networks', named([1, 255, 20, 20], [1, 255, 40, 40], [1, 21, 80, 80])],
    ['the same scale twice', named([1, 255, 20, 20], [1, 255, 20, 20])],
    ['one scale', named([1, 255, 20, 20])],
    ['several pictures at once', named([4, 84, 8400])],
    ['nothing', []],
  ])('is none of %s', (_, outputs, knownClasses?: number) => {
    expect(recogniseHead(outputs, input, knownClasses)).toBeUndefined();
  });

  it('is none, or one that can be decoded, whatever the shapes', () => {
    const shape = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 4 }), fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }), (shapes, classes) => {
        const outputs = named(...shapes).map((output): HeadOutput => ({ ...output, data: new Float32Array(output.shape.reduce((product, side) => product * side, 1)) }));
        const head = recogniseHead(outputs, { width: 96, height: 96 }, classes);
        if (!head) return;
        const { count, stride, values } = decodeHead(head, outputs);
        expect(stride).toBe(5 + head.classCount);
        expect(values).toHaveLength(count * stride);
      }),
      { numRuns: 500 },
    );
  });
});

describe('candidates, worked by hand', () => {
  it('of a v8 head: probabilities without objectness, candidate by candidate along the last axis', () => {
    const output = { name: 'output0', shape: [1, 6, 8], data: new Float32Array(48) };
    const head = recogniseHead([output], input, undefined);
    // Candidate 5: centre (10, 20), 30 wide, 40 high, class 1.
    [10, 20, 30, 40, 0.25, 0.75].forEach((value, index) => (output.data[index * 8 + 5] = value));
    if (!head) throw new Error('no head');
    const { count, values } = decodeHead(head, [output]);
    expect(count).toBe(8);
    expect([...values.subarray(5 * 7, 6 * 7)]).toEqual([10, 20, 30, 40, 1, 0.25, 0.75]);
  });

  it('of a v5 head: rows as they are', () => {
    const data = Float32Array.from({ length: 70 }, (_, index) => index);
    const head = recogniseHead(named([1, 10, 7]), input, undefined);
    if (!head) throw new Error('no head');
    expect(decodeHead(head, [{ name: 'output0', shape: [1, 10, 7], data }])).toEqual({ count: 10, stride: 7, values: data });
  });

  // Cell (1, 0) of stride 32, anchor 116 x 90, behind the finer scales; every logit 0 but the width's.
  const row = (3 * (64 + 16) + 1) * 6;
  const small = { width: 64, height: 64 };
  const shapes = { channelsFirst: [[1, 18, 2, 2], [1, 18, 4, 4], [1, 18, 8, 8]], apart: [[1, 3, 2, 2, 6], [1, 3, 4, 4, 6], [1, 3, 8, 8, 6]] };
  const zeros = (list: number[][]): HeadOutput[] => named(...list).map((output) => ({ ...output, data: new Float32Array(output.shape.reduce((product, side) => product * side, 1)) }));

  it('of a v3 head: exponential sides', () => {
    const outputs = zeros(shapes.channelsFirst);
    const first = outputs[0]?.data;
    if (first) first[2 * 4 + 1] = Math.log(2);
    const head = recogniseHead(outputs, small, undefined);
    if (!head) throw new Error('no head');
    const { count, values } = decodeHead(head, outputs);
    expect(count).toBe(3 * (4 + 16 + 64));
    expect([...values.subarray(row, row + 6)]).toEqual([1.5 * 32, 0.5 * 32, 232, 90, 0.5, 0.5]);
  });

  it('of a v5 head without its last layer: squared sides', () => {
    const outputs = zeros(shapes.apart);
    const first = outputs[0]?.data;
    if (first) first[6 + 2] = Math.log(3);
    const head = recogniseHead(outputs, small, undefined);
    if (!head) throw new Error('no head');
    const [x, y, width, height, objectness, probability] = decodeHead(head, outputs).values.subarray(row, row + 6);
    // sigmoid(ln 3) = 0.75.
    expect([x, y, height, objectness, probability]).toEqual([1.5 * 32, 0.5 * 32, 90, 0.5, 0.5]);
    expect(width).toBeCloseTo(1.5 ** 2 * 116, 4);
  });

  it('are refused where an output is shorter than its shape says', () => {
    const head = recogniseHead(named([1, 10, 7]), input, undefined);
    if (!head) throw new Error('no head');
    expect(() => decodeHead(head, [{ name: 'output0', shape: [1, 10, 7], data: new Float32Array(69) }])).toThrow(RangeError);
  });
});
