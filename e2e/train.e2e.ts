import { openAsBlob, readFileSync } from 'node:fs';
import { quietTask } from '../src/base/progress';
import { openCheckpoint } from '../src/checkpoint/open';
import { filesOfZip } from '../src/evaluate/datasets/files';
import { openDataset } from '../src/evaluate/datasets/open';
import { dropFile, neuronTable, openPage, readBoxes } from './page';
import { expect, test } from './support';
import { chooseZip, drawSquares, openSquares, openTrainPage, readCurve, runStatus, setSettings, smallRun, squareClasses, stepOf } from './training';

/** The Train page: a run as a person makes it, from the data set to the model that they keep. */

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('a run: the loss falls; paused, reloaded, resumed, it ends in a model that detects, is kept, downloaded and deleted', async ({ page }) => {
  test.setTimeout(300_000);
  await openTrainPage(page);
  await openSquares(page);
  await setSettings(page, smallRun);
  await expect(page.getByLabel('Epochs')).toHaveValue('20');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect.poll(() => stepOf(page), { timeout: 120_000 }).toBeGreaterThan(40);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(runStatus(page)).toContainText('Paused at step');

  // Gone and back: the run is where it was, with its curves.
  const step = await stepOf(page);
  const before = await readCurve(page, 'Loss terms');
  await page.reload();
  await expect(runStatus(page)).toContainText(`Paused at step ${step} of 100`);
  expect(await readCurve(page, 'Loss terms')).toEqual(before);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(runStatus(page)).toContainText('Ended. The model squares is in the list of models.', { timeout: 180_000 });

  const loss = await readCurve(page, 'Loss terms');
  expect(loss.map(([place]) => place)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  const boxAndClass = loss.map(([, box = NaN, , label = NaN]) => box + label);
  expect(mean(boxAndClass.slice(-10))).toBeLessThan(0.75 * mean(boxAndClass.slice(0, 10)));
  const precision = await readCurve(page, 'Mean average precision on what is kept aside');
  expect(precision).toHaveLength(20);
  expect(precision.at(-1)?.[1]).toBeGreaterThan(0.5);
  await expect(page.getByText('After epoch 20;')).toBeVisible();
  await expect(page.getByRole('img', { name: /^Sample 1, truth: 2 boxes: / })).toBeVisible();
  await expect(page.getByRole('img', { name: /^Sample 1, found: / })).toBeVisible();
  await expect(page.getByRole('img', { name: /^Firing rates of 21 layers over 100 steps of the run/ })).toBeVisible();

  // The model is kept: it is there after a reload, with its size, and in both formats.
  await page.reload();
  const row = page.getByTestId('kept-models').getByRole('row', { name: /squares/ });
  await expect(row).toContainText(/\d\.\d MB/);
  await expect(runStatus(page)).toContainText('Ready to start');
  for (const [title, ending] of [['SNN as .safetensors', '.safetensors'], ['SNN as .pt (PyTorch)', '.pt']] as const) {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download squares' }).click();
    await page.getByRole('menuitem', { name: title }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe(`squares-snn${ending}`);
    const checkpoint = await openCheckpoint(await openAsBlob(await file.path()), quietTask);
    expect(checkpoint.description?.classNames ?? squareClasses).toEqual(squareClasses);
    expect(checkpoint.tensors.has('model.0.conv.weight')).toBe(true);
  }

  // Loaded from the list at the top, it finds squares that it has never seen.
  await page.getByRole('button', { name: /Model$/ }).click();
  await page.getByRole('option', { name: /^squares \(yours\)/ }).click();
  await expect(page.getByRole('button', { name: 'Load squares', exact: true })).toHaveText('Loaded');
  await page.getByRole('button', { name: 'Detect', exact: true }).click();
  const unseen = await drawSquares(999);
  await dropFile(page, { name: 'squares.png', bytes: unseen.png });
  await expect(page.getByText('squares.png')).toBeVisible();
  await expect(neuronTable(page)).toBeVisible();
  await page.getByRole('slider', { name: 'Confidence' }).focus();
  for (let press = 0; press < 15; press++) await page.keyboard.press('ArrowLeft');
  await expect.poll(async () => new Set((await readBoxes(page, 'snn')).map(({ name }) => name))).toEqual(new Set(squareClasses));

  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await page.getByRole('button', { name: 'Delete squares' }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await expect(page.getByTestId('kept-models')).toHaveCount(0);
  await page.getByRole('button', { name: 'Detect', exact: true }).click();
  await page.reload();
  await expect(page.getByRole('button', { name: /Blood cells.* Model$/ })).toBeVisible();
  await page.getByRole('button', { name: /Model$/ }).click();
  await expect(page.getByRole('option', { name: /yours/ })).toHaveCount(0);
});

test('two runs with one seed are equal', async ({ page }) => {
  const curves: number[][][] = [];
  for (let run = 0; run < 2; run++) {
    await openTrainPage(page);
    await openSquares(page, 10);
    await setSettings(page, { ...smallRun, stages: [{ epochs: 3, size: 32, steps: 2 }], batch: 2 });
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await expect(runStatus(page)).toContainText('Ended.', { timeout: 90_000 });
    curves.push(await readCurve(page, 'Loss terms'));
    await page.goto('about:blank');
  }
  expect(curves[0]).toHaveLength(12);
  expect(curves[1]).toEqual(curves[0]);
});

test('the head alone is trained on from the loaded model, and inference goes on meanwhile', async ({ page }) => {
  await openPage(page);
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await openSquares(page, 10);
  await page.getByRole('button', { name: /Start from$/ }).click();
  await page.getByRole('option', { name: /The loaded SNN: bccd/ }).click();
  await page.getByRole('button', { name: /^Whole network Train$/ }).click();
  await page.getByRole('option', { name: /Head only/ }).click();
  await page.getByLabel('Epochs').fill('40');
  await page.getByLabel('Epochs').press('Enter');
  await page.getByRole('button', { name: /Input size$/ }).click();
  await page.getByRole('option', { name: '64 px' }).click();
  await expect(page.getByLabel('As in a configuration file (JSON)')).toBeHidden();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByRole('figure', { name: 'Loss terms' })).toBeVisible();
  await expect.poll(() => stepOf(page), { timeout: 60_000 }).toBeGreaterThan(1);

  await page.getByRole('button', { name: 'Detect', exact: true }).click();
  await page.keyboard.press('2');
  await expect(page.getByText('SNN (T = 2)')).toBeVisible();
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(runStatus(page)).toContainText('Paused at step');
  await page.getByRole('button', { name: 'Discard the run' }).click();
  await expect(runStatus(page)).toContainText('Ready to start');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Start', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Resume' })).toHaveCount(0);
});

test('a wrong setting is named, and what was there before stays', async ({ page }) => {
  await openTrainPage(page);
  await setSettings(page, { ...smallRun, data: { kind: 'digits' }, optimiser: { learningRate: -1 } });
  await expect(page.getByRole('alert')).toContainText('optimiser.learningRate');
  await page.getByRole('button', { name: 'Put back' }).click();
  await expect(page.getByLabel('Learning rate')).toHaveValue('0.005');
  const text = page.getByLabel('As in a configuration file (JSON)');
  await text.fill('{ "batch": ');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByRole('alert')).toContainText('no JSON');
});

test('a folder without a data set is told, and the one that was open stays', async ({ page }) => {
  await openTrainPage(page);
  await openSquares(page, 4);
  await chooseZip(page, 'other.zip', Buffer.from('no zip at all'));
  await expect(page.getByRole('alert')).toContainText('other.zip cannot be read');
  await expect(page.getByTestId('dataset')).toContainText('squares.zip');
});

test('boxes are drawn with the pointer and with the keyboard, kept, and saved as a data set', async ({ page }) => {
  await openTrainPage(page);
  await page.getByText('Pictures that you label here').click();
  const pictures = await Promise.all([1, 2].map(async (seed) => ({ name: 'shot.png', mimeType: 'image/png', buffer: (await drawSquares(seed)).png })));
  await page.getByLabel('Open pictures…').setInputFiles(pictures);
  await page.getByLabel('Class name').fill('square');
  await page.getByRole('button', { name: 'Rename object' }).click();
  await page.getByLabel('Class name').fill('other');
  await page.getByLabel('Class name').press('Enter');

  const editor = page.getByRole('application', { name: /^Boxes on shot\.png/ });
  const frame = await editor.boundingBox();
  if (!frame) throw new Error('The editor is not shown.');
  const scale = Math.min(frame.width, frame.height) / 64;
  const at = (x: number, y: number): [number, number] => [frame.x + frame.width / 2 + (x - 32) * scale, frame.y + frame.height / 2 + (y - 32) * scale];
  const pull = async (from: [number, number], to: [number, number]): Promise<void> => {
    await page.mouse.move(...from);
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 5 });
    await page.mouse.up();
  };
  await pull(at(10, 10), at(30, 24));
  // Its lower right grip, then the box itself.
  await pull(at(30, 24), at(34, 30));
  await pull(at(15, 15), at(20, 18));

  // The keyboard's way: a box in the middle (24 to 40), one pixel right, ten down, its corner ten to the right.
  await editor.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Alt+Shift+ArrowRight');
  await page.getByRole('button', { name: /Class of the chosen box$/ }).click();
  await page.getByRole('option', { name: 'square', exact: true }).click();
  await page.getByRole('button', { name: 'Add a box' }).click();
  await editor.focus();
  await page.keyboard.press('Delete');

  await page.getByText('Boxes as numbers').click();
  const edges = async (): Promise<string[][]> => {
    const rows = await page.getByTestId('label-boxes').locator('tbody tr').all();
    return Promise.all(rows.map(async (row) => Promise.all((await row.getByRole('textbox').all()).map((field) => field.inputValue()))));
  };
  expect(await edges()).toEqual([['15', '13', '39', '33'], ['25', '34', '51', '50']]);
  await page.getByLabel('Right of box 2').fill('60');
  await page.getByLabel('Right of box 2').press('Enter');
  await expect.poll(edges).toEqual([['15', '13', '39', '33'], ['25', '34', '60', '50']]);

  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as YOLO zip' }).click();
  const zip = readFileSync(await (await saved).path());
  const dataset = await openDataset(await filesOfZip('labels.zip', new Blob([new Uint8Array(zip)])), {}, quietTask);
  expect(dataset.classNames).toEqual(['square', 'other']);
  const labels = dataset.samples.map(({ title, labelsOn }) => ({
    title,
    boxes: labelsOn({ width: 64, height: 64 }).map(({ box, class: label }) => ({ box: box.map(Math.round), class: label })),
  }));
  expect(labels).toEqual([
    { title: 'shot-2.png', boxes: [] },
    { title: 'shot.png', boxes: [{ box: [15, 13, 39, 33], class: 1 }, { box: [25, 34, 60, 50], class: 0 }] },
  ]);

  // The work of an hour survives a reload.
  await page.waitForTimeout(1000);
  await page.reload();
  await page.getByText('Pictures that you label here').click();
  await page.getByText('Boxes as numbers').click();
  await expect.poll(edges).toEqual([['15', '13', '39', '33'], ['25', '34', '60', '50']]);
});

test('a run on the site’s digits begins and pauses', async ({ page }) => {
  await openTrainPage(page);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect.poll(() => stepOf(page), { timeout: 60_000 }).toBeGreaterThan(2);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(runStatus(page)).toContainText('Paused at step');
});
