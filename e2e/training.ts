import { BlobReader, BlobWriter, TextReader, ZipWriter } from '@zip.js/zip.js';
import type { Page } from '@playwright/test';
import sharp from 'sharp';
import { between, seededRandom } from '../src/base/random';
import { writeYolo } from '../src/base/writeTruth';
import { expect } from './support';

/** A small data set to train on in the page, and a run that takes seconds. */

const side = 64;
export const squareClasses = ['bright', 'dark'];

/** A bright and a dark square on grey. */
export async function drawSquares(seed: number): Promise<{ png: Buffer; boxes: { box: [number, number, number, number]; class: number }[] }> {
  const random = seededRandom(seed);
  const data = Buffer.alloc(side * side * 3, 110);
  const boxes = squareClasses.map((_, label) => {
    const size = Math.round(between(random, 16, 26));
    const left = Math.round(between(random, label * 32, label * 32 + 32 - size));
    const top = Math.round(between(random, 0, side - size));
    for (let y = top; y < top + size; y++) data.fill(label === 0 ? 240 : 15, (y * side + left) * 3, (y * side + left + size) * 3);
    const box: [number, number, number, number] = [left, top, left + size, top + size];
    return { box, class: label };
  });
  return { png: await sharp(data, { raw: { width: side, height: side, channels: 3 } }).png().toBuffer(), boxes };
}

/** In YOLO's layout. */
async function squaresZip(count: number): Promise<Buffer> {
  const writer = new ZipWriter(new BlobWriter('application/zip'), { useWebWorkers: false });
  await writer.add('data.yaml', new TextReader(`names: ${JSON.stringify(squareClasses)}\n`));
  for (let seed = 1; seed <= count; seed++) {
    const { png, boxes } = await drawSquares(seed);
    await writer.add(`images/${seed}.png`, new BlobReader(new Blob([new Uint8Array(png)])));
    await writer.add(`labels/${seed}.txt`, new TextReader(writeYolo(boxes, { width: side, height: side })));
  }
  return Buffer.from(await (await writer.close()).arrayBuffer());
}

/** Takes a second or two an epoch on a slow machine, and learns its squares in about twenty. */
export const smallRun = {
  name: 'squares',
  title: 'Squares',
  network: { widthMultiple: 0.25 },
  stages: [{ epochs: 20, size: 64, steps: 1 }],
  batch: 4,
  anchors: 'fit',
  optimiser: { learningRate: 1e-2 },
  schedule: { warmUpEpochs: 1 },
  gains: { box: 0.075, objectness: 0.7, class: 0.3 },
  averageDecay: 0.9,
  augmentation: { mosaic: 0, scale: 0.1, translate: 0.1, hue: 0, saturation: 0, value: 0 },
  evaluateEvery: 1,
  seed: 5,
};

export async function chooseZip(page: Page, name: string, buffer: Buffer): Promise<void> {
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose a zip…' }).click();
  await (await chooser).setFiles({ name, mimeType: 'application/zip', buffer });
}

export async function openTrainPage(page: Page): Promise<void> {
  await page.goto('/#page=train');
  await expect(page.getByRole('radio', { name: /Handwritten digits/ })).toBeChecked();
  await expect(page.getByLabel('Batch')).toBeVisible();
}

export async function openSquares(page: Page, count = 25): Promise<void> {
  await page.getByText('A folder or zip').first().click();
  await chooseZip(page, 'squares.zip', await squaresZip(count));
  await expect(page.getByTestId('dataset')).toContainText(`${count} labelled pictures (YOLO), 2 classes: bright, dark`);
}

/** Writes settings as a person would paste them. */
export async function setSettings(page: Page, settings: object): Promise<void> {
  const text = page.getByLabel('As in a configuration file (JSON)');
  if (!(await text.isVisible())) await page.getByText('All settings', { exact: true }).click();
  await text.fill(JSON.stringify(settings));
  await page.getByRole('button', { name: 'Apply' }).click();
}

export function runStatus(page: Page) {
  return page.getByTestId('run-status');
}

/** The steps that are behind, as the page says it. */
export async function stepOf(page: Page): Promise<number> {
  const [, step = 'NaN'] = /step ([\d,]+) of/.exec((await runStatus(page).textContent()) ?? '') ?? [];
  return Number(step.replaceAll(',', ''));
}

/** A chart's table, opened first as a person would. */
export async function readCurve(page: Page, title: string): Promise<number[][]> {
  const table = page.getByRole('region', { name: `Table: ${title}` });
  if (!(await table.isVisible())) await page.getByText(`Table: ${title}`, { exact: true }).click();
  await expect(table).toBeVisible();
  return table.locator('tbody tr').evaluateAll((rows) =>
    rows.map((row) => Array.from(row.children, (cell) => Number((cell.textContent ?? '').replace('−', '-').replaceAll(',', '')))),
  );
}
