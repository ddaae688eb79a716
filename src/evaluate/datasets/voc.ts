import { isVoc, labelBytes, parseVoc } from '../../base/truth';
import { datasetParts, type DatasetPart } from '../../base/datasetOptions';
import { partsOfPath, type DatasetProblem, type DraftDataset, type DraftSample, type RawLabel } from './dataset';
import { baseName, stemOf, type DatasetFile, type FileTree } from './files';

/**
 * PASCAL VOC: an XML for each picture, beside it, or in `annotations` against `images`, or in `Annotations` against `JPEGImages`;
 * `ImageSets` (if any) say which picture belongs to which part. Objects marked as difficult count like others.
 * @returns undefined where there is no such file
 */
export async function readVoc(tree: FileTree): Promise<DraftDataset | undefined> {
  const annotations = tree.endingWith('.xml');
  if (annotations.length === 0) return undefined;
  const partsOf = await imageSets(tree);
  const drafts: DraftSample[] = [];
  const problems: DatasetProblem[] = [];
  for (const annotation of annotations) {
    const picture = await pictureOf(annotation, tree);
    if (!picture) problems.push({ path: annotation.path, message: 'There is no picture for it.' });
    else {
      drafts.push({
        id: picture.path,
        title: baseName(picture.path),
        content: { kind: 'picture', file: picture },
        parts: partsOf.get(stemOf(picture.path)) ?? partsOfPath(picture.path),
        imageId: baseName(picture.path).replace(/\.[^.]*$/, ''),
        labelPath: annotation.path,
        readLabels: async () => (await read(annotation)).objects.map(({ name, box }): RawLabel => ({ box, unit: 'pixels', class: name })),
      });
    }
  }
  return drafts.length === 0 ? undefined : { classNames: undefined, drafts, problems };
}

async function read({ path, open }: DatasetFile): Promise<ReturnType<typeof parseVoc>> {
  return parseVoc(path, new TextDecoder().decode(await labelBytes(path, await open())));
}

async function pictureOf(annotation: DatasetFile, tree: FileTree): Promise<DatasetFile | undefined> {
  const found = tree.pictureBeside(annotation.path) ?? tree.pictureWithStemOf(annotation.path);
  if (found) return found;
  // The name inside is the last resort: tools leave the name of another machine or of a renamed file there.
  const { filename } = await read(annotation).catch(() => ({ filename: undefined }));
  return filename === undefined ? undefined : tree.pictureNamed(filename);
}

/** Whether an XML is such an annotation. */
export async function isVocFile(file: DatasetFile): Promise<boolean> {
  return isVoc(await (await file.open()).slice(0, 4000).text());
}

/** `ImageSets/Main/train.txt` and its siblings: a name a line; lists of single classes (`cat_train.txt`) are passed over. */
async function imageSets(tree: FileTree): Promise<Map<string, DatasetPart[]>> {
  const partsOf = new Map<string, DatasetPart[]>();
  for (const part of datasetParts) {
    for (const list of tree.files.filter(({ path }) => new RegExp(`(^|/)ImageSets/([^/]+/)?${part}\\.txt$`, 'i').test(path))) {
      const text = await (await list.open()).text();
      for (const line of text.split('\n')) {
        const name = line.trim().split(/\s+/)[0]?.toLowerCase() ?? '';
        if (name === '') continue;
        const present = partsOf.get(name) ?? [];
        if (!present.includes(part)) partsOf.set(name, [...present, part]);
      }
    }
  }
  return partsOf;
}
