import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { parseManifest, verifySha256, type Manifest } from '../checkpoint/manifest';
import type { NetworkMode } from '../checkpoint/types';
import type { ModelSource } from './protocol';

export interface LocatedModel {
  blob: Blob;
  name: string;
  manifest: Manifest | undefined;
}

/** A file of the models folder; see `Surroundings`. */
export type ReadModelFile = (path: string, task: Task, version?: string) => Promise<Blob>;

/** The file of a network. @throws AppError `engine/no-model`, `checkpoint/hash-mismatch`, `checkpoint/malformed`, `fetch/*` */
export async function locateModel(slot: NetworkMode, source: ModelSource, readModelFile: ReadModelFile, task: Task): Promise<LocatedModel> {
  if (source.kind !== 'shipped') {
    const { blob, name, manifest } = source;
    return { blob, name, manifest: manifest === undefined ? undefined : parseManifest(manifest) };
  }
  const { name, files } = source;
  const manifestFile = files?.manifest ?? (await readModelFile(`${name}/manifest.json`, task));
  const manifest = parseManifest(await manifestFile.text());
  const weights = manifest.weights[slot];
  if (!weights) {
    throw new AppError(
      'engine/no-model',
      `The model ${name} comes without an ${slot.toUpperCase()} network.`,
      'Load a checkpoint of the twin from a file.',
    );
  }
  const blob = files?.weights ?? (await readModelFile(`${name}/${weights.file}`, task, weights.sha256));
  await verifySha256(blob, weights.sha256);
  return { blob, name, manifest };
}
