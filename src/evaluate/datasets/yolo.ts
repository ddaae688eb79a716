import { parse as parseYaml } from 'yaml';
import { AppError } from '../../base/errors';
import { datasetParts, type DatasetPart } from '../../base/datasetOptions';
import { z } from '../../base/schema';
import { labelBytes, parseYolo } from '../../base/truth';
import { partsOfPath, type DatasetProblem, type DraftDataset, type DraftSample, type RawLabel } from './dataset';
import { baseName, stemOf, type DatasetFile, type FileTree } from './files';

const settingsSchema = z.object({
  names: z
    .union([z.array(z.coerce.string()), z.record(z.coerce.string(), z.coerce.string())])
    .optional(),
  train: z.unknown().optional(),
  val: z.unknown().optional(),
  test: z.unknown().optional(),
});
const pathsSchema = z.union([z.string().transform((path) => [path]), z.array(z.string())]).catch([]);

interface Settings {
  classNames: readonly string[] | undefined;
  /** Folders or lists of each part, as the file names them. */
  paths: Record<DatasetPart, readonly string[]>;
}

/**
 * YOLO: a text for each picture in `labels` against `images` (or beside it), class names in `data.yaml`, `classes.yaml` or
 * `classes.txt`. A picture without a text shows nothing that is to be found.
 * @returns undefined where there is no such file
 */
export async function readYolo(tree: FileTree): Promise<DraftDataset | undefined> {
  const labels = new Map<DatasetFile, DatasetFile>();
  for (const file of tree.endingWith('.txt')) {
    const picture = tree.pictureBeside(file.path);
    if (picture) labels.set(picture, file);
  }
  if (labels.size === 0) return undefined;
  const problems: DatasetProblem[] = [];
  const settings = await readSettings(tree, problems);
  const partsOf = await partsByPath(tree, settings);
  // A picture without a label counts where pictures of the set lie, not where somebody keeps a photograph of the team.
  const folders = new Set([...labels.keys()].map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)));
  const drafts = tree.pictures
    .filter((picture) => labels.has(picture) || folders.has(picture.path.slice(0, picture.path.lastIndexOf('/') + 1)))
    .map((picture): DraftSample => {
      const label = labels.get(picture);
      return {
        id: picture.path,
        title: baseName(picture.path),
        content: { kind: 'picture', file: picture },
        parts: partsOf(picture.path),
        imageId: baseName(picture.path).replace(/\.[^.]*$/, ''),
        labelPath: label?.path ?? picture.path,
        readLabels: () => (label ? readLabels(label, settings.classNames) : Promise.resolve([])),
      };
    });
  return { classNames: settings.classNames, drafts, problems };
}

async function readLabels({ path, open }: DatasetFile, classNames: readonly string[] | undefined): Promise<RawLabel[]> {
  const labels = parseYolo(path, new TextDecoder().decode(await labelBytes(path, await open())));
  const stranger = classNames && labels.find((label) => label.class >= classNames.length);
  if (stranger) {
    throw new AppError(
      'dataset/unreadable',
      `It names class ${stranger.class}, and the data set lists ${classNames.length}.`,
      'Correct the file or the list of class names.',
    );
  }
  return labels.map(({ class: label, box }) => ({ box, unit: 'shares', class: label }));
}

/** Names from the first file that has some; `data.yaml` before `classes.txt`, the folder's own before deeper ones. */
async function readSettings(tree: FileTree, problems: DatasetProblem[]): Promise<Settings> {
  const depth = ({ path }: DatasetFile): number => path.split('/').length;
  const settings: Settings = { classNames: undefined, paths: { train: [], val: [], test: [] } };
  for (const file of tree.endingWith('.yaml', '.yml').sort((a, b) => depth(a) - depth(b))) {
    const parsed = settingsSchema.safeParse(await yamlOf(file, problems));
    if (!parsed.success || parsed.data.names === undefined) continue;
    const { names } = parsed.data;
    for (const part of datasetParts) settings.paths[part] = pathsSchema.parse(parsed.data[part]);
    return { ...settings, classNames: Array.isArray(names) ? names : namesByIndex(names) };
  }
  const list = tree.endingWith('classes.txt', 'obj.names', 'classes.names').sort((a, b) => depth(a) - depth(b))[0];
  if (!list) return settings;
  const lines = (await (await list.open()).text()).split('\n').map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  return { ...settings, classNames: lines };
}

async function yamlOf(file: DatasetFile, problems: DatasetProblem[]): Promise<unknown> {
  try {
    // Aliases are bounded by the library, so that a small file cannot become large.
    return parseYaml(new TextDecoder().decode(await labelBytes(file.path, await file.open())));
  } catch {
    problems.push({ path: file.path, message: 'Its YAML is damaged.' });
    return undefined;
  }
}

/** `{ 0: person, 2: car }`; a gap keeps its number as a name. */
function namesByIndex(names: Record<string, string>): string[] {
  const indices = Object.keys(names).map(Number).filter((index) => Number.isInteger(index) && index >= 0 && index < 100_000);
  return Array.from({ length: Math.max(-1, ...indices) + 1 }, (_, index) => names[index] ?? String(index));
}

/** From `train:`, `val:` and `test:` (folders, or lists of pictures), else from the folders' own names. */
async function partsByPath(tree: FileTree, { paths }: Settings): Promise<(path: string) => DatasetPart[]> {
  const folders: { part: DatasetPart; folder: string }[] = [];
  const listed = new Map<string, DatasetPart[]>();
  for (const part of datasetParts) {
    for (const path of paths[part]) {
      const wanted = path.replaceAll('\\', '/').replace(/^(\.{0,2}\/)+/, '').replace(/\/+$/, '').toLowerCase();
      if (!wanted.endsWith('.txt')) {
        folders.push({ part, folder: wanted });
        continue;
      }
      const list = tree.files.find((file) => `/${file.path.toLowerCase()}`.endsWith(`/${wanted}`));
      for (const line of list ? (await (await list.open()).text()).split('\n') : []) {
        const stem = stemOf(line.trim().replaceAll('\\', '/'));
        if (stem !== '') listed.set(stem, [...(listed.get(stem) ?? []), part]);
      }
    }
  }
  return (path) => {
    const inFolder = (folder: string): boolean => folder === '' || folder === '.' || `/${path.toLowerCase()}`.includes(`/${folder}/`);
    const named = folders.flatMap(({ part, folder }) => (inFolder(folder) ? part : []));
    const all = [...named, ...(listed.get(stemOf(path)) ?? [])];
    return all.length > 0 ? [...new Set(all)] : partsOfPath(path);
  };
}
