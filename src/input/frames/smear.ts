import type { Box } from '../../base/geometry';
import type { Picture } from '../../base/picture';
import { seededRandom } from '../../base/random';
import { clipBox } from '../../base/truth';

/**
 * Draws blood-smear scenes for the gallery: red cells with pale centres, a white cell with a lobed nucleus, platelets.
 * They are drawings and are labelled so. Made to be near enough to microscope pictures that a detector trained on
 * those finds the cells.
 */

export const smearSize = { width: 640, height: 480 } as const;

type Colour = readonly [red: number, green: number, blue: number];

/** Share of light that passes through at full density; layers multiply, as overlapping cells do under a microscope. */
const redCellTint: Colour = [0.83, 0.61, 0.53];
const cytoplasmTint: Colour = [0.84, 0.7, 0.92];
const nucleusTint: Colour = [0.4, 0.3, 0.9];
const plateletTint: Colour = [0.58, 0.58, 0.93];
const background: Colour = [206, 210, 203];

/** An outline in polar form: an ellipse with two low harmonics, so that no two cells are equal. */
interface Outline {
  x: number;
  y: number;
  radius: number;
  stretch: number;
  angle: number;
  /** Depth and phase of the outline's waves with 2 and 3 periods. */
  waves: readonly [number, number, number, number];
}

/** Names as the shipped network knows them. */
export type SmearClass = 'RBC' | 'WBC' | 'Platelets';

/** A seeded picture of 640 x 480 pixels; equal seeds give equal pixels. */
export function drawSmear(seed: number): Picture {
  return drawLabelledSmear(seed).picture;
}

/** The same with a box around every cell that was drawn, clipped to the picture. */
export function drawLabelledSmear(seed: number): { picture: Picture; boxes: { name: SmearClass; box: Box }[] } {
  const random = seededRandom(seed);
  const { width, height } = smearSize;
  const light = new Float32Array(width * height * 3);
  paintBackground(light, random);

  const occupied: Outline[] = [];
  const boxes: { name: SmearClass; box: Box }[] = [];
  const label = (name: SmearClass, cell: Outline): void => {
    const box = clipBox(boundsOf(cell), smearSize);
    if (box) boxes.push({ name, box });
  };
  const whiteCells = 1 + (random() < 0.25 ? 1 : 0);
  for (let index = 0; index < whiteCells; index++) {
    const cell = place(occupied, random, 78 + random() * 16, 0.95);
    if (!cell) continue;
    paintWhiteCell(light, cell, random);
    label('WBC', cell);
  }
  const redCells = 11 + Math.floor(random() * 6);
  for (let index = 0; index < redCells; index++) {
    // Red cells may overlap a little, as they do in a smear.
    const cell = place(occupied, random, 40 + random() * 12, 0.86);
    if (!cell) continue;
    paintRedCell(light, cell, random);
    label('RBC', cell);
  }
  const platelets = 3 + Math.floor(random() * 3);
  for (let index = 0; index < platelets; index++) {
    const cell = place(occupied, random, 12 + random() * 5, 1.25);
    if (!cell) continue;
    paintPlatelet(light, cell, random);
    label('Platelets', cell);
  }
  return { picture: expose(light, random), boxes };
}

/** Points of the rim that are tried: an outline with three waves is known to a tenth of a pixel. */
const rimPoints = 180;

function boundsOf(outline: Outline): Box {
  const [cosine, sine] = [Math.cos(outline.angle), Math.sin(outline.angle)];
  const points = Array.from({ length: rimPoints }, (_, index) => {
    const bearing = (index * 2 * Math.PI) / rimPoints;
    const reach = outline.radius * rimAt(outline, bearing);
    const [along, across] = [reach * Math.cos(bearing) * outline.stretch, reach * Math.sin(bearing)];
    return { x: outline.x + along * cosine - across * sine, y: outline.y + along * sine + across * cosine };
  });
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** How far out an outline is in a direction, in shares of its radius. */
function rimAt({ waves: [depth2, phase2, depth3, phase3] }: Outline, bearing: number): number {
  return 1 + depth2 * Math.sin(2 * bearing + phase2) + depth3 * Math.sin(3 * bearing + phase3);
}

function place(occupied: Outline[], random: () => number, radius: number, spacing: number): Outline | undefined {
  for (let attempt = 0; attempt < 200; attempt++) {
    const x = radius * 0.6 + random() * (smearSize.width - radius * 1.2);
    const y = radius * 0.6 + random() * (smearSize.height - radius * 1.2);
    const free = occupied.every((other) => Math.hypot(other.x - x, other.y - y) > (other.radius + radius) * spacing);
    if (!free) continue;
    const outline: Outline = {
      x,
      y,
      radius,
      stretch: 1 + random() * 0.16,
      angle: random() * Math.PI,
      waves: [random() * 0.035, random() * 7, random() * 0.025, random() * 7],
    };
    occupied.push(outline);
    return outline;
  }
  return undefined;
}

function paintBackground(light: Float32Array, random: () => number): void {
  const [tiltX, tiltY] = [random() - 0.5, random() - 0.5];
  fillLight(light, (x, y, channel) => {
    const shade = 1 + 0.05 * (tiltX * (x / smearSize.width - 0.5) + tiltY * (y / smearSize.height - 0.5));
    return (background[channel] ?? 0) * shade;
  });
}

function fillLight(light: Float32Array, value: (x: number, y: number, channel: number) => number): void {
  let index = 0;
  for (let y = 0; y < smearSize.height; y++) {
    for (let x = 0; x < smearSize.width; x++) {
      for (let channel = 0; channel < 3; channel++) light[index++] = value(x, y, channel);
    }
  }
}

/** A biconcave disc: dense towards the rim, pale in the middle. */
function paintRedCell(light: Float32Array, cell: Outline, random: () => number): void {
  const paleness = 0.3 + random() * 0.5;
  const paleRadius = 0.42 + random() * 0.16;
  const density = 0.85 + random() * 0.3;
  absorb(light, [cell], redCellTint, (distance) => {
    const pale = 1 - smoothStep(paleRadius - 0.22, paleRadius + 0.12, distance);
    const rim = 0.35 * Math.exp(-(((distance - 0.93) / 0.06) ** 2));
    return density * (1 - paleness * pale + rim);
  });
}

function paintWhiteCell(light: Float32Array, cell: Outline, random: () => number): void {
  absorb(light, [cell], cytoplasmTint, (distance) => 0.85 + 0.25 * smoothStep(0.8, 1, distance));
  const lobes = 2 + Math.floor(random() * 3);
  const start = random() * Math.PI * 2;
  const outlines = Array.from({ length: lobes }, (_, lobe): Outline => {
    const angle = start + (lobe * Math.PI * 2) / lobes + random() * 0.5;
    const away = cell.radius * (0.28 + random() * 0.1);
    return {
      ...cell,
      x: cell.x + Math.cos(angle) * away,
      y: cell.y + Math.sin(angle) * away,
      radius: cell.radius * (0.36 + random() * 0.08),
      stretch: 1.1 + random() * 0.2,
      angle: angle + Math.PI / 2,
    };
  });
  absorb(light, outlines, nucleusTint, (distance) => 0.9 + 0.1 * distance);
}

function paintPlatelet(light: Float32Array, cell: Outline, random: () => number): void {
  const density = 0.9 + random() * 0.5;
  absorb(light, [cell], plateletTint, (distance) => density * (1 - 0.45 * distance));
}

/**
 * Multiplies the light inside the outlines by the tint to the power of the density, which is given by the distance from
 * the centre (1 at the rim). Outlines of one call are one body: where they overlap, the denser counts.
 */
function absorb(light: Float32Array, outlines: readonly Outline[], tint: Colour, densityAt: (distance: number) => number): void {
  const { width, height } = smearSize;
  const reach = (outline: Outline): number => outline.radius * outline.stretch * 1.15 + 2;
  const left = Math.max(0, Math.floor(Math.min(...outlines.map((outline) => outline.x - reach(outline)))));
  const right = Math.min(width, Math.max(...outlines.map((outline) => outline.x + reach(outline))));
  const top = Math.max(0, Math.floor(Math.min(...outlines.map((outline) => outline.y - reach(outline)))));
  const bottom = Math.min(height, Math.max(...outlines.map((outline) => outline.y + reach(outline))));
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const density = Math.max(
        ...outlines.map((outline) => {
          const { distance, coverage } = measure(outline, x + 0.5, y + 0.5);
          return coverage === 0 ? 0 : coverage * densityAt(Math.min(distance, 1));
        }),
      );
      if (density === 0) continue;
      for (let channel = 0; channel < 3; channel++) {
        const index = (y * width + x) * 3 + channel;
        light[index] = (light[index] ?? 0) * (tint[channel] ?? 1) ** density;
      }
    }
  }
}

/** Distance from the centre in shares of the radius in that direction, and how much of the pixel is inside. */
function measure(outline: Outline, x: number, y: number): { distance: number; coverage: number } {
  const [dx, dy] = [x - outline.x, y - outline.y];
  const [cosine, sine] = [Math.cos(outline.angle), Math.sin(outline.angle)];
  const along = (dx * cosine + dy * sine) / outline.stretch;
  const across = dy * cosine - dx * sine;
  const bearing = Math.atan2(across, along);
  const distance = Math.hypot(along, across) / (outline.radius * rimAt(outline, bearing));
  const softness = 2 / outline.radius;
  return { distance, coverage: 1 - smoothStep(1 - softness, 1 + softness, distance) };
}

/** Rounds to 8 bits with a sensor's grain. */
function expose(light: Float32Array, random: () => number): Picture {
  const data = new Uint8Array(light.length);
  for (let index = 0; index < light.length; index++) {
    const grain = (random() + random() - 1) * 4;
    data[index] = Math.min(Math.max(Math.round((light[index] ?? 0) + grain), 0), 255);
  }
  return { ...smearSize, data };
}

function smoothStep(from: number, to: number, value: number): number {
  const share = Math.min(Math.max((value - from) / (to - from), 0), 1);
  return share * share * (3 - 2 * share);
}
