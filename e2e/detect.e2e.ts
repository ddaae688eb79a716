import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { quietTask } from '../src/base/progress';
import { goldenCases, isPresent, sharedDataFolder } from './golden';
import { dropFile, expectSameBoxes, expectedBoxes, fileFrom, neuronTable, openExpected, openPage, readBoxes } from './page';
import { expect, test } from './support';

const ownCases = goldenCases().filter(({ name }) => name === 'res10-ee-64' || name === 'resnet34-cat-64');

test('the first paint shows an example before any weights have come', async ({ page }) => {
  await page.route('**/models/**', () => undefined);
  await page.goto('/');
  await expect(page.getByText('precomputed').first()).toBeVisible();
  const boxes = await readBoxes(page, 'snn');
  expect(boxes.length).toBeGreaterThan(5);
  expect(boxes.map(({ name }) => name)).toContain('WBC');
  await expect(page.getByRole('region', { name: 'Network' }).getByRole('button').first()).toBeVisible();
});

test('the engine soon computes the example itself, and finds the same', async ({ page }) => {
  await page.route('**/models/**', () => undefined);
  await page.goto('/');
  await expect(page.getByText('precomputed').first()).toBeVisible();
  const [storedSnn, storedAnn] = [await readBoxes(page, 'snn'), await readBoxes(page, 'ann')];
  await page.unroute('**/models/**');
  await openPage(page);
  // The stored example was computed from the same JPEG, decoded by another program.
  expectSameBoxes((await readBoxes(page, 'snn')).slice(0, 5), storedSnn.slice(0, 5), 2);
  expectSameBoxes((await readBoxes(page, 'ann')).slice(0, 5), storedAnn.slice(0, 5), 2);
});

for (const golden of ownCases) {
  const { name, folder, steps } = golden;
  test(`a dropped checkpoint and picture give PyTorch's boxes: ${name}`, async ({ page }) => {
    await openPage(page);
    await dropFile(page, fileFrom(folder, 'checkpoint.pt'));
    await expect(page.getByRole('button', { name: /Model$/ })).toContainText('checkpoint.pt');
    await dropFile(page, fileFrom(folder, 'input.png'));
    await expect(page.getByText('input.png', { exact: true })).toBeVisible();
    await expect(page.getByText(`SNN (T = ${steps})`)).toBeVisible();
    const expected = await expectedBoxes(golden);
    await expect.poll(async () => (await readBoxes(page, 'snn')).length).toBe(expected.length);
    expectSameBoxes(await readBoxes(page, 'snn'), expected);
  });

  test(`v(t) of a neuron is PyTorch's membrane: ${name}`, async ({ page }) => {
    await openPage(page);
    await dropFile(page, fileFrom(folder, 'checkpoint.pt'));
    await dropFile(page, fileFrom(folder, 'input.png'));
    await expect(page.getByText('input.png', { exact: true })).toBeVisible();
    const layer = 5;
    await page.getByRole('button', { name: /Layer$/ }).click();
    await page.getByRole('option', { name: new RegExp(`^${layer} ·`) }).click();
    const expected = await openExpected(folder);
    const [, , channels = 0, height = 0, width = 0] = expected.tensors.get(`neuron.${layer}.membrane`)?.shape ?? [];
    await expect(page.getByText(`${height} × ${width} × ${channels} neurons`)).toBeVisible();
    const membrane = await expected.read(`neuron.${layer}.membrane`, quietTask);
    const spikes = await expected.read(`neuron.${layer}.spike`, quietTask);

    // What is read at first may still be of the picture before.
    await expect(async () => {
      const heading = await page.getByText(/^Neuron x \d+, y \d+, channel \d+$/).first().textContent();
      const [x = 0, y = 0, channel = 0] = Array.from((heading ?? '').matchAll(/\d+/g), Number);
      const rows = await neuronTable(page).locator('tbody tr').evaluateAll((elements) =>
        elements.map((row) => Array.from(row.children, (cell) => (cell.textContent ?? '').replace('−', '-'))),
      );
      expect(rows).toHaveLength(steps);
      for (const [step, [, potential, spike]] of rows.entries()) {
        const at = ((step * channels + channel) * height + y) * width + x;
        expect(Number(potential)).toBeCloseTo(membrane[at] ?? NaN, 3);
        expect(spike).toBe(spikes[at] === 1 ? 'yes' : 'no');
      }
    }).toPass({ timeout: 60_000 });
  });
}

test('T is a control: 1, 2 and 4 steps run, by slider and by key', async ({ page }) => {
  await openPage(page);
  const seen: string[] = [];
  for (const steps of [1, 2, 4]) {
    await page.keyboard.press(String(steps));
    await expect(page.getByText(`SNN (T = ${steps})`)).toBeVisible();
    await expect(page.getByRole('group', { name: 'Time step' }).getByRole('button')).toHaveCount(steps);
    await expect(neuronTable(page).locator('tbody tr')).toHaveCount(steps);
    seen.push(JSON.stringify(await readBoxes(page, 'snn')));
  }
  expect(new Set(seen).size).toBe(3);
  await page.getByRole('slider', { name: 'Time steps T' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
});

test('every view follows the chosen step, and boxes form over the steps', async ({ page }) => {
  await openPage(page);
  const last = await readBoxes(page, 'snn');
  await page.getByRole('button', { name: 'Step 1 of 4' }).click();
  await expect(page.getByText('firing rate at step 1')).toBeVisible();
  const first = await readBoxes(page, 'snn');
  expect(first).not.toEqual(last);
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('button', { name: 'Step 2 of 4' })).toHaveAttribute('aria-current', 'step');
  await page.locator('body').click({ position: { x: 2, y: 2 } });
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
  // It is the current one for half a second of every two.
  await expect.poll(() => page.getByRole('button', { name: 'Step 4 of 4' }).getAttribute('aria-current'), { intervals: [100] }).toBe('step');
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Play' })).toBeVisible();
});

test('threshold and decay change the running network, and one control puts them back', async ({ page }) => {
  await openPage(page);
  const trained = await readBoxes(page, 'snn');
  await page.getByRole('slider', { name: 'Threshold' }).focus();
  for (let press = 0; press < 4; press++) await page.keyboard.press('ArrowRight');
  await expect.poll(async () => readBoxes(page, 'snn')).not.toEqual(trained);
  await page.getByRole('button', { name: 'As trained', exact: true }).click();
  await expect.poll(async () => readBoxes(page, 'snn')).toEqual(trained);
});

test('a higher confidence leaves fewer boxes, all of them above it', async ({ page }) => {
  await openPage(page);
  const before = await readBoxes(page, 'snn');
  await page.getByRole('slider', { name: 'Confidence' }).focus();
  for (let press = 0; press < 4; press++) await page.keyboard.press('PageUp');
  // What an earlier key press left is shown until the last run has ended.
  await expect(async () => {
    const boxes = await readBoxes(page, 'snn');
    expect(boxes.length).toBeLessThan(before.length);
    const minimum = Number(await page.getByRole('slider', { name: 'Confidence' }).inputValue());
    for (const { score } of boxes) expect(score).toBeGreaterThan(minimum);
  }).toPass({ timeout: 60_000 });
});

test('another picture is drawn, and the network finds its cells', async ({ page }) => {
  await openPage(page);
  await page.getByRole('button', { name: 'Draw another' }).click();
  await expect(page.getByText(/^Drawn smear \d{4,}$/)).toBeVisible();
  await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ name }) => name === 'RBC').length).toBeGreaterThan(3);
});

test('a real blood smear dropped on the page: both networks find its cells', async ({ page }) => {
  const folder = resolve(sharedDataFolder, 'bccd/images');
  test.skip(!isPresent(folder, 'The test with a real picture'), 'no real pictures here');
  const [file = ''] = readdirSync(folder).sort();
  await openPage(page);
  await dropFile(page, fileFrom(folder, file));
  await expect(page.getByText(file, { exact: true })).toBeVisible();
  for (const slot of ['snn', 'ann'] as const) {
    await expect.poll(async () => (await readBoxes(page, slot)).filter(({ name }) => name === 'WBC').length).toBe(1);
    expect((await readBoxes(page, slot)).filter(({ name }) => name === 'RBC').length).toBeGreaterThan(5);
  }
});

test('real pictures come from their repository when asked for; offline that is one sentence', async ({ page, complaints }) => {
  await openPage(page);
  await page.getByText('Real blood smears (BCCD)').click();
  const before = await readBoxes(page, 'snn');
  await page.route('https://raw.githubusercontent.com/**', (route) => route.abort('internetdisconnected'));
  await page.getByRole('button', { name: 'Blood smear 00000' }).click();
  await expect(page.getByRole('alert')).toContainText('github.com cannot be reached');
  await expect(page.locator('[data-code="fetch/offline"]')).toBeVisible();
  expect(await readBoxes(page, 'snn')).toEqual(before);
  complaints.length = 0;

  const folder = resolve(sharedDataFolder, 'bccd/images');
  if (!isPresent(folder, 'Fetching a real picture')) return;
  await page.route('https://raw.githubusercontent.com/**', (route) =>
    route.fulfill({
      body: Buffer.from(fileFrom(folder, 'BloodImage_00000.jpg').bytes),
      contentType: 'image/jpeg',
      headers: { 'access-control-allow-origin': '*' },
    }),
  );
  await page.getByRole('button', { name: 'Blood smear 00000' }).click();
  await expect(page.getByRole('link', { name: 'BCCD data set, MIT licence' })).toBeVisible();
  // A picture that has not been run yet has no boxes.
  await expect.poll(async () => (await readBoxes(page, 'snn')).length).toBeGreaterThan(0);
  expect(await readBoxes(page, 'snn')).not.toEqual(before);
});

test('a photograph of playing cards comes with the model that knows them, and the smears bring theirs back', async ({ page }) => {
  const folder = resolve(sharedDataFolder, 'cards/images');
  test.skip(!isPresent(folder, 'Fetching a photograph of cards'), 'no photographs here');
  await page.route('https://raw.githubusercontent.com/**', (route) => {
    const file = basename(route.request().url());
    return route.fulfill({ body: Buffer.from(fileFrom(folder, file).bytes), headers: { 'access-control-allow-origin': '*' } });
  });
  await openPage(page);
  await page.getByText('Photographs of playing cards').click();
  await page.getByRole('button', { name: 'Cards 2404' }).click();
  await expect(page.getByRole('link', { name: 'Playing cards, Apache licence 2.0' })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Playing cards .* Model$/ })).toBeVisible();
  await expect(page.getByText('Compare with labels')).toBeVisible();
  const ranks = ['nine', 'ten', 'jack', 'queen', 'king', 'ace'];
  for (const slot of ['snn', 'ann'] as const) {
    await expect.poll(async () => (await readBoxes(page, slot)).filter(({ name }) => ranks.includes(name)).length).toBeGreaterThan(0);
  }
  await page.getByRole('button', { name: 'Drawn smear 1', exact: true }).click();
  await expect(page.getByRole('button', { name: /^Blood cells .* Model$/ })).toBeVisible();
});
