/** Event rate over a recording whose length nobody knows beforehand: bins double their width when they run out. */
export const maximumBins = 4096;
const firstWidthUs = 100;

export interface Rate {
  startUs: number;
  widthUs: number;
  on: Uint32Array;
  off: Uint32Array;
}

export class RateBins {
  private widthUs = firstWidthUs;
  /** Index, on the grid of the present width, of the first bin. */
  private first = 0;
  private used = 0;
  private on = new Uint32Array(maximumBins);
  private off = new Uint32Array(maximumBins);

  /** The bin of the last event and its borders: the next event most often falls into it too. */
  private last = { bin: 0, fromUs: Infinity, toUs: -Infinity };

  add(t: number, p: number): void {
    const { last } = this;
    if (!(t >= last.fromUs && t < last.toUs)) this.moveTo(t);
    const counts = p === 1 ? this.on : this.off;
    counts[last.bin] = (counts[last.bin] ?? 0) + 1;
  }

  private moveTo(t: number): void {
    const { last } = this;
    let bin = Math.floor(t / this.widthUs) - this.first;
    if (!(bin >= 0 && bin < this.used)) bin = this.makeRoom(t);
    last.bin = bin;
    last.fromUs = (this.first + bin) * this.widthUs;
    last.toUs = last.fromUs + this.widthUs;
  }

  rate(): Rate {
    return {
      startUs: this.first * this.widthUs,
      widthUs: this.widthUs,
      on: this.on.slice(0, this.used),
      off: this.off.slice(0, this.used),
    };
  }

  private makeRoom(t: number): number {
    if (this.used === 0) {
      this.first = Math.floor(t / this.widthUs);
      this.used = 1;
      return 0;
    }
    for (;;) {
      const at = Math.floor(t / this.widthUs);
      const first = Math.min(this.first, at);
      const used = Math.max(this.first + this.used, at + 1) - first;
      if (used <= maximumBins) {
        const shift = this.first - first;
        if (shift > 0) for (const counts of [this.on, this.off]) counts.copyWithin(shift, 0, this.used).fill(0, 0, shift);
        this.first = first;
        this.used = used;
        return at - first;
      }
      this.halve();
    }
  }

  /** Joins bins in pairs on the coarser grid. */
  private halve(): void {
    const first = Math.floor(this.first / 2);
    let used = 0;
    const join = (counts: Uint32Array): Uint32Array<ArrayBuffer> => {
      const joined = new Uint32Array(maximumBins);
      for (let bin = 0; bin < this.used; bin++) {
        const target = Math.floor((this.first + bin) / 2) - first;
        joined[target] = (joined[target] ?? 0) + (counts[bin] ?? 0);
        used = Math.max(used, target + 1);
      }
      return joined;
    };
    this.on = join(this.on);
    this.off = join(this.off);
    this.first = first;
    this.used = used;
    this.widthUs *= 2;
  }
}
