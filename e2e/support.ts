import { expect, test as base, type Page } from '@playwright/test';

/** What went wrong in a page without anybody asking: console errors, uncaught errors, CSP violations, failed requests. */
export type PageComplaints = string[];

/** Must be called before the page is opened. */
export async function watchForComplaints(page: Page): Promise<PageComplaints> {
  const complaints: PageComplaints = [];
  page.on('console', (message) => {
    // Chromium reports a violated content security policy here as well, also one inside a worker.
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'no reason given';
    // A page that moves on, or a cancelled download, aborts its requests on purpose.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`request: ${request.url()} (${reason})`);
  });
  await page.exposeFunction('tellViolation', (text: string) => complaints.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const tell = (window as unknown as { tellViolation: (text: string) => void }).tellViolation;
      tell(`${event.effectiveDirective} blocked ${event.blockedURI} ${event.sample}`);
    });
  });
  return complaints;
}

/** A test whose page must not complain: checked when the test has ended. `complaints` may be read or cleared within. */
export const test = base.extend<{ complaints: PageComplaints }>({
  complaints: [
    async ({ page }, use) => {
      const complaints = await watchForComplaints(page);
      await use(complaints);
      expect(complaints, 'the page complained').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
