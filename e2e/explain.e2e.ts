import type { Locator, Page } from '@playwright/test';
import sharp from 'sharp';
import { chooseCommand, csvRows, dropFiles, neuronTable, openPage, readBoxes, savedFile, type TableBox } from './page';
import { expect, test } from './support';

/** Why a box is there, what happens without a part of the network, and the views that are linked with it. */

const explain = (page: Page): Locator => page.getByRole('region', { name: 'Why is this box there' });
const raster = (page: Page): Locator => page.getByRole('region', { name: 'Spike raster' });
const histogram = (page: Page): Locator => page.getByRole('region', { name: 'Membrane histogram' });
const difference = (page: Page): Locator => page.getByRole('region', { name: 'Difference of boxes' });
const map = (page: Page, name: RegExp): Locator => page.getByRole('region', { name: 'Inspector' }).getByRole('img', { name });

/** Where something is on the screen, once it is in the middle of it: clear of the timeline at the foot. */
async function inTheMiddle(of: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  await of.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  const box = await of.boundingBox();
  if (!box) throw new Error('It is not shown.');
  return box;
}

/** Where a place of the picture is on the screen; the picture is shown whole and centred. */
async function placeOnPage(page: Page, slot: string, picture: { width: number; height: number }, x: number, y: number): Promise<{ x: number; y: number }> {
  const pane = await inTheMiddle(page.getByTestId(slot).locator('canvas').first());
  const scale = Math.min(pane.width / picture.width, pane.height / picture.height);
  return { x: pane.x + (pane.width - picture.width * scale) / 2 + x * scale, y: pane.y + (pane.height - picture.height * scale) / 2 + y * scale };
}

const smear = { width: 640, height: 480 };

async function clickBox(page: Page, slot: 'snn' | 'ann', { box: [x1 = 0, y1 = 0, x2 = 0, y2 = 0] }: TableBox): Promise<void> {
  const at = await placeOnPage(page, `pane-${slot}`, smear, (x1 + x2) / 2, (y1 + y2) / 2);
  await page.mouse.click(at.x, at.y);
}

/** Rows of layers in the table of parts: their name and every cell. */
async function partsOf(page: Page): Promise<{ name: string; cells: string[] }[]> {
  await expect(explain(page).getByTestId('attribution-table')).toBeVisible();
  const rows = explain(page).getByTestId('attribution-table').locator('tbody tr:not(.chart-attribution-block)');
  const texts = await rows.evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')));
  return texts.map(([name = '', ...cells]) => ({ name, cells }));
}

/** What a canvas shows, to see whether it changed. */
async function pixelsOf(canvas: Locator): Promise<string> {
  return canvas.evaluate((element: HTMLCanvasElement) => element.toDataURL());
}

/** The same once it stays: charts are drawn a moment after what they show has come, the raster piece by piece. */
async function stillPixelsOf(canvas: Locator): Promise<string> {
  let still = '';
  await expect(async () => {
    const before = still;
    still = await pixelsOf(canvas);
    expect(still === before).toBe(true);
  }).toPass({ intervals: [500], timeout: 60_000 });
  return still;
}

function npyShape(bytes: Buffer): { shape: number[]; data: Buffer } {
  const end = 10 + bytes.readUInt16LE(8);
  const [, shape = ''] = /'shape': \(([\d, ]+)\)/.exec(bytes.subarray(10, end).toString()) ?? [];
  return { shape: shape.split(',').filter((part) => part.trim() !== '').map(Number), data: bytes.subarray(end) };
}

test('a click on a box shows where its score came from, for every layer and step, and adds up', async ({ page }) => {
  await openPage(page);
  const boxes = await readBoxes(page, 'snn');
  const target = boxes.find(({ name }) => name === 'WBC');
  if (!target) throw new Error('The example has a white cell.');
  await clickBox(page, 'snn', target);
  const sentence = explain(page).getByTestId('explained-box');
  await expect(sentence).toContainText(`WBC ${Number(target.score.toPrecision(3))}`);
  await expect(sentence).toContainText('over steps 1 to 4 of 4');

  const layers = await page.getByRole('region', { name: 'Network' }).getByRole('button').count();
  const parts = await partsOf(page);
  // Layers that are the same neurons share a row.
  expect(parts.length).toBeGreaterThan(layers * 0.6);
  for (const { name, cells } of parts) {
    expect(cells, name).toHaveLength(4 + 2);
    expect(cells.slice(0, 4).every((cell) => Number.isFinite(Number(cell.replace('−', '-')))), name).toBe(true);
  }
  const shares = parts.map(({ cells }) => parseFloat(cells[4] ?? ''));
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, -0.5);

  // A map of every layer: the one that is chosen in the table.
  const second = explain(page).getByRole('button', { name: /^5 · / });
  await second.click();
  await expect(explain(page).getByText('Layer 5, step 4: gradient × spike')).toBeVisible();
  await expect(explain(page).getByRole('img', { name: /^Parts of 40 by 40 cells in the score, step 4 of 4/ })).toBeVisible();
  // And of every step; the explanation is of the score at that step.
  await page.getByRole('button', { name: 'Step 2 of 4' }).click();
  await expect(sentence).toContainText('over steps 1 to 2 of 4');
  await expect(explain(page).getByText('Layer 5, step 2: gradient × spike')).toBeVisible();
  expect((await partsOf(page)).every(({ cells }) => cells.length === 2 + 2)).toBe(true);

  const rows = csvRows((await savedFile(page, 'Save the explanation, per layer and step (CSV)')).bytes);
  expect(rows[0]).toEqual(['layer', 'row', 'label', ...['gradient x spike', 'magnitude', 'direct'].flatMap((name) => [1, 2].map((step) => `${name} step ${step}`))]);
  const number = (row: string[] | undefined, column: number): number => Number(row?.[column]);
  const named = (name: string): number => number(rows.find((row) => row[2] === name), 7);
  const direct = rows.slice(1).filter(([layer]) => layer !== '').reduce((sum, row) => sum + number(row, 7) + number(row, 8), 0);
  expect(direct + named('input directly') + named('biases')).toBeCloseTo(named('explained sum'), 3);
  const { shape, data } = npyShape((await savedFile(page, 'Save the explanation of the chosen layer (npy)')).bytes);
  expect(shape).toEqual([2, 40, 40, 32]);
  const values = new Float32Array(new Uint8Array(data).buffer);
  expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(number(rows.find(([layer]) => layer === '5'), 3) + number(rows.find(([layer]) => layer === '5'), 4), 4);

  await explain(page).getByRole('button', { name: 'Choose no box' }).click();
  await expect(sentence).toHaveCount(0);
});

test('a missed label is explained by the anchor that came nearest', async ({ page }) => {
  await openPage(page, '#sample=smear-1&confidence=0.9');
  await page.getByRole('switch', { name: 'Compare with labels' }).focus();
  await page.keyboard.press('Space');
  await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'missed').length).toBeGreaterThan(2);
  const missed = (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'missed');
  const [first] = missed;
  if (!first) throw new Error('Nothing was missed.');
  await clickBox(page, 'snn', first);
  const sentence = explain(page).getByTestId('explained-box');
  await expect(sentence).toContainText(first.name);
  await expect(sentence).toContainText('comes nearest to the labelled box');
  await expect(sentence).toContainText('is below the confidence of 0.9');
  expect((await partsOf(page)).length).toBeGreaterThan(10);
  await expect.poll(() => page.url()).toContain('box=truth,');
  // The others, one after the other, by keyboard alone.
  const before = await sentence.textContent();
  await chooseCommand(page, 'Why was a labelled box missed');
  await expect(sentence).not.toHaveText(before ?? '');
});

test('a picture and its file of labels, dropped together, are compared; labels of another class are one sentence', async ({ page }) => {
  await openPage(page);
  const grey = await sharp({ create: { width: 320, height: 240, channels: 3, background: '#ccc' } }).png().toBuffer();
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  await dropFiles(page, [
    { name: 'grey.png', bytes: grey },
    { name: 'grey.txt', bytes: text('0 0.5 0.5 0.25 0.5\n1 0.2 0.2 0.1 0.1\n') },
  ]);
  await expect(page.getByText('grey.png', { exact: true })).toBeVisible();
  await expect(page.getByRole('switch', { name: 'Compare with labels' })).toBeChecked();
  await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'missed').map(({ box }) => box)).toEqual([
    [120, 60, 200, 180],
    [48, 36, 80, 60],
  ]);
  const box = '<object><name>mouse</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax>110</xmax><ymax>120</ymax></bndbox></object>';
  await dropFiles(page, [{ name: 'grey.xml', bytes: text(`<annotation><filename>grey.png</filename>${box}</annotation>`) }]);
  await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'missed')).toMatchObject([{ name: 'mouse', box: [10, 20, 110, 120] }]);
  await explain(page).getByRole('button', { name: 'Explain a missed label' }).click();
  await expect(page.getByText('The network has no class mouse.')).toBeVisible();
});

test('a muted block or channel changes the boxes, one that is irrelevant changes nothing, and one control restores', async ({ page }) => {
  await openPage(page);
  const boxes = await readBoxes(page, 'snn');
  const ann = await readBoxes(page, 'ann');
  await explain(page).getByRole('button', { name: 'Explain the surest box' }).click();
  await partsOf(page);
  const sentence = explain(page).getByTestId('explained-box');
  const unmuted = (await sentence.textContent()) ?? '';

  // What attribution calls irrelevant for this box.
  const irrelevant = explain(page).locator('.chart-attribution-block').filter({ hasText: 'muting leaves the score as it is' });
  await expect(irrelevant.first()).toBeVisible();
  await irrelevant.first().getByRole('button', { name: /^Mute block/ }).click();
  const list = page.getByRole('group', { name: 'Muted in the SNN' });
  await expect(list).toContainText(/block \d+/);
  await expect.poll(async () => (await readBoxes(page, 'snn'))[0]).toEqual(boxes[0]);
  await list.getByRole('button', { name: 'Restore all' }).click();
  await expect(list).toHaveCount(0);
  await expect.poll(() => readBoxes(page, 'snn')).toEqual(boxes);

  // A block that counts, and a channel.
  await explain(page).getByRole('button', { name: 'Mute block 4' }).click();
  await expect.poll(() => readBoxes(page, 'snn')).not.toEqual(boxes);
  const without = await readBoxes(page, 'snn');
  // The explanation follows when both networks have run.
  await expect(sentence).not.toHaveText(unmuted);
  expect(await readBoxes(page, 'ann')).toEqual(ann);
  await page.getByRole('button', { name: /^Mute channel \d+$/ }).click();
  await expect.poll(() => page.url()).toMatch(/mute=b4,c9\.\d+/);
  await expect.poll(async () => list.getByRole('listitem').count()).toBe(2);
  await explain(page).getByRole('button', { name: 'Restore what is muted (2)' }).click();
  await expect(list).toHaveCount(0);
  await expect.poll(() => readBoxes(page, 'snn')).toEqual(boxes);
  expect(without).not.toEqual(boxes);

  // "As trained" restores it, too.
  await page.getByRole('button', { name: 'Mute this neuron' }).click();
  await expect(list).toContainText(/neuron x \d+, y \d+, channel \d+ of layer 9/);
  await page.getByRole('button', { name: 'As trained', exact: true }).click();
  await expect(list).toHaveCount(0);
});

test('a spike is traced back to the pixels that led to it', async ({ page }) => {
  await openPage(page, '#layer=5');
  const pane = page.getByTestId('pane-snn').locator('canvas').first();
  const before = await stillPixelsOf(pane);
  await page.getByRole('button', { name: 'Trace back its spike' }).click();
  const traced = page.getByRole('status').filter({ hasText: 'of the network’s input' });
  await expect(traced).toContainText(/at step 4 came from [\d,]+ pixels of the network’s input .* in layer \d/);
  await expect.poll(() => pixelsOf(pane)).not.toBe(before);
  await traced.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(() => pixelsOf(pane)).toBe(before);
});

test('pointing is linked: picture, maps, raster rows and boxes', async ({ page }) => {
  await openPage(page);
  const boxes = await readBoxes(page, 'snn');
  const target = boxes.find(({ name }) => name === 'WBC');
  if (!target) throw new Error('The example has a white cell.');
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = target.box;
  const membrane = map(page, /^Membrane potential, .* cells from/);
  const rows = raster(page).getByRole('img');
  const picture = page.getByTestId('pane-snn').locator('canvas').first();
  const annPicture = page.getByTestId('pane-ann').locator('canvas').first();
  const away = async (): Promise<void> => page.mouse.move(2, 2);
  await away();
  const still = { membrane: await stillPixelsOf(membrane), rows: await stillPixelsOf(rows), picture: await stillPixelsOf(picture), ann: await stillPixelsOf(annPicture) };
  const readout = (of: Locator): Locator => of.locator('.chart-readout').first();
  const inspector = page.getByRole('region', { name: 'Inspector' });

  // From a box on the picture to the cells and rows that lead to it, and from its pixel to the cell of the maps and the row of the raster.
  const middle = { x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  const at = await placeOnPage(page, 'pane-snn', smear, middle.x, middle.y);
  await page.mouse.move(at.x, at.y);
  // 640 x 480 on 320 x 320 with bands above and below; layer 9 has 20 x 20 cells.
  const cell = { x: Math.floor((middle.x * 0.5) / 16), y: Math.floor((middle.y * 0.5 + 40) / 16) };
  await expect(readout(inspector)).toContainText(`x ${cell.x}, y ${cell.y}: v = `);
  await expect(readout(raster(page))).toContainText(`x ${cell.x}, y ${cell.y}, channel 0`);
  await expect.poll(() => pixelsOf(membrane)).not.toBe(still.membrane);
  await expect.poll(() => pixelsOf(rows)).not.toBe(still.rows);
  await away();
  await expect.poll(() => pixelsOf(membrane)).toBe(still.membrane);
  await expect.poll(() => pixelsOf(rows)).toBe(still.rows);

  // From a cell of the map to its place on both pictures, and to its row.
  const side = await inTheMiddle(membrane);
  // Cells have whole pixels, and the map stands in the middle of its canvas.
  const scale = Math.floor(side.width / 20);
  const inMap = (index: number): number => Math.round((side.width - 20 * scale) / 2) + (index + 0.5) * scale;
  await page.mouse.move(side.x + inMap(cell.x), side.y + inMap(cell.y));
  await expect(readout(raster(page))).toContainText(`x ${cell.x}, y ${cell.y}, channel 0`);
  await expect.poll(() => pixelsOf(picture)).not.toBe(still.picture);
  await expect.poll(() => pixelsOf(annPicture)).not.toBe(still.ann);
  await away();
  await expect.poll(() => pixelsOf(picture)).toBe(still.picture);

  // From a row of the raster to its neuron, of whatever channel, on the map and on the picture.
  const plot = await inTheMiddle(rows);
  await page.mouse.move(plot.x + plot.width / 2, plot.y + 4);
  await expect(readout(raster(page))).toContainText(/x \d+, y \d+, channel \d+: spikes at step/);
  const [, x = '', y = ''] = /x (\d+), y (\d+), channel/.exec((await readout(raster(page)).textContent()) ?? '') ?? [];
  await expect(readout(inspector)).toContainText(`x ${x}, y ${y}: v = `);
  await expect.poll(() => pixelsOf(picture)).not.toBe(still.picture);
  await away();
  await expect.poll(() => pixelsOf(picture)).toBe(still.picture);

  // And by keyboard: arrows walk the boxes, and the views follow.
  await picture.focus();
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => pixelsOf(rows)).not.toBe(still.rows);
  await page.keyboard.press('Enter');
  await expect(explain(page).getByTestId('explained-box')).toContainText(boxes[0]?.name ?? 'no box');
});

test('the histogram has every step, the threshold, and the shares that fire', async ({ page }) => {
  await openPage(page);
  const rates = await page.getByRole('region', { name: 'Firing rate per layer' }).locator('.chart-readout').textContent();
  const perStep = [...(rates ?? '').matchAll(/step \d+ ([\d.]+)%/g)].map(([, rate]) => Number(rate));
  expect(perStep).toHaveLength(4);
  const chart = histogram(page).getByRole('img');
  await expect(chart).toContainText('threshold 0.5');
  const described = [...((await chart.getAttribute('aria-label')) ?? '').matchAll(/step \d+ ([\d.]+)%/g)].map(([, share]) => Number(share));
  expect(described).toEqual(perStep);
  await histogram(page).getByText('Shares of every step').click();
  await expect(histogram(page).locator('tbody tr')).toHaveCount(60);
  const cells = await histogram(page).locator('tbody tr').evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => Number(cell.textContent))));
  for (let step = 1; step <= 4; step++) expect(cells.reduce((sum, row) => sum + (row[step] ?? 0), 0)).toBeCloseTo(1, 1);
  // A row chooses its step, everywhere.
  await chart.focus();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('button', { name: 'Step 3 of 4' })).toHaveAttribute('aria-current', 'step');

  const [columns = [], ...rows] = csvRows((await savedFile(page, 'Save the membrane histogram (CSV)')).bytes);
  expect(columns).toEqual(['above', 'up to', 'step 1', 'step 2', 'step 3', 'step 4']);
  const above = rows.filter(([low]) => Number(low) > 0.499);
  expect(Number(above[0]?.[0])).toBeCloseTo(0.5, 5);
  perStep.forEach((rate, step) => expect(above.reduce((sum, row) => sum + 100 * Number(row[step + 2]), 0)).toBeCloseTo(rate, 0));
});

test('the difference pairs the boxes of both networks, names what only one has, and can be chosen from', async ({ page }) => {
  await openPage(page, '#sample=smear-2&threshold=0.7');
  const [snn, ann] = [await readBoxes(page, 'snn'), await readBoxes(page, 'ann')];
  await difference(page).getByText('Table of the difference').click();
  await expect(difference(page).getByRole('region', { name: 'Table of the difference' })).toBeVisible();
  const rows = await difference(page).locator('tbody tr').evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')));
  const of = (name: string): string[][] => rows.filter(([, foundBy]) => foundBy === name);
  expect(of('both').length).toBeGreaterThan(0);
  expect(of('only ANN').length).toBeGreaterThan(0);
  expect(of('both').length + of('only SNN').length).toBe(snn.length);
  expect(of('both').length + of('only ANN').length).toBe(ann.length);
  expect(of('both').every(([, , , , iou]) => Number(iou) >= 0.5)).toBe(true);
  await expect(difference(page).locator('.chart-key')).toContainText(`${of('both').length} both`);
  await expect(difference(page).locator('.chart-key')).toContainText(`${of('only ANN').length} only ANN`);
  // A box that the SNN does not have is explained by the anchor that came nearest.
  const canvas = difference(page).locator('canvas').first();
  await canvas.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(explain(page).getByTestId('explained-box')).toContainText('comes nearest to the other network’s box');

  const [columns, ...saves] = csvRows((await savedFile(page, 'Save the difference of SNN and ANN (CSV)')).bytes);
  expect(columns).toEqual(['found by', 'name', 'SNN score', 'ANN score', 'IoU', 'x1', 'y1', 'x2', 'y2']);
  expect(saves.map(([foundBy]) => foundBy)).toEqual(rows.map(([, foundBy]) => foundBy));
});

async function windowsInRaster(page: Page): Promise<number> {
  return Number(/in (\d+) windows/.exec((await raster(page).getByRole('img').getAttribute('aria-label')) ?? '')?.[1] ?? 1);
}

test('the raster runs on over the windows of a recording', async ({ page }) => {
  await openPage(page, '#sample=digits-2&layer=3&from=20000&window=60000');
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
  await expect(raster(page).getByRole('img', { name: /^Raster of 5 steps/ })).toBeVisible();
  // The link does not name the model; the address does, when what the link asks for has run.
  await expect.poll(() => page.url()).toMatch(/model=digits-events&.*from=20000&window=60000/);
  // A window that is left before its layer was read is not among them.
  for (let windows = 2; windows <= 3; windows++) {
    await page.getByRole('button', { name: 'Next window' }).click();
    await expect.poll(() => windowsInRaster(page)).toBe(windows);
  }
  await raster(page).getByText('Spikes of every step').click();
  await expect(raster(page).locator('tbody th')).toHaveCount(15);
  const headings = await raster(page).locator('tbody th').allTextContents();
  expect(new Set(headings.map((heading) => heading.split(',')[0])).size).toBe(3);
  const { shape, data } = npyShape((await savedFile(page, 'Save the raster over windows (npy)')).bytes);
  expect(shape[0]).toBe(15);
  const counts = await raster(page).locator('tbody td:nth-child(2)').allTextContents();
  const neurons = shape.slice(1).reduce((product, each) => product * each, 1);
  expect(data).toHaveLength(15 * neurons);
  counts.forEach((count, step) => expect(data.subarray(step * neurons, (step + 1) * neurons).reduce((sum, spike) => sum + spike, 0)).toBe(Number(count.replaceAll(',', ''))));

  // Brushing over steps zooms to them; another layer begins anew.
  const canvas = raster(page).getByRole('img');
  const plot = await inTheMiddle(canvas);
  await page.mouse.move(plot.x + plot.width * 0.1, plot.y + 10);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.6, plot.y + plot.height / 2, { steps: 4 });
  await page.mouse.up();
  await expect(canvas).toHaveAttribute('aria-label', /Rows (?!1 to)[\d,]+ to [\d,]+ of/);
  await expect(raster(page).getByRole('button', { name: 'All' })).toBeEnabled();
  await raster(page).getByRole('button', { name: 'All' }).click();
  await page.getByRole('button', { name: / Layer$/ }).click();
  await page.getByRole('option', { name: /^5 ·/ }).click();
  await expect(raster(page).getByRole('img', { name: /^Raster of 5 steps/ })).toBeVisible();
});

test('a link restores model, T, layer, neuron, what is muted, and the box that is explained', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openPage(page, '#sample=smear-4&T=3&layer=11&neuron=4,7,2');
  await expect(page.getByText('SNN (T = 3)')).toBeVisible();
  await explain(page).getByRole('button', { name: 'Explain the surest box' }).click();
  await partsOf(page);
  const unmuted = (await explain(page).getByTestId('explained-box').textContent()) ?? '';
  await page.getByRole('button', { name: 'Mute channel 2' }).click();
  await expect(page.getByRole('group', { name: 'Muted in the SNN' })).toContainText('channel 2 of layer 11');
  await expect.poll(() => page.url()).toContain('mute=c11.2');
  // The score falls with the channel, once the network and the explanation have run again.
  await expect(explain(page).getByTestId('explained-box')).not.toHaveText(unmuted);
  const boxes = await readBoxes(page, 'snn');
  const sentence = await explain(page).getByTestId('explained-box').textContent();
  await page.getByRole('button', { name: 'Share' }).click();
  await expect(page.getByText('The link was copied.')).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());

  const other = await context.newPage();
  await other.goto(link);
  await expect(neuronTable(other)).toBeVisible();
  await expect(other.getByRole('button', { name: /Model$/ })).toContainText('Blood cells');
  await expect(other.getByText('SNN (T = 3)')).toBeVisible();
  await expect(other.getByText('Neuron x 4, y 7, channel 2', { exact: true }).first()).toBeVisible();
  await expect(other.getByRole('button', { name: / Layer$/ })).toContainText('11 ·');
  await expect(other.getByRole('group', { name: 'Muted in the SNN' })).toContainText('channel 2 of layer 11');
  await expect(other.getByTestId('explained-box')).toHaveText(sentence ?? '');
  await expect.poll(() => readBoxes(other, 'snn')).toEqual(boxes);
  await expect.poll(() => other.url()).toBe(link);
});

/** So long may the main thread be kept by one task, in processor time: how long it waits for a busy machine is not the page's doing. */
const longMs = 100;

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Microseconds, and those of them on a processor. */
  dur?: number;
  tdur?: number;
  args: { name?: string };
}

/** Milliseconds of the tasks of the page's main thread while something happens. */
async function mainThreadTasks(page: Page, meanwhile: () => Promise<void>): Promise<{ onProcessor: number; inAll: number }[]> {
  const browser = page.context().browser();
  if (!browser) throw new Error('The browser is gone.');
  await browser.startTracing(page, { categories: ['toplevel'] });
  await meanwhile();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const threads = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid, dur }) => /RunTask$/.test(name) && dur !== undefined && threads.has(`${pid} ${tid}`));
  return tasks.map(({ dur = 0, tdur = 0 }) => ({ onProcessor: tdur / 1000, inAll: dur / 1000 }));
}

test('the main thread stays free while a recording plays through a layer of 64 channels and its raster', async ({ page }) => {
  await openPage(page, '#sample=road-1&model=nmnist-scenes&input=320&layer=6');
  await expect(page.getByText('40 × 40 × 64 neurons')).toBeVisible();
  await expect(raster(page).getByRole('img')).toBeVisible();
  const before = await windowsInRaster(page);
  await page.getByRole('button', { name: 'Play recording' }).click();
  const tasks = await mainThreadTasks(page, () => page.waitForTimeout(8000));
  await expect.poll(() => windowsInRaster(page), { timeout: 60_000 }).toBeGreaterThan(before + 2);
  // Where the recording has come to its end, this changes nothing.
  await page.getByRole('button', { name: /^(Pause|Play) recording$/ }).click();
  // The time steps play, too.
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  tasks.push(...(await mainThreadTasks(page, () => page.waitForTimeout(4000))));
  const longest = (of: 'onProcessor' | 'inAll'): number => Math.max(...tasks.map((task) => task[of]));
  console.log(`the longest of ${tasks.length} tasks while playing: ${longest('onProcessor').toFixed(0)} ms on the processor, ${longest('inAll').toFixed(0)} ms in all`);
  expect(tasks.length).toBeGreaterThan(100);
  expect(longest('onProcessor')).toBeLessThan(longMs);
});
