import { AppError } from '../base/errors';
import { engine } from '../state/engine';
import { usePlayground, type PictureSource } from '../state/store';
import { chooseModelFor } from './models';
import { rerun, takeSource } from './run';
import { tellError, underWay, unreadablePicture } from './work';

let nextSource = 1;

/** Shows a picture and runs the networks on it; one that cannot be read leaves the page as it is. */
export async function showPicture(
  image: Blob,
  about: Pick<PictureSource, 'title' | 'origin' | 'originUrl' | 'sample'>,
): Promise<void> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image);
  } catch (cause) {
    tellError(unreadablePicture(cause));
    return;
  }
  const { recording } = usePlayground.getState();
  // The example is shown before any model has been asked for.
  if (recording) await chooseModelFor('pictures');
  takeSource({ kind: 'picture', ...about, id: `picture ${nextSource++}`, image, bitmap, size: { width: bitmap.width, height: bitmap.height } });
  rerun();
}

export interface DrawnPicture {
  title: string;
  sample: string;
  /** Address on this site. */
  file: string;
}

/** Made by the generator in `input/frames/smear.ts`; the number is its seed. */
export const drawnPictures: readonly DrawnPicture[] = [1, 2, 3, 4, 5, 6].map((seed) => ({
  title: `Drawn smear ${seed}`,
  sample: `smear-${seed}`,
  file: `${import.meta.env.BASE_URL}gallery/smear-${seed}.jpg`,
}));

const drawnOrigin = 'Drawn by this program; not a photograph.';

export async function showDrawnPicture(picture: DrawnPicture): Promise<void> {
  const response = await underWay('picture', `Opening ${picture.title}`, (task) => fetch(picture.file, { signal: task.signal }));
  if (response?.ok) await showPicture(await response.blob(), { title: picture.title, origin: drawnOrigin, originUrl: undefined, sample: picture.sample });
}

/** A new scene from a seed that nobody has seen. */
export async function drawAnother(): Promise<void> {
  await drawFromSeed(1000 + Math.floor(Math.random() * 1e6));
}

export async function drawFromSeed(seed: number): Promise<void> {
  const image = await underWay('picture', 'Drawing a smear', (task) => engine.request('draw', { seed }, task));
  if (image) await showPicture(image, { title: `Drawn smear ${seed}`, origin: drawnOrigin, originUrl: undefined, sample: `drawn-${seed}` });
}

export interface RemotePicture {
  title: string;
  sample: string;
  url: string;
  origin: string;
  originUrl: string;
}

const bccdCommit = 'd272fb14';

/** Real pictures that stay in their own repository and are fetched when a person asks for them. */
export const remotePictures: readonly RemotePicture[] = ['00000', '00003', '00028', '00110', '00200', '00340'].map(
  (number) => ({
    title: `Blood smear ${number}`,
    sample: `bccd-${number}`,
    url: `https://raw.githubusercontent.com/Shenggan/BCCD_Dataset/${bccdCommit}/BCCD/JPEGImages/BloodImage_${number}.jpg`,
    origin: 'BCCD data set, MIT licence',
    originUrl: 'https://github.com/Shenggan/BCCD_Dataset',
  }),
);

export async function fetchPicture(picture: RemotePicture): Promise<void> {
  const image = await underWay('picture', `Fetching ${picture.title}`, async (task) => {
    let response: Response;
    try {
      response = await fetch(picture.url, { signal: task.signal, referrerPolicy: 'no-referrer' });
    } catch (cause) {
      task.signal.throwIfAborted();
      throw new AppError(
        'fetch/offline',
        'The picture could not be fetched, because github.com cannot be reached from here.',
        'Go online and try again, or use a drawn picture or a file of your own.',
        cause,
      );
    }
    if (!response.ok) {
      throw new AppError(
        'fetch/failed',
        `The picture could not be fetched: its repository answered ${response.status}.`,
        'Use another picture, or a file of your own.',
      );
    }
    return response.blob();
  });
  if (image) await showPicture(image, picture);
}
