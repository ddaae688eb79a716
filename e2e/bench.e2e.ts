import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { benchFileSchema } from '../src/engine/benchProtocol';
import { openPage } from './page';
import { expect, test } from './support';
import { expectWellMade } from './wellMade';

/** The Benchmark page as a person uses it: a small race, a stop, a file that comes back. */

async function openBench(page: Page): Promise<void> {
  await openPage(page);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('button', { name: 'Benchmark' }).click();
  await expect(page.getByRole('heading', { name: 'Engines and setting' })).toBeVisible();
}

async function choose(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`${label}$`) }).click();
  await page.getByRole('option', { name: option, exact: true }).click();
}

async function smallSetting(page: Page): Promise<void> {
  await choose(page, 'Input size', '64 px');
  await choose(page, 'Time steps T', '2');
  await choose(page, 'Timed runs', '3');
}

async function switchEngines(page: Page, names: readonly string[]): Promise<void> {
  for (const name of names) await page.getByRole('group', { name: 'Engines' }).getByText(name, { exact: true }).click();
}

interface ShownRow {
  engine: string;
  median: number;
  runs: number;
}

/** Of all networks, in order. */
async function readRows(page: Page, table: string): Promise<ShownRow[]> {
  const rows = await page
    .getByTestId(table)
    .locator('tbody tr')
    .evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')));
  return rows.filter((cells) => cells.length > 1).map(([engine = '', median, , runs]) => ({ engine, median: Number(median), runs: Number(runs) }));
}

test('engines run side by side; the result is saved, opened again, and stands beside a new one', async ({ page }, testInfo) => {
  await openBench(page);
  await smallSetting(page);
  await page.getByRole('button', { name: 'Run side by side' }).click();
  await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Run side by side' })).toBeVisible({ timeout: 90_000 });
  const rows = await readRows(page, 'bench-rows');
  const engines = ['This program, event-driven CPU', 'tfjs, WASM', 'onnxruntime-web, WASM'];
  expect(rows.map(({ engine }) => engine)).toEqual([...engines, ...engines]);
  for (const { median, runs } of rows) {
    expect(median).toBeGreaterThan(0);
    expect(runs).toBe(3);
  }

  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as JSON' }).click();
  const path = testInfo.outputPath('bench.json');
  await (await downloading).saveAs(path);
  const saved = benchFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  expect(saved.rows.map(({ network, engine, backend }) => `${network} ${engine} ${backend}`)).toEqual(
    ['snn', 'ann'].flatMap((network) => ['this event', 'tfjs wasm', 'onnxruntime-web wasm'].map((name) => `${network} ${name}`)),
  );
  for (const { maxOutputDifference, model, width, steps } of saved.rows) {
    expect(maxOutputDifference).toBeLessThan(1e-3);
    expect([model, width, steps]).toEqual(['bccd', 64, 2]);
  }

  await page.getByLabel('Compare with a saved result…').setInputFiles(path);
  await expect.poll(() => readRows(page, 'bench-compared')).toEqual(rows);
  // Compared with itself it takes the same time.
  await expect(page.getByTestId('bench-rows').locator('tbody tr').nth(1)).toContainText(/3\s*1\s*1\s*0/);

  // A file that is none changes nothing.
  await page.getByLabel('Compare with a saved result…').setInputFiles({ name: 'other.json', mimeType: 'application/json', buffer: Buffer.from('{"rows": 3}') });
  await expect(page.getByText('other.json is no result of a benchmark')).toBeVisible();
  expect(await readRows(page, 'bench-compared')).toEqual(rows);
  await page.getByRole('button', { name: 'Put bench.json away' }).click();
  await expect(page.getByTestId('bench-compared')).toHaveCount(0);
});

test('a race is stopped and keeps what it has; the page answers meanwhile', async ({ page }) => {
  await openBench(page);
  await smallSetting(page);
  await choose(page, 'Timed runs', '31');
  await switchEngines(page, ['Stock tfjs, WASM', 'onnxruntime-web, WASM']);
  await choose(page, 'Input size', '640 px');
  await page.getByRole('button', { name: 'Run side by side' }).click();
  await expect(page.getByTestId('bench-progress')).toContainText(/Measuring: \d+ of \d+/);
  await expect.poll(async () => (await readRows(page, 'bench-rows'))[0]?.runs ?? 0).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Run side by side' })).toBeVisible();
  const [row] = await readRows(page, 'bench-rows');
  expect(row?.runs).toBeGreaterThan(0);
  expect(row?.runs).toBeLessThan(31);
});

test('WebGPU takes part where there is one', async ({ page }) => {
  // On a software GPU everything takes long.
  test.setTimeout(300_000);
  await openBench(page);
  await smallSetting(page);
  await choose(page, 'Time steps T', '1');
  await switchEngines(page, ['Stock tfjs, WASM', 'This program, WebGPU', 'onnxruntime-web, WebGPU']);
  await page.getByRole('button', { name: 'Run side by side' }).click();
  await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Run side by side' })).toBeVisible({ timeout: 250_000 });
  const engines = (await readRows(page, 'bench-rows')).map(({ engine }) => engine);
  expect(engines.slice(0, 4)).toEqual(['This program, event-driven CPU', 'This program, WebGPU', 'onnxruntime-web, WASM', 'onnxruntime-web, WebGPU']);
  // With the kernels that the device chose, which are remembered for the page as well.
  expect(await page.evaluate(async () => (await (await caches.open('kernel choices')).keys()).length)).toBeGreaterThan(0);
});

test('costs by firing rate, steps and size, layer by layer, by keyboard', async ({ page }) => {
  await openBench(page);
  await smallSetting(page);
  const measure = page.getByRole('button', { name: 'Measure firing rate, steps, size, memory' });
  await measure.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('bench-memory')).toContainText('times the weights', { timeout: 90_000 });
  await expect(page.getByText('At a tenth of the spikes the spiking layers take')).toBeVisible();
  await page.getByText('Table: milliseconds of every layer').click();
  const layers = page.getByRole('region', { name: 'Table: milliseconds of every layer' }).locator('tbody tr');
  await expect.poll(() => layers.count()).toBeGreaterThan(10);

  // A threshold that the sweep has not measured is measured when the slider comes to rest there.
  const slider = page.getByRole('slider', { name: /Threshold|×/ });
  await slider.focus();
  for (let press = 0; press < 3; press++) await page.keyboard.press('ArrowRight');
  await expect(page.getByTestId('bench-threshold')).toContainText(/Firing rate .*spiking layers/, { timeout: 60_000 });
  await expect(page.getByText('1.75 × 0.5 = 0.875').first()).toBeVisible();
  await page.getByText('Table: Time against firing rate').click();
  // Seven of the sweep, the tenth, and this one.
  await expect(page.getByRole('region', { name: 'Table: Time against firing rate' }).locator('tbody tr')).toHaveCount(9);

  const chart = page.getByRole('img', { name: /^Time against steps T/ });
  await chart.focus();
  await page.keyboard.press('Home');
  await expect(chart).toHaveAccessibleName(/at 1 steps/);

  await expectWellMade(page, 'bench');
});
