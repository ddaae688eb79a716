import { AppError } from '../base/errors';
import { engine } from '../state/engine';
import { usePlayground, type PictureSource } from '../state/store';
import { chooseModelFor, loadCheckpointFile } from './models';
import { openLabels, openRecording } from './recordings';
import { rerun } from './run';
import { openVideo } from './simulate';
import { tellError, underWay, unreadablePicture } from './work';

let nextSource = 1;

/** Shows a picture and runs the networks on it; one that cannot be read leaves the page as it is. */
export async function showPicture(
  image: Blob,
  about: Pick<PictureSource, 'title' | 'origin' | 'originUrl'>,
): Promise<void> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image);
  } catch (cause) {
    tellError(unreadablePicture(cause));
    return;
  }
  const { source, recording } = usePlayground.getState();
  if (source?.kind === 'picture') source.bitmap.close();
  // The example is shown before any model has been asked for.
  if (recording) await chooseModelFor('pictures');
  usePlayground.setState({
    recording: undefined,
    source: {
      kind: 'picture',
      ...about,
      id: `picture ${nextSource++}`,
      image,
      bitmap,
      size: { width: bitmap.width, height: bitmap.height },
    },
  });
  rerun();
}

/** Everything that was dropped at once: checkpoints first, so that what lies beside them is run with them; labels with their recording. */
export async function openFiles(files: readonly File[], slot: 'snn' | 'ann'): Promise<void> {
  const kinds = await Promise.all(files.map(async (file) => ({ file, kind: await kindOf(file) })));
  const of = (kind: FileKind): File[] => kinds.filter((known) => known.kind === kind).map(({ file }) => file);
  const labels = of('labels');
  const recording = of('recording').at(-1);
  const picture = of('picture').at(-1);
  const video = of('video').at(-1);
  for (const file of of('checkpoint')) await loadCheckpointFile(slot, file);
  if (recording) await openRecordingFile(recording, labels);
  else if (video) await openVideo(video);
  else if (picture) await showPicture(picture, { title: picture.name, origin: 'Your file', originUrl: undefined });
  else if (labels.length > 0) await openLabelsOf(labels);
}

async function openLabelsOf(labels: readonly File[]): Promise<void> {
  if (usePlayground.getState().recording) await openLabels(labels);
  else tellError(new AppError('input/unsupported', 'Boxes were opened, and there is no recording that they belong to.', 'Open the recording first, or both at once.'));
}

let nextRecording = 1;

async function openRecordingFile(file: File, labels: readonly File[]): Promise<void> {
  const ref = { kind: 'file' as const, id: `file ${nextRecording++}`, name: file.name, blob: file };
  await openRecording(ref, { title: file.name, origin: 'Your file' }, { labels });
}

type FileKind = 'picture' | 'video' | 'labels' | 'checkpoint' | 'recording';

/** By what is in it; the name decides only between kinds that look alike from the outside. */
async function kindOf(file: File): Promise<FileKind> {
  if (await isPicture(file)) return 'picture';
  if (/_bbox\.npy$|\.xml$/i.test(file.name)) return 'labels';
  if (/\.(mp4|m4v|mov|webm|mkv)$/i.test(file.name) || file.type.startsWith('video/')) return 'video';
  if (/\.(pt|pth|safetensors)$/i.test(file.name)) return 'checkpoint';
  if (/\.txt$/i.test(file.name) && (await isYolo(file))) return 'labels';
  if (await underWay('identify', 'Looking at the file', (task) => engine.request('identify', { name: file.name, blob: file }, task))) return 'recording';
  return (await isZip(file)) || !recordingNames.test(file.name) ? 'checkpoint' : 'recording';
}

/** Files with such names are told what is wrong with them as recordings. */
const recordingNames = /\.(dat|raw|aedat|aedat4|bin|es|h5|hdf5|npy|npz|csv|bag|mcap|db3)$/i;

async function isZip(file: Blob): Promise<boolean> {
  return (await file.slice(0, 2).text()) === 'PK';
}

/** Lines of a class and four shares of the picture; an event has four numbers. */
async function isYolo(file: Blob): Promise<boolean> {
  const [line = ''] = (await file.slice(0, 500).text()).split('\n');
  const [label = NaN, ...shares] = line.trim().split(/\s+/).map(Number);
  return Number.isInteger(label) && shares.length === 4 && shares.every((share) => share >= 0 && share <= 1);
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
