import type { Size } from '../base/geometry';
import type { Picture } from '../base/picture';
import { throwIfCancelled, type Task } from '../base/progress';
import { letterbox, placeInto, resample, sideMultiple, stretchInto, type LetterboxPlacement } from '../detect/letterbox';
import { emptyValues, paintSteps } from '../input/events/steps';
import type { EventsFrame, Frame, ModelDescription, PictureFrame, RunSettings } from './protocol';
import type { Recordings } from './recordings';
import type { Surroundings } from './session';

/** What the network reads: `[steps, height, width, 3]`, one step where every step sees the same. */
export interface PreparedInput {
  values: Float32Array;
  steps: number;
  placement: LetterboxPlacement;
}

/** For Gen1 (specification, section 8). */
const defaultEventsSide = 320;
/** The released networks, of six million parameters and more, were trained at the first, smaller ones mostly at the second. */
const assumedSides = { large: 640, small: 256 };
const smallestReleasedParameters = 6_000_000;

/** Side of the square that pictures are letterboxed into: a checkpoint without a manifest does not say what it was trained at. */
export function pictureSideOf({ inputSize, parameters = Infinity }: Pick<ModelDescription, 'inputSize' | 'parameters'>): number {
  return inputSize ?? (parameters < smallestReleasedParameters ? assumedSides.small : assumedSides.large);
}

/** What of a model decides how its input is made. */
export type InputOf = Pick<ModelDescription, 'mode' | 'inputSize' | 'parameters'> & {
  /** Sides that it takes and no others. */
  fixedInput?: Size;
};

/** Turns frames of every kind into the network's input. */
export class Frames {
  private picture: { id: string; picture: Picture } | undefined;

  constructor(
    private readonly surroundings: Surroundings,
    private readonly recordings: Recordings,
  ) {}

  async prepare(frame: Frame, settings: RunSettings, model: InputOf, task: Task): Promise<PreparedInput> {
    return 'recording' in frame ? this.prepareEvents(frame, settings, model, task) : this.preparePicture(frame, settings, model, task);
  }

  private async preparePicture(frame: PictureFrame, settings: RunSettings, model: InputOf, task: Task): Promise<PreparedInput> {
    const picture = await this.decode(frame);
    throwIfCancelled(task.signal);
    const placement = placeInto(picture, model.fixedInput ?? inputSizeFor(picture, settings, pictureSideOf(model)));
    return { values: letterbox(picture, placement), steps: 1, placement };
  }

  /** The ANN twin has one pass, and so reads the whole window painted as one picture; so does the network converted from it. */
  private async prepareEvents(frame: EventsFrame, settings: RunSettings, model: InputOf, task: Task): Promise<PreparedInput> {
    const { fromUs, windowUs, representation } = frame;
    const { sensor, events } = await this.recordings.window(
      frame.recording,
      { fromUs, toUs: fromUs + windowUs, withoutHotPixels: frame.withoutHotPixels },
      task,
    );
    const painted = paintSteps(events, sensor, { fromUs, windowUs, steps: model.mode === 'snn' ? settings.steps : 1, representation });
    const input = model.fixedInput ?? inputSizeFor(sensor, settings, model.inputSize ?? defaultEventsSide);
    const placement = frame.fit === 'stretch' ? stretchInto(sensor, input) : placeInto(sensor, input);
    const area = sensor.width * sensor.height * 3;
    const steps = painted.length / area;
    const values = new Float32Array(steps * input.width * input.height * 3);
    for (let step = 0; step < steps; step++) {
      const data = painted.subarray(step * area, (step + 1) * area);
      values.set(resample({ ...sensor, data, unit: 1 }, placement, emptyValues(representation)), step * input.width * input.height * 3);
    }
    return { values, steps, placement };
  }

  private async decode({ id, image }: PictureFrame): Promise<Picture> {
    if (!(image instanceof Blob)) return image;
    if (this.picture?.id !== id) this.picture = { id, picture: await this.surroundings.decodePicture(image) };
    return this.picture.picture;
  }
}

/** @param otherwise the side to use where the frame's own sides do not fit the network */
function inputSizeFor(frame: Size, settings: RunSettings, otherwise: number): Size {
  if (settings.inputSize !== 'native') return { width: settings.inputSize, height: settings.inputSize };
  if (frame.width % sideMultiple === 0 && frame.height % sideMultiple === 0) return { width: frame.width, height: frame.height };
  return { width: otherwise, height: otherwise };
}
