import { AppError } from '../base/errors';
import { engine } from '../state/engine';
import { usePlayground, type Source } from '../state/store';
import { loadCheckpointFile } from './models';
import { rerun } from './run';
import { tellError, underWay, unreadablePicture } from './work';

let nextSource = 1;

/** Shows a picture and runs the networks on it; one that cannot be read leaves the page as it is. */
export async function showPicture(
  image: Blob,
  about: Pick<Source, 'title' | 'origin' | 'originUrl'>,
): Promise<void> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image);
  } catch (cause) {
    tellError(unreadablePicture(cause));
    return;
  }
  usePlayground.getState().source?.bitmap.close();
  usePlayground.setState({
    source: {
      ...about,
      id: `picture ${nextSource++}`,
      image,
      bitmap,
      size: { width: bitmap.width, height: bitmap.height },
    },
  });
  rerun();
}

/** Everything that was dropped at once, checkpoints first, so that a picture beside them is run with them. */
export async function openFiles(files: readonly File[], slot: 'snn' | 'ann'): Promise<void> {
  const pictures: File[] = [];
  for (const file of files) {
    if (await isPicture(file)) pictures.push(file);
    else await openFile(file, slot);
  }
  const last = pictures.at(-1);
  if (last) await openFile(last);
}

/** What was pasted or chosen: a checkpoint, else a picture. */
export async function openFile(file: File, slot: 'snn' | 'ann' = 'snn'): Promise<void> {
  if (await isPicture(file)) await showPicture(file, { title: file.name, origin: 'Your file', originUrl: undefined });
  else await loadCheckpointFile(slot, file);
}

/** By its first bytes, not by its name: a renamed file is what it is. */
async function isPicture(file: Blob): Promise<boolean> {
  const bytes = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  const starts = (...signature: number[]): boolean => signature.every((byte, index) => bytes[index] === byte);
  const ascii = String.fromCharCode(...bytes);
  return (
    starts(0x89, 0x50, 0x4e, 0x47) ||
    starts(0xff, 0xd8, 0xff) ||
    ascii.startsWith('GIF8') ||
    ascii.startsWith('BM') ||
    (ascii.startsWith('RIFF') && ascii.slice(8, 12) === 'WEBP') ||
    ['ftypavif', 'ftypavis', 'ftypheic', 'ftypmif1'].includes(ascii.slice(4, 12))
  );
}

export interface DrawnPicture {
  title: string;
  /** Address on this site. */
  file: string;
}

/** Made by the generator in `input/frames/smear.ts`; the number is its seed. */
export const drawnPictures: readonly DrawnPicture[] = [1, 2, 3, 4, 5, 6].map((seed) => ({
  title: `Drawn smear ${seed}`,
  file: `${import.meta.env.BASE_URL}gallery/smear-${seed}.jpg`,
}));

const drawnOrigin = 'Drawn by this program; not a photograph.';

export async function showDrawnPicture(picture: DrawnPicture): Promise<void> {
  const response = await underWay('picture', `Opening ${picture.title}`, (task) => fetch(picture.file, { signal: task.signal }));
  if (response?.ok) await showPicture(await response.blob(), { title: picture.title, origin: drawnOrigin, originUrl: undefined });
}

/** A new scene from a seed that nobody has seen. */
export async function drawAnother(): Promise<void> {
  const seed = 1000 + Math.floor(Math.random() * 1e6);
  const image = await underWay('picture', 'Drawing a smear', (task) => engine.request('draw', { seed }, task));
  if (image) await showPicture(image, { title: `Drawn smear ${seed}`, origin: drawnOrigin, originUrl: undefined });
}

export interface RemotePicture {
  title: string;
  url: string;
  origin: string;
  originUrl: string;
}

const bccdCommit = 'd272fb14';

/** Real pictures that stay in their own repository and are fetched when a person asks for them. */
export const remotePictures: readonly RemotePicture[] = ['00000', '00003', '00028', '00110', '00200', '00340'].map(
  (number) => ({
    title: `Blood smear ${number}`,
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
