import type { Locator, Page } from '@playwright/test';
import { expect, test } from './support';

/** The Learn page: its laboratories as a person uses them, with the pointer and with the keyboard. */

async function openLearn(page: Page): Promise<void> {
  await page.goto('/');
  await page.getByRole('button', { name: 'Learn', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Neuron laboratory' })).toBeVisible();
}

function laboratory(page: Page, name: 'Neuron' | 'Gradient'): Locator {
  return page.getByRole('region', { name: `${name} laboratory` });
}

async function setSlider(slider: Locator, key: 'Home' | 'End'): Promise<void> {
  await slider.focus();
  await slider.press(key);
}

interface StepRow {
  current: number;
  membrane: number;
  spike: boolean;
  surrogate: number;
  gradient: number;
}

async function readSteps(page: Page): Promise<StepRow[]> {
  const table = page.getByRole('region', { name: 'Table of every step' });
  await expect(table).toBeVisible();
  const rows = await table
    .locator('tbody tr')
    .evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => (cell.textContent ?? '').replace('−', '-'))));
  return rows.map(([, current, membrane, spike, surrogate, gradient]) => ({
    current: Number(current),
    membrane: Number(membrane),
    spike: spike === 'yes',
    surrogate: Number(surrogate),
    gradient: Number(gradient),
  }));
}

const spikesOf = (steps: readonly StepRow[]): number => steps.filter(({ spike }) => spike).length;

test('the neuron laboratory follows its sliders, and its table holds the numbers of the definitions', async ({ page }) => {
  await openLearn(page);
  const neuron = laboratory(page, 'Neuron');
  await neuron.getByText('Table of every step').click();
  const before = await readSteps(page);
  expect(before).toHaveLength(24);
  expect(spikesOf(before)).toBeGreaterThan(2);

  await setSlider(neuron.getByRole('slider', { name: 'Threshold', exact: true }), 'End');
  await expect.poll(async () => spikesOf(await readSteps(page))).toBe(0);
  await setSlider(neuron.getByRole('slider', { name: 'Decay' }), 'Home');
  // Far below the threshold the rectangle teaches nothing; a wide sigmoid does.
  await expect.poll(async () => (await readSteps(page)).every(({ gradient }) => gradient === 0)).toBe(true);
  await neuron.getByRole('button', { name: /Surrogate$/ }).click();
  await page.getByRole('option', { name: /Sigmoid/ }).click();
  await setSlider(neuron.getByRole('slider', { name: 'Surrogate’s steepness a' }), 'Home');
  await expect.poll(async () => (await readSteps(page)).every(({ gradient }) => gradient > 0)).toBe(true);

  await neuron.getByRole('button', { name: 'EMS-YOLO’s neuron' }).click();
  await neuron.getByRole('button', { name: /Loss$/ }).click();
  await page.getByRole('option', { name: /Last membrane/ }).click();
  const steps = await readSteps(page);
  let left = 0;
  steps.forEach(({ current, membrane, spike }) => {
    expect(membrane).toBeCloseTo(0.25 * left + current, 3);
    expect(spike).toBe(membrane > 0.5);
    left = spike ? 0 : membrane;
  });
  // The last current reaches the last membrane whole, the one before through the decay.
  expect(steps.at(-1)?.gradient).toBe(1);
  expect(steps.at(-2)?.gradient).toBe(0.25);
});

test('a current is drawn with the pointer and with the keyboard', async ({ page }) => {
  await openLearn(page);
  const neuron = laboratory(page, 'Neuron');
  await neuron.getByText('Table of every step').click();
  const pad = neuron.getByRole('slider', { name: /^Current/ });
  await pad.scrollIntoViewIfNeeded();
  const box = await pad.boundingBox();
  if (!box) throw new Error('The pad is not shown.');
  await page.mouse.move(box.x + 60, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 20, box.y + 30, { steps: 3 });
  await page.mouse.up();
  const drawn = await readSteps(page);
  expect(drawn.every(({ current }) => current > 1)).toBe(true);
  expect(spikesOf(drawn)).toBe(24);
  await expect(neuron.getByRole('button', { name: /Current$/ })).toContainText('Drawn by hand');

  await pad.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Delete');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Shift+ArrowUp');
  expect((await readSteps(page))[1]?.current).toBeCloseTo(0.3, 6);
  await expect(pad).toHaveAttribute('aria-valuetext', 'step 2: 0.3');
});

test('the gradient laboratory measures what the theory says, and shows a block’s spectrum', async ({ page }) => {
  await openLearn(page);
  const gradient = laboratory(page, 'Gradient');
  await setSlider(gradient.getByRole('slider', { name: 'Blocks' }), 'Home');
  for (let press = 0; press < 11; press++) await page.keyboard.press('ArrowRight');
  await setSlider(gradient.getByRole('slider', { name: 'Seeds' }), 'Home');
  await page.keyboard.press('ArrowRight');
  await gradient.getByRole('button', { name: 'Measure', exact: true }).click();
  const rows = page.getByTestId('gradient-summary').locator('tbody tr');
  await expect(rows.locator('td:last-child')).toHaveText(['2', '2', '2', '2'], { timeout: 90_000 });
  await expect(page.getByTestId('gradient-summary')).toContainText('first of 12 blocks');
  const cells = await rows.evaluateAll((elements) => elements.map((row) => Array.from(row.children, (cell) => cell.textContent ?? '')));
  const measured = new Map(cells.map(([name = '', , theory, mean]) => [name, { theory: Number(theory), mean: Number(mean) }]));
  for (const kind of ['EMS', 'MS', 'SEW']) {
    const { theory, mean } = measured.get(kind) ?? { theory: NaN, mean: NaN };
    expect(Math.abs(Math.log(mean / theory)), kind).toBeLessThan(0.35);
  }
  expect(measured.get('EMS')?.mean).toBeLessThan(1.7);
  expect(measured.get('SEW')?.mean).toBeGreaterThan(4);
  expect(measured.get('MS')?.mean).toBeGreaterThan(10);
  await gradient.getByText('Table of gradients by depth').click();
  await expect(gradient.getByRole('region', { name: 'Table of gradients by depth' }).locator('tbody tr')).toHaveCount(13);

  await gradient.getByRole('button', { name: /Block of$/ }).click();
  await page.getByRole('option', { name: /^Plain/ }).click();
  const isometry = page.getByTestId('block-isometry');
  await expect(isometry).toContainText('Plain block 1', { timeout: 60_000 });
  expect(Number(await isometry.locator('tbody tr').nth(1).locator('td').last().textContent())).toBeGreaterThan(1);
});

test('a measurement can be cancelled and keeps what it has; other settings are told apart', async ({ page }) => {
  await openLearn(page);
  const gradient = laboratory(page, 'Gradient');
  await setSlider(gradient.getByRole('slider', { name: 'Seeds' }), 'End');
  await gradient.getByRole('button', { name: 'Measure', exact: true }).click();
  const seeds = page.getByTestId('gradient-summary').locator('tbody tr td:last-child');
  await expect(seeds.first()).not.toHaveText('0', { timeout: 90_000 });
  const activity = page.locator('.activity').filter({ hasText: 'Measuring gradients' });
  await expect(activity).toContainText('of 80');
  await activity.getByRole('button', { name: 'Cancel' }).click();
  await expect(activity).toHaveCount(0);
  const kept = await seeds.allTextContents();
  expect(Number(kept[0])).toBeGreaterThan(0);
  expect(kept.map(Number).every((count) => count < 20)).toBe(true);
  await setSlider(gradient.getByRole('slider', { name: 'Blocks' }), 'End');
  await expect(gradient.getByText('These curves belong to other settings (32 blocks')).toBeVisible();
  expect(await seeds.allTextContents()).toEqual(kept);
  await setSlider(gradient.getByRole('slider', { name: 'Time steps T' }), 'End');
  await expect(gradient.getByText('Steps times width is 512')).toBeVisible();
  await expect(gradient.getByRole('button', { name: 'Measure this block' })).toBeDisabled();
});
