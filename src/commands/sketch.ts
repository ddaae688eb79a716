import { AppError } from '../base/errors';
import { inkOnPaper, paintSketch, type Sketch } from '../base/sketch';
import { usePlayground, type PictureSource } from '../state/store';
import { digitsModel, preferShippedModel } from './models';
import { detectAll, rerun, takeSource } from './run';
import { isUnderWay, tellError } from './work';

/** Pixels of the picture that the networks get of a sketch. */
const pictureSide = 320;

let nextSketch = 1;
let following = false;
let isBehind = false;

/** Keeps what is drawn, and lets the networks look at it while the pen moves. */
export function setSketch(sketch: Sketch): void {
  const before = usePlayground.getState().sketch;
  usePlayground.setState({ sketch });
  if (sketch.strokes !== before.strokes) void followPen();
}

/**
 * The networks run on the sketch as it is now, and when they have run once more if it has changed meanwhile: always on the latest, and
 * never stopped by the next move of the pen.
 */
async function followPen(): Promise<void> {
  isBehind = true;
  if (following) return;
  following = true;
  try {
    await preferShippedModel(digitsModel.name);
    while (isBehind) {
      isBehind = false;
      await showSketch();
    }
  } catch (thrown) {
    tellError(thrown);
  } finally {
    following = false;
  }
}

async function showSketch(): Promise<void> {
  const picture = await pictureOf(usePlayground.getState().sketch);
  await detectAll(picture);
  if (usePlayground.getState().source?.id === picture.id) return;
  // The run failed, was cancelled, or gave way to one with other settings: what was drawn is shown all the same.
  takeSource(picture);
  if (isUnderWay('run')) rerun();
}

async function pictureOf({ strokes }: Sketch): Promise<PictureSource> {
  const canvas = new OffscreenCanvas(pictureSide, pictureSide);
  const context = canvas.getContext('2d');
  if (!context) throw new AppError('backend/out-of-memory', 'There is no memory left to hold the picture.', 'Close other tabs.');
  paintSketch(context, strokes, pictureSide, inkOnPaper);
  const image = await canvas.convertToBlob({ type: 'image/png' });
  return {
    kind: 'picture',
    id: `sketch ${nextSketch++}`,
    title: 'Your drawing',
    origin: 'Drawn by you on this page; nothing is uploaded.',
    originUrl: undefined,
    sample: undefined,
    image,
    truth: [],
    bitmap: canvas.transferToImageBitmap(),
    size: { width: pictureSide, height: pictureSide },
  };
}
