import { expect, test } from './support';

test('the page opens isolated, without complaints, with WebGPU', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(await page.evaluate(async () => Boolean(await navigator.gpu.requestAdapter()))).toBe(true);
});

test('an inline script or style of a stranger does not run', async ({ page, complaints }) => {
  await page.goto('/');
  const reached = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'document.documentElement.dataset.reached = "yes"';
    document.head.append(script);
    const style = document.createElement('style');
    style.textContent = 'html { --reached: yes }';
    document.head.append(style);
    return [
      document.documentElement.dataset['reached'],
      getComputedStyle(document.documentElement).getPropertyValue('--reached'),
    ];
  });
  expect(reached).toEqual([undefined, '']);
  await expect.poll(() => complaints.filter((text) => text.startsWith('policy: ')).length).toBe(2);
  complaints.length = 0;
});

test('what is not there is not found', async ({ request }) => {
  expect((await request.get('/models/no-such-network/manifest.json')).status()).toBe(404);
});
