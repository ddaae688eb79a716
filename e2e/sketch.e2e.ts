import type { Locator, Page } from '@playwright/test';
import { digitStrokes } from '../src/base/digitStrokes';
import { openPage, readBoxes } from './page';
import { expect, test } from './support';

/** The sketch pad as a source: what is drawn is detected while the pen moves. */

async function openPad(page: Page): Promise<Locator> {
  await openPage(page);
  await page.getByText('Draw digits', { exact: true }).click();
  const pad = page.getByRole('application', { name: /^Digit pad/ });
  await pad.scrollIntoViewIfNeeded();
  return pad;
}

function source(page: Page): Locator {
  return page.getByRole('region', { name: 'Source', exact: true });
}

/** Draws a level line and keeps the mouse's button down. */
async function drawLine(page: Page, pad: Locator, y: number): Promise<void> {
  await pad.scrollIntoViewIfNeeded();
  const area = await pad.boundingBox();
  if (!area) throw new Error('The pad is not shown.');
  await page.mouse.move(area.x + area.width * 0.3, area.y + area.height * y);
  await page.mouse.down();
  await page.mouse.move(area.x + area.width * 0.7, area.y + area.height * y, { steps: 8 });
}

/** Draws a digit with the mouse: `x` and `y` are its middle as shares of the pad, `height` its height. */
async function drawDigit(page: Page, pad: Locator, digit: number, { x, y, height }: { x: number; y: number; height: number }): Promise<void> {
  // All of it above the bar at the bottom.
  await pad.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  const area = await pad.boundingBox();
  if (!area) throw new Error('The pad is not shown.');
  const scale = (area.height * height) / 1.4;
  for (const stroke of digitStrokes[digit] ?? []) {
    for (const [index, [dx, dy]] of stroke.entries()) {
      await page.mouse.move(area.x + area.width * x + (dx - 0.5) * scale, area.y + area.height * y + (dy - 0.7) * scale, { steps: 3 });
      if (index === 0) await page.mouse.down();
    }
    await page.mouse.up();
  }
}

/** The share of the pad's pixels that is ink. */
function inked(pad: Locator): Promise<number> {
  return pad.evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let ink = 0;
    for (let at = 0; at < pixels.length; at += 4) if ((pixels[at] ?? 255) < 128) ink++;
    return ink / (canvas.width * canvas.height);
  });
}

test('what is drawn becomes the picture while the pen is still down; undo and clear take it back', async ({ page }) => {
  const pad = await openPad(page);
  expect(await inked(pad)).toBe(0);
  await drawLine(page, pad, 0.3);
  await expect(source(page)).toContainText('Your drawing, 320 × 320 px');
  await expect(page.getByText(/The SNN reads/)).toBeVisible();
  const thin = await inked(pad);
  await page.mouse.up();

  await source(page).getByRole('slider', { name: 'Pen width' }).focus();
  await page.keyboard.press('End');
  await drawLine(page, pad, 0.7);
  await page.mouse.up();
  expect((await inked(pad)) - thin).toBeGreaterThan(1.8 * thin);

  await source(page).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => inked(pad)).toBeCloseTo(thin, 4);
  await source(page).getByRole('button', { name: 'Clear' }).click();
  await expect.poll(() => inked(pad)).toBe(0);
  await source(page).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => inked(pad)).toBeCloseTo(thin, 4);
});

test('the keyboard draws, moves without drawing, takes back, and writes digits', async ({ page }) => {
  const pad = await openPad(page);
  await pad.focus();
  for (let press = 0; press < 5; press++) await page.keyboard.press('ArrowRight');
  const line = await inked(pad);
  expect(line).toBeGreaterThan(0.002);
  for (let press = 0; press < 5; press++) await page.keyboard.press('Shift+ArrowDown');
  expect(await inked(pad)).toBe(line);
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => inked(pad)).toBeGreaterThan(line);
  await page.keyboard.press('Control+z');
  await expect.poll(() => inked(pad)).toBe(line);
  await source(page).getByRole('button', { name: 'Write a 7' }).press('Enter');
  await expect.poll(() => inked(pad)).toBeGreaterThan(2 * line);
  await expect(source(page)).toContainText('Your drawing');
});

test('a pen that is pressed harder writes wider', async ({ page }) => {
  const pad = await openPad(page);
  const press = (pressure: number, y: number): Promise<void> =>
    pad.evaluate(
      (element, { pressure: pressed, y: share }) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        // Nobody holds this pointer: capturing it would throw.
        element.setPointerCapture = () => undefined;
        element.hasPointerCapture = () => true;
        const send = (type: string, x: number): boolean =>
          element.dispatchEvent(
            new PointerEvent(type, { pointerId: 7, pointerType: 'pen', pressure: pressed, clientX: left + width * x, clientY: top + height * share, bubbles: true }),
          );
        send('pointerdown', 0.2);
        send('pointermove', 0.8);
        send('pointerup', 0.8);
      },
      { pressure, y },
    );
  await press(0.1, 0.3);
  await expect.poll(() => inked(pad)).toBeGreaterThan(0);
  const light = await inked(pad);
  await press(0.9, 0.7);
  await expect.poll(async () => (await inked(pad)) - light).toBeGreaterThan(2 * light);
});

test('drawn digits are found where they are, and read rightly', async ({ page }) => {
  const pad = await openPad(page);
  const drawn = [
    { digit: 3, x: 0.25, y: 0.3, height: 0.35 },
    { digit: 7, x: 0.72, y: 0.35, height: 0.42 },
    { digit: 0, x: 0.5, y: 0.76, height: 0.3 },
  ];
  for (const { digit, ...place } of drawn) await drawDigit(page, pad, digit, place);
  // A digit may be read rightly before its last stroke is in the picture.
  await expect(async () => {
    const found = await readBoxes(page, 'snn');
    expect(found.map(({ name }) => name).sort()).toEqual(['0', '3', '7']);
    for (const { digit, x, y } of drawn) {
      const box = found.find(({ name }) => name === String(digit))?.box ?? [];
      const [x1 = NaN, y1 = NaN, x2 = NaN, y2 = NaN] = box;
      expect(Math.abs((x1 + x2) / 2 / 320 - x)).toBeLessThan(0.08);
      expect(Math.abs((y1 + y2) / 2 / 320 - y)).toBeLessThan(0.08);
    }
  }).toPass({ timeout: 60_000 });
});
