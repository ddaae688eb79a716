import { writeOnnx } from '../src/checkpoint/onnx';

/** Tiny ONNX networks whose outputs are tables, shaped as the heads of detectors are; the picture has no say in them. */

export interface TinyOutput {
  shape: readonly number[];
  data: Float32Array;
}

/** @param side of the square picture in pixels, or a name for one that is free */
export function tinyOnnx(outputs: readonly TinyOutput[], side: number | string, metadata: Readonly<Record<string, string>> = {}): Blob {
  const names = outputs.map((_, index) => `output${index}`);
  return writeOnnx(
    {
      name: 'tiny',
      inputs: [{ name: 'images', shape: [1, 3, side, side] }],
      outputs: outputs.map(({ shape }, index) => ({ name: names[index] ?? '', shape })),
      nodes: [
        // Nothing of the picture, but from it: a runtime insists that inputs lead to outputs.
        { operator: 'ReduceMean', inputs: ['images'], outputs: ['mean'], attributes: { axes: [1, 2, 3], keepdims: 0 } },
        { operator: 'Mul', inputs: ['mean', 'zero'], outputs: ['nothing'] },
        ...names.map((name, index) => ({ operator: 'Add', inputs: [`table${index}`, 'nothing'], outputs: [name] })),
      ],
      initializers: [
        { name: 'zero', shape: [1], data: new Float32Array(1) },
        ...outputs.map(({ shape, data }, index) => ({ name: `table${index}`, shape, data })),
      ],
    },
    metadata,
  );
}

export interface TinyBox {
  /** Centre and sides in pixels of the network's input. */
  centre: readonly [number, number];
  sides: readonly [number, number];
  score: number;
  class: number;
}

/** A v8 head: `[1, 4 + classes, candidates]`. */
export function v8Output(boxes: readonly TinyBox[], classes: number, candidates: number): TinyOutput {
  const data = new Float32Array((4 + classes) * candidates);
  boxes.forEach(({ centre, sides, score, class: label }, index) => {
    [...centre, ...sides].forEach((value, row) => (data[row * candidates + index] = value));
    data[(4 + label) * candidates + index] = score;
  });
  return { shape: [1, 4 + classes, candidates], data };
}

/** A v5 head: `[1, candidates, 5 + classes]`; the score is objectness times a probability of 1. */
export function v5Output(boxes: readonly TinyBox[], classes: number, candidates: number): TinyOutput {
  const values = 5 + classes;
  const data = new Float32Array(values * candidates);
  boxes.forEach(({ centre, sides, score, class: label }, index) => {
    data.set([...centre, ...sides, score], index * values);
    data[index * values + 5 + label] = 1;
  });
  return { shape: [1, candidates, values], data };
}
