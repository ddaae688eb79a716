import { overlapOfSmaller, type Box } from '../../base/geometry';
import type { Picture } from '../../base/picture';
import { between, oneOf, seededRandom, type Random } from '../../base/random';
import { enlarge, enlargedSide, enlargement, type HandwrittenDigit, handwritingSide, middleLines, type StrokeLines } from './handwriting';
import { addNoise, addRuling, addTexture, blankSheet, blend, blur, brightness, castLight, type Colour, darkPaper, lightPaper, type Sheet } from './paper';
import { InkMask } from './penInk';
import { frame, scribble, writtenSign } from './signs';

/**
 * Pictures of handwritten digits with the boxes that are true of them, to train a detector: photographs of notes, forms and
 * chalkboards, and drawings on a plain pad. Everything about a scene follows from its seed.
 */

export interface DigitScene {
  /** Square. */
  picture: Picture;
  /** The smallest box around each digit's visible ink, in pixels; `class` is the digit itself, 0 to 9. */
  boxes: { box: Box; class: number }[];
  /** For each box, the index of the handwritten digit in the pool. */
  used: number[];
}

export interface DigitSceneSettings {
  /** Side of the picture in pixels, at least 64. */
  size: number;
  digits: { fewest: number; most: number };
}

export const defaultDigitScene: DigitSceneSettings = { size: 160, digits: { fewest: 1, most: 8 } };

/** Longest side of the smallest digits: this share of the picture, and so many pixels at least. */
const smallestShare = 0.15;
const smallestSide = 24;
/** The largest digits' longest side: this share of the picture where there is one; with n digits, over the root of n. */
const largestShare = 0.82;
/** The same of digits that are written in rows, by their height. */
const largestRowShare = 0.72;
/** Larger digits, in pixels, are always written with a pen: enlarged further, the original's pixels would show as bumps. */
const largestScan = 64;
/** Boxes of one scene share at most this much of the smaller one. */
const mostOverlap = 0.1;
/** How many sizes a digit is tried in for each that is wanted, and how many places each of them. */
const sizeTries = 5;
const placeTries = 10;
/** Ink paler than this share of a stroke's full ink does not widen a box. */
const visibleInk = 0.4;
/** Least difference of brightness between ink and paper, of 255. */
const leastContrast = 70;

/** How the digits of a scene are written. */
interface Hand {
  /** `pen`: strokes of one width; `scan`: the original's greys. */
  kind: 'pen' | 'scan';
  /** Half the width of a pen's strokes as a share of the digit's height. */
  penShare: number;
  /** A scan's grey that becomes half-covered: less makes thicker strokes. */
  level: number;
  isCrisp: boolean;
  ink: Colour;
  opacity: number;
  /** Share of the ink that is missing in places, as chalk and pencil leave it. */
  gaps: number;
  slant: number;
}

/**
 * A scene of digits taken from the pool; equal seeds give equal scenes. The pool decides which part of a data set a scene
 * belongs to: train and test on different pools. Cost: about 2 ms at 160 px.
 * @throws RangeError where the pool is empty or the settings are none
 */
export function composeDigits(pool: readonly HandwrittenDigit[], seed: number, settings: DigitSceneSettings = defaultDigitScene): DigitScene {
  const { size, digits } = settings;
  if (pool.length === 0 || !(size >= 64) || !(digits.fewest >= 1) || !(digits.most >= digits.fewest)) {
    throw new RangeError('A scene needs a pool of digits, a size of at least 64 and a count of at least 1.');
  }
  const random = seededRandom(seed);
  const isPad = random() < 0.3;
  const isDark = random() < (isPad ? 0.12 : 0.22);
  const paper = isDark ? darkPaper(random) : isPad && random() < 0.7 ? padPaper(random) : lightPaper(random);
  const hand = chooseHand(random, paper, isPad);
  // Few more often than many: a pad holds few, and only few can be large.
  const wanted = digits.fewest + Math.floor(random() ** 1.4 * (digits.most - digits.fewest + 1));
  const written = random() < 0.35 ? writeRows(pool, random, size, hand, wanted) : [];
  if (written.length === 0) written.push(...scatter(pool, random, size, hand, paper, isPad, wanted));

  const sheet = blankSheet(size, paper);
  if (!isPad) preparePaper(sheet, random, paper);
  const mask = new InkMask(size);
  const occupied = written.map(({ bounds }) => bounds);
  if (random() < (isPad ? 0.15 : 0.6)) addClutter(sheet, mask, random, hand, paper, occupied);

  const scene: DigitScene = { picture: { width: size, height: size, data: new Uint8Array() }, boxes: [], used: [] };
  for (const digit of written) {
    digit.lay(mask);
    const box = mask.tightBox(visibleInk);
    printMask(sheet, mask, digit.hand, random);
    if (!box) continue;
    scene.boxes.push({ box, class: digit.label });
    scene.used.push(digit.index);
  }
  if (isPad) {
    // A pad of more pixels than the network reads is made smaller, which softens it.
    if (random() < 0.5) blur(sheet, between(random, 0.02, 0.2));
  } else {
    takePhotograph(sheet, random);
  }
  // The clamped type rounds and clips.
  scene.picture.data = new Uint8Array(new Uint8ClampedArray(sheet.rgb).buffer);
  return scene;
}

function padPaper(random: Random): Colour {
  const grey = random() < 0.6 ? 255 : between(random, 232, 254);
  return [grey, grey, grey - (random() < 0.3 ? between(random, 0, 10) : 0)];
}

function preparePaper(sheet: Sheet, random: Random, paper: Colour): void {
  if (random() < 0.7) addTexture(sheet, random, between(random, 1, 10));
  if (random() < 0.4) addRuling(sheet, random, paper);
}

function takePhotograph(sheet: Sheet, random: Random): void {
  if (random() < 0.75) castLight(sheet, random, between(random, 0.05, 0.45));
  for (let pass = random() < 0.45 ? 1 + Math.floor(random() * 3) : 0; pass > 0; pass--) blur(sheet, between(random, 0.05, 0.3));
  if (random() < 0.6) addNoise(sheet, random, between(random, 0.5, 9));
}

function chooseHand(random: Random, paper: Colour, isPad: boolean): Hand {
  const kind = random() < (isPad ? 0.9 : 0.5) ? 'pen' : 'scan';
  return {
    kind,
    penShare: between(random, 0.02, 0.075),
    level: between(random, 0.3, 0.62),
    isCrisp: isPad || random() < 0.5,
    ...chooseInk(random, paper, isPad),
    gaps: !isPad && random() < 0.25 ? between(random, 0.1, 0.5) : 0,
    slant: between(random, -0.22, 0.22),
  };
}

const darkInks: readonly [Colour, ...Colour[]] = [
  [18, 18, 20],
  [18, 18, 20],
  [0, 0, 0],
  [28, 44, 120],
  [24, 70, 180],
  [170, 30, 40],
  [20, 110, 70],
  [90, 40, 130],
  [190, 90, 20],
  [90, 92, 96],
];
const lightInks: readonly [Colour, ...Colour[]] = [
  [245, 245, 240],
  [245, 245, 240],
  [255, 255, 255],
  [250, 230, 130],
  [250, 180, 190],
  [160, 215, 250],
  [170, 240, 180],
];

function chooseInk(random: Random, paper: Colour, isPad: boolean): Pick<Hand, 'ink' | 'opacity'> {
  const isOnDark = brightness(paper) < 120;
  const opacity = isPad ? 1 : between(random, 0.65, 1);
  for (let tries = 0; tries < 10; tries++) {
    const ink = oneOf(random, isOnDark ? lightInks : darkInks);
    if (Math.abs(brightness(ink) - brightness(paper)) * opacity >= leastContrast) return { ink, opacity };
  }
  return { ink: isOnDark ? [255, 255, 255] : [0, 0, 0], opacity: 1 };
}

/** A digit that has its place: `bounds` hold all its ink. */
interface Written {
  index: number;
  label: number;
  bounds: Box;
  hand: Hand;
  lay: (mask: InkMask) => void;
}

/** A digit that has its size and slope, but no place yet. */
interface Shaped {
  width: number;
  height: number;
  /** Lays its ink with the left top corner of its bounds at a place. */
  layAt: (mask: InkMask, left: number, top: number) => void;
}

function smallestDigit(size: number): number {
  return Math.max(smallestSide, smallestShare * size);
}

/** Digits anywhere, of one size or of many. */
function scatter(pool: readonly HandwrittenDigit[], random: Random, size: number, common: Hand, paper: Colour, isPad: boolean, wanted: number): Written[] {
  const written: Written[] = [];
  const smallest = smallestDigit(size);
  const largest = Math.max(smallest, (size * largestShare) / Math.sqrt(wanted));
  const drawSize = (): number => between(random, smallest, largest);
  const usual = random() < 0.6 ? drawSize() : undefined;
  const isMixed = random() < 0.2;
  for (let tries = 0; written.length < wanted && tries < sizeTries * wanted; tries++) {
    // Where there is no place left for large ones, smaller ones are tried.
    const shrink = 1 - (0.6 * tries) / (sizeTries * wanted);
    const side = Math.min(largest, Math.max(smallest, (usual === undefined ? drawSize() : usual * between(random, 0.8, 1.25)) * shrink));
    const index = Math.floor(random() * pool.length);
    const digit = pool[index];
    if (!digit) continue;
    const hand = isMixed ? chooseHand(random, paper, isPad) : common;
    const shaped = shapeDigit(digit, random, hand, { longest: side }, between(random, -20, 20));
    const occupied = written.map(({ bounds }) => bounds);
    let place: readonly [number, number] | undefined;
    for (let placeTry = 0; !place && placeTry < placeTries; placeTry++) place = freePlace(random, size, shaped, occupied, mostOverlap);
    if (place) written.push(writtenAt(index, digit.label, shaped, hand, place));
  }
  return written;
}

/** Digits one after the other on sloping lines, as numbers are written. Empty where not even one fits. */
function writeRows(pool: readonly HandwrittenDigit[], random: Random, size: number, hand: Hand, wanted: number): Written[] {
  const written: Written[] = [];
  const smallest = smallestDigit(size);
  const height = between(random, smallest, Math.max(smallest, (size * largestRowShare) / Math.sqrt(wanted)));
  const slope = between(random, -0.14, 0.14);
  const gap = between(random, 0.06, 0.5) * height;
  const start = between(random, 0.02, 0.25) * size;
  const rowHeight = height * between(random, 1.25, 2);
  let x = start;
  let baseline = between(random, height + 4, size - 4);
  for (let tries = 0; written.length < wanted && tries < wanted * 4; tries++) {
    const index = Math.floor(random() * pool.length);
    const digit = pool[index];
    if (!digit) continue;
    const shaped = shapeDigit(digit, random, hand, { height: height * between(random, 0.88, 1.12) }, (Math.atan(slope) * 180) / Math.PI + between(random, -5, 5));
    if (x + shaped.width > size - 1) {
      x = start + between(random, -0.3, 0.3) * height;
      baseline += rowHeight;
    }
    const bottom = baseline + slope * (x - start) + between(random, -0.06, 0.06) * height;
    const [left, top] = [x, bottom - shaped.height];
    const bounds: Box = [left, top, left + shaped.width, bottom];
    const fits = left >= 1 && top >= 1 && bounds[2] < size && bottom < size && written.every((other) => overlapOfSmaller(other.bounds, bounds) <= mostOverlap);
    if (fits) written.push(writtenAt(index, digit.label, shaped, hand, [left, top]));
    x += shaped.width + gap;
  }
  return written;
}

function writtenAt(index: number, label: number, shaped: Shaped, hand: Hand, [left, top]: readonly [number, number]): Written {
  return {
    index,
    label,
    hand,
    bounds: [left, top, left + shaped.width, top + shaped.height],
    lay: (mask) => shaped.layAt(mask, left, top),
  };
}

function freePlace(random: Random, size: number, { width, height }: { width: number; height: number }, occupied: readonly Box[], overlap: number): readonly [number, number] | undefined {
  if (width > size - 2 || height > size - 2) return undefined;
  const left = between(random, 1, size - 1 - width);
  const top = between(random, 1, size - 1 - height);
  const bounds: Box = [left, top, left + width, top + height];
  return occupied.every((other) => overlapOfSmaller(other, bounds) <= overlap) ? [left, top] : undefined;
}

function shapeDigit(digit: HandwrittenDigit, random: Random, hand: Hand, wanted: { longest: number } | { height: number }, turnDegrees: number): Shaped {
  const turn = (turnDegrees * Math.PI) / 180;
  const slant = hand.slant + between(random, -0.08, 0.08);
  const stretch = between(random, 0.82, 1.2);
  const [sine, cosine] = [Math.sin(turn), Math.cos(turn)];
  // First stretched and slanted, then turned.
  const matrix: Matrix = [stretch * cosine, -slant * cosine - sine, stretch * sine, -slant * sine + cosine];
  const enlarged = enlarge(digit.grey);
  const isLarge = ('longest' in wanted ? wanted.longest : wanted.height) > largestScan;
  return hand.kind === 'pen' || isLarge ? shapePen(middleLines(enlarged), matrix, hand, wanted) : shapeScan(enlarged, matrix, hand, wanted);
}

type Matrix = readonly [xx: number, xy: number, yx: number, yy: number];

interface Range {
  left: number;
  top: number;
  width: number;
  height: number;
}

const middle = handwritingSide / 2;

function shapePen(strokes: StrokeLines, [xx, xy, yx, yy]: Matrix, { penShare }: Hand, wanted: { longest: number } | { height: number }): Shaped {
  const x = strokes.x.map((value, point) => xx * (value - middle) + xy * ((strokes.y[point] ?? 0) - middle));
  const y = strokes.x.map((value, point) => yx * (value - middle) + yy * ((strokes.y[point] ?? 0) - middle));
  const range = rangeOf(x, y);
  const side = 'longest' in wanted ? wanted.longest : wanted.height;
  const radius = Math.max(0.6, penShare * side);
  const scale = scaleTo(range, wanted, radius + 0.5);
  return {
    width: range.width * scale + 2 * radius + 1,
    height: range.height * scale + 2 * radius + 1,
    layAt: (mask, left, top) => {
      const inset = radius + 0.5;
      mask.strokes(
        {
          x: x.map((value) => left + inset + (value - range.left) * scale),
          y: y.map((value) => top + inset + (value - range.top) * scale),
          lines: strokes.lines,
        },
        radius,
      );
    },
  };
}

function shapeScan(enlarged: Float32Array, matrix: Matrix, { level, isCrisp }: Hand, wanted: { longest: number } | { height: number }): Shaped {
  const [xx, xy, yx, yy] = matrix;
  const xs: number[] = [];
  const ys: number[] = [];
  for (let pixel = 0; pixel < enlarged.length; pixel++) {
    if ((enlarged[pixel] ?? 0) <= level) continue;
    const x = ((pixel % enlargedSide) + 0.5) / enlargement - middle;
    const y = (Math.floor(pixel / enlargedSide) + 0.5) / enlargement - middle;
    xs.push(xx * x + xy * y);
    ys.push(yx * x + yy * y);
  }
  const range = rangeOf(xs, ys);
  const scale = scaleTo(range, wanted, 1);
  // The greys rise from 0 to 1 over about two of the original's pixels; a crisp edge is one pixel of the picture wide.
  const gain = Math.max(0.5 / level, isCrisp ? 1.6 * scale : 2.2);
  const determinant = xx * yy - xy * yx;
  return {
    width: range.width * scale + 2,
    height: range.height * scale + 2,
    layAt: (mask, left, top) => {
      const [x1, y1, x2, y2] = mask.reserve(left, top, left + range.width * scale + 2, top + range.height * scale + 2);
      // Where the original is made smaller, four samples a pixel keep thin strokes whole.
      const offsets = scale < 1.5 ? [-0.25, 0.25] : [0];
      for (let y = y1; y < y2; y++) {
        for (let x = x1; x < x2; x++) {
          let sum = 0;
          for (const offsetY of offsets) {
            for (const offsetX of offsets) {
              const u = (x + 0.5 + offsetX - left - 1) / scale + range.left;
              const v = (y + 0.5 + offsetY - top - 1) / scale + range.top;
              sum += sample(enlarged, ((yy * u - xy * v) / determinant + middle) * enlargement - 0.5, ((xx * v - yx * u) / determinant + middle) * enlargement - 0.5);
            }
          }
          const covered = Math.min(1, (sum / offsets.length ** 2 - level) * gain + 0.5);
          const pixel = y * mask.side + x;
          if (covered > (mask.coverage[pixel] ?? 0)) mask.coverage[pixel] = covered;
        }
      }
    },
  };
}

function rangeOf(x: ArrayLike<number>, y: ArrayLike<number>): Range {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let index = 0; index < x.length; index++) {
    left = Math.min(left, x[index] ?? 0);
    right = Math.max(right, x[index] ?? 0);
    top = Math.min(top, y[index] ?? 0);
    bottom = Math.max(bottom, y[index] ?? 0);
  }
  // A digit without ink lies nowhere and gets no box.
  return x.length === 0 ? { left: 0, top: 0, width: 0, height: 0 } : { left, top, width: right - left, height: bottom - top };
}

function scaleTo({ width, height }: Range, wanted: { longest: number } | { height: number }, edge: number): number {
  const [side, extent] = 'longest' in wanted ? [wanted.longest, Math.max(width, height)] : [wanted.height, height];
  return extent > 0 ? Math.max(1, side - 2 * edge) / extent : 1;
}

/** Bilinear; outside there is paper. */
function sample(enlarged: Float32Array, x: number, y: number): number {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= enlargedSide - 1 || row >= enlargedSide - 1) return 0;
  const [shareX, shareY] = [x - column, y - row];
  const at = row * enlargedSide + column;
  const above = (enlarged[at] ?? 0) * (1 - shareX) + (enlarged[at + 1] ?? 0) * shareX;
  const below = (enlarged[at + enlargedSide] ?? 0) * (1 - shareX) + (enlarged[at + enlargedSide + 1] ?? 0) * shareX;
  return above * (1 - shareY) + below * shareY;
}

/** Puts the mask's ink on the sheet and empties the mask. */
function printMask({ side, rgb }: Sheet, mask: InkMask, { ink, opacity, gaps }: Pick<Hand, 'ink' | 'opacity' | 'gaps'>, random: Random): void {
  const [left, top, right, bottom] = mask.extent;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const covered = mask.coverage[y * side + x] ?? 0;
      if (covered > 0) blend(rgb, (y * side + x) * 3, ink, covered * opacity * (gaps > 0 ? 1 - gaps * random() : 1));
    }
  }
  mask.clear();
}

// What is on a sheet beside digits

function addClutter(sheet: Sheet, mask: InkMask, random: Random, hand: Hand, paper: Colour, occupied: readonly Box[]): void {
  const { side } = sheet;
  if (random() < 0.15) addTableEdge(sheet, random, occupied);
  const taken = [...occupied];
  for (let item = 1 + Math.floor(random() * 5); item > 0; item--) {
    const kind = random();
    const ink = random() < 0.6 ? hand : { ...chooseInk(random, paper, false), gaps: 0 };
    const radius = between(random, 0.5, 0.035 * side * between(random, 0.2, 1) + 0.5);
    if (kind < 0.5) writeSigns(mask, random, side, radius, taken);
    else if (kind < 0.65) drawAt(mask, random, scribble(random), between(random, 0.1, 0.35) * side, between(random, 0.06, 0.2) * side, radius, taken);
    else if (kind < 0.72) drawAt(mask, random, frame(random), between(random, 0.25, 0.6) * side, between(random, 0.2, 0.4) * side, radius, taken);
    else if (kind < 0.88) longLine(mask, random, side, radius, taken);
    else stain(mask, random, side, taken);
    printMask(sheet, mask, kind < 0.88 ? ink : { ...ink, opacity: between(random, 0.1, 0.9) }, random);
  }
}

/** One sign or a word of several. */
function writeSigns(mask: InkMask, random: Random, side: number, radius: number, taken: Box[]): void {
  const height = between(random, 0.07, 0.32) * side;
  const width = height * between(random, 0.5, 0.95);
  const letters = random() < 0.5 ? 1 : 2 + Math.floor(random() * 5);
  const slope = between(random, -0.1, 0.1);
  const wordWidth = Math.min(side - 3, letters * width * 1.25);
  const word = { width: wordWidth, height: height + Math.abs(slope) * wordWidth };
  const place = freePlace(random, side, word, taken, 0);
  if (!place) return;
  const left = place[0];
  const top = place[1] + (slope < 0 ? -slope * wordWidth : 0);
  for (let letter = 0; letter < letters && (letter + 1) * width * 1.25 <= wordWidth + 1; letter++) {
    const sign = writtenSign(random);
    const x = left + letter * width * 1.25;
    mask.strokes({ x: sign.x.map((value) => x + value * width), y: sign.y.map((value) => top + value * height + slope * (x - left)), lines: sign.lines }, Math.min(radius, height * 0.09));
  }
  taken.push([left, place[1], left + word.width, place[1] + word.height]);
}

function drawAt(mask: InkMask, random: Random, strokes: StrokeLines, width: number, height: number, radius: number, taken: Box[]): void {
  const place = freePlace(random, mask.side, { width, height }, taken, 0);
  if (!place) return;
  const [left, top] = place;
  mask.strokes({ x: strokes.x.map((value) => left + value * width), y: strokes.y.map((value) => top + value * height), lines: strokes.lines }, radius);
  taken.push([left, top, left + width, top + height]);
}

/** From edge to edge, or an underline: far longer than the stroke of a 1. It may touch a digit, seldom. */
function longLine(mask: InkMask, random: Random, side: number, radius: number, taken: readonly Box[]): void {
  for (let tries = 0; tries < 8; tries++) {
    const isLevel = random() < 0.7;
    const [from, to] = [between(random, -0.1, 0.2) * side, between(random, 0.75, 1.1) * side];
    const at = between(random, 0, 1) * side;
    const end = at + between(random, -0.12, 0.12) * side;
    const line = isLevel ? ([from, at, to, end] as const) : ([at, from, end, to] as const);
    const crossed = taken.some((box) => crosses(line, box));
    if (crossed && random() < 0.97) continue;
    mask.line(...line, Math.min(radius, 2));
    return;
  }
}

function crosses([x1, y1, x2, y2]: readonly [number, number, number, number], box: Box): boolean {
  const points = 24;
  return Array.from({ length: points + 1 }, (_, index) => index / points).some((share) => {
    const [x, y] = [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share];
    return x > box[0] - 3 && x < box[2] + 3 && y > box[1] - 3 && y < box[3] + 3;
  });
}

/** A spot without an edge or with one: coffee, a thumb, a drop of ink. */
function stain(mask: InkMask, random: Random, side: number, taken: Box[]): void {
  const radius = between(random, 0.015, 0.12) * side;
  const place = freePlace(random, side, { width: 2 * radius, height: 2 * radius }, taken, 0);
  if (!place) return;
  const [x, y] = [place[0] + radius, place[1] + radius];
  // Overlapping discs, so that it is no circle: a 0 is one.
  for (let disc = 0; disc < 4; disc++) {
    const [dx, dy] = [between(random, -0.5, 0.5) * radius, between(random, -0.5, 0.5) * radius];
    mask.line(x, y, x + dx, y + dy, radius * between(random, 0.25, 0.5));
  }
  taken.push([place[0], place[1], x + radius, y + radius]);
}

/** The sheet ends and the table begins: a half-plane of another colour that no digit reaches into. */
function addTableEdge({ side, rgb }: Sheet, random: Random, occupied: readonly Box[]): void {
  const angle = random() * 2 * Math.PI;
  const [outX, outY] = [Math.cos(angle), Math.sin(angle)];
  const reach = Math.max(...occupied.flatMap(([x1, y1, x2, y2]) => [x1, x2].flatMap((x) => [y1, y2].map((y) => x * outX + y * outY))));
  const edge = reach + between(random, 3, 0.3 * side);
  const table: Colour = [between(random, 20, 230), between(random, 20, 220), between(random, 20, 210)];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const outside = Math.min(1, Math.max(0, (x + 0.5) * outX + (y + 0.5) * outY - edge + 0.5));
      if (outside > 0) blend(rgb, (y * side + x) * 3, table, outside);
    }
  }
}
