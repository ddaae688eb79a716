import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../base/errors';
import { filesOfZip, type DatasetFile } from '../evaluate/datasets/files';
import { openFile } from './surroundings';

/** The files of a data set in a folder (links are followed) or in a zip. @throws AppError `input/unreadable`, `dataset/unreadable` */
export async function datasetFilesAt(path: string): Promise<DatasetFile[]> {
  const found = await orUnreadable(path, () => stat(path));
  return found.isDirectory() ? filesBelow(path, '', new Set()) : filesOfZip(basename(path), await openFile(path));
}

/** @param above the folders on the way here, by their real paths: a link to one of them would go round in circles */
async function filesBelow(folder: string, prefix: string, above: ReadonlySet<string>): Promise<DatasetFile[]> {
  const real = await orUnreadable(folder, () => realpath(folder));
  if (above.has(real)) return [];
  const files: DatasetFile[] = [];
  for (const { name } of await orUnreadable(folder, () => readdir(folder, { withFileTypes: true }))) {
    const full = join(folder, name);
    // A link that leads nowhere is no file.
    const found = await stat(full).catch(() => undefined);
    if (found?.isDirectory()) files.push(...(await filesBelow(full, `${prefix}${name}/`, new Set([...above, real]))));
    else if (found?.isFile()) files.push({ path: `${prefix}${name}`, open: () => openFile(full) });
  }
  return files;
}

async function orUnreadable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new AppError('input/unreadable', `The folder ${path} cannot be read.`, 'Check the name and that you may read it.', cause);
  }
}
