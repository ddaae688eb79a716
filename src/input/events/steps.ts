import type { Representation } from '../../base/eventOptions';
import type { Size } from '../../base/geometry';
import type { Events } from './events';

/**
 * From events to the network's input: one picture for each time step, `[steps, height, width, 3]`, values in [0, 1].
 * (Specification, section 8.)
 *
 * - `gen1`: the rule that EMS-YOLO is trained with on Gen1. Each of T equal slices becomes a picture of 127 with 0 where the
 *   last event was OFF and 255 where it was ON, three equal channels, over 255.
 * - `gen1-slice-0`: the same, but every step sees slice 0, as the released loader does (a mistake: time is lost).
 * - `counts`: red ON events, green OFF events of the slice, `1 - exp(-count / 3)`; blue 0.
 * - `surface`: red ON, green OFF, `exp(-age / tau)` of each pixel's last event at the slice's end, tau one slice; blue 0.
 */

const none = 127 / 255;
/** Events in a pixel that bring a count picture to 1 - 1/e. */
const countScale = 3;

/** What a pixel without events is, where the sensor's picture does not fill the network's input. */
export function emptyValues(representation: Representation): readonly [number, number, number] {
  return representation === 'gen1' || representation === 'gen1-slice-0' ? [none, none, none] : [0, 0, 0];
}

/**
 * Paints the events of `[fromUs, fromUs + windowUs)`, which are in order of time, into `steps` slices.
 * The slice-0 variant gives a single picture, which stands for every step.
 */
export function paintSteps(
  events: Events,
  sensor: Size,
  { fromUs, windowUs, steps, representation }: { fromUs: number; windowUs: number; steps: number; representation: Representation },
): Float32Array {
  const area = sensor.width * sensor.height;
  const painted = representation === 'gen1-slice-0' ? 1 : steps;
  const values = new Float32Array(painted * area * 3);
  switch (representation) {
    case 'gen1':
    case 'gen1-slice-0':
      values.fill(none);
      forEachEvent((at, _t, p) => values.fill(p, at, at + 3));
      break;
    case 'counts': {
      forEachEvent((at, _t, p) => {
        const channel = at + 1 - p;
        values[channel] = (values[channel] ?? 0) + 1;
      });
      for (let index = 0; index < values.length; index++) values[index] = 1 - Math.exp(-(values[index] ?? 0) / countScale);
      break;
    }
    case 'surface': {
      const tau = windowUs / steps;
      forEachEvent((at, t, p, slice) => {
        values[at + 1 - p] = Math.exp((t - (fromUs + (slice + 1) * tau)) / tau);
      });
      break;
    }
  }
  return values;

  function forEachEvent(paint: (at: number, t: number, p: number, slice: number) => void): void {
    for (let index = 0; index < events.count; index++) {
      const t = events.t[index] ?? 0;
      const slice = Math.floor(((t - fromUs) * steps) / windowUs);
      if (slice < 0 || slice >= painted) continue;
      paint((slice * area + (events.y[index] ?? 0) * sensor.width + (events.x[index] ?? 0)) * 3, t, events.p[index] ?? 0, slice);
    }
  }
}
