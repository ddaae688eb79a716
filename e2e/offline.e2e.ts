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
