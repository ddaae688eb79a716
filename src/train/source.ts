import { seededRandom, type Random } from '../base/random';
import type { Picture } from '../base/picture';
import type { LabelledPicture } from './augment';

/** Where labelled pictures come from: a data set, or a generator that never shows the same one twice. */
export interface TrainingSource {
  classNames: readonly string[];
  /** Pictures of an epoch. */
  length: number;
  /** @param random decides what a generator makes; of a data set, `index` alone decides */
  read(index: number, random: Random): LabelledPicture;
}

/** A source for training and one that is kept aside. */
export interface TrainingSources {
  training: TrainingSource;
  validation: TrainingSource;
}

/** Pictures in memory, kept at most `longSide` pixels long. */
export function picturesSource(classNames: readonly string[], pictures: readonly LabelledPicture[]): TrainingSource {
  return {
    classNames,
    length: pictures.length,
    read: (index) => pictures[index] ?? outside(index),
  };
}

/** Always the same for a place in the validation set, whatever was drawn before. */
export function validationRandom(index: number): Random {
  return seededRandom(0x5eed ^ Math.imul(index + 1, 0x9e3779b1));
}

/** Shrinks by averaging, so that a picture takes no more memory than training can use; boxes shrink along. */
export function shrunk(picture: Picture, boxes: LabelledPicture['boxes'], longSide: number): LabelledPicture {
  const factor = Math.min(1, longSide / Math.max(picture.width, picture.height));
  if (factor === 1) return { ...picture, steps: 1, boxes };
  const width = Math.max(1, Math.round(picture.width * factor));
  const height = Math.max(1, Math.round(picture.height * factor));
  const data = new Uint8Array(width * height * 3);
  const across = picture.width / width;
  const down = picture.height / height;
  for (let y = 0; y < height; y++) {
    const top = Math.floor(y * down);
    const bottom = Math.max(top + 1, Math.floor((y + 1) * down));
    for (let x = 0; x < width; x++) {
      const left = Math.floor(x * across);
      const right = Math.max(left + 1, Math.floor((x + 1) * across));
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) sum += picture.data[(row * picture.width + column) * 3 + channel] ?? 0;
        }
        data[(y * width + x) * 3 + channel] = Math.round(sum / ((bottom - top) * (right - left)));
      }
    }
  }
  const scaled = boxes.map(({ box: [x1, y1, x2, y2], class: label }) => ({
    box: [x1 / across, y1 / down, x2 / across, y2 / down] as const,
    class: label,
  }));
  return { width, height, data, steps: 1, boxes: scaled };
}

function outside(index: number): never {
  throw new RangeError(`There is no picture ${index}.`);
}
