/** The straight line `intercept + slope * x` with the least squared error. */
export interface LinearFit {
  intercept: number;
  slope: number;
  /** Share of the variance of y that the line explains (R squared), in [0, 1]. */
  explained: number;
}

/** @param points at least two different x; units are the caller's */
export function linearFit(points: readonly { x: number; y: number }[]): LinearFit {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const { x, y } of points) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  const slope = xy / xx;
  return { intercept: meanY - slope * meanX, slope, explained: yy === 0 ? 1 : (slope * xy) / yy };
}
