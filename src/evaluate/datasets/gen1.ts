import { z } from '../../base/schema';
import { labelBytes, parseGen1Boxes } from '../../base/truth';
import { asAppError } from '../../base/errors';
import { partsOfPath, type DatasetProblem, type DraftDataset, type DraftSample, type RawLabel } from './dataset';
import { baseName, type DatasetFile, type FileTree } from './files';

const gen1Classes = ['car', 'pedestrian'];
const classesSchema = z.union([z.array(z.coerce.string()), z.object({ names: z.array(z.coerce.string()) }).transform(({ names }) => names)]);

/**
 * Gen1: pairs `NAME_td.dat` and `NAME_bbox.npy`; each time that has labels is a sample, looked at through the window before
 * it. Class names are Gen1's unless `classes.json` lists others. No label is passed over for its size or time.
 * @returns undefined where there is no such pair
 */
export async function readGen1(tree: FileTree): Promise<DraftDataset | undefined> {
  const recordings = new Map(tree.endingWith('_td.dat').map((file) => [file.path.toLowerCase().replace(/_td\.dat$/, ''), file]));
  const pairs = tree.endingWith('_bbox.npy').map((boxes) => ({ boxes, recording: recordings.get(boxes.path.toLowerCase().replace(/_bbox\.npy$/, '')) }));
  if (pairs.length === 0) return undefined;
  const problems: DatasetProblem[] = [];
  const drafts: DraftSample[] = [];
  for (const { boxes, recording } of pairs) {
    if (!recording) problems.push({ path: boxes.path, message: 'There is no recording (_td.dat) for it.' });
    else drafts.push(...(await samplesOf(boxes, recording, problems)));
  }
  return drafts.length === 0 ? undefined : { classNames: await classNames(tree, problems), drafts, problems };
}

async function samplesOf(boxes: DatasetFile, recording: DatasetFile, problems: DatasetProblem[]): Promise<DraftSample[]> {
  const byTime = new Map<number, RawLabel[]>();
  try {
    for (const { timeUs, box, class: label } of parseGen1Boxes(boxes.path, await labelBytes(boxes.path, await boxes.open()))) {
      const raw: RawLabel = { box, unit: 'pixels', class: label ?? 0 };
      const present = byTime.get(timeUs);
      if (present) present.push(raw);
      else byTime.set(timeUs, [raw]);
    }
  } catch (thrown) {
    problems.push({ path: boxes.path, message: asAppError(thrown).message });
    return [];
  }
  const title = baseName(recording.path).replace(/_td\.dat$/i, '');
  return [...byTime].sort(([a], [b]) => a - b).map(([untilUs, labels]) => ({
    id: `${recording.path}@${untilUs}`,
    title: `${title}, ${(untilUs / 1e6).toFixed(3)} s`,
    content: { kind: 'events', file: recording, untilUs },
    parts: partsOfPath(recording.path),
    imageId: `${title}@${untilUs}`,
    labelPath: boxes.path,
    readLabels: () => Promise.resolve(labels),
  }));
}

async function classNames(tree: FileTree, problems: DatasetProblem[]): Promise<readonly string[]> {
  const file = tree.files.find(({ path }) => baseName(path).toLowerCase() === 'classes.json');
  if (!file) return gen1Classes;
  try {
    return classesSchema.parse(JSON.parse(await (await file.open()).text()));
  } catch {
    problems.push({ path: file.path, message: 'It is no list of class names; Gen1’s are used.' });
    return gen1Classes;
  }
}
