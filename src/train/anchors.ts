import { seededRandom } from '../base/random';

const rounds = 100;

/**
 * Anchors for the sizes that boxes have, by k-means on the ratios of their sides (the distance that decides whether an
 * anchor matches, specification, section 7), smallest first.
 * @param sizes widths and heights in pixels of the network's input, at least as many as anchors
 * @returns pixels by scale, `[w, h, ...]`, the finest scale first
 */
export function fitAnchors(sizes: readonly { width: number; height: number }[], scales: number, perScale: number, seed: number): number[][] {
  const wanted = scales * perScale;
  if (sizes.length < wanted) throw new RangeError(`${wanted} anchors cannot be fitted to ${sizes.length} boxes.`);
  const random = seededRandom(seed);
  const points = sizes.map(({ width, height }) => ({ x: Math.log(width), y: Math.log(height) }));
  const centres = farApart(points, wanted, random);
  for (let round = 0; round < rounds; round++) {
    const sums = centres.map(() => ({ x: 0, y: 0, count: 0 }));
    for (const point of points) {
      const sum = sums[nearest(point, centres)];
      if (!sum) continue;
      sum.x += point.x;
      sum.y += point.y;
      sum.count++;
    }
    let moved = 0;
    centres.forEach((centre, index) => {
      const sum = sums[index];
      if (!sum || sum.count === 0) return;
      moved += Math.abs(centre.x - sum.x / sum.count) + Math.abs(centre.y - sum.y / sum.count);
      centre.x = sum.x / sum.count;
      centre.y = sum.y / sum.count;
    });
    if (moved < 1e-9) break;
  }
  const sorted = centres.map(({ x, y }) => ({ width: Math.exp(x), height: Math.exp(y) })).sort((a, b) => a.width * a.height - b.width * b.height);
  return Array.from({ length: scales }, (_, scale) =>
    sorted.slice(scale * perScale, (scale + 1) * perScale).flatMap(({ width, height }) => [rounded(width), rounded(height)]),
  );
}

interface Point {
  x: number;
  y: number;
}

/** k-means++ (Arthur and Vassilvitskii 2007): each next centre is likely to be far from those before it. */
function farApart(points: readonly Point[], count: number, random: () => number): Point[] {
  const centres: Point[] = [];
  while (centres.length < count) {
    const weights = points.map((point) => (centres.length === 0 ? 1 : distance(point, centres[nearest(point, centres)] ?? point)));
    let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
    let chosen = weights.findIndex((weight) => (left -= weight) < 0);
    if (chosen < 0) chosen = points.length - 1;
    const { x, y } = points[chosen] ?? { x: 0, y: 0 };
    centres.push({ x, y });
  }
  return centres;
}

function nearest(point: Point, centres: readonly Point[]): number {
  let best = 0;
  centres.forEach((centre, index) => {
    if (distance(point, centre) < distance(point, centres[best] ?? centre)) best = index;
  });
  return best;
}

function distance(a: Point, b: Point): number {
  return (a.x - b.x) ** 2 + (a.y - b.y) ** 2;
}

/** A tenth of a pixel is enough. */
function rounded(pixels: number): number {
  return Math.max(1, Math.round(pixels * 10) / 10);
}
