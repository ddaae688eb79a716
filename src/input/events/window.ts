import type { Size } from '../../base/geometry';
import { EventColumns, type Events } from './events';

/** What is shown of a window of events, and what is worth knowing about it. */

export interface HotPixel {
  x: number;
  y: number;
  events: number;
}

export interface WindowStatistics {
  events: number;
  on: number;
  /** Pixels with at least one event. */
  activePixels: number;
  /** The pixels with most events, most first. */
  hottest: HotPixel[];
}

/** How many of the hottest pixels are named. */
const namedPixels = 5;

export function windowStatistics(events: Events, sensor: Size): WindowStatistics {
  const counts = countPixels(events, sensor);
  let on = 0;
  for (let index = 0; index < events.count; index++) on += events.p[index] ?? 0;
  const hottest: HotPixel[] = [];
  let activePixels = 0;
  counts.forEach((count, pixel) => {
    if (count === 0) return;
    activePixels++;
    if (hottest.length === namedPixels && count <= (hottest.at(-1)?.events ?? 0)) return;
    hottest.push({ x: pixel % sensor.width, y: Math.floor(pixel / sensor.width), events: count });
    hottest.sort((a, b) => b.events - a.events);
    hottest.length = Math.min(hottest.length, namedPixels);
  });
  return { events: events.count, on, activePixels, hottest };
}

/** A pixel is hot when it has so many times the events of the mean active pixel, and at least as many as the second figure. */
const hotFactor = 10;
const hotAtLeast = 10;

/** The events without those of hot pixels, and how many pixels that were. */
export function withoutHotPixels(events: Events, sensor: Size): { events: Events; hotPixels: number } {
  const counts = countPixels(events, sensor);
  let active = 0;
  for (const count of counts) if (count > 0) active++;
  const limit = Math.max(hotAtLeast, (hotFactor * events.count) / Math.max(active, 1));
  let hotPixels = 0;
  for (const count of counts) if (count >= limit) hotPixels++;
  if (hotPixels === 0) return { events, hotPixels };
  const kept = new EventColumns(events.count);
  for (let index = 0; index < events.count; index++) {
    const x = events.x[index] ?? 0;
    const y = events.y[index] ?? 0;
    if ((counts[y * sensor.width + x] ?? 0) >= limit) continue;
    kept.push(events.t[index] ?? 0, x, y, events.p[index] ?? 0);
  }
  return { events: kept, hotPixels };
}

function countPixels({ x, y, count }: Events, { width, height }: Size): Uint32Array {
  const counts = new Uint32Array(width * height);
  for (let index = 0; index < count; index++) {
    const pixel = (y[index] ?? 0) * width + (x[index] ?? 0);
    counts[pixel] = (counts[pixel] ?? 0) + 1;
  }
  return counts;
}

/** For each pixel the polarity of its last event: 1 ON, -1 OFF, 0 none. */
export function lastPolarity({ x, y, p, count }: Events, { width, height }: Size): Int8Array {
  const last = new Int8Array(width * height);
  for (let index = 0; index < count; index++) last[(y[index] ?? 0) * width + (x[index] ?? 0)] = (p[index] ?? 0) * 2 - 1;
  return last;
}

/** For each pixel `exp(-age / tau)` of its last event at `endUs`, negative where that was OFF; 0 without events. */
export function timeSurface({ t, x, y, p, count }: Events, { width, height }: Size, endUs: number, tauUs: number): Float32Array {
  const surface = new Float32Array(width * height);
  for (let index = 0; index < count; index++) {
    const sign = (p[index] ?? 0) * 2 - 1;
    surface[(y[index] ?? 0) * width + (x[index] ?? 0)] = sign * Math.exp(((t[index] ?? 0) - endUs) / tauUs);
  }
  return surface;
}
