import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openWithModule } from './bundle';
import { isPresent, sharedGoldenFolder } from './golden';
import { expect, test } from './support';
import type { TrainingPage } from './trainingPage';

/** Training on WebGPU, emulated in software, in a page of the built site: the operations themselves, without the engine around them. */

type WithTraining = Window & { trainingPage: TrainingPage };

test('every training operation on WebGPU is the reference’s, and no tensor is left', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'trainingPage.ts');
  const { differences, tensorsLeft } = await page.evaluate(() => (window as unknown as WithTraining).trainingPage.questions());
  expect(differences.length).toBeGreaterThan(30);
  expect(differences.filter(([, difference]) => !(difference < 1e-5))).toEqual([]);
  expect(tensorsLeft).toBe(0);
});

test('the gradient of weights on WebGPU is the same each time, to the last bit', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'trainingPage.ts');
  const [first, second] = await page.evaluate(() => (window as unknown as WithTraining).trainingPage.repeated());
  expect(first.length).toBe(40 * 36);
  expect(second).toEqual(first);
});

const name = 'train-res10-ee-64';
const folder = resolve(sharedGoldenFolder, name);

test(`${name} on WebGPU: loss, logits, statistics and every gradient`, async ({ page }) => {
  test.skip(!isPresent(folder, name), `${folder} does not exist.`);
  test.setTimeout(300_000);
  await openWithModule(page, 'trainingPage.ts');
  const { compared, label, tensorsLeft } = await page.evaluate(
    ([description, encoded]) => {
      const recorded = new Blob([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))]);
      return (window as unknown as WithTraining).trainingPage.golden(description, recorded);
    },
    [readFileSync(resolve(folder, 'case.json'), 'utf8'), readFileSync(resolve(folder, 'train.safetensors')).toString('base64')] as const,
  );
  expect(label).toMatch(/^WebGPU/);
  expect(compared.length).toBeGreaterThan(50);
  expect(compared.filter(({ difference, tolerance }) => !(difference <= tolerance))).toEqual([]);
  expect(tensorsLeft).toBe(0);
});
