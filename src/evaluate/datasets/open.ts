import { AppError, asAppError } from '../../base/errors';
import { datasetParts, type DatasetFormat, type DatasetPart } from '../../base/datasetOptions';
import type { Size } from '../../base/geometry';
import { throwIfCancelled, type Task } from '../../base/progress';
import { boxOfShares, clipBox } from '../../base/truth';
import { readCoco } from './coco';
import type { Dataset, DatasetProblem, DatasetSample, DraftDataset, DraftSample, LabelBox, RawLabel } from './dataset';
import { FileTree, type DatasetFile } from './files';
import { readGen1 } from './gen1';
import { isVocFile, readVoc } from './voc';
import { readYolo } from './yolo';

/** What a reader looks for, as the message names it that nothing was found. */
const lookedFor: Record<DatasetFormat, string> = {
  gen1: 'pairs of *_td.dat and *_bbox.npy (Gen1)',
  coco: 'a JSON with images, annotations and categories (COCO)',
  voc: 'an XML for each picture (VOC)',
  yolo: 'a text in labels for each picture in images (YOLO)',
};

const readers: Record<DatasetFormat, (tree: FileTree) => Promise<DraftDataset | undefined>> = {
  gen1: readGen1,
  coco: readCoco,
  voc: readVoc,
  yolo: readYolo,
};

/** A set in several formats at once is read in the one that says most. */
const order: readonly DatasetFormat[] = ['gen1', 'coco', 'voc', 'yolo'];

export interface DatasetOptions {
  /** Undefined: what the files are decides. */
  format?: DatasetFormat | undefined;
  /** Only the samples of this part; undefined: all. */
  part?: DatasetPart | undefined;
  /** At most so many samples, the first in order of their names (COCO: in the file's order). */
  limit?: number | undefined;
}

/**
 * Opens a data set. Labels are read here, pictures and recordings are not. Files that cannot be read are named in
 * `problems`, and the rest goes on.
 * @throws AppError `dataset/unknown` where nothing is found, `dataset/unreadable` where nothing can be read, `cancelled`
 */
export async function openDataset(files: readonly DatasetFile[], options: DatasetOptions, task: Task): Promise<Dataset> {
  const tree = new FileTree(files);
  const found = await draftOf(tree, options.format);
  if (!found) throw unknownDataset(tree, options.format);
  const { format, draft } = found;
  const partSizes: Dataset['partSizes'] = {};
  for (const part of datasetParts) {
    const size = draft.drafts.filter(({ parts }) => parts.includes(part)).length;
    if (size > 0) partSizes[part] = size;
  }
  const { part } = options;
  const inPart = part === undefined ? draft.drafts : draft.drafts.filter(({ parts }) => parts.includes(part));
  if (part !== undefined && inPart.length === 0) {
    const named = Object.keys(partSizes).join(', ') || 'none';
    throw new AppError('dataset/unknown', `The data set has no part ${part}; it names ${named}.`, 'Choose another part, or all.');
  }
  const chosen = inPart.slice(0, options.limit ?? Infinity);
  const problems: DatasetProblem[] = [...draft.problems];
  const read = await readAll(chosen, problems, task);
  if (read.length === 0) {
    throw new AppError(
      'dataset/unreadable',
      `None of the data set’s labels can be read; the first: ${problems.at(-1)?.path ?? ''}: ${problems.at(-1)?.message ?? ''}`,
      'Check the files, or name the format that they have.',
    );
  }
  const classNames = draft.classNames ?? namesIn(read.flatMap(({ labels }) => labels));
  const indexOf = new Map(classNames.map((name, index) => [name, index]));
  return {
    format,
    classNames,
    categoryIds: draft.categoryIds ?? classNames.map((_, index) => index + 1),
    samples: read.map(({ draft: sample, labels }) => sampleOf(sample, labels, indexOf)),
    problems,
    partSizes,
  };
}

async function draftOf(tree: FileTree, asked: DatasetFormat | undefined): Promise<{ format: DatasetFormat; draft: DraftDataset } | undefined> {
  for (const format of asked === undefined ? order : [asked]) {
    if (format === 'voc' && asked === undefined && !(await hasVocFile(tree))) continue;
    const draft = await readers[format](tree);
    if (draft) return { format, draft };
  }
  return undefined;
}

/** Whether one of the first XMLs is VOC's: other tools leave XMLs of their own beside pictures. */
async function hasVocFile(tree: FileTree): Promise<boolean> {
  for (const file of tree.endingWith('.xml').slice(0, 20)) {
    if (await isVocFile(file).catch(() => false)) return true;
  }
  return false;
}

async function readAll(drafts: readonly DraftSample[], problems: DatasetProblem[], task: Task): Promise<{ draft: DraftSample; labels: readonly RawLabel[] }[]> {
  const read: { draft: DraftSample; labels: readonly RawLabel[] }[] = [];
  for (const [index, draft] of drafts.entries()) {
    throwIfCancelled(task.signal);
    try {
      read.push({ draft, labels: await draft.readLabels() });
    } catch (thrown) {
      problems.push({ path: draft.labelPath, message: asAppError(thrown).message });
    }
    if (index % 64 === 63 || index === drafts.length - 1) task.report({ label: 'Reading labels', done: index + 1, total: drafts.length, unit: 'items' });
  }
  return read;
}

/** Numbers stand for themselves, with those between that no picture shows; names are in the order of the alphabet. */
function namesIn(labels: readonly RawLabel[]): string[] {
  const numbers = labels.flatMap((label) => (typeof label.class === 'number' ? label.class : []));
  if (numbers.length > 0) return Array.from({ length: Math.min(largest(numbers) + 1, maximumClasses) }, (_, index) => String(index));
  return [...new Set(labels.map((label) => String(label.class)))].sort();
}

/** Larger numbers of a class are no class. */
const maximumClasses = 100_000;

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

function sampleOf({ id, title, content, parts, imageId }: DraftSample, labels: readonly RawLabel[], indexOf: ReadonlyMap<string, number>): DatasetSample {
  const indexed = labels.map((label) => ({ ...label, class: typeof label.class === 'number' ? label.class : (indexOf.get(label.class) ?? 0) }));
  return {
    id,
    title,
    content,
    parts,
    imageId,
    labelsOn: (size: Size): LabelBox[] =>
      indexed.flatMap(({ box: raw, unit, class: label, isCrowd = false, areaPx }) => {
        const box = clipBox(unit === 'shares' ? boxOfShares(raw, size) : raw, size);
        return box ? [{ box, class: label, isCrowd, areaPx }] : [];
      }),
  };
}

function unknownDataset(tree: FileTree, asked: DatasetFormat | undefined): AppError {
  const sought = (asked === undefined ? order : [asked]).map((format) => lookedFor[format]).join('; ');
  return new AppError(
    'dataset/unknown',
    `No data set was found: looked for ${sought}. There are ${contents(tree)}.`,
    'Choose the folder that holds both the pictures and their labels.',
  );
}

/** "12 files: 10 .jpg, 2 .csv" */
function contents({ files }: FileTree): string {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    const ending = /\.[^./]+$/.exec(path)?.[0].toLowerCase() ?? 'without ending';
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 5).map(([ending, count]) => `${count} ${ending}`);
  return files.length === 0 ? 'no files at all' : `${files.length} files: ${most.join(', ')}`;
}
