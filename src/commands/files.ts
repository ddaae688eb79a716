import { engine } from '../state/engine';
import { usePlayground } from '../state/store';
import { droppedDataset } from './datasetFiles';
import { openPictureLabels } from './labels';
import { loadCheckpointFile } from './models';
import { choosePage } from './pages';
import { openLabels, openRecording } from './recordings';
import { openSettings } from './shared';
import { openVideo } from './simulate';
import { showPicture } from './sources';
import { underWay } from './work';

/** Lets a person choose files from wherever they are on the page. */
export function chooseFiles(): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.addEventListener('change', () => void openFiles([...(input.files ?? [])], 'snn'));
  input.click();
}

/** A folder is a data set wherever it is dropped; on the Evaluate page a zip and several files are one too. */
export async function openDropped(transfer: DataTransfer, slot: 'snn' | 'ann'): Promise<void> {
  const { page } = usePlayground.getState().view;
  const dataset = droppedDataset(transfer, page === 'evaluate');
  if (!dataset) {
    await openFiles([...transfer.files], slot);
    return;
  }
  choosePage('evaluate');
  const { openDataset } = await import('./evaluate');
  await openDataset(dataset);
}

/** Everything that was dropped at once: checkpoints first, so that what lies beside them is run with them; labels with what they belong to. */
export async function openFiles(files: readonly File[], slot: 'snn' | 'ann'): Promise<void> {
  const kinds = await Promise.all(files.map(async (file) => ({ file, kind: await kindOf(file) })));
  const of = (kind: FileKind): File[] => kinds.filter((known) => known.kind === kind).map(({ file }) => file);
  const settings = of('settings').at(-1);
  const labels = of('labels');
  const recording = of('recording').at(-1);
  const picture = of('picture').at(-1);
  const video = of('video').at(-1);
  if (settings) await openSettings(settings);
  for (const file of of('checkpoint')) await loadCheckpointFile(slot, file);
  if (recording) await openRecordingFile(recording, labels);
  else if (video) await openVideo(video);
  else if (picture) await showPicture(picture, { title: picture.name, origin: 'Your file', originUrl: undefined, sample: undefined });
  if (labels.length === 0 || recording) return;
  if (!picture && usePlayground.getState().recording) await openLabels(labels);
  else await openPictureLabels(labels);
}

let nextRecording = 1;

async function openRecordingFile(file: File, labels: readonly File[]): Promise<void> {
  const ref = { kind: 'file' as const, id: `file ${nextRecording++}`, name: file.name, blob: file };
  await openRecording(ref, { title: file.name, origin: 'Your file', sample: undefined }, { labels });
}

type FileKind = 'picture' | 'video' | 'labels' | 'checkpoint' | 'recording' | 'settings';

/** By what is in it; the name decides only between kinds that look alike from the outside. */
async function kindOf(file: File): Promise<FileKind> {
  if (await isPicture(file)) return 'picture';
  if (/\.json$/i.test(file.name)) return 'settings';
  if (/_bbox\.npy$|\.xml$/i.test(file.name)) return 'labels';
  if (/\.(mp4|m4v|mov|webm|mkv)$/i.test(file.name) || file.type.startsWith('video/')) return 'video';
  if (/\.(pt|pth|safetensors|onnx)$/i.test(file.name)) return 'checkpoint';
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
