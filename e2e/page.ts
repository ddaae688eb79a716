import { openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { quietTask } from '../src/base/progress';
import { openCheckpoint } from '../src/checkpoint/open';
import type { Checkpoint } from '../src/checkpoint/types';
import type { GoldenCase } from './golden';
import { expect } from './support';

/** What a person does on the Detect page, and what they read off it. */

export interface DroppedFile {
  name: string;
  bytes: Uint8Array;
}

export function fileFrom(folder: string, name: string): DroppedFile {
  return { name, bytes: readFileSync(resolve(folder, name)) };
}

/** Drops a file as the operating system would: on the page, or on a part of it. */
export async function dropFile(page: Page, file: DroppedFile, onto = '.app'): Promise<void> {
  await dropFiles(page, [file], onto);
}

/** Several files at once. */
export async function dropFiles(page: Page, files: readonly DroppedFile[], onto = '.app'): Promise<void> {
  const transfer = await page.evaluateHandle(
    (dropped) => {
      const data = new DataTransfer();
      for (const { name, base64 } of dropped) data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
      return data;
    },
    files.map(({ name, bytes }) => ({ name, base64: Buffer.from(bytes).toString('base64') })),
  );
  await page.dispatchEvent(onto, 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent(onto, 'drop', { dataTransfer: transfer });
}

/** Chooses a command in the palette as a person at the keyboard does. */
export async function chooseCommand(page: Page, title: string): Promise<void> {
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox', { name: 'Find a command' })).toBeFocused();
  await page.keyboard.type(title);
  await expect(page.getByRole('menuitem').first()).toContainText(title);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

/** Opens the page, with what a link holds after the `#`, and waits until its own engine has computed what is shown. */
export async function openPage(page: Page, fragment = ''): Promise<void> {
  await page.goto(`/${fragment}`);
  // Not `expect`: it would read the whole page for its report each time it looks.
  await neuronTable(page).waitFor();
  await page.getByText('precomputed').first().waitFor({ state: 'detached' });
}

export function neuronTable(page: Page): Locator {
  return page.getByTestId('neuron-table');
}

export interface TableBox {
  name: string;
  score: number;
  box: number[];
  /** How it compares with the labels, where there are some. */
  kind?: string;
}

/** The table under a pane, opened first as a person would. */
export async function readBoxes(page: Page, slot: 'snn' | 'ann' | 'converted'): Promise<TableBox[]> {
  const table = page.getByTestId(`boxes-${slot}`);
  if (!(await table.isVisible())) {
    await page.locator('.pane').filter({ has: table }).getByText('Table of boxes').click();
  }
  const rows = await table.locator('tbody tr').evaluateAll((elements) =>
    elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')),
  );
  return rows.map(([name = '', score, x1, y1, x2, y2, kind]) => ({
    name,
    score: Number(score),
    box: [x1, y1, x2, y2].map(Number),
    ...(kind !== undefined && { kind }),
  }));
}

export function expectSameBoxes(actual: TableBox[], expected: TableBox[], tolerancePx = 0.05): void {
  expect(actual.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  for (const [index, { score, box }] of expected.entries()) {
    expect(Math.abs((actual[index]?.score ?? NaN) - score)).toBeLessThan(0.001);
    box.forEach((side, corner) => expect(Math.abs((actual[index]?.box[corner] ?? NaN) - side)).toBeLessThanOrEqual(tolerancePx));
  }
}

export async function openExpected(folder: string): Promise<Checkpoint> {
  return openCheckpoint(await openAsBlob(resolve(folder, 'expected.safetensors')), quietTask);
}

/**
 * `detections` of a golden case: x1 y1 x2 y2 score class; classes of golden cases are named class0, class1, ... They were
 * written before the released code clips them to the picture, so that is done here.
 */
export async function expectedBoxes({ folder, width, height }: GoldenCase): Promise<TableBox[]> {
  const clip = (value: number, side: number): number => Math.min(Math.max(value, 0), side);
  const expected = await openExpected(folder);
  const values = await expected.read('detections', quietTask);
  return Array.from({ length: values.length / 6 }, (_, index) => {
    const [x1 = NaN, y1 = NaN, x2 = NaN, y2 = NaN, score = NaN, label = NaN] = values.subarray(index * 6, index * 6 + 6);
    return { name: `class${label}`, score, box: [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)] };
  });
}

/** The bytes that a command of the Export menu saves. */
export async function savedFile(page: Page, title: string): Promise<{ name: string; bytes: Buffer }> {
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: title }).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

export function csvRows(bytes: Buffer): string[][] {
  return bytes.toString('utf8').trimEnd().split('\r\n').map((line) => line.split(','));
}
