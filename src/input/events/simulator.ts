import type { SimulatorSettings } from '../../base/eventOptions';
import type { Size } from '../../base/geometry';
import { seededRandom, type Random } from '../../base/random';
import { EventColumns, sortedByTime } from './events';

/**
 * A simulated event camera in the manner of ESIM (Rebecq et al., CoRL 2018) and v2e (Hu et al., CVPRW 2021).
 *
 * Each pixel compares the logarithm of its luminance with the level at its last event and sends an ON event whenever it has risen by
 * the ON threshold, an OFF event whenever it has fallen by the OFF threshold; the level then moves by that threshold. Between two
 * frames the logarithm is interpolated linearly, and each event gets the time at which its threshold is crossed.
 *
 * - Luminance is 0 to 255; below 20 the logarithm is continued linearly (v2e's lin-log), so that black is not minus infinity.
 * - Thresholds differ from pixel to pixel: normally distributed with a deviation of `thresholdSpread` times the threshold.
 * - For `refractoryUs` after an event a pixel sends nothing; its level moves all the same.
 * - Leak: the level falls steadily, so that an unlit pixel sends ON events at `leakRateHz`.
 * - Shot noise: events of either polarity at random times, `shotNoiseRateHz` for each pixel in the dark and a quarter of that in full light.
 */
export class EventSimulator {
  private readonly pixels: number;
  private readonly onThresholds: Float32Array;
  private readonly offThresholds: Float32Array;
  /** The logarithm at a pixel's last event. */
  private readonly levels: Float64Array;
  private readonly before: Float64Array;
  private readonly lastEventUs: Float64Array;
  private lastFrameUs: number | undefined;
  private startUs = 0;
  private readonly random: Random;
  private readonly piece = new EventColumns(1 << 12);

  constructor(
    private readonly size: Size,
    private readonly settings: SimulatorSettings,
    seed: number,
  ) {
    this.pixels = size.width * size.height;
    this.random = seededRandom(seed);
    const thresholds = (nominal: number): Float32Array =>
      Float32Array.from({ length: this.pixels }, () =>
        settings.thresholdSpread === 0 ? nominal : Math.max(nominal * (1 + settings.thresholdSpread * this.gaussian()), smallestThreshold),
      );
    this.onThresholds = thresholds(settings.onThreshold);
    this.offThresholds = thresholds(settings.offThreshold);
    this.levels = new Float64Array(this.pixels);
    this.before = new Float64Array(this.pixels);
    this.lastEventUs = new Float64Array(this.pixels).fill(-Infinity);
  }

  /**
   * Appends the events between the last frame and this one, in order of time. The first frame only sets the levels.
   * @param luminance `[height, width]`, 0 to 255
   * @param timeUs later than the last frame's; a frame that is not is passed over
   */
  frame(luminance: ArrayLike<number>, timeUs: number, into: EventColumns): void {
    if (this.lastFrameUs === undefined) {
      for (let pixel = 0; pixel < this.pixels; pixel++) this.levels[pixel] = this.before[pixel] = logLuminance(luminance[pixel] ?? 0);
      this.lastFrameUs = this.startUs = timeUs;
      return;
    }
    if (timeUs <= this.lastFrameUs) return;
    this.piece.clear();
    this.crossings(luminance, this.lastFrameUs, timeUs);
    this.shotNoise(luminance, this.lastFrameUs, timeUs);
    into.append(sortedByTime(this.piece));
    this.lastFrameUs = timeUs;
  }

  private crossings(luminance: ArrayLike<number>, fromUs: number, toUs: number): void {
    const { levels, before, onThresholds, offThresholds, settings } = this;
    // A falling level is a rising signal: in one second it gains so many thresholds.
    const leakFrom = (settings.leakRateHz * (fromUs - this.startUs)) / 1e6;
    const leakTo = (settings.leakRateHz * (toUs - this.startUs)) / 1e6;
    for (let pixel = 0; pixel < this.pixels; pixel++) {
      const logNow = logLuminance(luminance[pixel] ?? 0);
      const on = onThresholds[pixel] ?? 1;
      const first = (before[pixel] ?? 0) + leakFrom * on;
      const last = logNow + leakTo * on;
      before[pixel] = logNow;
      let level = levels[pixel] ?? 0;
      if (last >= level + on) {
        for (level += on; level <= last; level += on) this.send(pixel, crossingUs(level, first, last, fromUs, toUs), 1);
        levels[pixel] = level - on;
      } else {
        const off = offThresholds[pixel] ?? 1;
        if (last > level - off) continue;
        for (level -= off; level >= last; level -= off) this.send(pixel, crossingUs(level, first, last, fromUs, toUs), 0);
        levels[pixel] = level + off;
      }
    }
  }

  /** Drawn for the whole sensor at once, since events are far fewer than pixels. */
  private shotNoise(luminance: ArrayLike<number>, fromUs: number, toUs: number): void {
    const { shotNoiseRateHz } = this.settings;
    if (shotNoiseRateHz === 0) return;
    const expected = (shotNoiseRateHz * this.pixels * (toUs - fromUs)) / 1e6;
    // Gaps between events of a constant rate are exponentially distributed.
    for (let at = this.exponential(); at < expected; at += this.exponential()) {
      const pixel = Math.floor(this.random() * this.pixels);
      const share = 1 - 0.75 * Math.min((luminance[pixel] ?? 0) / 255, 1);
      const polarity = this.random() < 0.5 ? 0 : 1;
      if (this.random() < share) this.send(pixel, fromUs + (at / expected) * (toUs - fromUs), polarity);
    }
  }

  private send(pixel: number, timeUs: number, polarity: number): void {
    const time = Math.round(timeUs);
    if (time - (this.lastEventUs[pixel] ?? 0) < this.settings.refractoryUs) return;
    this.lastEventUs[pixel] = time;
    this.piece.push(time, pixel % this.size.width, Math.floor(pixel / this.size.width), polarity);
  }

  private exponential(): number {
    return -Math.log(1 - this.random());
  }

  /** Box and Muller's transform. */
  private gaussian(): number {
    return Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
  }
}

const smallestThreshold = 0.01;
/** Below this the logarithm is a straight line through the origin (v2e, section 3). */
const linearBelow = 20;

export function logLuminance(luminance: number): number {
  return luminance <= linearBelow ? (luminance * Math.log(linearBelow)) / linearBelow : Math.log(luminance);
}

function crossingUs(level: number, first: number, last: number, fromUs: number, toUs: number): number {
  const share = (level - first) / (last - first);
  return fromUs + Math.min(Math.max(share, 0), 1) * (toUs - fromUs);
}
