import { resolve } from 'node:path';
import { build } from 'vite';

/** A module of this folder with everything it imports, for a page: the text of its files by name, the module's own being `entry.js`. */
export async function bundle(module: string): Promise<Map<string, string>> {
  const built = await build({
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    build: { write: false, target: 'es2022', lib: { entry: resolve(import.meta.dirname, module), formats: ['es'], fileName: 'entry' } },
  });
  const [first] = Array.isArray(built) ? built : [built];
  if (!first || !('output' in first)) throw new Error(`${module} was not built.`);
  return new Map(first.output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file.code]] : [])));
}
