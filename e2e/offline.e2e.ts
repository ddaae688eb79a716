import { openPage, readBoxes } from './page';
import { expect, test } from './support';

test.use({ serviceWorkers: 'allow' });

test('after a first visit the page works offline, isolation and model included', async ({ page, context }) => {
  await openPage(page);
  const online = await readBoxes(page, 'snn');
  await page.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  await page.reload();
  await openPage(page);
  expect(await readBoxes(page, 'snn')).toEqual(online);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
});

test('the models of a first visit are there offline, the one in its address and one chosen during it', async ({ page, context }) => {
  await openPage(page, '#model=cards');
  // Where the models of the page are kept, besides those that are stored with it.
  const kept = (): Promise<string[]> => page.evaluate(async () => (await (await caches.open('weights')).keys()).map(({ url }) => new URL(url).pathname));
  await expect.poll(kept).toEqual(expect.arrayContaining(['/models/cards/snn.safetensors', '/models/cards/ann.safetensors']));
  const online = await readBoxes(page, 'snn');
  await page.evaluate(() => (location.hash = '#model=digits'));
  await expect.poll(kept).toEqual(expect.arrayContaining(['/models/digits/snn.safetensors', '/models/digits/ann.safetensors']));
  await context.setOffline(true);
  await page.goto('about:blank');
  await openPage(page, '#model=cards');
  expect(await readBoxes(page, 'snn')).toEqual(online);
});
