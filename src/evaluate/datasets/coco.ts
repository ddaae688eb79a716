import { AppError } from '../../base/errors';
import { z } from '../../base/schema';
import { partNamed, partsOfPath, type DatasetProblem, type DraftDataset, type DraftSample, type RawLabel } from './dataset';
import { baseName, type DatasetFile, type FileTree } from './files';

const fileSchema = z.object({ images: z.array(z.unknown()), annotations: z.array(z.unknown()), categories: z.array(z.unknown()) });
const idSchema = z.union([z.number(), z.string()]);
const imageSchema = z.object({ id: idSchema, file_name: z.string() });
const annotationSchema = z.object({
  id: idSchema.optional(),
  image_id: idSchema,
  category_id: z.number(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number().nonnegative().optional().catch(undefined),
  iscrowd: z.union([z.literal(0), z.literal(1), z.boolean()]).optional().catch(undefined),
});
const categorySchema = z.object({ id: z.number(), name: z.coerce.string() });

type Category = z.infer<typeof categorySchema>;

/** JavaScript's longest text is about 500 MB. COCO's own training part is larger than this, its validation part far smaller. */
const maximumBytes = 256 << 20;

/**
 * COCO: `annotations/*.json`, or a JSON beside the pictures. An annotation whose id was there before is passed over;
 * `iscrowd` is kept; classes are in order of their ids.
 * @returns undefined where there is no such file
 */
export async function readCoco(tree: FileTree): Promise<DraftDataset | undefined> {
  const problems: DatasetProblem[] = [];
  const found: { file: DatasetFile; content: z.infer<typeof fileSchema> }[] = [];
  // Captions and keypoints of the same pictures lie beside COCO's instances.
  const all = tree.endingWith('.json');
  const instances = all.filter(({ path }) => baseName(path).startsWith('instances'));
  for (const file of instances.length > 0 ? instances : all) {
    const content = await contentOf(file, problems);
    if (content) found.push({ file, content });
  }
  if (found.length === 0) return undefined;
  const categories = categoriesOf(found.flatMap(({ content }) => content.categories));
  const classOf = new Map(categories.map(({ id }, index) => [id, index]));
  const drafts = found.flatMap(({ file, content }) => draftsOf(file, content, classOf, tree, problems));
  if (drafts.length === 0) return undefined;
  return {
    classNames: categories.map(({ name }) => name),
    categoryIds: categories.map(({ id }) => id),
    drafts: merged(drafts),
    problems,
  };
}

/** Undefined for a JSON that is about something else. */
async function contentOf(file: DatasetFile, problems: DatasetProblem[]): Promise<z.infer<typeof fileSchema> | undefined> {
  try {
    const blob = await file.open();
    if (blob.size > maximumBytes) {
      problems.push({ path: file.path, message: `It has ${Math.round(blob.size / 1e6)} MB, and at most ${maximumBytes >> 20} MB are read.` });
      return undefined;
    }
    const parsed: unknown = JSON.parse(await blob.text());
    const content = fileSchema.safeParse(parsed);
    return content.success ? content.data : undefined;
  } catch (cause) {
    problems.push({ path: file.path, message: cause instanceof AppError ? cause.message : 'Its JSON is damaged.' });
    return undefined;
  }
}

function categoriesOf(values: readonly unknown[]): Category[] {
  const byId = new Map<number, Category>();
  for (const value of values) {
    const category = categorySchema.safeParse(value);
    if (category.success && !byId.has(category.data.id)) byId.set(category.data.id, category.data);
  }
  return [...byId.values()].sort((a, b) => a.id - b.id);
}

function draftsOf(
  file: DatasetFile,
  content: z.infer<typeof fileSchema>,
  classOf: ReadonlyMap<number, number>,
  tree: FileTree,
  problems: DatasetProblem[],
): DraftSample[] {
  const labels = labelsByImage(file, content.annotations, classOf, problems);
  const part = partNamed(baseName(file.path));
  // `instances_val2017.json` speaks of pictures in `val2017`.
  const hint = /[a-z]+\d*(?=\.json$)/i.exec(file.path)?.[0].toLowerCase() ?? '';
  let missing = 0;
  const drafts: DraftSample[] = [];
  for (const value of content.images) {
    const image = imageSchema.safeParse(value);
    const picture = image.success ? tree.pictureNamed(image.data.file_name, hint) : undefined;
    if (!image.success || !picture) {
      missing++;
      continue;
    }
    const { id } = image.data;
    drafts.push({
      id: picture.path,
      title: baseName(picture.path),
      content: { kind: 'picture', file: picture },
      parts: part ? [part] : partsOfPath(picture.path),
      imageId: id,
      labelPath: file.path,
      readLabels: () => Promise.resolve(labels.get(id) ?? []),
    });
  }
  if (missing > 0) problems.push({ path: file.path, message: `${missing} of its ${content.images.length} pictures are not there.` });
  return drafts;
}

function labelsByImage(
  file: DatasetFile,
  annotations: readonly unknown[],
  classOf: ReadonlyMap<number, number>,
  problems: DatasetProblem[],
): Map<number | string, RawLabel[]> {
  const labels = new Map<number | string, RawLabel[]>();
  const seen = new Set<number | string>();
  let unreadable = 0;
  let repeated = 0;
  for (const value of annotations) {
    const annotation = annotationSchema.safeParse(value);
    const label = annotation.success ? classOf.get(annotation.data.category_id) : undefined;
    if (!annotation.success || label === undefined) {
      unreadable++;
      continue;
    }
    const { id, image_id: image, area, iscrowd } = annotation.data;
    if (id !== undefined && seen.has(id)) {
      repeated++;
      continue;
    }
    if (id !== undefined) seen.add(id);
    const [x, y, width, height] = annotation.data.bbox;
    const raw: RawLabel = { box: [x, y, x + width, y + height], unit: 'pixels', class: label, isCrowd: Boolean(iscrowd), areaPx: area };
    const present = labels.get(image);
    if (present) present.push(raw);
    else labels.set(image, [raw]);
  }
  if (unreadable > 0) problems.push({ path: file.path, message: `${unreadable} of its ${annotations.length} annotations have no box or no known category.` });
  if (repeated > 0) problems.push({ path: file.path, message: `${repeated} of its annotations repeat the id of another, and were left out.` });
  return labels;
}

/** A picture that several files speak of is one sample with the labels of all, in the parts of all. */
function merged(drafts: readonly DraftSample[]): DraftSample[] {
  const byId = new Map<string, DraftSample>();
  for (const draft of drafts) {
    const before = byId.get(draft.id);
    if (!before) {
      byId.set(draft.id, draft);
      continue;
    }
    byId.set(draft.id, {
      ...before,
      parts: [...new Set([...before.parts, ...draft.parts])],
      readLabels: async () => [...(await before.readLabels()), ...(await draft.readLabels())],
    });
  }
  return [...byId.values()];
}
