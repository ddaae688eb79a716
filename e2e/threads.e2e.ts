import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { neuronTable, openPage, readBoxes } from './page';
import { expect, test } from './support';

const site = resolve(import.meta.dirname, '../dist');
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml' };

/** A host that serves files and sends no header of ours. */
function plainHost(): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = join(site, pathname === '/' ? 'index.html' : decodeURIComponent(pathname));
    readFile(file).then(
      (content) => response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }).end(content),
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((done) => server.listen(0, 'localhost', () => done(server)));
}

const threads = (page: Page) => page.getByRole('button', { name: /Threads$/ });
const backend = (page: Page) => page.getByRole('button', { name: /Backend$/ });

async function settled(page: Page): Promise<void> {
  await expect(neuronTable(page)).toBeVisible();
  await expect(page.getByText('precomputed')).toHaveCount(0);
}

test('the CPU engine runs on as many threads as a person says, with the same boxes', async ({ page }) => {
  await openPage(page);
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  test.skip(cores < 2, 'one core');
  await expect(backend(page)).toContainText(`${Math.min(cores, 16)} threads`);
  const several = await readBoxes(page, 'snn');
  await threads(page).click();
  await page.getByRole('option', { name: '1 thread' }).click();
  await expect(threads(page)).toContainText('1 thread');
  await expect(backend(page)).not.toContainText('threads');
  // Until it has run on one thread, the boxes of several are shown.
  await expect(page.locator('.pane').first().getByTitle(/^Network on /)).not.toHaveAttribute('title', /threads/);
  await expect.poll(() => readBoxes(page, 'snn')).toEqual(several);
  expect(several.length).toBeGreaterThan(0);
});

test.describe('on a host without headers', () => {
  test.use({ serviceWorkers: 'allow' });

  test('the service worker isolates the page from the second visit on, and reloads nothing', async ({ page }) => {
    const server = await plainHost();
    try {
      const address = `http://localhost:${(server.address() as AddressInfo).port}/`;
      let loads = 0;
      page.on('load', () => loads++);
      await page.goto(address);
      await settled(page);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
      const first = await readBoxes(page, 'snn');
      await expect(backend(page)).not.toContainText('threads');
      await page.evaluate(() => navigator.serviceWorker.ready);
      expect(loads).toBe(1);
      await page.reload();
      await settled(page);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      const cores = await page.evaluate(() => navigator.hardwareConcurrency);
      if (cores > 1) await expect(backend(page)).toContainText('threads');
      expect(await readBoxes(page, 'snn')).toEqual(first);
      expect(loads).toBe(2);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
