import { between, oneOf, type Random } from '../../base/random';

/** Red, green, blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A square picture while it is being made: `[side, side, 3]`, 0 to 255 (rounded and clipped at the end). */
export interface Sheet {
  side: number;
  rgb: Float32Array;
}

export function blankSheet(side: number, [red, green, blue]: Colour): Sheet {
  const rgb = new Float32Array(side * side * 3);
  for (let at = 0; at < rgb.length; at += 3) {
    rgb[at] = red;
    rgb[at + 1] = green;
    rgb[at + 2] = blue;
  }
  return { side, rgb };
}

/** Perceived brightness, 0 to 255 (ITU-R BT.601). */
export function brightness([red, green, blue]: Colour): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

export function lightPaper(random: Random): Colour {
  const shade = between(random, 0.75, 1);
  const tint = oneOf<Colour>(random, [
    [255, 255, 255],
    [255, 255, 255],
    [250, 248, 244],
    [252, 246, 228],
    [246, 240, 215],
    [255, 240, 140],
    [232, 240, 250],
    [250, 228, 232],
    [226, 244, 228],
    [222, 196, 160],
  ]);
  return [tint[0] * shade, tint[1] * shade, tint[2] * shade];
}

export function darkPaper(random: Random): Colour {
  const shade = between(random, 0.6, 1.3);
  const tint = oneOf<Colour>(random, [
    [34, 38, 36],
    [38, 66, 52],
    [30, 56, 48],
    [28, 34, 52],
    [16, 16, 18],
    [62, 58, 56],
  ]);
  return [tint[0] * shade, tint[1] * shade, tint[2] * shade];
}

/** Unevenness of the paper: noise between the nodes of a coarse grid, and grain in each pixel. @param depth in levels of 255 */
export function addTexture({ side, rgb }: Sheet, random: Random, depth: number): void {
  const cell = between(random, 3, 24);
  const nodes = Math.ceil(side / cell) + 2;
  const grid = Float32Array.from({ length: nodes * nodes }, () => (random() - 0.5) * 2 * depth);
  const grain = depth * between(random, 0, 0.8);
  for (let y = 0; y < side; y++) {
    const row = Math.floor(y / cell);
    const shareY = y / cell - row;
    for (let x = 0; x < side; x++) {
      const column = Math.floor(x / cell);
      const shareX = x / cell - column;
      const node = row * nodes + column;
      const above = (grid[node] ?? 0) * (1 - shareX) + (grid[node + 1] ?? 0) * shareX;
      const below = (grid[node + nodes] ?? 0) * (1 - shareX) + (grid[node + nodes + 1] ?? 0) * shareX;
      add(rgb, (y * side + x) * 3, above * (1 - shareY) + below * shareY + (random() - 0.5) * 2 * grain);
    }
  }
}

/** Ruled, squared or dotted paper. */
export function addRuling(sheet: Sheet, random: Random, paper: Colour): void {
  const { side, rgb } = sheet;
  const spacing = between(random, 7, 34);
  const strength = between(random, 0.15, 0.7);
  const line: Colour =
    brightness(paper) > 120
      ? oneOf<Colour>(random, [[120, 160, 215], [150, 150, 155], [205, 140, 150], [110, 190, 190]])
      : [between(random, 90, 160), between(random, 100, 170), between(random, 100, 170)];
  const kind = oneOf(random, ['rows', 'rows', 'squares', 'dots']);
  // A photographed sheet is rarely straight.
  const tilt = between(random, -0.08, 0.08);
  const [startX, startY] = [random() * spacing, random() * spacing];
  const width = between(random, 0.35, 0.8);
  const near = (place: number): number => {
    const away = Math.abs(place / spacing - Math.round(place / spacing)) * spacing;
    return Math.min(1, Math.max(0, width + 0.5 - away));
  };
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const row = near(y + x * tilt - startY);
      let covered = row;
      if (kind !== 'rows') {
        const column = near(x - y * tilt - startX);
        covered = kind === 'squares' ? Math.max(row, column) : row * column;
      }
      if (covered > 0) blend(rgb, (y * side + x) * 3, line, covered * strength);
    }
  }
  if (kind === 'rows' && random() < 0.3) {
    const margin = between(random, 0.06, 0.2) * side;
    for (let y = 0; y < side; y++) {
      const at = Math.round(margin - y * tilt);
      if (at >= 0 && at < side) blend(rgb, (y * side + at) * 3, [210, 90, 100], strength);
    }
  }
}

/** How light falls on the sheet: brighter to one side, and sometimes the soft shadow of a hand or a lamp's edge. */
export function castLight({ side, rgb }: Sheet, random: Random, depth: number): void {
  const [tiltX, tiltY] = [between(random, -depth, depth), between(random, -depth, depth)];
  const hasShadow = random() < 0.4;
  const angle = random() * 2 * Math.PI;
  const [towardsX, towardsY] = [Math.cos(angle), Math.sin(angle)];
  const edge = between(random, -0.3, 0.3) * side;
  const softness = between(random, 0.02, 0.3) * side + 1;
  const shadow = hasShadow ? between(random, 0.2, 1.4) * depth : 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [fromX, fromY] = [x - side / 2, y - side / 2];
      const inside = Math.min(1, Math.max(0, (fromX * towardsX + fromY * towardsY - edge) / softness + 0.5));
      const light = (1 + (tiltX * fromX + tiltY * fromY) / side) * (1 - shadow * inside);
      const at = (y * side + x) * 3;
      rgb[at] = (rgb[at] ?? 0) * light;
      rgb[at + 1] = (rgb[at + 1] ?? 0) * light;
      rgb[at + 2] = (rgb[at + 2] ?? 0) * light;
    }
  }
}

/** One pass of a separable blur over 3 x 3 pixels; edges repeat. @param share of each neighbour, 0 to 1/3 */
export function blur({ side, rgb }: Sheet, share: number): void {
  const row = side * 3;
  for (let y = 0; y < side; y++) for (let channel = 0; channel < 3; channel++) blurLine(rgb, y * row + channel, 3, side, share);
  for (let column = 0; column < row; column++) blurLine(rgb, column, row, side, share);
}

/** In place: `count` values, `step` apart. */
function blurLine(values: Float32Array, first: number, step: number, count: number, share: number): void {
  const kept = 1 - 2 * share;
  let before = values[first] ?? 0;
  let here = before;
  for (let index = 0, at = first; index < count; index++, at += step) {
    const after = index < count - 1 ? (values[at + step] ?? 0) : here;
    values[at] = kept * here + share * (before + after);
    before = here;
    here = after;
  }
}

/** A camera's noise, about normal. @param deviation in levels of 255 */
export function addNoise({ rgb }: Sheet, random: Random, deviation: number): void {
  // Sums of uniform numbers: three have a deviation of 1/2. Most of it is common to the colours.
  for (let at = 0; at < rgb.length; at += 3) {
    const common = (random() + random() + random() - 1.5) * 2 * deviation;
    rgb[at] = (rgb[at] ?? 0) + common + (random() - 0.5) * deviation;
    rgb[at + 1] = (rgb[at + 1] ?? 0) + common;
    rgb[at + 2] = (rgb[at + 2] ?? 0) + common + (random() - 0.5) * deviation;
  }
}

export function blend(rgb: Float32Array, at: number, [red, green, blue]: Colour, share: number): void {
  rgb[at] = (rgb[at] ?? 0) + (red - (rgb[at] ?? 0)) * share;
  rgb[at + 1] = (rgb[at + 1] ?? 0) + (green - (rgb[at + 1] ?? 0)) * share;
  rgb[at + 2] = (rgb[at + 2] ?? 0) + (blue - (rgb[at + 2] ?? 0)) * share;
}

function add(rgb: Float32Array, at: number, value: number): void {
  rgb[at] = (rgb[at] ?? 0) + value;
  rgb[at + 1] = (rgb[at + 1] ?? 0) + value;
  rgb[at + 2] = (rgb[at + 2] ?? 0) + value;
}
