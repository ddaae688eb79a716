import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BlobWriter, TextReader, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js';
import type { Download, Page } from '@playwright/test';
import { z } from '../src/base/schema';
import { detectionResultSchema } from '../src/engine/protocol';
import { dropFile, openPage } from './page';
import { expect, test } from './support';
import { expectWellMade } from './wellMade';

const gallery = resolve(import.meta.dirname, '../public/gallery');
const labels = detectionResultSchema.parse((JSON.parse(readFileSync(resolve(gallery, 'example.json'), 'utf8')) as { snn: unknown }).snn).detectionsPerStep.at(-1) ?? [];

/** What the SNN finds on the first drawn smear stands as truth for all: right on it, wrong on others. */
const annotation = `<annotation>${labels
  .map(({ name, box: [x1, y1, x2, y2] }) => `<object><name>${name}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`)
  .join('')}</annotation>`;

function filesOfSet(count: number): { path: string; bytes: Uint8Array }[] {
  const text = new TextEncoder().encode(annotation);
  return Array.from({ length: count }, (_, index) => [
    { path: `smears/images/smear-${String(index).padStart(3, '0')}.jpg`, bytes: readFileSync(resolve(gallery, `smear-${(index % 6) + 1}.jpg`)) },
    { path: `smears/annotations/smear-${String(index).padStart(3, '0')}.xml`, bytes: text },
  ]).flat();
}

async function zipOfSet(count: number): Promise<Uint8Array> {
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
  for (const { path, bytes } of filesOfSet(count)) await writer.add(path, new Uint8ArrayReader(bytes));
  await writer.add('smears/annotations/lost.xml', new TextReader(annotation));
  return new Uint8Array(await (await writer.close()).arrayBuffer());
}

async function openEvaluate(page: Page): Promise<void> {
  await openPage(page);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('button', { name: 'Evaluate' }).click();
  await expect(page.getByRole('heading', { name: 'Data set' })).toBeVisible();
}

async function contentOf(page: Page, save: () => Promise<void>): Promise<{ name: string; text: string }> {
  const waiting: Promise<Download> = page.waitForEvent('download');
  await save();
  const download = await waiting;
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

const progress = (page: Page) => page.getByTestId('evaluation-progress');
const rows = (page: Page) => page.getByTestId('evaluation-results').locator('tbody tr');

test('a dropped zip is evaluated with the SNN and its twin, and what came of it can be saved', async ({ page }) => {
  await openEvaluate(page);
  await dropFile(page, { name: 'smears.zip', bytes: await zipOfSet(6) });
  await expect(page.getByTestId('dataset-summary')).toHaveText(/smears\.zip: VOC, 6 pictures, 3 classes \(Platelets, RBC, WBC\)/);
  await expect(page.getByText('1 file could not be used')).toBeVisible();
  await page.getByRole('button', { name: '2', exact: true }).click();
  await page.getByRole('button', { name: '4', exact: true }).click();
  await page.getByRole('button', { name: 'Evaluate', exact: true }).last().click();
  await expect(progress(page)).toHaveText('Finished: 6 of 6 samples', { timeout: 60_000 });
  await expect(rows(page)).toHaveCount(3);
  await expect(rows(page).first()).toContainText('bccd, SNN, T = 2');
  await expect(rows(page).last()).toContainText('bccd, ANN');
  const map50 = Number(await rows(page).nth(1).locator('td').nth(1).textContent());
  expect(map50).toBeGreaterThan(0.05);
  expect(map50).toBeLessThan(1);

  await page.getByRole('button', { name: 'bccd, ANN' }).click();
  await expect(page.getByTestId('evaluation-classes').locator('tbody tr')).toHaveCount(3);
  await expect(page.getByRole('img', { name: /^Precision against recall, Released code’s rule/ })).toBeVisible();
  await expect(page.getByTestId('evaluation-worst').locator('figure')).toHaveCount(6);

  const json = await contentOf(page, () => page.getByRole('button', { name: 'Save as JSON' }).click());
  expect(json.name).toBe('smears-evaluation.json');
  const saved = z
    .object({ samples: z.object({ done: z.literal(6) }), cases: z.array(z.object({ released: z.object({ map50: z.number() }), coco: z.object({ map: z.number() }), confusion: z.array(z.array(z.number())) })).length(3) })
    .parse(JSON.parse(json.text));
  expect(saved.cases[1]?.released.map50).toBeCloseTo(map50, 3);
  const csv = await contentOf(page, () => page.getByRole('button', { name: 'Save as CSV' }).click());
  expect(csv.text.trim().split('\r\n')).toHaveLength(1 + 3 * 4);
  const coco = await contentOf(page, async () => {
    await page.getByRole('button', { name: 'COCO results' }).click();
    await page.getByRole('menuitem', { name: 'bccd, SNN, T = 4' }).click();
  });
  const results = z.array(z.object({ image_id: z.string(), category_id: z.int(), bbox: z.array(z.number()).length(4), score: z.number() })).parse(JSON.parse(coco.text));
  expect(new Set(results.map(({ image_id: image }) => image)).size).toBe(6);
});

test('a chosen folder that is stopped keeps what it has, and goes on', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'ems-yolo-set-'));
  try {
    for (const { path, bytes } of filesOfSet(40)) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    await openEvaluate(page);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose a folder…' }).click();
    await (await chooser).setFiles(join(folder, 'smears'));
    await expect(page.getByTestId('dataset-summary')).toHaveText(/smears: VOC, 40 pictures/);
    await page.getByRole('button', { name: '16', exact: true }).click();
    await page.getByRole('button', { name: 'Evaluate', exact: true }).last().click();
    await expect(rows(page)).toHaveCount(2);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await expect(progress(page)).toHaveText(/^Stopped after [1-9]\d* of 40 samples$/);
    await expect(rows(page).first().locator('td').nth(1)).toHaveText(/^0\.\d{3}$/);
    // The rest of the page is there all the while.
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('button', { name: 'Detect' }).click();
    await expect(page.getByText('SNN (T = 4)')).toBeVisible();
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('button', { name: 'Evaluate' }).click();
    await expect(rows(page)).toHaveCount(2);
    await page.getByRole('button', { name: 'Go on' }).click();
    await expect(progress(page)).toHaveText('Finished: 40 of 40 samples', { timeout: 120_000 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what is no data set is told, and the page stays as it was', async ({ page }) => {
  await openEvaluate(page);
  await dropFile(page, { name: 'set.zip', bytes: new TextEncoder().encode('no zip') });
  await expect(page.locator('[data-code="dataset/unreadable"]')).toContainText('set.zip cannot be read');
  const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
  await writer.add('notes.csv', new TextReader('1,2,3'));
  await dropFile(page, { name: 'other.zip', bytes: new Uint8Array(await (await writer.close()).arrayBuffer()) });
  await expect(page.locator('[data-code="dataset/unknown"]')).toContainText('looked for');
  await expect(page.getByTestId('dataset-summary')).toHaveCount(0);
});

test('axe finds nothing serious on the Evaluate page, and nothing is cut off, in both themes on a desktop and a phone', async ({ page }) => {
  await openEvaluate(page);
  await dropFile(page, { name: 'smears.zip', bytes: await zipOfSet(3) });
  await page.getByRole('button', { name: 'Evaluate', exact: true }).last().click();
  await expect(progress(page)).toHaveText('Finished: 3 of 3 samples', { timeout: 60_000 });
  await page.getByText('Table of precision by recall').click();
  await expectWellMade(page, 'evaluate');
});
