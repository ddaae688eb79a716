import { resolve } from 'node:path';
import type { Page } from '@playwright/test';
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

const built = new Map<string, Promise<Map<string, string>>>();

/** Opens a page of the site, for its content security policy, with such a module in it. */
export async function openWithModule(page: Page, module: string): Promise<void> {
  const files = built.get(module) ?? bundle(module);
  built.set(module, files);
  const texts = await files;
  await page.route('/bundled-module/**', async (route) => {
    const code = texts.get(new URL(route.request().url()).pathname.replace('/bundled-module/', ''));
    await route.fulfill(code === undefined ? { status: 404 } : { contentType: 'text/javascript', body: code });
  });
  await page.goto('/');
  await page.addScriptTag({ type: 'module', url: '/bundled-module/entry.js' });
}
