import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'vite';

export const projectFolder = resolve(import.meta.dirname, '../..');
const configFile = join(projectFolder, 'vite.config.ts');
const stampFile = join(projectFolder, 'dist', '.built-from');

/** Everything that the built site is made from, relative to the project's folder. */
const sources = ['src', 'public', 'models', 'index.html', 'vite.config.ts', 'package-lock.json'];

async function filesUnder(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOTDIR') return [path];
    if (code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * A hash of the names and contents of `paths` and everything below them. Contents rather than times, because a fresh
 * clone gives every file the same time.
 */
export async function fingerprint(folder: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of (await filesUnder(join(folder, path))).sort()) {
      const content = await readFile(file);
      hash.update(`${file.slice(folder.length)}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

/** Whether `dist/` was built from exactly the sources that are there now. */
export async function siteIsFresh(): Promise<boolean> {
  const stamp = await readFile(stampFile, 'utf8').catch(() => '');
  return stamp !== '' && stamp === (await fingerprint(projectFolder, sources));
}

/** Builds `dist/`. The stamp is written last, so that a build that failed half way does not look finished. */
export async function buildSite(): Promise<void> {
  // Taken first: a source that changes during the build makes the result stale.
  const builtFrom = await fingerprint(projectFolder, sources);
  await build({ root: projectFolder, configFile });
  await writeFile(stampFile, builtFrom);
}
