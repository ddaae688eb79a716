import { openPage } from './page';
import { expect, test } from './support';
import { drawSquares, openSquares, openTrainPage, readCurve, setSettings, smallRun } from './training';
import { expectWellMade, seriousFaults } from './wellMade';

test('axe finds nothing serious on the Detect page, and nothing is cut off, in both themes on a desktop and a phone', async ({ page }) => {
  await openPage(page);
  await page.getByText('Table of boxes').first().click();
  await page.getByText('Draw digits', { exact: true }).click();
  await expectWellMade(page, 'detect');
});

test('the same with a recording open', async ({ page }) => {
  await openPage(page);
  await page.getByText('Make events: webcam, video, sketch').click();
  await page.getByText('Simulated camera', { exact: true }).click();
  await page.getByRole('button', { name: 'Moving digits 2', exact: true }).click();
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
  await expect(page.getByRole('button', { name: /^Step 5/ }).first()).toBeVisible();
  await expectWellMade(page, 'recording');
});

test('the same with a box explained, a block muted, labels, and all tables open', async ({ page }) => {
  await openPage(page);
  await page.getByRole('switch', { name: 'Compare with labels' }).focus();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Explain the surest box' }).click();
  await expect(page.getByTestId('attribution-table')).toBeVisible();
  await page.getByRole('button', { name: 'Mute block 6' }).click();
  await page.getByRole('button', { name: 'Trace back its spike' }).click();
  await expect(page.getByText('of the network’s input')).toBeVisible();
  for (const table of ['Strongest cells of this step', 'Table of the difference', 'Shares of every step', 'Spikes of every step']) await page.getByText(table).first().click();
  await expect(page.getByTestId('attribution-table').getByRole('button', { name: 'Unmute block 6' })).toBeVisible();
  await expectWellMade(page, 'explain');
});

test('the same on the Learn page', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('button', { name: 'Learn', exact: true }).click();
  await expect(page.getByTestId('gradient-summary')).toBeVisible();
  await expect(page.getByTestId('block-isometry')).toBeVisible();
  for (const table of ['every step', 'gradients by depth', 'singular values']) await page.getByText(`Table of ${table}`).click();
  await page.getByText('What is measured, and what the theory is').click();
  await expectWellMade(page, 'learn');
});

test('the same on the Train page, after a run and while labelling', async ({ page }) => {
  await openTrainPage(page);
  await openSquares(page, 10);
  await setSettings(page, { ...smallRun, stages: [{ epochs: 2, size: 64, steps: 1 }] });
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByTestId('kept-models')).toBeVisible();
  await readCurve(page, 'Loss terms');
  await page.getByText('Table: firing rates').click();
  await expectWellMade(page, 'train');
  await page.getByText('Pictures that you label here').click();
  await page.getByLabel('Open pictures…').setInputFiles({ name: 'shot.png', mimeType: 'image/png', buffer: (await drawSquares(1)).png });
  await page.getByRole('button', { name: 'Add a box' }).click();
  await page.getByText('Boxes as numbers').click();
  await expectWellMade(page, 'label');
});

test('the list of keys opens and closes by keyboard, and axe finds nothing serious in it', async ({ page }) => {
  await openPage(page);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toContainText('Play or pause the time steps');
  expect(await seriousFaults(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('everything can be reached with the tab key', async ({ page }) => {
  test.slow();
  await openPage(page);
  await page.getByRole('button', { name: 'Explain the surest box' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('attribution-table')).toBeVisible();
  await page.getByRole('switch', { name: 'Converted SNN' }).focus();
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: /Percentile of activations$/ })).toBeVisible();
  await page.evaluate(() => {
    const reached: string[] = [];
    Object.assign(window, { reached });
    window.addEventListener('focusin', ({ target }) => {
      if (!(target instanceof Element)) return;
      const named = target.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id)?.textContent).join(' ');
      const label = target instanceof HTMLInputElement ? target.labels?.[0]?.textContent : undefined;
      reached.push([named, target.getAttribute('aria-label'), label, target.textContent].filter((text) => text).join(' '));
    });
  });
  for (let press = 0; press < 260; press++) await page.keyboard.press('Tab');
  const reached = await page.evaluate(() => (window as unknown as { reached: string[] }).reached);
  const controls = [
    ...['Open a file…', 'Draw another', 'Compare with labels', 'Play', 'Previous step', 'Help and keys', 'Show the mean', 'Table of boxes', 'Export', 'Share'],
    ...['SNN, step 4', 'Raster of 4 steps', 'sorted by rate', 'Firing rates of', 'Membrane potential, channel', 'Spikes, channel', '128 channels'],
    ...['Mute this neuron', 'Mute channel', 'Trace back its spike', 'Choose no box', 'Mute block 4', '9 · shortcut and branch 1', 'Parts of all layers in the score', 'Parts of 20 by 20 cells'],
    ...['Boxes of SNN at step 4 and ANN', 'Table of the difference', 'Membrane potentials of 4 steps', 'Shares of every step'],
    ...['Converted SNN', 'Converted, steps T', 'Percentile of activations', 'Agreement with the ANN’s boxes by time steps', 'Cost of a MAC', 'Neuron updates', 'Energy of every layer', 'Save as CSV'],
  ];
  for (const control of controls) {
    expect(reached.some((name) => name.includes(control)), control).toBe(true);
  }
});
