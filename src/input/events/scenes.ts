import { defaultSimulatorSettings, type SceneKind } from '../../base/eventOptions';
import type { Box, Size } from '../../base/geometry';
import { digitStrokes, type Stroke } from '../../base/digitStrokes';
import { seededRandom, type Random } from '../../base/random';
import { EventColumns } from './events';
import { EventSimulator } from './simulator';
import type { TruthBox } from '../../base/truth';

/** Scenes that the program draws and films with its simulated event camera, with the boxes that are true of them. */

export interface SimulatedScene {
  events: EventColumns;
  sensor: Size;
  boxes: TruthBox[];
}

/** The same seed gives the same recording. */
export function simulateScene(scene: SceneKind, seed: number): SimulatedScene {
  return scene === 'digits' ? movingDigits(seed) : road(seed);
}

// Digits, moved as N-MNIST's are

const digitsSize: Size = { width: 128, height: 128 };
/** When the label of a scene holds: at the end of five slices of 50 ms. */
const labelUs = 250_000;

/**
 * Where N-MNIST's image moves on the sensor: three saccades of 100 ms along a triangle, in pixels. Measured on its recordings: events
 * come while it moves, between about 15 and 85 ms of each.
 */
const saccadePath: readonly (readonly [x: number, y: number])[] = [
  [0, 0],
  [2, 4.5],
  [5, 0],
  [1, 0],
];
const saccadeMs = 100;
const frameMs = 1;

/** A still picture as it moves over the sensor: frames a millisecond apart. @param luminance `[height, width]`, 0 to 255 */
export function* saccades(luminance: Uint8Array, size: Size): Generator<{ frame: Uint8Array; timeUs: number }> {
  for (let ms = 0; ms <= (saccadePath.length - 1) * saccadeMs; ms += frameMs) {
    const [x, y] = offsetAt(ms);
    yield { frame: shifted(luminance, size, x, y), timeUs: ms * 1000 };
  }
}

function offsetAt(ms: number): readonly [number, number] {
  const saccade = Math.min(Math.floor(ms / saccadeMs), saccadePath.length - 2);
  const share = Math.min(Math.max((ms - saccade * saccadeMs - 15) / 70, 0), 1);
  const eased = share * share * (3 - 2 * share);
  const [x1, y1] = saccadePath[saccade] ?? [0, 0];
  const [x2, y2] = saccadePath[saccade + 1] ?? [0, 0];
  return [x1 + (x2 - x1) * eased, y1 + (y2 - y1) * eased];
}

/** Moved by parts of pixels, bilinear; what comes in at the edges repeats them. */
function shifted(luminance: Uint8Array, { width, height }: Size, dx: number, dy: number): Uint8Array {
  const moved = new Uint8Array(luminance.length);
  const left = Math.floor(-dx);
  const top = Math.floor(-dy);
  const shareX = -dx - left;
  const shareY = -dy - top;
  const columns = Uint16Array.from({ length: width + 1 }, (_, x) => Math.min(Math.max(x + left, 0), width - 1));
  const row = (y: number): number => Math.min(Math.max(y, 0), height - 1) * width;
  for (let y = 0; y < height; y++) {
    const above = row(y + top);
    const below = row(y + top + 1);
    for (let x = 0; x < width; x++) {
      const a = columns[x] ?? 0;
      const b = columns[x + 1] ?? 0;
      const upper = (luminance[above + a] ?? 0) * (1 - shareX) + (luminance[above + b] ?? 0) * shareX;
      const lower = (luminance[below + a] ?? 0) * (1 - shareX) + (luminance[below + b] ?? 0) * shareX;
      moved[y * width + x] = upper * (1 - shareY) + lower * shareY + 0.5;
    }
  }
  return moved;
}

const paper = 230;
const ink = 45;
/** Half the width of a stroke, and the width of its soft edge, in pixels. */
const strokeRadius = 1.5;
const softEdge = 1.2;

interface PlacedDigit {
  label: number;
  box: Box;
  strokes: Stroke[];
}

function movingDigits(seed: number): SimulatedScene {
  const random = seededRandom(seed * 7919 + 17);
  const digits = placeDigits(random, 1 + Math.floor(random() * 3));
  const picture = new Uint8Array(digitsSize.width * digitsSize.height).fill(paper);
  for (const { strokes } of digits) drawStrokes(picture, digitsSize, strokes);
  const events = new EventColumns(1 << 14);
  const camera = new EventSimulator(digitsSize, { ...defaultSimulatorSettings, thresholdSpread: 0.1, shotNoiseRateHz: 0.03 }, seed);
  for (const { frame, timeUs } of saccades(picture, digitsSize)) camera.frame(frame, timeUs, events);
  const boxes = digits.map(({ label, box }): TruthBox => ({ timeUs: labelUs, box, class: label, name: String(label) }));
  return { events, sensor: digitsSize, boxes };
}

function placeDigits(random: Random, count: number): PlacedDigit[] {
  const placed: PlacedDigit[] = [];
  for (let tries = 0; placed.length < count && tries < 200; tries++) {
    const label = Math.floor(random() * 10);
    const scale = 13 + random() * 2.5;
    const slant = (random() - 0.3) * 0.25;
    const left = 4 + random() * (digitsSize.width - 40);
    const top = 4 + random() * (digitsSize.height - 40);
    const strokes = (digitStrokes[label] ?? []).map((stroke) => stroke.map(([x, y]) => [left + (x + slant * (0.7 - y)) * scale, top + y * scale] as const));
    const points = strokes.flat();
    const range = (axis: 0 | 1): [number, number] => [Math.min(...points.map((point) => point[axis])), Math.max(...points.map((point) => point[axis]))];
    const [x1, x2] = range(0);
    const [y1, y2] = range(1);
    // What the digit sweeps over while it moves belongs to it: its events lie there.
    const box: Box = [x1 - strokeRadius, y1 - strokeRadius, x2 + strokeRadius + 5, y2 + strokeRadius + 4.5];
    const isFree = placed.every(({ box: other }) => box[0] > other[2] + 3 || box[2] < other[0] - 3 || box[1] > other[3] + 3 || box[3] < other[1] - 3);
    if (isFree && box[0] > 1 && box[1] > 1 && box[2] < digitsSize.width - 1 && box[3] < digitsSize.height - 1) placed.push({ label, box, strokes });
  }
  return placed;
}

/** Dark lines with soft edges on what is there. */
function drawStrokes(picture: Uint8Array, { width, height }: Size, strokes: readonly Stroke[]): void {
  const points = strokes.flat();
  const reach = strokeRadius + softEdge + 1;
  const bounds = (axis: 0 | 1, side: number): [number, number] => [
    Math.max(Math.floor(Math.min(...points.map((point) => point[axis])) - reach), 0),
    Math.min(Math.ceil(Math.max(...points.map((point) => point[axis])) + reach), side - 1),
  ];
  const [left, right] = bounds(0, width);
  const [top, bottom] = bounds(1, height);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      let nearest = Infinity;
      for (const stroke of strokes) {
        for (let index = 1; index < stroke.length; index++) nearest = Math.min(nearest, distanceToLine(x, y, stroke[index - 1], stroke[index]));
      }
      const cover = Math.min(Math.max((strokeRadius + softEdge / 2 - nearest) / softEdge, 0), 1);
      picture[y * width + x] = Math.min(picture[y * width + x] ?? 0, Math.round(paper + (ink - paper) * cover));
    }
  }
}

function distanceToLine(x: number, y: number, from: readonly [number, number] = [0, 0], to: readonly [number, number] = [0, 0]): number {
  const dx = to[0] - from[0];
  const dy = to[1] - from[1];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.min(Math.max(((x - from[0]) * dx + (y - from[1]) * dy) / length, 0), 1);
  return Math.hypot(x - from[0] - share * dx, y - from[1] - share * dy);
}

// A road

const roadSize: Size = { width: 304, height: 240 };
const roadMs = 2000;
const roadFrameMs = 5;
const roadLabelEveryMs = 250;

/** Gen1's classes. */
const roadClasses = ['car', 'pedestrian'] as const;

interface Mover {
  class: 0 | 1;
  width: number;
  height: number;
  /** Left edge at the beginning, and pixels a second. */
  startX: number;
  speed: number;
  bottom: number;
  shade: number;
}

function road(seed: number): SimulatedScene {
  const random = seededRandom(seed * 104_729 + 5);
  const movers = Array.from({ length: 3 + Math.floor(random() * 3) }, (_, index) => mover(random, index));
  // The nearer one hides the farther one.
  movers.sort((a, b) => a.bottom - b.bottom);
  const background = roadBackground(random);
  const events = new EventColumns(1 << 16);
  const camera = new EventSimulator(roadSize, { ...defaultSimulatorSettings, shotNoiseRateHz: 0.1 }, seed);
  const boxes: TruthBox[] = [];
  const frame = new Uint8Array(background.length);
  for (let ms = 0; ms <= roadMs; ms += roadFrameMs) {
    frame.set(background);
    for (const each of movers) drawMover(frame, each, ms);
    camera.frame(frame, ms * 1000, events);
    if (ms === 0 || ms % roadLabelEveryMs !== 0) continue;
    for (const each of movers) {
      const box = clipToRoad(boxOf(each, ms));
      if (box) boxes.push({ timeUs: ms * 1000, box, class: each.class, name: roadClasses[each.class] });
    }
  }
  return { events, sensor: roadSize, boxes };
}

function mover(random: Random, index: number): Mover {
  const isCar = index === 0 || (index > 1 && random() < 0.6);
  const bottom = isCar ? 150 + random() * 70 : 140 + random() * 30;
  // What is lower in the picture is nearer, larger and faster.
  const scale = (bottom - 90) / 100;
  const direction = random() < 0.5 ? 1 : -1;
  const height = (isCar ? 45 : 70) * scale;
  const width = isCar ? height * 2.1 : height * 0.38;
  const speed = direction * (isCar ? 70 + random() * 90 : 18 + random() * 14) * scale;
  const startX = direction > 0 ? -width / 2 + random() * 90 : roadSize.width - width / 2 - random() * 90;
  return { class: isCar ? 0 : 1, width, height, startX, speed, bottom, shade: random() < 0.5 ? 25 + random() * 30 : 185 + random() * 50 };
}

function boxOf({ startX, speed, width, height, bottom }: Mover, ms: number): Box {
  const left = startX + (speed * ms) / 1000;
  return [left, bottom - height, left + width, bottom];
}

function clipToRoad([x1, y1, x2, y2]: Box): Box | undefined {
  const box: Box = [Math.max(x1, 0), Math.max(y1, 0), Math.min(x2, roadSize.width), Math.min(y2, roadSize.height)];
  return box[2] - box[0] > 4 && box[3] > box[1] ? box : undefined;
}

function roadBackground(random: Random): Uint8Array {
  const { width, height } = roadSize;
  const picture = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) picture[y * width + x] = (y < 100 ? 150 : y < 130 ? 110 : 85) + Math.floor(random() * 6);
  }
  return picture;
}

function drawMover(picture: Uint8Array, each: Mover, ms: number): void {
  const [x1, y1, x2, y2] = boxOf(each, ms);
  const { width, height, shade } = each;
  if (each.class === 0) {
    fillBox(picture, [x1, y1 + height * 0.42, x2, y2 - height * 0.12], shade);
    fillBox(picture, [x1 + width * 0.2, y1, x2 - width * 0.18, y1 + height * 0.45], shade);
    fillBox(picture, [x1 + width * 0.26, y1 + height * 0.08, x1 + width * 0.47, y1 + height * 0.38], 255 - shade);
    fillBox(picture, [x1 + width * 0.53, y1 + height * 0.08, x2 - width * 0.24, y1 + height * 0.38], 255 - shade);
    for (const place of [0.22, 0.78]) {
      const middle = x1 + width * place;
      fillBox(picture, [middle - height * 0.16, y2 - height * 0.3, middle + height * 0.16, y2], 20);
    }
    return;
  }
  const middle = (x1 + x2) / 2;
  const stride = Math.sin((ms / 1000) * 2 * Math.PI * 1.8) * width * 0.38;
  fillBox(picture, [middle - width * 0.2, y1, middle + width * 0.2, y1 + height * 0.16], shade);
  fillBox(picture, [middle - width * 0.34, y1 + height * 0.18, middle + width * 0.34, y1 + height * 0.58], shade);
  for (const foot of [stride, -stride]) fillBox(picture, [middle + foot - width * 0.14, y1 + height * 0.58, middle + foot + width * 0.14, y2], shade);
}

/** A box whose left and right edges cover parts of pixels, so that it moves smoothly. */
function fillBox(picture: Uint8Array, [x1, y1, x2, y2]: Box, shade: number): void {
  const { width, height } = roadSize;
  for (let y = Math.max(Math.round(y1), 0); y < Math.min(Math.round(y2), height); y++) {
    for (let x = Math.max(Math.floor(x1), 0); x < Math.min(Math.ceil(x2), width); x++) {
      const cover = Math.min(x + 1, x2) - Math.max(x, x1);
      const at = y * width + x;
      picture[at] = Math.round((picture[at] ?? 0) * (1 - cover) + shade * cover);
    }
  }
}
