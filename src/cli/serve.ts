/** `npm start [-- --no-open] [-- --port 4173]`: builds the site where it is missing or stale, and serves it on this machine. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { preview } from 'vite';
import { AppError, asAppError } from '../base/errors';
import { buildSite, projectFolder, siteIsFresh } from './site';

const defaultPort = 4173;

interface ServeOptions {
  open: boolean;
  /** Undefined: {@link defaultPort}, or the next one that is free. */
  port: number | undefined;
}

function readOptions(words: string[]): ServeOptions {
  const remedy = 'Use `npm start -- --no-open --port 4173`; both options may be left out.';
  let values: { 'no-open'?: boolean; port?: string };
  try {
    ({ values } = parseArgs({ args: words, options: { 'no-open': { type: 'boolean' }, port: { type: 'string' } } }));
  } catch (error) {
    throw new AppError('usage', error instanceof Error ? error.message : 'The options cannot be read.', remedy, error);
  }
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
    throw new AppError('usage', `"${values.port}" is not a port.`, remedy);
  }
  return { open: !values['no-open'] && canShowBrowser(), port };
}

/** A machine without a screen has no browser to open, and trying would only print an error. */
function canShowBrowser(): boolean {
  if (process.env['CI']) return false;
  if (process.platform !== 'linux') return true;
  return Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
}

async function serve({ open, port }: ServeOptions): Promise<void> {
  if (await siteIsFresh()) console.log('The site is built already.');
  else {
    console.log('Building the site (once; the next start is immediate) ...');
    await buildSite();
  }
  const server = await preview({
    root: projectFolder,
    configFile: join(projectFolder, 'vite.config.ts'),
    preview: { port: port ?? defaultPort, strictPort: port !== undefined, open },
  }).catch((error: unknown) => {
    if (!(error instanceof Error && error.message.includes('already in use'))) throw error;
    throw new AppError(
      'usage',
      `${error.message}.`,
      'Stop the program that uses it, choose another port, or leave `--port` out to get the next free one.',
      error,
    );
  });
  const address = server.resolvedUrls?.local[0] ?? `http://localhost:${port ?? defaultPort}/`;
  console.log(`\nEMS-YOLO Playground: ${address}\nPress Ctrl+C to stop.`);
}

try {
  await serve(readOptions(process.argv.slice(2)));
} catch (thrown) {
  const { message, remedy } = asAppError(thrown);
  console.error(`${message}\n${remedy}`);
  process.exitCode = 1;
}
