import type { SimulatorSettings } from '../../base/eventOptions';
import type { Size } from '../../base/geometry';
import { seededRandom, type Random } from '../../base/random';
import type { EventColumns } from './events';

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
 * - Leak: the level falls steadily, so that an unlit pixel sends ON events at `leakRateHz`. Pixels begin anywhere between two events,
 *   or the whole sensor would flash at once.
 * - Shot noise: events of either polarity at random times, `shotNoiseRateHz` for each pixel in the dark and a quarter of that in full light.
 *
 * A frame costs one pass over the pixels and one sort of its events.
 */
export class EventSimulator {
  private readonly pixels: number;
  private readonly onThresholds: Float32Array;
  private readonly offThresholds: Float32Array;
  /** The logarithm at a pixel's last event. */
  private readonly levels: Float64Array;
  /** The logarithm in the last frame, and in the one that is being added. */
  private before: Float64Array;
  private now: Float64Array;
  private readonly lastEventUs: Float64Array;
  private lastFrameUs: number | undefined;
  private startUs = 0;
  private readonly random: Random;
  /** The events of a frame, not yet in order; only the first `sent` are valid. */
  private keys = new Float64Array(1 << 12);
  private sent = 0;

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
    this.now = new Float64Array(this.pixels);
    this.lastEventUs = new Float64Array(this.pixels).fill(-Infinity);
  }

  /**
   * Appends the events between the last frame and this one, in order of time. The first frame only sets the levels.
   * @param luminance `[height, width]`, 0 to 255
   * @param timeUs later than the last frame's; a frame that is not is passed over
   */
  frame(luminance: ArrayLike<number>, timeUs: number, into: EventColumns): void {
    const { lastFrameUs } = this;
    if (lastFrameUs !== undefined && timeUs <= lastFrameUs) return;
    this.takeLogarithms(luminance);
    this.lastFrameUs = timeUs;
    if (lastFrameUs === undefined) {
      this.startUs = timeUs;
      const { leakRateHz } = this.settings;
      for (let pixel = 0; pixel < this.pixels; pixel++) {
        const leaked = leakRateHz > 0 ? this.random() * (this.onThresholds[pixel] ?? 0) : 0;
        this.levels[pixel] = (this.now[pixel] ?? 0) - leaked;
      }
    } else {
      this.sent = 0;
      this.crossings(lastFrameUs, timeUs);
      this.shotNoise(luminance, lastFrameUs, timeUs);
      this.appendInOrder(lastFrameUs, into);
    }
    [this.before, this.now] = [this.now, this.before];
  }

  private takeLogarithms(luminance: ArrayLike<number>): void {
    const { now, pixels } = this;
    // Bytes are what cameras give, and a table is several times as fast.
    if (luminance instanceof Uint8Array) {
      for (let pixel = 0; pixel < pixels; pixel++) now[pixel] = logarithmsOfBytes[luminance[pixel] ?? 0] ?? 0;
    } else {
      for (let pixel = 0; pixel < pixels; pixel++) now[pixel] = logLuminance(luminance[pixel] ?? 0);
    }
  }

  private crossings(fromUs: number, toUs: number): void {
    const { levels, before, now, onThresholds, offThresholds, settings } = this;
    // A falling level is a rising signal: in one second it gains so many thresholds.
    const leakFrom = (settings.leakRateHz * (fromUs - this.startUs)) / 1e6;
    const leakTo = (settings.leakRateHz * (toUs - this.startUs)) / 1e6;
    for (let pixel = 0; pixel < this.pixels; pixel++) {
      const on = onThresholds[pixel] ?? 1;
      const first = (before[pixel] ?? 0) + leakFrom * on;
      const last = (now[pixel] ?? 0) + leakTo * on;
      let level = levels[pixel] ?? 0;
      if (last + rounding >= level + on) {
        for (level += on; level <= last + rounding; level += on) this.send(pixel, crossingUs(level, first, last, fromUs, toUs), fromUs, 1);
        levels[pixel] = level - on;
      } else {
        const off = offThresholds[pixel] ?? 1;
        if (last - rounding > level - off) continue;
        for (level -= off; level >= last - rounding; level -= off) this.send(pixel, crossingUs(level, first, last, fromUs, toUs), fromUs, 0);
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
      if (this.random() < share) this.send(pixel, fromUs + (at / expected) * (toUs - fromUs), fromUs, polarity);
    }
  }

  /**
   * Time, pixel and polarity in one number, whose order is the order of time: numbers are sorted without a call for each comparison.
   * Exact below 2^53, that is for frames up to 13 hours apart on a sensor of 346 x 260 pixels.
   */
  private send(pixel: number, timeUs: number, fromUs: number, polarity: number): void {
    if (this.sent === this.keys.length) {
      const larger = new Float64Array(this.sent * 2);
      larger.set(this.keys);
      this.keys = larger;
    }
    this.keys[this.sent++] = ((Math.round(timeUs) - Math.round(fromUs)) * this.pixels + pixel) * 2 + polarity;
  }

  /** The refractory time is counted here, where crossings and noise are in one order. */
  private appendInOrder(fromUs: number, into: EventColumns): void {
    const { lastEventUs, pixels } = this;
    const { width } = this.size;
    const { refractoryUs } = this.settings;
    const keys = this.keys.subarray(0, this.sent).sort();
    const startUs = Math.round(fromUs);
    into.reserve(keys.length);
    for (const key of keys) {
      const place = Math.floor(key / 2);
      const afterUs = Math.floor(place / pixels);
      const pixel = place - afterUs * pixels;
      const time = startUs + afterUs;
      if (time - (lastEventUs[pixel] ?? 0) < refractoryUs) continue;
      lastEventUs[pixel] = time;
      into.push(time, pixel % width, Math.floor(pixel / width), key - place * 2);
    }
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
/**
 * A threshold that is missed by less counts as crossed. Sums of thresholds are not exact, and a pixel that returns to its old
 * luminance would else sometimes lack the last event.
 */
const rounding = 1e-9;
/** Below this the logarithm is a straight line through the origin (v2e, section 3). */
const linearBelow = 20;

export function logLuminance(luminance: number): number {
  return luminance <= linearBelow ? (luminance * Math.log(linearBelow)) / linearBelow : Math.log(luminance);
}

const logarithmsOfBytes = Float64Array.from({ length: 256 }, (_, luminance) => logLuminance(luminance));

function crossingUs(level: number, first: number, last: number, fromUs: number, toUs: number): number {
  const share = (level - first) / (last - first);
  return fromUs + Math.min(Math.max(share, 0), 1) * (toUs - fromUs);
}
