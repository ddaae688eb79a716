import type { Box } from '../../base/geometry';
import type { StrokeLines } from './handwriting';

/** Ink laid on a square picture: how much of each pixel is covered, 0 to 1, and which part of the picture has any. */
export class InkMask {
  readonly coverage: Float32Array;
  private left: number;
  private top: number;
  private right = 0;
  private bottom = 0;

  constructor(readonly side: number) {
    this.coverage = new Float32Array(side * side);
    this.left = side;
    this.top = side;
  }

  /** Whole pixels: left and top inclusive, right and bottom exclusive. Empty where right <= left. */
  get extent(): Box {
    return [this.left, this.top, this.right, this.bottom];
  }

  clear(): void {
    for (let y = this.top; y < this.bottom; y++) this.coverage.fill(0, y * this.side + this.left, y * this.side + this.right);
    this.left = this.side;
    this.top = this.side;
    this.right = 0;
    this.bottom = 0;
  }

  /** Part of the rectangle that lies on the picture, remembered as inked. */
  reserve(x1: number, y1: number, x2: number, y2: number): Box {
    const left = Math.max(0, Math.floor(x1));
    const top = Math.max(0, Math.floor(y1));
    const right = Math.min(this.side, Math.ceil(x2));
    const bottom = Math.min(this.side, Math.ceil(y2));
    if (right > left && bottom > top) {
      this.left = Math.min(this.left, left);
      this.top = Math.min(this.top, top);
      this.right = Math.max(this.right, right);
      this.bottom = Math.max(this.bottom, bottom);
    }
    return [left, top, right, bottom];
  }

  /** A line with round ends; its edge falls from 1 to 0 over one pixel. Where it meets other ink, the denser counts. */
  line(x1: number, y1: number, x2: number, y2: number, radius: number): void {
    const reach = radius + 0.5;
    const [left, top, right, bottom] = this.reserve(Math.min(x1, x2) - reach, Math.min(y1, y2) - reach, Math.max(x1, x2) + reach, Math.max(y1, y2) + reach);
    const [dx, dy] = [x2 - x1, y2 - y1];
    const lengthSquared = dx * dx + dy * dy;
    // Thinner than a pixel: as wide as one, and paler.
    const most = Math.min(1, radius * 2);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const [fromX, fromY] = [x + 0.5 - x1, y + 0.5 - y1];
        const along = lengthSquared > 0 ? Math.min(1, Math.max(0, (fromX * dx + fromY * dy) / lengthSquared)) : 0;
        const [awayX, awayY] = [fromX - along * dx, fromY - along * dy];
        const away = Math.sqrt(awayX * awayX + awayY * awayY);
        const covered = Math.min(most, reach - away);
        const pixel = y * this.side + x;
        if (covered > (this.coverage[pixel] ?? 0)) this.coverage[pixel] = covered;
      }
    }
  }

  strokes({ x, y, lines }: StrokeLines, radius: number): void {
    for (let index = 0; index < lines.length; index += 2) {
      const [a, b] = [lines[index] ?? 0, lines[index + 1] ?? 0];
      this.line(x[a] ?? 0, y[a] ?? 0, x[b] ?? 0, y[b] ?? 0, radius);
    }
  }

  /** The smallest box of whole pixels around all ink of at least `least` coverage, or undefined where there is none. */
  tightBox(least: number): Box | undefined {
    let [left, top, right, bottom] = [this.side, this.side, 0, 0];
    for (let y = this.top; y < this.bottom; y++) {
      for (let x = this.left; x < this.right; x++) {
        if ((this.coverage[y * this.side + x] ?? 0) < least) continue;
        if (x < left) left = x;
        if (x >= right) right = x + 1;
        if (y < top) top = y;
        bottom = y + 1;
      }
    }
    return right > left ? [left, top, right, bottom] : undefined;
  }
}
