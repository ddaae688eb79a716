import type { Size } from '../base/geometry';
import type { Candidates } from './decode';

/**
 * Heads of YOLO detectors as they are exported to ONNX, told apart by the shapes of their outputs, and their boxes before
 * NMS. Sources: the exporters of ultralytics/yolov3, yolov5 and ultralytics (v8 and later), and Redmon and Farhadi 2018 for v3.
 */

/** One output; `[1, ...]`, row-major. */
export interface HeadOutput {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface YoloHead {
  family: 'YOLOv3' | 'YOLOv5' | 'YOLOv8';
  classCount: number;
  /** How the outputs that hold boxes are laid out. */
  layout: RowsLayout | GridsLayout;
}

/** All candidates in one output: centre, width and height in pixels, then objectness (v3, v5), then probabilities. */
interface RowsLayout {
  kind: 'rows';
  output: string;
  candidates: number;
  hasObjectness: boolean;
  /** Which of the two sides counts the candidates. */
  candidatesFirst: boolean;
}

/** Logits of each scale. */
interface GridsLayout {
  kind: 'grids';
  grids: readonly Grid[];
  /** `squared`: (2 sigmoid)^2 times the anchor (v5). `exponential`: exp times the anchor (v3). */
  sides: 'squared' | 'exponential';
}

interface Grid {
  output: string;
  height: number;
  width: number;
  /** Pixels per cell. */
  stride: number;
  /** Pixels, `[w, h, ...]`. */
  anchors: readonly number[];
  /** Order of the axes behind the first: anchors apart from their values, channels first, or channels last. */
  axes: 'anchors, rows, columns, values' | 'channels, rows, columns' | 'rows, columns, channels';
}

/** Released anchors by stride: v3's and v5's, which are the same, and those of the tiny networks with two scales. */
const anchorsOfThree: Readonly<Record<number, readonly number[]>> = {
  8: [10, 13, 16, 30, 33, 23],
  16: [30, 61, 62, 45, 59, 119],
  32: [116, 90, 156, 198, 373, 326],
};
const anchorsOfTwo: Readonly<Record<number, readonly number[]>> = { 16: [10, 14, 23, 27, 37, 58], 32: [81, 82, 135, 169, 344, 319] };
const anchorsPerCell = 3;

/**
 * The head that outputs of these shapes belong to; undefined for anything else.
 * @param input sides of the network's input in pixels
 * @param knownClasses how many classes the file names, where it names any: then a head must have as many
 * @param ownAnchors of EMS-YOLO, smallest stride first, where the file is one of this program's: its logits are decoded as v5's
 */
export function recogniseHead(
  outputs: readonly Pick<HeadOutput, 'name' | 'shape'>[],
  input: Size,
  knownClasses: number | undefined,
  ownAnchors?: readonly (readonly number[])[],
): YoloHead | undefined {
  const rows = outputs.filter(({ shape }) => shape.length === 3 && shape[0] === 1);
  for (const output of rows) {
    const head = headOfRows(output, knownClasses);
    if (head) return head;
  }
  return rows.length > 0 ? undefined : headOfGrids(outputs, input, knownClasses, ownAnchors);
}

function headOfRows({ name, shape }: Pick<HeadOutput, 'name' | 'shape'>, knownClasses: number | undefined): YoloHead | undefined {
  const [, first = 0, second = 0] = shape;
  // Corners, score and class of 300 boxes after NMS: what v10 and later networks export "end to end".
  if (first === 300 && second === 6 && knownClasses !== 1) return undefined;
  const head = (family: YoloHead['family'], candidatesFirst: boolean): YoloHead | undefined => {
    const [candidates, values] = candidatesFirst ? [first, second] : [second, first];
    const hasObjectness = family === 'YOLOv5';
    const classCount = values - (hasObjectness ? 5 : 4);
    if (classCount < 1 || (knownClasses !== undefined && classCount !== knownClasses)) return undefined;
    return { family, classCount, layout: { kind: 'rows', output: name, candidates, hasObjectness, candidatesFirst } };
  };
  // With names a v8 head is known also where its two sides were exchanged after the export.
  if (knownClasses !== undefined) return head('YOLOv8', false) ?? head('YOLOv5', true) ?? head('YOLOv8', true);
  if (first === second) return undefined;
  return first < second ? head('YOLOv8', false) : head('YOLOv5', true);
}

function headOfGrids(
  outputs: readonly Pick<HeadOutput, 'name' | 'shape'>[],
  input: Size,
  knownClasses: number | undefined,
  ownAnchors: readonly (readonly number[])[] | undefined,
): YoloHead | undefined {
  const grids = outputs.flatMap((output) => gridOf(output, input) ?? []).sort((a, b) => a.stride - b.stride);
  const [first] = grids;
  if (!first || grids.length !== outputs.length) return undefined;
  const apart = first.axes === fiveAxes;
  if (grids.some(({ values, axes }) => values !== first.values || (axes === fiveAxes) !== apart)) return undefined;
  if (new Set(grids.map(({ stride }) => stride)).size !== grids.length) return undefined;
  const classCount = first.values - 5;
  if (classCount < 1 || (knownClasses !== undefined && classCount !== knownClasses)) return undefined;
  const released: Readonly<Record<number, readonly number[]>> = { 2: anchorsOfTwo, 3: anchorsOfThree }[grids.length] ?? {};
  const withAnchors = grids.flatMap((grid, scale) => {
    const anchors = ownAnchors ? ownAnchors[scale] : released[grid.stride];
    return anchors?.length === anchorsPerCell * 2 ? [{ ...grid, anchors }] : [];
  });
  if (withAnchors.length !== grids.length) return undefined;
  const squared = apart || ownAnchors !== undefined;
  return { family: squared ? 'YOLOv5' : 'YOLOv3', classCount, layout: { kind: 'grids', grids: withAnchors, sides: squared ? 'squared' : 'exponential' } };
}

const fiveAxes = 'anchors, rows, columns, values';

/** One scale, its axes known by which of them count cells. */
function gridOf({ name, shape }: Pick<HeadOutput, 'name' | 'shape'>, input: Size): (Omit<Grid, 'anchors'> & { values: number }) | undefined {
  if (shape[0] !== 1) return undefined;
  const [, a = 0, b = 0, c = 0, d = 0] = shape;
  const found = (axes: Grid['axes'], height: number, width: number, values: number) => {
    const stride = input.height / height;
    const fits = Number.isInteger(stride) && input.width / width === stride && Number.isInteger(values);
    return fits ? { output: name, height, width, stride, axes, values } : undefined;
  };
  if (shape.length === 5) return a === anchorsPerCell ? found(fiveAxes, b, c, d) : undefined;
  if (shape.length !== 4) return undefined;
  return found('channels, rows, columns', b, c, a / anchorsPerCell) ?? found('rows, columns, channels', a, b, c / anchorsPerCell);
}

/** Boxes before NMS, on the network's input. @throws RangeError where an output is not as long as its shape says */
export function decodeHead({ layout, classCount }: YoloHead, outputs: readonly HeadOutput[]): Candidates {
  const valuesOf = (name: string, length: number): Float32Array => {
    const data = outputs.find((output) => output.name === name)?.data;
    if (data?.length !== length) throw new RangeError(`The output ${name} has ${data?.length ?? 0} values in place of ${length}.`);
    return data;
  };
  const stride = 5 + classCount;
  if (layout.kind === 'rows') {
    const { candidates, hasObjectness, candidatesFirst } = layout;
    const perRow = classCount + (hasObjectness ? 5 : 4);
    const data = valuesOf(layout.output, candidates * perRow);
    const values = new Float32Array(candidates * stride);
    for (let row = 0; row < candidates; row++) {
      const at = (value: number): number => data[candidatesFirst ? row * perRow + value : value * candidates + row] ?? NaN;
      for (let value = 0; value < 4; value++) values[row * stride + value] = at(value);
      values[row * stride + 4] = hasObjectness ? at(4) : 1;
      for (let label = 0; label < classCount; label++) values[row * stride + 5 + label] = at((hasObjectness ? 5 : 4) + label);
    }
    return { count: candidates, stride, values };
  }
  const count = layout.grids.reduce((sum, { height, width }) => sum + height * width * anchorsPerCell, 0);
  const values = new Float32Array(count * stride);
  let target = 0;
  for (const grid of layout.grids) {
    const { height, width, anchors } = grid;
    const data = valuesOf(grid.output, height * width * anchorsPerCell * stride);
    const place = placeIn(grid, stride);
    for (let anchor = 0; anchor < anchorsPerCell; anchor++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const logit = (value: number): number => data[place(anchor, y, x, value)] ?? NaN;
          values.set(boxOf(layout.sides, logit, { x, y, stride: grid.stride, width: anchors[anchor * 2] ?? 0, height: anchors[anchor * 2 + 1] ?? 0 }), target);
          for (let value = 4; value < stride; value++) values[target + value] = sigmoid(logit(value));
          target += stride;
        }
      }
    }
  }
  return { count, stride, values };
}

function placeIn({ axes, height, width }: Grid, stride: number): (anchor: number, y: number, x: number, value: number) => number {
  switch (axes) {
    case 'anchors, rows, columns, values':
      return (anchor, y, x, value) => ((anchor * height + y) * width + x) * stride + value;
    case 'channels, rows, columns':
      return (anchor, y, x, value) => ((anchor * stride + value) * height + y) * width + x;
    case 'rows, columns, channels':
      return (anchor, y, x, value) => ((y * width + x) * anchorsPerCell + anchor) * stride + value;
  }
}

/** Centre, width and height in pixels. */
function boxOf(
  sides: GridsLayout['sides'],
  logit: (value: number) => number,
  cell: { x: number; y: number; stride: number; width: number; height: number },
): [number, number, number, number] {
  if (sides === 'squared') {
    const share = (value: number): number => 2 * sigmoid(logit(value));
    return [(share(0) - 0.5 + cell.x) * cell.stride, (share(1) - 0.5 + cell.y) * cell.stride, share(2) ** 2 * cell.width, share(3) ** 2 * cell.height];
  }
  return [
    (sigmoid(logit(0)) + cell.x) * cell.stride,
    (sigmoid(logit(1)) + cell.y) * cell.stride,
    Math.exp(logit(2)) * cell.width,
    Math.exp(logit(3)) * cell.height,
  ];
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
