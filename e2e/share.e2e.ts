import { resolve } from 'node:path';
import sharp from 'sharp';
import { chooseCommand, csvRows, dropFile, fileFrom, neuronTable, openPage, readBoxes, savedFile, type DroppedFile } from './page';
import { expect, test } from './support';

/** The address, copied links, settings files, saved files, and the palette that has them all. */

test('a shared link restores model, picture, T, thresholds, layer, neuron, step and hidden panels', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openPage(page);
  await page.getByRole('button', { name: 'Drawn smear 3' }).click();
  await expect(page.getByRole('button', { name: 'Drawn smear 3' })).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('6');
  await expect(page.getByText('SNN (T = 6)')).toBeVisible();
  await chooseCommand(page, 'Layer 5: 2 ConcatBlock_ms, branch 2');
  await page.getByRole('slider', { name: 'Threshold' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByText('40 × 40 × 32 neurons')).toBeVisible();
  await page.getByRole('button', { name: 'Step 2 of 6' }).click();
  await page.getByRole('button', { name: 'Panels' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Events' }).click();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('region', { name: 'Events', exact: true })).toHaveCount(0);
  await expect(page.getByText('Neuron x').first()).toBeVisible();
  // The membrane is read anew when both networks have run with this threshold.
  await expect(page.getByRole('img', { name: /^Neuron x .*; threshold 0\.55;/ })).toBeVisible();
  const neuron = await page.getByText(/^Neuron x \d+, y \d+, channel \d+$/).first().textContent();
  await expect.poll(() => page.url()).toContain('step=2');
  const boxes = await readBoxes(page, 'snn');
  await page.getByRole('button', { name: 'Share' }).click();
  await expect(page.getByText('The link was copied.')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());

  const other = await context.newPage();
  await other.goto(link);
  await expect(neuronTable(other)).toBeVisible();
  await expect(other.getByText('SNN (T = 6)')).toBeVisible();
  await expect(other.getByText(neuron ?? 'no neuron', { exact: true }).first()).toBeVisible();
  await expect(other.getByRole('button', { name: 'Step 2 of 6' })).toHaveAttribute('aria-current', 'step');
  await expect(other.getByText('40 × 40 × 32 neurons')).toBeVisible();
  await expect(other.getByRole('button', { name: 'Drawn smear 3' })).toHaveAttribute('aria-pressed', 'true');
  await expect(other.getByRole('region', { name: 'Events', exact: true })).toHaveCount(0);
  await expect.poll(() => readBoxes(other, 'snn')).toEqual(boxes);
  await expect.poll(() => other.url()).toBe(link);
});

test('a link to a recording restores its window', async ({ page }) => {
  await openPage(page, '#sample=digits-2&T=5&from=60000&window=120000&as=counts&layer=3');
  await expect(page.getByTestId('recording-clock')).toContainText('180');
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
  await expect(page.getByRole('button', { name: /Model$/ })).toContainText('Digits from events');
  // The link does not name the model: this is the address that the page writes.
  await expect.poll(() => page.url()).toMatch(/model=digits-events&.*from=60000&window=120000&as=counts/);
});

test('what a link says wrongly is left out and named', async ({ page }) => {
  await openPage(page, '#T=99&layer=4000&sample=nothing-7&conf=&step=3');
  const log = page.getByRole('log', { name: 'Messages' });
  await expect(log).toContainText('Part of the link was not understood and left out: T=99, conf=, sample=nothing-7.');
  await expect(log).toContainText('Layer 4000 was asked for');
  await expect(page.getByText('SNN (T = 4)')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Step 3 of 4' })).toHaveAttribute('aria-current', 'step');
});

test('a link opened on the open page is followed', async ({ page }) => {
  await openPage(page);
  await page.evaluate(() => (window.location.hash = '#sample=smear-2&T=2&layer=8'));
  await expect(page.getByText('SNN (T = 2)')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Drawn smear 2' })).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByText('20 × 20 × 64 neurons')).toBeVisible();
});

test('a person’s own picture is not in the link, and the sentence says so', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openPage(page);
  await dropFile(page, fileFrom(resolve(import.meta.dirname, 'golden/res10-ee-64'), 'input.png'));
  await expect(page.getByText('input.png', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Share' }).click();
  await expect(page.getByRole('log', { name: 'Messages' })).toContainText('not input.png: your own files stay on this machine');
  expect(await page.evaluate(() => navigator.clipboard.readText())).not.toContain('sample=');
});

test('saved settings restore the run; a damaged file changes nothing', async ({ page }) => {
  await openPage(page);
  await page.keyboard.press('7');
  await expect(page.getByText('SNN (T = 7)')).toBeVisible();
  await page.getByRole('slider', { name: 'Confidence' }).focus();
  await page.keyboard.press('PageUp');
  const { name, bytes } = await savedFile(page, 'Save the run settings (JSON)');
  const minimum = Number(await page.getByRole('slider', { name: 'Confidence' }).inputValue());
  await expect.poll(async () => (await readBoxes(page, 'snn')).every(({ score }) => score > minimum)).toBe(true);
  const boxes = await readBoxes(page, 'snn');
  await page.getByRole('button', { name: 'As trained', exact: true }).click();
  await expect(page.getByText('SNN (T = 4)')).toBeVisible();
  const file: DroppedFile = { name, bytes };
  await dropFile(page, { name, bytes: bytes.subarray(0, bytes.length - 20) });
  await expect(page.getByRole('alert')).toContainText('is not a settings file of this page');
  await expect(page.getByText('SNN (T = 4)')).toBeVisible();
  await dropFile(page, file);
  await expect(page.getByText('SNN (T = 7)')).toBeVisible();
  await expect.poll(() => readBoxes(page, 'snn')).toEqual(boxes);
});

test('every saved file can be read again', async ({ page }) => {
  await openPage(page, '#layer=5&neuron=10,12,3');
  await expect(page.getByText('Neuron x 10, y 12, channel 3').first()).toBeVisible();
  const boxes = await readBoxes(page, 'snn');

  const detections = JSON.parse((await savedFile(page, 'Save the detections (JSON)')).bytes.toString()) as { networks: { network: string; detections: { score: number }[] }[] };
  expect(detections.networks.map(({ network }) => network)).toEqual(['snn', 'ann']);
  expect(detections.networks[0]?.detections.map(({ score }) => Number(score.toFixed(4)))).toEqual(boxes.map(({ score }) => score));

  const coco = JSON.parse((await savedFile(page, 'Save the SNN’s detections (COCO results)')).bytes.toString()) as { bbox: number[]; category_id: number; image_id: unknown }[];
  expect(coco).toHaveLength(boxes.length);
  const [first] = coco;
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = boxes[0]?.box ?? [];
  [x1, y1, x2 - x1, y2 - y1].forEach((side, corner) => expect(first?.bbox[corner]).toBeCloseTo(side, 1));
  expect(coco.every(({ category_id: category }) => category >= 1 && category <= 3)).toBe(true);

  const rows = csvRows((await savedFile(page, 'Save the detections (CSV)')).bytes);
  expect(rows[0]).toEqual(['network', 'step', 'class', 'name', 'score', 'x1', 'y1', 'x2', 'y2']);
  expect(rows.filter(([network]) => network === 'snn')).toHaveLength(boxes.length);

  const rates = csvRows((await savedFile(page, 'Save the firing rates (CSV)')).bytes);
  expect(rates[0]?.slice(-4)).toEqual(['step 1', 'step 2', 'step 3', 'step 4']);
  expect(rates.slice(1).every((row) => Number(row[5]) > 0 && Number(row[5]) < 1)).toBe(true);

  const [columns, ...layers] = csvRows((await savedFile(page, 'Save the energy estimate (CSV)')).bytes);
  expect(columns).toEqual(['layer', 'operation', 'operations_per_step', 'input_spikes_per_neuron_and_step', 'snn_pj', 'ann_pj', 'steps', 'convention']);
  const total = (column: number): number => layers.reduce((sum, row) => sum + Number(row[column]), 0);
  expect(total(5)).toBeGreaterThan(total(4));
  expect(layers.every((row) => row[7]?.includes('45 nm FP32'))).toBe(true);

  const trace = csvRows((await savedFile(page, 'Save the chosen neuron’s trace (CSV)')).bytes);
  const shown = await neuronTable(page).locator('tbody tr td:nth-child(2)').allTextContents();
  expect(trace).toHaveLength(1 + shown.length);
  // The page shows four digits.
  trace.slice(1).forEach((row, step) => expect(Number(row[5])).toBeCloseTo(Number(shown[step]?.replace('−', '-')), 3));

  for (const [title, kind, bytesEach] of [['Save the chosen layer’s membranes (npy)', '<f4', 4], ['Save the chosen layer’s spikes (npy)', '|u1', 1]] as const) {
    const { bytes } = await savedFile(page, title);
    const headerBytes = bytes.readUInt16LE(8);
    expect(bytes.subarray(10, 10 + headerBytes).toString()).toContain(`{'descr': '${kind}', 'fortran_order': False, 'shape': (4, 40, 40, 32), }`);
    expect(bytes).toHaveLength(10 + headerBytes + 4 * 40 * 40 * 32 * bytesEach);
    if (kind === '|u1') expect(new Set(bytes.subarray(10 + headerBytes))).toEqual(new Set([0, 1]));
  }

  const picture = sharp((await savedFile(page, 'Save the picture with the SNN’s boxes (PNG)')).bytes);
  expect(await picture.metadata()).toMatchObject({ format: 'png', width: 1280, height: 960 });
});

test('the palette opens with /, finds by words, and says when nothing fits', async ({ page }) => {
  await openPage(page);
  await chooseCommand(page, 'Run with T = 8 time steps');
  await expect(page.getByText('SNN (T = 8)')).toBeVisible();
  await chooseCommand(page, 'Hide the panel: Spike raster');
  await expect(page.getByRole('region', { name: 'Spike raster' })).toHaveCount(0);
  await chooseCommand(page, 'Show the panel: Spike raster');
  await expect(page.getByRole('region', { name: 'Spike raster' })).toBeVisible();
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox', { name: 'Find a command' })).toBeFocused();
  await page.keyboard.type('xyzzy');
  await expect(page.getByText('No command has these words.')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('the palette opens with the focus on a switch or a slider, too', async ({ page }) => {
  await openPage(page);
  for (const control of [page.getByRole('switch').first(), page.getByRole('slider').first()]) {
    await control.focus();
    await page.keyboard.press('/');
    await expect(page.getByRole('searchbox', { name: 'Find a command' })).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  }
});
