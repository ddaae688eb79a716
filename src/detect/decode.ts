/** One scale of a YOLO head. */
export interface DetectionHead {
  height: number;
  width: number;
  /** Input pixels per cell. */
  stride: number;
  /** Pixels, `[w, h, w, h, ...]`, one pair for each anchor. */
  anchors: readonly number[];
  /** `[height, width, anchors * (5 + classes)]`. */
  logits: Float32Array;
}

/** Boxes before NMS: per candidate cx, cy, w, h in input pixels, objectness and class probabilities. */
export interface Candidates {
  count: number;
  /** 5 + classes. */
  stride: number;
  /** `[count, 5 + classes]`, ordered by scale, anchor, row, column as the released code orders them. */
  values: Float32Array;
}

/**
 * Decodes logits (specification, section 6): y = sigmoid(logit), xy = (2y - 0.5 + cell) * stride, wh = (2y)^2 * anchor.
 */
export function decode(heads: readonly DetectionHead[], classCount: number): Candidates {
  const stride = 5 + classCount;
  const count = heads.reduce((sum, head) => sum + head.height * head.width * (head.anchors.length / 2), 0);
  const values = new Float32Array(count * stride);
  let target = 0;
  for (const head of heads) {
    const anchorCount = head.anchors.length / 2;
    for (let anchor = 0; anchor < anchorCount; anchor++) {
      const anchorWidth = head.anchors[anchor * 2] ?? 0;
      const anchorHeight = head.anchors[anchor * 2 + 1] ?? 0;
      for (let y = 0; y < head.height; y++) {
        for (let x = 0; x < head.width; x++) {
          const source = ((y * head.width + x) * anchorCount + anchor) * stride;
          const share = (index: number): number => sigmoid(head.logits[source + index] ?? NaN);
          values[target] = (2 * share(0) - 0.5 + x) * head.stride;
          values[target + 1] = (2 * share(1) - 0.5 + y) * head.stride;
          values[target + 2] = (2 * share(2)) ** 2 * anchorWidth;
          values[target + 3] = (2 * share(3)) ** 2 * anchorHeight;
          for (let index = 4; index < stride; index++) values[target + index] = share(index);
          target += stride;
        }
      }
    }
  }
  return { count, stride, values };
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
