import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { goldenCases } from './golden';
import { dropFile, fileFrom, neuronTable, openPage, readBoxes, type DroppedFile } from './page';
import { expect, test } from './support';

const [golden] = goldenCases().filter(({ name }) => name === 'res10-ee-64');
const checkpoint = readFileSync(resolve(golden?.folder ?? '', 'checkpoint.pt'));
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** A tar header as `tar` writes it, which PyTorch's oldest checkpoints begin with. */
function tarFile(): Uint8Array {
  const bytes = new Uint8Array(10240);
  bytes.set(text('storages'), 0);
  bytes.set(text('0000644\0'), 100);
  bytes.set(text('ustar\0'), 257);
  return bytes;
}

const broken: [string, DroppedFile, code: string, sentence: RegExp][] = [
  ['a cut-off checkpoint', { name: 'cut.pt', bytes: checkpoint.subarray(0, checkpoint.length / 2) }, 'checkpoint/truncated', /cut off or damaged/],
  ['a text file', { name: 'notes.pt', bytes: text('these are not weights\n'.repeat(40)) }, 'checkpoint/not-a-checkpoint', /is text/],
  ['a web page saved by mistake', { name: 'best.pt', bytes: text('<!DOCTYPE html><html><body>Sign in</body></html>') }, 'checkpoint/not-a-checkpoint', /web page/],
  ['a legacy tar checkpoint', { name: 'old.pt', bytes: tarFile() }, 'checkpoint/legacy-tar', /tar archive/],
  ['an empty file', { name: 'empty.pt', bytes: new Uint8Array(0) }, 'checkpoint/not-a-checkpoint', /empty/],
  ['a picture that is none', { name: 'broken.png', bytes: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 1, 2, 3, 4) }, 'input/unreadable', /not a picture/],
];

for (const [what, file, code, sentence] of broken) {
  test(`${what} gets a sentence and a remedy, and the model before it keeps working`, async ({ page }) => {
    await openPage(page);
    const before = await readBoxes(page, 'snn');
    await dropFile(page, file);
    const message = page.locator(`[data-code="${code}"]`);
    await expect(message).toContainText(sentence);
    await expect(page.getByRole('button', { name: /Model$/ })).toContainText('Blood cells');
    expect(await readBoxes(page, 'snn')).toEqual(before);
    // Still working, not only still shown.
    await page.keyboard.press('2');
    await expect(page.getByText('SNN (T = 2)')).toBeVisible();
    await page.getByRole('button', { name: 'Dismiss the message' }).click();
    await expect(message).toHaveCount(0);
  });
}

test('weights of another network are refused by name', async ({ page }) => {
  await openPage(page);
  // The same file with one block renamed where its class is named and where its row is.
  const renamed = Buffer.from(checkpoint.toString('latin1').replaceAll('ConcatBlock_ms', 'C3TransformerX'), 'latin1');
  await dropFile(page, { name: 'other.pt', bytes: renamed });
  await expect(page.locator('[data-code="checkpoint/other-network"], [data-code="checkpoint/truncated"]')).toBeVisible();
  await expect(page.getByRole('button', { name: /Model$/ })).toContainText('Blood cells');
});

test('a cancelled load leaves the previous model, still working', async ({ page }) => {
  await openPage(page);
  await dropFile(page, fileFrom(golden?.folder ?? '', 'checkpoint.pt'));
  await expect(page.getByRole('button', { name: /Model$/ })).toContainText('checkpoint.pt');
  await expect.poll(async () => (await readBoxes(page, 'snn')).some(({ name }) => name === 'class0')).toBe(true);
  const before = await readBoxes(page, 'snn');
  await page.route('**/models/bccd/snn.safetensors*', () => undefined);
  await page.getByRole('button', { name: /Model$/ }).click();
  await page.getByRole('option', { name: /Blood cells/ }).click();
  // On a slow machine the run before is shown beside it for a while.
  await page.locator('.activity').filter({ hasText: /Loading the SNN|Downloading the model/ }).getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('progressbar')).toHaveCount(0);
  await expect(page.getByRole('button', { name: /Model$/ })).toContainText('checkpoint.pt');
  expect(await readBoxes(page, 'snn')).toEqual(before);
  await page.keyboard.press('1');
  await expect(page.getByText('SNN (T = 1)')).toBeVisible();
  await expect(neuronTable(page).locator('tbody tr')).toHaveCount(1);
});

test('a crashed engine starts again, loads its models and goes on', async ({ page, complaints }) => {
  await openPage(page);
  const before = await readBoxes(page, 'snn');
  const [worker] = page.workers();
  await worker?.evaluate(() => {
    setTimeout(() => {
      throw new Error('made to crash by the test');
    }, 0);
  });
  await expect(page.getByText(/The engine stopped .*made to crash.* and was started again/)).toBeVisible();
  complaints.length = 0;
  await page.keyboard.press('3');
  await expect(page.getByText('SNN (T = 3)')).toBeVisible();
  await page.keyboard.press('4');
  await expect.poll(async () => readBoxes(page, 'snn')).toEqual(before);
});

test('a checkpoint dropped on the ANN pane becomes the twin', async ({ page }) => {
  await openPage(page);
  const folder = golden?.folder ?? '';
  await dropFile(page, fileFrom(folder, 'checkpoint.pt'));
  await expect(page.getByText('No ANN twin is loaded')).toBeVisible();
  await dropFile(page, fileFrom(folder, 'checkpoint.pt'), '[data-drop-slot="ann"]');
  await expect(page.getByText('No ANN twin is loaded')).toHaveCount(0);
  await expect(page.getByRole('button', { name: /Model$/ })).toContainText('checkpoint.pt');
});
