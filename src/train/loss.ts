/**
 * Targets and loss of the specification, section 7: CIoU for the box, binary cross-entropy for objectness and classes.
 * Everything here is small and runs on plain arrays in double precision.
 */

/** Centre and size as shares of the picture, in [0, 1]. */
export interface TrainingTarget {
  image: number;
  class: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface LossGains {
  box: number;
  objectness: number;
  class: number;
}

/** The released code's gains; its training script scales them further, see {@link scaledGains}. */
export const releasedGains: LossGains = { box: 0.05, objectness: 1, class: 0.5 };

/** As the released script rescales them: box by 3/scales, class by classes/80 * 3/scales, objectness by (size/640)^2 * 3/scales. */
export function scaledGains(gains: LossGains, scales: number, classes: number, size: number): LossGains {
  return {
    box: (gains.box * 3) / scales,
    objectness: (gains.objectness * (size / 640) ** 2 * 3) / scales,
    class: (gains.class * classes * 3) / (80 * scales),
  };
}

export interface LossScale {
  /** `[images, height, width, anchors * (5 + classes)]`. */
  logits: Float32Array;
  images: number;
  height: number;
  width: number;
  /** In grid units, `[w, h, ...]`. */
  anchors: readonly number[];
}

export interface Loss {
  /** The sum of the terms times the number of images: what is minimised. */
  total: number;
  /** With their gains. */
  box: number;
  objectness: number;
  class: number;
  /** Of the total, by scale, shaped like the logits. */
  gradients: Float32Array[];
}

/** An anchor matches a target when neither side differs by this factor. */
const largestRatio = 4;
/** Weight of a scale's objectness, the finest first. */
const objectnessBalance = [4, 1];
const epsilon = 1e-7;

interface Match {
  image: number;
  anchor: number;
  row: number;
  column: number;
  class: number;
  /** Relative to the cell, in grid units. */
  box: Box;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** @param scales the finest first, as the Detect row lists them */
export function yoloLoss(scales: readonly LossScale[], targets: readonly TrainingTarget[], classes: number, gains: LossGains): Loss {
  const loss: Loss = { total: 0, box: 0, objectness: 0, class: 0, gradients: [] };
  const images = scales[0]?.images ?? 0;
  scales.forEach((scale, index) => {
    const gradient = new Float32Array(scale.logits.length);
    const outputs = 5 + classes;
    const anchors = scale.anchors.length / 2;
    const matches = matchTargets(scale, targets);
    const objectness = new Float64Array((scale.logits.length / outputs) | 0);
    for (const match of matches) {
      const cell = ((match.image * scale.height + match.row) * scale.width + match.column) * anchors + match.anchor;
      const first = cell * outputs;
      const share = 1 / matches.length;
      const boxGradient = gains.box * images * share;
      const overlap = addBoxGradient(scale.logits, first, scale.anchors, match, boxGradient, gradient);
      loss.box += (1 - overlap) * share * gains.box;
      // Several targets may want the same anchor: the last one decides, as in the released code.
      objectness[cell] = Math.max(overlap, 0);
      if (classes === 1) continue;
      for (let label = 0; label < classes; label++) {
        const at = first + 5 + label;
        const factor = gains.class * share / classes;
        const { value, slope } = crossEntropy(scale.logits[at] ?? NaN, Number(label === match.class));
        loss.class += value * factor;
        gradient[at] = (gradient[at] ?? 0) + slope * factor * images;
      }
    }
    const factor = (gains.objectness * (objectnessBalance[index] ?? 1)) / objectness.length;
    objectness.forEach((wanted, cell) => {
      const at = cell * outputs + 4;
      const { value, slope } = crossEntropy(scale.logits[at] ?? NaN, wanted);
      loss.objectness += value * factor;
      gradient[at] = slope * factor * images;
    });
    loss.gradients.push(gradient);
  });
  loss.total = (loss.box + loss.objectness + loss.class) * images;
  return loss;
}

/**
 * Each target goes to the anchors of a like shape, in its cell and in the two neighbours that its centre is nearest to. In the
 * released code's order (neighbour, anchor, target), which decides who has the last word.
 */
export function matchTargets({ height, width, anchors }: Omit<LossScale, 'logits'>, targets: readonly TrainingTarget[]): Match[] {
  const matches: Match[] = [];
  const cells = targets.map((target) => ({
    ...target, x: target.x * width, y: target.y * height, width: target.width * width, height: target.height * height,
  }));
  const near = (value: number, end: number): { low: boolean; high: boolean } => ({
    low: value % 1 < 0.5 && value > 1,
    high: (end - value) % 1 < 0.5 && end - value > 1,
  });
  const neighbours = [
    { dx: 0, dy: 0, applies: () => true },
    { dx: 0.5, dy: 0, applies: (x: number) => near(x, width).low },
    { dx: 0, dy: 0.5, applies: (_: number, y: number) => near(y, height).low },
    { dx: -0.5, dy: 0, applies: (x: number) => near(x, width).high },
    { dx: 0, dy: -0.5, applies: (_: number, y: number) => near(y, height).high },
  ];
  for (const { dx, dy, applies } of neighbours) {
    for (let anchor = 0; anchor * 2 < anchors.length; anchor++) {
      const across = anchors[anchor * 2] ?? NaN;
      const down = anchors[anchor * 2 + 1] ?? NaN;
      for (const target of cells) {
        const ratio = Math.max(target.width / across, across / target.width, target.height / down, down / target.height);
        if (!(ratio < largestRatio) || !applies(target.x, target.y)) continue;
        const column = Math.trunc(target.x - dx);
        const row = Math.trunc(target.y - dy);
        matches.push({
          image: target.image,
          anchor,
          row: Math.min(Math.max(row, 0), height - 1),
          column: Math.min(Math.max(column, 0), width - 1),
          class: target.class,
          box: { x: target.x - column, y: target.y - row, width: target.width, height: target.height },
        });
      }
    }
  }
  return matches;
}

/** @returns CIoU of the predicted and the wanted box; adds `factor` times the gradient of 1 - CIoU */
function addBoxGradient(
  logits: Float32Array, first: number, anchors: readonly number[], { anchor, box }: Match, factor: number, gradient: Float32Array,
): number {
  const [sx, sy, sw, sh] = [0, 1, 2, 3].map((part) => sigmoid(logits[first + part] ?? NaN)) as [number, number, number, number];
  const across = anchors[anchor * 2] ?? NaN;
  const down = anchors[anchor * 2 + 1] ?? NaN;
  const predicted = { x: 2 * sx - 0.5, y: 2 * sy - 0.5, width: (2 * sw) ** 2 * across, height: (2 * sh) ** 2 * down };
  const { value, slope } = completeIou(predicted, box);
  const slopes = [
    slope.x * 2 * sx * (1 - sx),
    slope.y * 2 * sy * (1 - sy),
    slope.width * 8 * sw * sw * (1 - sw) * across,
    slope.height * 8 * sh * sh * (1 - sh) * down,
  ];
  slopes.forEach((part, index) => {
    gradient[first + index] = (gradient[first + index] ?? 0) - factor * part;
  });
  return value;
}

/**
 * CIoU (Zheng et al. 2020) = IoU - distance^2 / diagonal^2 - alpha * v, and its derivative by the first box; alpha is taken as a
 * constant, as the released code does.
 */
export function completeIou(a: Box, b: Box): { value: number; slope: Box } {
  const side = (centre: number, size: number, otherCentre: number, otherSize: number) => {
    const [low, high, otherLow, otherHigh] = [centre - size / 2, centre + size / 2, otherCentre - otherSize / 2, otherCentre + otherSize / 2];
    const overlap = Math.min(high, otherHigh) - Math.max(low, otherLow);
    // Derivatives by the centre and by the size of the first box.
    const highMoves = Number(high < otherHigh);
    const lowMoves = Number(low > otherLow);
    return {
      overlap: Math.max(overlap, 0),
      byCentre: overlap > 0 ? highMoves - lowMoves : 0,
      bySize: overlap > 0 ? (highMoves + lowMoves) / 2 : 0,
      hull: Math.max(high, otherHigh) - Math.min(low, otherLow),
      hullByCentre: Number(high > otherHigh) - Number(low < otherLow),
      hullBySize: (Number(high > otherHigh) + Number(low < otherLow)) / 2,
      distance: otherCentre - centre,
    };
  };
  const h = side(a.x, a.width, b.x, b.width);
  const v = side(a.y, a.height, b.y, b.height);
  const intersection = h.overlap * v.overlap;
  const union = a.width * a.height + b.width * b.height - intersection + epsilon;
  const iou = intersection / union;
  const diagonal = h.hull ** 2 + v.hull ** 2 + epsilon;
  const distance = h.distance ** 2 + v.distance ** 2;
  const angle = Math.atan(b.width / (b.height + epsilon)) - Math.atan(a.width / (a.height + epsilon));
  const shape = (4 / Math.PI ** 2) * angle ** 2;
  const alpha = shape / (shape - iou + 1 + epsilon);

  const ofIou = (intersectionSlope: number, areaSlope: number): number =>
    (intersectionSlope * union - intersection * (areaSlope - intersectionSlope)) / union ** 2;
  const ofDistance = (distanceSlope: number, diagonalSlope: number): number =>
    (distanceSlope * diagonal - distance * diagonalSlope) / diagonal ** 2;
  const squares = a.width ** 2 + a.height ** 2 + epsilon;
  const shapeFactor = ((8 / Math.PI ** 2) * angle * alpha) / squares;
  return {
    value: iou - distance / diagonal - alpha * shape,
    slope: {
      x: ofIou(h.byCentre * v.overlap, 0) - ofDistance(-2 * h.distance, 2 * h.hull * h.hullByCentre),
      y: ofIou(v.byCentre * h.overlap, 0) - ofDistance(-2 * v.distance, 2 * v.hull * v.hullByCentre),
      width: ofIou(h.bySize * v.overlap, a.height) - ofDistance(0, 2 * h.hull * h.hullBySize) + shapeFactor * a.height,
      height: ofIou(v.bySize * h.overlap, a.width) - ofDistance(0, 2 * v.hull * v.hullBySize) - shapeFactor * a.width,
    },
  };
}

/** Binary cross-entropy of a logit, and its derivative. */
function crossEntropy(logit: number, wanted: number): { value: number; slope: number } {
  return { value: Math.max(logit, 0) - logit * wanted + Math.log1p(Math.exp(-Math.abs(logit))), slope: sigmoid(logit) - wanted };
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
