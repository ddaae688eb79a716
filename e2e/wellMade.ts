import AxeBuilder from '@axe-core/playwright';
import { test, type Page } from '@playwright/test';
import { expect } from './support';

const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

/** What axe calls serious or critical. Its legacy mode only leaves out frames of other origins, and there are none; both options take a third of the time. */
export async function seriousFaults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

/**
 * The page as it stands, in both themes on a desktop and a phone: axe finds nothing serious, and nothing is cut off. Pictures for people
 * to look at go to `test-results/screenshots`. The page stays at the last size.
 */
export async function expectWellMade(page: Page, screenshot: string): Promise<void> {
  for (const [name, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await test.step(`${theme}, ${name}`, async () => {
        await page.screenshot({ path: `test-results/screenshots/${screenshot}-${theme}-${name}.png`, fullPage: true });
        expect(await seriousFaults(page)).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(overflow).toBeLessThanOrEqual(0);
      });
    }
  }
}
