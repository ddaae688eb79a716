import type { Locator, Page } from '@playwright/test';
import { tinyOnnx, v8Output } from './onnxFiles';
import { csvRows, dropFile, openPage, readBoxes, savedFile } from './page';
import { expect, test } from './support';
import { expectWellMade } from './wellMade';

const panel = (page: Page): Locator => page.getByRole('region', { name: 'Trained against converted' });
const pane = (page: Page, title: RegExp): Locator => page.locator('.pane').filter({ has: page.getByRole('heading', { name: title }) });

async function switchOn(page: Page): Promise<void> {
  await panel(page).getByRole('switch', { name: 'Converted SNN' }).focus();
  await page.keyboard.press('Space');
  await expect(pane(page, /^Converted SNN/)).toBeVisible();
}

/** Steps that the T chart's table names for the converted network. */
async function pointsOf(page: Page): Promise<number[]> {
  const table = panel(page).getByText('Agreement, spikes and energy by T');
  if (!(await panel(page).locator('tbody').isVisible())) await table.click();
  const headings = await panel(page).locator('tbody th').allTextContents();
  return headings.filter((heading) => heading.startsWith('SNN, converted')).map((heading) => Number(heading.split(', ').at(-1)));
}

/** The three panes' left and top edges. */
async function paneEdges(page: Page): Promise<{ x: number; y: number }[]> {
  const boxes = await Promise.all((await page.locator('.pane').all()).map((each) => each.boundingBox()));
  return boxes.map((box) => ({ x: Math.round(box?.x ?? NaN), y: Math.round(box?.y ?? NaN) }));
}

test('three networks on one picture: the converted one comes to the boxes of the ANN, and says at which T', async ({ page }) => {
  await openPage(page);
  await switchOn(page);
  const edges = await paneEdges(page);
  expect(edges).toHaveLength(3);
  expect(new Set(edges.map(({ y }) => y)).size).toBe(1);
  expect(new Set(edges.map(({ x }) => x)).size).toBe(3);

  await expect(page.getByText('Converted SNN (T = 256)')).toBeVisible({ timeout: 90_000 });
  const ann = await readBoxes(page, 'ann');
  const converted = await readBoxes(page, 'converted');
  expect(converted.length).toBeGreaterThan(0.9 * ann.length);
  // Its boxes at T = 256, and the T from which on they are the ANN's.
  const needed = /T needed for the ANN’s boxes: (\d+)/.exec((await page.getByTestId('steps-needed-pane').textContent()) ?? '')?.[1];
  expect(Number(needed)).toBeGreaterThan(4);
  expect(Number(needed)).toBeLessThanOrEqual(256);
  expect(converted.map(({ name }) => name).sort()).toEqual(ann.map(({ name }) => name).sort());

  // Fewer steps show the boxes that it had then, without running anything.
  const slider = page.getByRole('slider', { name: /Converted, steps T/ });
  await slider.focus();
  for (let press = 0; press < 30 && !(await page.getByText('Converted SNN (T = 4)', { exact: true }).isVisible()); press++) await page.keyboard.press('ArrowLeft');
  await expect(page.getByText('Converted SNN (T = 4)', { exact: true })).toBeVisible();
  expect(await readBoxes(page, 'converted')).not.toEqual(converted);

  // On a phone they lie below each other.
  await page.setViewportSize({ width: 390, height: 844 });
  await expect(async () => {
    const stacked = await paneEdges(page);
    expect(new Set(stacked.map(({ x }) => x)).size).toBe(1);
    expect(new Set(stacked.map(({ y }) => y)).size).toBe(3);
  }).toPass({ timeout: 60_000 });
});

test('the T chart grows while T runs to 256, can be cancelled, and goes on', async ({ page }) => {
  await openPage(page);
  await switchOn(page);
  await expect.poll(async () => (await pointsOf(page)).length, { timeout: 60_000 }).toBeGreaterThan(3);
  const early = await pointsOf(page);
  await expect.poll(async () => (await pointsOf(page)).length, { timeout: 60_000 }).toBeGreaterThan(early.length);
  await page.getByRole('button', { name: 'Cancel' }).click();
  const resume = page.getByRole('button', { name: /^Go on from \d+$/ });
  await expect(resume).toBeVisible();
  const stopped = await pointsOf(page);
  expect(stopped.at(-1)).toBeLessThan(256);
  await page.waitForTimeout(1000);
  expect(await pointsOf(page)).toEqual(stopped);
  await resume.click();
  await expect.poll(async () => (await pointsOf(page)).at(-1), { timeout: 90_000 }).toBe(256);
  expect((await pointsOf(page)).slice(0, stopped.length)).toEqual(stopped);

  // Spikes and energy only grow, and every one of them has a number; energy is estimated a moment after the steps.
  await expect(async () => {
    const rows = await panel(page).locator('tbody tr').evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')));
    expect(rows.every(([, agreement, spikes, energy]) => /%$/.test(agreement ?? '') && spikes !== '0' && / [pnµm]?J$/.test(energy ?? ''))).toBe(true);
  }).toPass({ timeout: 60_000 });

  // The same against what is known to be on the picture, and as a file.
  await panel(page).getByRole('button', { name: /Compared with$/ }).click();
  await page.getByRole('option', { name: 'compared with the labels' }).click();
  await expect(panel(page).getByRole('img', { name: /^Agreement with the labels by time steps/ })).toBeVisible();
  const agreements = await panel(page).locator('tbody td:nth-child(2)').allTextContents();
  expect(agreements.every((text) => parseFloat(text) >= 0 && parseFloat(text) <= 100)).toBe(true);
  const [columns, ...saved] = csvRows((await savedFile(page, 'Save agreement, spikes and energy by T (CSV)')).bytes);
  expect(columns).toEqual(['network', 'T', 'agreement_with_ann', 'agreement_with_labels', 'spikes', 'energy_pj', 'convention']);
  expect(saved.filter(([network]) => network === 'converted').map(([, steps]) => Number(steps))).toEqual(await pointsOf(page));
  expect(saved.map((row) => `${(Number(row[3]) * 100).toFixed(1)}%`)).toEqual(agreements);

  // Another picture starts anew.
  await page.getByRole('button', { name: 'Drawn smear 2' }).click();
  await expect.poll(async () => (await pointsOf(page)).at(-1), { timeout: 30_000 }).not.toBe(256);
  await panel(page).getByRole('switch', { name: 'Converted SNN' }).focus();
  await page.keyboard.press('Space');
  await expect(pane(page, /^Converted SNN/)).toHaveCount(0);
});

test('energy names its convention, follows the choice, and keeps the paper’s ratio beside it', async ({ page }) => {
  await openPage(page);
  const energy = page.getByRole('region', { name: 'Energy per layer' });
  await expect(energy.getByText('an estimate for neuromorphic hardware, not this device’s consumption')).toBeVisible();
  const ratios = async (): Promise<number[]> => (await energy.getByTestId('energy-totals').locator('tbody tr').first().locator('td').allTextContents()).slice(2).map(parseFloat);
  await expect.poll(ratios).toHaveLength(2);
  const [chosen = NaN, paper = NaN] = await ratios();
  expect(chosen).toBe(paper);
  expect(paper).toBeGreaterThan(3);
  await expect(energy.getByTestId('energy-convention')).toContainText('45 nm FP32: 4.6 pJ a MAC, 0.9 pJ an AC; real-valued layers counted once');

  await energy.getByRole('button', { name: /Real-valued layers$/ }).click();
  await page.getByRole('option', { name: /^at every step/ }).click();
  await expect(energy.getByTestId('energy-convention')).toContainText('real-valued layers counted at every step');
  const [everyStep = NaN, still = NaN] = await ratios();
  expect(everyStep).toBeLessThan(paper);
  expect(still).toBe(paper);
  await energy.getByRole('switch', { name: 'Memory traffic' }).focus();
  await page.keyboard.press('Space');
  await expect(energy.getByTestId('energy-convention')).toContainText('with memory traffic at 10 pJ an access');
  await energy.getByText('Energy of every layer').click();
  await expect.poll(() => energy.getByRole('region', { name: 'Energy of every layer' }).locator('tbody tr').count()).toBeGreaterThan(25);
});

test('a detector from an ONNX file takes the ANN’s place; one that is none is one sentence', async ({ page, complaints }) => {
  await openPage(page);
  const boxes = [
    { centre: [32, 32], sides: [16, 12], score: 0.9, class: 1 },
    { centre: [12, 20], sides: [8, 8], score: 0.5, class: 0 },
  ] as const;
  const file = async (blob: Blob, name: string) => ({ name, bytes: new Uint8Array(await blob.arrayBuffer()) });
  const before = await readBoxes(page, 'ann');
  await dropFile(page, await file(tinyOnnx([{ shape: [1, 1000], data: new Float32Array(1000) }], 64), 'classifier.onnx'), '[data-testid=pane-ann]');
  await expect(page.getByRole('alert')).toContainText('Found: output0 [1, 1000]');
  expect(await readBoxes(page, 'ann')).toEqual(before);

  await dropFile(page, await file(tinyOnnx([v8Output(boxes, 2, 84)], 64, { names: "{0: 'cat', 1: 'dog'}" }), 'tiny.onnx'), '[data-testid=pane-ann]');
  await expect(page.getByText('tiny.onnx (YOLOv8 head, ONNX)')).toBeVisible();
  // 640 x 480 on 64 x 64: a tenth, between bands of 8 pixels.
  await expect.poll(() => readBoxes(page, 'ann')).toEqual([
    { name: 'dog', score: 0.9, box: [240, 180, 400, 300] },
    { name: 'cat', score: 0.5, box: [80, 80, 160, 160] },
  ]);
  await expect(page.locator('[data-testid=pane-ann] canvas').first()).toBeVisible();
  // There is nothing to convert in it.
  await panel(page).getByRole('switch', { name: 'Converted SNN' }).focus();
  await page.keyboard.press('Space');
  await expect(page.getByText('There is no ANN twin to convert.')).toBeVisible();
  expect(complaints).toEqual([]);
});

test('axe finds nothing serious with three networks, and nothing is cut off, in both themes on a desktop and a phone', async ({ page }) => {
  await openPage(page);
  await switchOn(page);
  await expect.poll(async () => (await pointsOf(page)).length, { timeout: 60_000 }).toBeGreaterThan(8);
  await page.getByText('What the paper’s 5.83 counted').click();
  await expectWellMade(page, 'compare');
});
