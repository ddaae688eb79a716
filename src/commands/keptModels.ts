import { AppError } from '../base/errors';
import { z } from '../base/schema';
import { bytesOf, forget, listKept, readKept, type KeptContent } from '../base/storage';
import { usePlayground, type KeptModel, type ModelSource } from '../state/store';
import { saveFile } from './saveFile';
import { tellError, underWay } from './work';

/** Models that were trained on this machine: a folder each in the browser's storage, as in `models/` of the site. */

/** The part of a manifest that the list shows; the engine reads it whole. */
const manifestSchema = z.object({
  title: z.string(),
  reads: z.enum(['pictures', 'events']),
  inputSize: z.int().positive(),
  weights: z.object({ snn: z.unknown(), ann: z.unknown() }).partial(),
  scores: z.array(z.object({ weights: z.enum(['snn', 'ann']), rule: z.string(), map50: z.number() })),
});

/** Looks what there is; without storage there is nothing. */
export async function findKeptModels(): Promise<void> {
  const files = await listKept('models/').catch(() => []);
  const byName = new Map<string, { path: string; content: KeptContent }[]>();
  for (const file of files) {
    const [, name = ''] = file.path.split('/');
    byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  usePlayground.setState({ keptModels: [...byName].flatMap(([name, own]) => describe(name, own)) });
}

function describe(name: string, files: readonly { path: string; content: KeptContent }[]): KeptModel[] {
  const manifest = files.find(({ path }) => path.endsWith('/manifest.json'));
  const parsed = manifestSchema.safeParse(parseJson(String(manifest?.content)));
  if (!parsed.success) return [];
  const { title, reads, inputSize, weights, scores } = parsed.data;
  const slots = (['snn', 'ann'] as const).filter((slot) => weights[slot] !== undefined);
  const released = scores.filter(({ rule }) => rule.startsWith('released')).map((score) => [score.weights, score.map50]);
  return [{ name, title, reads, slots, inputSize, map50: Object.fromEntries(released) as KeptModel['map50'], bytes: files.reduce((sum, { content }) => sum + bytesOf(content), 0) }];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How the engine and the lists call it: no model of the site has a space in its name. */
export function loadedName({ name }: Pick<KeptModel, 'name'>): string {
  return `${name} (yours)`;
}

/** @throws AppError `engine/no-model`, `storage/unavailable` */
export async function readKeptModel(name: string, slot: 'snn' | 'ann'): Promise<ModelSource> {
  const [manifest, blob] = [await readKept(`models/${name}/manifest.json`), await readKept(`models/${name}/${slot}.safetensors`)];
  if (typeof manifest === 'string' && blob instanceof Blob) return { kind: 'kept', name: loadedName({ name }), manifest, blob };
  throw new AppError('engine/no-model', `The model ${name} is no longer on this machine.`, 'Choose another one.');
}

/** Hands one of its files to the browser's downloads. */
export async function saveKeptModel(name: string, file: string): Promise<void> {
  const content = await underWay('save', 'Reading the model', () => readKept(`models/${name}/${file}`));
  if (content === undefined) tellError(new AppError('engine/no-model', `The file ${file} of ${name} is no longer on this machine.`, 'Train the model again.'));
  else saveFile(content instanceof Blob ? content : new Blob([content]), `${name}-${file}`);
}

export async function deleteKeptModel(name: string): Promise<void> {
  await underWay('delete', 'Deleting the model', () => forget(`models/${name}/`));
  await findKeptModels();
}
