/** Finds the Chromium that the browser tests drive, and installs one where there is none. `tsx e2e/chromium.ts` prints its path. */
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from '@playwright/test';
import { AppError } from '../src/base/errors';

/** How Chromium is started everywhere: without a screen, with WebGPU emulated in software, slow and right. */
export const chromiumArguments = [
  '--headless=new',
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

const commandNames = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * The path of a Chromium that starts: `CHROMIUM_PATH`, one on the PATH, Playwright's own, or one installed now.
 * @throws AppError `usage` when `CHROMIUM_PATH` is wrong, or when none is there and none can be installed
 */
export function findChromium(): string {
  const given = process.env['CHROMIUM_PATH'];
  if (given) {
    if (starts(given)) return given;
    throw new AppError(
      'usage',
      `CHROMIUM_PATH is "${given}", and no browser starts from there.`,
      'Set it to the program file of a Chromium or Chrome, or unset it to have one found.',
    );
  }
  const installed = installedChromium();
  if (installed) return installed;

  console.log('There is no Chromium on this machine; the browser tests need one.');
  for (const install of [installFromDebian, installFromPlaywright]) {
    install();
    const found = installedChromium();
    if (found) return found;
  }
  throw new AppError(
    'usage',
    'No Chromium was found, and none could be installed.',
    'Install Chromium or Chrome and set CHROMIUM_PATH to its program file, then run the tests again.',
  );
}

function installedChromium(): string | undefined {
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => commandNames.map((name) => join(folder, name)));
  return [...onPath, chromium.executablePath()].find((path) => isProgram(path) && starts(path));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Ubuntu's `chromium-browser` may be a stub that only asks for a snap: being there is not enough. */
function starts(path: string): boolean {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 60_000 });
  return status === 0 && /chrom/i.test(stdout);
}

function installFromDebian(): void {
  if (!succeeds('apt-get', ['--version'])) return;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && !succeeds('sudo', ['-n', 'true'])) {
    console.log('apt-get is here, but not the right to use it without a password.');
    return;
  }
  const apt = [...(isRoot ? ['env'] : ['sudo', '-n', 'env']), 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  if (run([...apt, 'update'])) run([...apt, 'install', '-y', 'chromium']);
}

function installFromPlaywright(): void {
  run(['npx', 'playwright', 'install', 'chromium']);
}

function succeeds(command: string, words: string[]): boolean {
  return spawnSync(command, words, { stdio: 'ignore' }).status === 0;
}

/** Runs a command in view of the person; whether it worked shows in whether a browser is there afterwards. */
function run([command = '', ...words]: string[]): boolean {
  console.log(`> ${[command, ...words].join(' ')}`);
  try {
    execFileSync(command, words, { stdio: ['ignore', 'inherit', 'inherit'] });
    return true;
  } catch (error) {
    console.log(`That failed: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(findChromium());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    console.error(`${error.message}\n${error.remedy}`);
    process.exitCode = 1;
  }
}
