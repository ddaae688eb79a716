import { defineConfig } from '@playwright/test';
import { chromiumArguments, findChromium } from './chromium';

const port = 4191;
const address = `http://localhost:${port}`;
// Workers of the test runner read this file too: they find the browser where the first reading found it.
const executablePath = (process.env['CHROMIUM_PATH'] ??= findChromium());

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.e2e.ts',
  outputDir: '../test-results/browser',
  // One test waits about a quarter of its time; two of them keep two cores busy, and take longer each.
  workers: 2,
  fullyParallel: true,
  timeout: 240_000,
  expect: { timeout: 60_000 },
  forbidOnly: Boolean(process.env['CI']),
  reporter: [['list'], ['json', { outputFile: '../test-results/browser.json' }]],
  use: {
    baseURL: address,
    // It takes a sixth of the time, and nobody opens it in CI.
    trace: process.env['CI'] ? 'off' : 'retain-on-failure',
    // Its cache would answer in place of the routes that tests set; offline.e2e.ts allows it.
    serviceWorkers: 'block',
    launchOptions: {
      executablePath,
      args: chromiumArguments,
    },
  },
  webServer: {
    command: `npx tsx src/cli/serve.ts --no-open --port ${port}`,
    cwd: '..',
    url: address,
    timeout: 300_000,
    reuseExistingServer: false,
    stdout: 'ignore',
    stderr: 'pipe',
  },
});
