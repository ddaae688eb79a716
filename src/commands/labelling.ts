import { AppError } from '../base/errors';
import type { Box, Size } from '../base/geometry';
import { z } from '../base/schema';
import { forget, keep, listKept, type KeptContent } from '../base/storage';
import { clipBox } from '../base/truth';
import { writeYolo } from '../base/writeTruth';
import { usePlayground } from '../state/store';
import { initialLabelling, type LabelledPicture, type LabellingState } from '../state/training';
import type { GivenDataset } from './datasetFiles';
import { saveFile } from './saveFile';
import { tellError, underWay, unreadablePicture } from './work';

/** Boxes that a person draws on their own pictures; kept on this machine as they are drawn. */

function change(changes: Partial<LabellingState>): void {
  usePlayground.setState(({ labelling }) => ({ labelling: { ...labelling, ...changes } }));
  if (changes.pictures || changes.classNames) keepSoon();
}

function changeBoxes(boxes: (before: LabelledPicture['boxes']) => LabelledPicture['boxes'], selected: number | undefined): void {
  const { pictures, current } = usePlayground.getState().labelling;
  change({ pictures: pictures.map((picture, index) => (index === current ? { ...picture, boxes: boxes(picture.boxes) } : picture)), selected });
}

function shown(): LabelledPicture | undefined {
  const { pictures, current } = usePlayground.getState().labelling;
  return pictures[current];
}

export async function addPictures(files: readonly File[]): Promise<void> {
  const opened = await underWay('label', 'Opening pictures', async (task) => {
    const added: LabelledPicture[] = [];
    for (const file of files) {
      task.signal.throwIfAborted();
      const bitmap = await createImageBitmap(file).catch((cause: unknown) => tellError(unreadablePicture(cause)));
      const taken = [...usePlayground.getState().labelling.pictures, ...added].map(({ name }) => name);
      if (bitmap) added.push({ name: freeName(file.name, taken), image: file, bitmap, size: { width: bitmap.width, height: bitmap.height }, boxes: [] });
      task.report({ label: 'Opening pictures', done: added.length, total: files.length, unit: 'items' });
    }
    return added;
  });
  if (!opened || opened.length === 0) return;
  const { pictures } = usePlayground.getState().labelling;
  change({ pictures: [...pictures, ...opened], current: pictures.length, selected: undefined });
}

/** Pictures and their texts are told apart by the name without its ending. */
function freeName(name: string, taken: readonly string[]): string {
  const [, stem = 'picture', ending = ''] = /^(.*?)(\.[^.]*)?$/.exec(name.replaceAll(/[/\\]/g, '-').replace(/^\.+/, '')) ?? [];
  const stems = new Set(taken.map((other) => other.replace(/\.[^.]*$/, '').toLowerCase()));
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? stem : `${stem}-${number}`;
    if (!stems.has(candidate.toLowerCase())) return `${candidate}${ending}`;
  }
}

export function showPictureToLabel(current: number): void {
  change({ current, selected: undefined });
}

export function removePicture(): void {
  const { pictures, current } = usePlayground.getState().labelling;
  pictures[current]?.bitmap.close();
  change({ pictures: pictures.filter((_, index) => index !== current), current: Math.max(0, Math.min(current, pictures.length - 2)), selected: undefined });
}

/** A box of the present class; without one, a quarter of the picture in its middle. */
export function addBox(box?: Box): void {
  const picture = shown();
  if (!picture) return;
  const { width, height } = picture.size;
  const { class: label } = usePlayground.getState().labelling;
  const added = clipBox(box ?? [width * 0.375, height * 0.375, width * 0.625, height * 0.625], picture.size);
  if (added) changeBoxes((boxes) => [...boxes, { box: added, class: label }], picture.boxes.length);
}

export function selectBox(selected: number | undefined): void {
  change({ selected });
}

export function setBox(index: number, box: Box): void {
  const picture = shown();
  const clipped = picture && clipBox(box, picture.size);
  if (clipped) changeBoxes((boxes) => boxes.map((known, at) => (at === index ? { ...known, box: clipped } : known)), index);
}

export function removeBox(index: number): void {
  changeBoxes((boxes) => boxes.filter((_, at) => at !== index), undefined);
}

/** Of the chosen box and of those that are drawn next. */
export function setBoxClass(index: number | undefined, label: number): void {
  if (index !== undefined) changeBoxes((boxes) => boxes.map((known, at) => (at === index ? { ...known, class: label } : known)), index);
  change({ class: label });
}

export function addClass(name: string): void {
  const { classNames } = usePlayground.getState().labelling;
  const bare = name.trim();
  const known = classNames.indexOf(bare);
  if (bare === '') return;
  if (known >= 0) change({ class: known });
  else change({ classNames: [...classNames, bare], class: classNames.length });
}

export function renameClass(index: number, name: string): void {
  const { classNames } = usePlayground.getState().labelling;
  const bare = name.trim();
  if (bare === '' || classNames.includes(bare)) return;
  change({ classNames: classNames.map((known, at) => (at === index ? bare : known)) });
}

/** As a folder in YOLO's layout. @throws AppError `train/no-data` */
export function labelledDataset(): GivenDataset {
  const { pictures, classNames } = usePlayground.getState().labelling;
  if (!pictures.some(({ boxes }) => boxes.length > 0)) throw new AppError('train/no-data', 'No box has been drawn yet.', 'Open pictures and draw a box around each object.');
  return {
    title: 'Pictures labelled here',
    content: {
      kind: 'files',
      files: [
        { path: 'data.yaml', blob: new Blob([dataYaml(classNames)]) },
        ...pictures.flatMap(({ name, image, size, boxes }) => [
          { path: `images/${name}`, blob: image },
          { path: `labels/${name.replace(/\.[^.]*$/, '')}.txt`, blob: new Blob([writeYolo(boxes, size)]) },
        ]),
      ],
    },
  };
}

/** JSON's strings are YAML's, too. */
function dataYaml(classNames: readonly string[]): string {
  return `train: images\nval: images\nnames: ${JSON.stringify(classNames)}\n`;
}

/** The labels and their pictures as a zip that this page and others read. */
export async function saveLabels(): Promise<void> {
  const zip = await underWay('save', 'Packing the labels', async () => {
    const { content } = labelledDataset();
    if (content.kind !== 'files') throw new RangeError('Labels are files.');
    const { BlobReader, BlobWriter, ZipWriter, configure } = await import('@zip.js/zip.js');
    configure({ useWebWorkers: false });
    const writer = new ZipWriter(new BlobWriter('application/zip'));
    // Pictures are compressed already, and labels are small.
    for (const { path, blob } of content.files) await writer.add(path, new BlobReader(blob), { level: 0 });
    return writer.close();
  });
  if (zip) saveFile(zip, 'labels.zip');
}

// What is kept

const folder = 'labels/';
const keptSchema = z.object({
  classNames: z.array(z.string()).min(1),
  pictures: z.array(
    z.object({
      name: z.string(),
      boxes: z.array(z.object({ box: z.tuple([z.number(), z.number(), z.number(), z.number()]), class: z.int().nonnegative() })),
    }),
  ),
});

const keepAfterMs = 400;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Pictures that the storage has already. */
let keptPictures: readonly Blob[] = [];

function keepSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void keepLabels().catch(tellError), keepAfterMs);
}

async function keepLabels(): Promise<void> {
  const { classNames, pictures } = usePlayground.getState().labelling;
  const labels = JSON.stringify({ classNames, pictures: pictures.map(({ name, boxes }) => ({ name, boxes })) });
  const images = pictures.map(({ image }) => image);
  const isSame = images.length === keptPictures.length && images.every((image, index) => image === keptPictures[index]);
  const files: Record<string, KeptContent> = { [`${folder}labels.json`]: labels };
  if (!isSame) pictures.forEach(({ name, image }) => (files[`${folder}pictures/${name}`] = image));
  await keep(files, isSame ? [] : [folder]);
  keptPictures = images;
}

let lookedForLabels = false;

/** What an earlier visit left. */
export async function openLabelling(): Promise<void> {
  if (lookedForLabels) return;
  lookedForLabels = true;
  const files = new Map((await listKept(folder).catch(() => [])).map(({ path, content }) => [path, content]));
  const parsed = keptSchema.safeParse(parseJson(files.get(`${folder}labels.json`)));
  if (!parsed.success || usePlayground.getState().labelling.pictures.length > 0) return;
  const { classNames } = parsed.data;
  const pictures: LabelledPicture[] = [];
  for (const { name, boxes } of parsed.data.pictures) {
    const image = files.get(`${folder}pictures/${name}`);
    const bitmap = image instanceof Blob ? await createImageBitmap(image).catch(() => undefined) : undefined;
    if (!bitmap || !(image instanceof Blob)) continue;
    const size: Size = { width: bitmap.width, height: bitmap.height };
    pictures.push({ name, image, bitmap, size, boxes: boxes.filter((box) => box.class < classNames.length) });
  }
  keptPictures = pictures.map(({ image }) => image);
  usePlayground.setState(({ labelling }) => ({ labelling: { ...labelling, classNames, pictures } }));
}

function parseJson(content: KeptContent | undefined): unknown {
  try {
    return JSON.parse(typeof content === 'string' ? content : '');
  } catch {
    return undefined;
  }
}

export async function forgetLabels(): Promise<void> {
  clearTimeout(timer);
  for (const { bitmap } of usePlayground.getState().labelling.pictures) bitmap.close();
  usePlayground.setState({ labelling: initialLabelling });
  keptPictures = [];
  await underWay('label', 'Forgetting the labels', () => forget(folder));
}
