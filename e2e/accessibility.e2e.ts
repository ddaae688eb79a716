import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { openPage } from './page';
import { expect, test } from './support';
import { drawSquares, openSquares, openTrainPage, readCurve, setSettings, smallRun } from './training';

const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

async function seriousFaults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

async function expectWellMade(page: Page, screenshot: string): Promise<void> {
  await page.screenshot({ path: `test-results/screenshots/${screenshot}.png` });
  await page.screenshot({ path: `test-results/screenshots/${screenshot}-whole.png`, fullPage: true });
  expect(await seriousFaults(page)).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
}

for (const theme of ['light', 'dark'] as const) {
  for (const [name, viewport] of Object.entries(sizes)) {
    test(`axe finds nothing serious, and nothing is cut off: ${theme}, ${name}`, async ({ page }) => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: theme });
      await openPage(page);
      await page.getByText('Table of boxes').first().click();
      await page.getByText('Draw digits', { exact: true }).click();
      await expectWellMade(page, `${theme}-${name}`);
    });

    test(`the same with a recording open: ${theme}, ${name}`, async ({ page }) => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: theme });
      await openPage(page);
      await page.getByText('Make events: webcam, video, sketch').click();
      await page.getByText('Simulated camera', { exact: true }).click();
      await page.getByRole('button', { name: 'Moving digits 2', exact: true }).click();
      await expect(page.getByText('SNN (T = 5)')).toBeVisible();
      await expect(page.getByRole('button', { name: /^Step 5/ }).first()).toBeVisible();
      await expectWellMade(page, `${theme}-${name}-recording`);
    });

    test(`the same on the Learn page: ${theme}, ${name}`, async ({ page }) => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: theme });
      await page.goto('/');
      await page.getByRole('button', { name: 'Learn', exact: true }).click();
      await expect(page.getByTestId('gradient-summary')).toBeVisible();
      await expect(page.getByTestId('block-isometry')).toBeVisible();
      for (const table of ['every step', 'gradients by depth', 'singular values']) await page.getByText(`Table of ${table}`).click();
      await page.getByText('What is measured, and what the theory is').click();
      await expectWellMade(page, `${theme}-${name}-learn`);
    });

    test(`the same on the Train page: ${theme}, ${name}`, async ({ page }) => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: theme });
      await openTrainPage(page);
      await openSquares(page, 10);
      await setSettings(page, { ...smallRun, stages: [{ epochs: 2, size: 64, steps: 1 }] });
      await page.getByRole('button', { name: 'Start', exact: true }).click();
      await expect(page.getByTestId('kept-models')).toBeVisible();
      await readCurve(page, 'Loss terms');
      await page.getByText('Table: firing rates').click();
      await expectWellMade(page, `${theme}-${name}-train`);
      await page.getByText('Pictures that you label here').click();
      await page.getByLabel('Open pictures…').setInputFiles({ name: 'shot.png', mimeType: 'image/png', buffer: (await drawSquares(1)).png });
      await page.getByRole('button', { name: 'Add a box' }).click();
      await page.getByText('Boxes as numbers').click();
      await expectWellMade(page, `${theme}-${name}-label`);
    });
  }
}

test('the list of keys opens and closes by keyboard, and axe finds nothing serious in it', async ({ page }) => {
  await openPage(page);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toContainText('Play or pause the time steps');
  expect(await seriousFaults(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('everything can be reached with the tab key', async ({ page }) => {
  await openPage(page);
  const reached = new Set<string>();
  for (let press = 0; press < 120; press++) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => {
      const element = document.activeElement;
      return element === document.body ? undefined : (element?.getAttribute('aria-label') ?? element?.textContent ?? element?.tagName);
    });
    if (name === undefined) continue;
    reached.add(name.trim());
  }
  for (const control of ['Open a file…', 'Draw another', 'Play', 'Previous step', 'Help and keys', 'Show the mean', 'Table of boxes']) {
    expect([...reached].some((name) => name.includes(control)), control).toBe(true);
  }
});
