import { between, seededRandom, type Random } from '../../base/random';
import { overlapOfSmaller, type Box, type Size } from '../../base/geometry';
import { EventColumns, sortedByTime, type Events } from './events';
import type { TruthBox } from '../../base/truth';

/**
 * Composes labelled scenes of single-object recordings (N-MNIST's digits): each is shifted in space and time onto one
 * sensor, and gets a box around its events.
 */

export interface ObjectRecording {
  events: Events;
  sensor: Size;
  class: number;
  name: string;
}

export interface ComposeSettings {
  /** Side of the square sensor in pixels. */
  size: number;
  objects: { fewest: number; most: number };
  /** Without it every recording is shown as it is. */
  variation?: Variation;
}

/** How far a recording may be changed each time that it is shown, so that a few recordings teach more. */
export interface Variation {
  /** Turned by up to so many degrees either way. */
  degrees: number;
  /** Made larger or smaller by up to this share. */
  scale: number;
  /** Slanted by up to this much: the tangent of the angle. */
  shear: number;
  /** Loses up to this share of its events. */
  loss: number;
}

export interface ComposedScene {
  events: EventColumns;
  boxes: TruthBox[];
  /** Which of the recordings were used. */
  used: number[];
}

/** The window that ends at the label: five slices of 50 ms, as the released Gen1 loader takes them. */
export const labelTimeUs = 250_000;
/** A recording begins up to this much before or after the scene. */
const timeShiftUs = 40_000;
const sceneEndUs = 300_000;
/** Boxes leave out this share of an object's events on every side: single noise events must not widen them. */
const boxQuantile = 0.01;
/** Boxes of one scene share at most this much of the smaller one. */
const mostOverlap = 0.15;
const mostNoiseEvents = 300;
/** How often a place is tried before the scene stays with fewer objects. */
const placeTries = 40;

/** The same seed gives the same scene; different seeds give independent ones. */
export function composeScene(recordings: readonly ObjectRecording[], { size, objects, variation }: ComposeSettings, seed: number): ComposedScene {
  const random = seededRandom(seed);
  const wanted = objects.fewest + Math.floor(random() * (objects.most - objects.fewest + 1));
  const scene = new EventColumns(1 << 14);
  const boxes: TruthBox[] = [];
  const used: number[] = [];
  for (let tries = 0; boxes.length < wanted && tries < placeTries * wanted; tries++) {
    const chosen = Math.floor(random() * recordings.length);
    const recording = recordings[chosen];
    if (!recording) break;
    const { sensor, events } = recording;
    const left = Math.floor(random() * (size - sensor.width + 1));
    const top = Math.floor(random() * (size - sensor.height + 1));
    const shiftUs = Math.round((random() * 2 - 1) * timeShiftUs);
    const shifted = shift(variation ? vary(events, sensor, variation, random) : events, left, top, shiftUs, size);
    const box = boxAround(shifted);
    if (!box || boxes.some((other) => overlapOfSmaller(other.box, box) > mostOverlap)) continue;
    scene.append(shifted);
    boxes.push({ timeUs: labelTimeUs, box, class: recording.class, name: recording.name });
    used.push(chosen);
  }
  const noise = Math.floor(random() * (mostNoiseEvents + 1));
  for (let event = 0; event < noise; event++) {
    scene.push(Math.floor(random() * sceneEndUs), Math.floor(random() * size), Math.floor(random() * size), random() < 0.5 ? 0 : 1);
  }
  return { events: sortedByTime(scene), boxes, used };
}

/** Turned, scaled and slanted around the sensor's middle, and thinned; what falls outside the sensor is gone. */
function vary(events: Events, { width, height }: Size, variation: Variation, random: Random): Events {
  const varied = new EventColumns(events.count + 1);
  const angle = (between(random, -variation.degrees, variation.degrees) * Math.PI) / 180;
  const scale = between(random, 1 - variation.scale, 1 + variation.scale);
  const shear = between(random, -variation.shear, variation.shear);
  const kept = 1 - random() * variation.loss;
  const [cosine, sine] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  for (let index = 0; index < events.count; index++) {
    if (random() >= kept) continue;
    // Anywhere on its pixel: whole ones would leave a grid of gaps where a recording grows.
    const y = (events.y[index] ?? 0) + random() - height / 2;
    const x = (events.x[index] ?? 0) + random() - width / 2 + shear * y;
    const column = Math.floor(cosine * x - sine * y + width / 2);
    const row = Math.floor(sine * x + cosine * y + height / 2);
    if (column >= 0 && column < width && row >= 0 && row < height) varied.push(events.t[index] ?? 0, column, row, events.p[index] ?? 0);
  }
  return varied;
}

/** Moved on the sensor and in time; what falls outside is gone. */
function shift(events: Events, left: number, top: number, shiftUs: number, size: number): EventColumns {
  const moved = new EventColumns(events.count + 1);
  for (let index = 0; index < events.count; index++) {
    const t = (events.t[index] ?? 0) + shiftUs;
    const x = (events.x[index] ?? 0) + left;
    const y = (events.y[index] ?? 0) + top;
    if (t >= 0 && t < sceneEndUs && x < size && y < size) moved.push(t, x, y, events.p[index] ?? 0);
  }
  return moved;
}

/** From the quantiles of the events' places; a pixel reaches from its left and top edge to the next one's. */
function boxAround({ x, y, count }: Events): Box | undefined {
  if (count === 0) return undefined;
  const range = (column: Uint16Array): [number, number] => {
    const sorted = column.slice(0, count).sort();
    const at = (share: number): number => sorted[Math.round(share * (count - 1))] ?? 0;
    return [at(boxQuantile), at(1 - boxQuantile) + 1];
  };
  const [x1, x2] = range(x);
  const [y1, y2] = range(y);
  return [x1, y1, x2, y2];
}
