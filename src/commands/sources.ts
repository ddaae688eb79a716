import { AppError } from '../base/errors';
import { quietTask } from '../base/progress';
import { engine } from '../state/engine';
import { usePlayground, type PictureSource, type TruthBox } from '../state/store';
import { readGalleryLabels } from './labels';
import { chooseModelFor, preferShippedModel } from './models';
import { rerun, takeSource } from './run';
import { tellError, underWay, unreadablePicture } from './work';

let nextSource = 1;

/** What is to happen when a picture is there, before it is shown. */
type Prepare = () => Promise<void>;

/** The shipped model that knows smears. */
export const smearModel = 'bccd';

/** Shows a picture and runs the networks on it; one that cannot be read leaves the page as it is. */
export async function showPicture(
  image: Blob,
  about: Pick<PictureSource, 'title' | 'origin' | 'originUrl' | 'sample'>,
  truth: readonly TruthBox[] = [],
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
  takeSource({ kind: 'picture', ...about, id: `picture ${nextSource++}`, image, bitmap, truth, size: { width: bitmap.width, height: bitmap.height } });
  rerun();
}

export interface DrawnPicture {
  title: string;
  sample: string;
  /** Address on this site; its boxes lie beside it. */
  file: string;
}

/** Made by the generator in `input/frames/smear.ts`; the number is its seed. */
export const drawnPictures: readonly DrawnPicture[] = [1, 2, 3, 4, 5, 6].map((seed) => ({
  title: `Drawn smear ${seed}`,
  sample: `smear-${seed}`,
  file: `${import.meta.env.BASE_URL}gallery/smear-${seed}.jpg`,
}));

const drawnOrigin = 'Drawn by this program; not a photograph.';

export async function showDrawnPicture(picture: DrawnPicture, prepare?: Prepare): Promise<void> {
  const fetched = await underWay('picture', `Opening ${picture.title}`, async ({ signal }) => {
    const [image, boxes] = await Promise.all([picture.file, picture.file.replace(/jpg$/, 'json')].map((address) => fetch(address, { signal })));
    if (!image?.ok || !boxes?.ok) {
      throw new AppError('fetch/failed', `${picture.title} could not be fetched.`, 'Reload the page; if that does not help, the site is incomplete.');
    }
    return { image: await image.blob(), truth: readGalleryLabels(await boxes.json()) };
  });
  if (!fetched) return;
  await prepare?.();
  await showPicture(fetched.image, { title: picture.title, origin: drawnOrigin, originUrl: undefined, sample: picture.sample }, fetched.truth);
}

/** A new scene from a seed that nobody has seen. */
export async function drawAnother(): Promise<void> {
  await drawFromSeed(1000 + Math.floor(Math.random() * 1e6), () => preferShippedModel(smearModel));
}

export async function drawFromSeed(seed: number, prepare?: Prepare): Promise<void> {
  const drawn = await underWay('picture', 'Drawing a smear', (task) => engine.request('draw', { seed }, task));
  if (!drawn) return;
  await prepare?.();
  await showPicture(drawn.image, { title: `Drawn smear ${seed}`, origin: drawnOrigin, originUrl: undefined, sample: `drawn-${seed}` }, drawn.truth);
}

export interface RemotePicture {
  title: string;
  sample: string;
  url: string;
  /** Its boxes, in the same repository. */
  labelsUrl: string;
  origin: string;
  originUrl: string;
}

/** Real pictures that stay in their own repository and are fetched when a person asks for them. */
export interface RemoteCollection {
  title: string;
  repository: string;
  url: string;
  licence: string;
  /** The shipped model that knows what is on them. */
  model: string;
  pictures: readonly RemotePicture[];
}

const bccdFolder = 'https://raw.githubusercontent.com/Shenggan/BCCD_Dataset/d272fb14/BCCD';
const bccdRepository = 'https://github.com/Shenggan/BCCD_Dataset';
const cardsName = 'EdjeElectronics/TensorFlow-Object-Detection-API-Tutorial-Train-Multiple-Objects-Windows-10';
const cardsFolder = `https://raw.githubusercontent.com/${cardsName}/c1645825/images/train`;

export const remoteCollections: readonly RemoteCollection[] = [
  {
    title: 'Real blood smears (BCCD)',
    repository: 'Shenggan/BCCD_Dataset',
    url: bccdRepository,
    licence: 'MIT licence',
    model: smearModel,
    pictures: ['00000', '00003', '00028', '00110', '00200', '00340'].map((number) => ({
      title: `Blood smear ${number}`,
      sample: `bccd-${number}`,
      url: `${bccdFolder}/JPEGImages/BloodImage_${number}.jpg`,
      labelsUrl: `${bccdFolder}/Annotations/BloodImage_${number}.xml`,
      origin: 'BCCD data set, MIT licence',
      originUrl: bccdRepository,
    })),
  },
  {
    title: 'Photographs of playing cards',
    repository: cardsName,
    url: `https://github.com/${cardsName}`,
    licence: 'Apache licence 2.0',
    model: 'cards',
    pictures: ['IMG_2404.JPG', 'IMG_2497.JPG', 'IMG_2529.JPG', 'IMG_2610.JPG', 'IMG_2681.JPG', 'cam_image32.jpg'].map((file) => ({
      title: `Cards ${file.replace(/^\D+|\.\w+$/g, '')}`,
      sample: `cards-${file.replace(/\.\w+$/, '')}`,
      url: `${cardsFolder}/${file}`,
      labelsUrl: `${cardsFolder}/${file.replace(/\w+$/, 'xml')}`,
      origin: 'Playing cards, Apache licence 2.0',
      originUrl: `https://github.com/${cardsName}`,
    })),
  },
];

export async function fetchPicture(picture: RemotePicture, prepare?: Prepare): Promise<void> {
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
  if (!image) return;
  await prepare?.();
  await showPicture(image, picture);
  await fetchLabels(picture);
}

/** The picture is what was asked for: where its labels cannot be had, nothing is said to be known of it. */
async function fetchLabels({ labelsUrl, sample }: RemotePicture): Promise<void> {
  const response = await fetch(labelsUrl, { referrerPolicy: 'no-referrer' }).catch(() => undefined);
  const { source } = usePlayground.getState();
  if (!response?.ok || source?.kind !== 'picture' || source.sample !== sample) return;
  const blob = await response.blob();
  const truth = await engine.request('readTruth', { name: labelsUrl, blob, sensor: source.size }, quietTask).catch(() => undefined);
  usePlayground.setState(({ source: now }) => (truth && now?.kind === 'picture' && now.id === source.id ? { source: { ...now, truth } } : {}));
}
