/** Values in equal bins, one row of counts for each step. */
export interface StepHistogram {
  low: number;
  high: number;
  bins: number;
  /** `[steps][bins]`: shares of the step's values. The outermost bins also hold what lies beyond. */
  shares: readonly Float64Array[];
}

/** More values than this are sampled; a share is then right to less than a line's width. */
const sampledValues = 400_000;

/**
 * @param values `[steps, ...]`
 * @param edge a value that must lie between two bins, not within one
 */
export function stepHistogram(values: Float32Array, steps: number, { low, high }: { low: number; high: number }, bins: number, edge: number): StepHistogram {
  const width = Math.max(high - low, 1e-6) / bins;
  // The bins are moved by less than one of them, so that one ends where the threshold is.
  const shift = edge - low - Math.round((edge - low) / width) * width;
  const start = low + shift;
  const size = values.length / steps;
  const stride = Math.max(1, Math.floor(size / sampledValues)) | 1;
  const shares = Array.from({ length: steps }, (_, step) => {
    const counts = new Float64Array(bins);
    let counted = 0;
    for (let at = step * size; at < (step + 1) * size; at += stride, counted++) {
      const value = values[at] ?? 0;
      // Just at the edge is not above it.
      const bin = Math.min(Math.max(Math.ceil((value - start) / width - 1e-9) - 1, 0), bins - 1);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts.map((count) => count / Math.max(counted, 1));
  });
  return { low: start, high: start + bins * width, bins, shares };
}
