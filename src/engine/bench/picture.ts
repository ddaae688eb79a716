import type { Picture } from '../../base/picture';
import { letterbox, placeInto } from '../../detect/letterbox';
import { drawSmear } from '../../input/frames/smear';

const smearSeed = 1;

/** What is run where nobody gives a picture: a drawn blood smear, always the same. */
export function benchPicture(): Picture {
  return drawSmear(smearSeed);
}

/** The picture as the network's input, `[1, side, side, 3]`. */
export function squareInput(picture: Picture, side: number): Float32Array {
  return letterbox(picture, placeInto(picture, { width: side, height: side }));
}
