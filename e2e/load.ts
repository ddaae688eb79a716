/**
 * `npm run load [-- --runs 5]`: how long the built site takes from a cold start (a new browser profile each time, the site on this machine) to
 * its first paint, to the precomputed boxes of the built-in example, and to the boxes that the SNN on the CPU engine itself has found. Medians.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { preview } from 'vite';
import { buildSite, projectFolder, siteIsFresh } from '../src/cli/site';
import { findChromium } from './chromium';

const measures = { firstPaint: 'first paint', exampleBoxes: 'boxes of the example, precomputed', ownBoxes: 'boxes of the CPU engine' } as const;
type Measures = Record<keyof typeof measures, number>;

/** As text: what tsx makes of a function leans on helpers that the page does not have. */
const watchBoxes = `
  window.seen = {};
  const look = () => {
    const text = document.querySelector('[data-testid="pane-snn"]')?.closest('section')?.textContent ?? '';
    if (/\\d+ boxes/.test(text)) {
      seen.exampleBoxes ??= performance.now();
      if (!text.includes('precomputed')) seen.ownBoxes ??= performance.now();
    }
    if (seen.ownBoxes === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
`;

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`--runs is ${options.runs}, not a whole number from 1.`);

if (!(await siteIsFresh())) await buildSite();
const server = await preview({ root: projectFolder, configFile: join(projectFolder, 'vite.config.ts'), preview: { port: 4192 }, logLevel: 'error' });
try {
  const address = server.resolvedUrls?.local[0] ?? '';
  const executablePath = findChromium();
  const all: Measures[] = [];
  for (let run = 0; run < runs; run++) all.push(await coldStart(executablePath, address));
  console.log(`Milliseconds from the request of the page, median of ${runs} cold starts (least to most):`);
  for (const [key, title] of Object.entries(measures)) {
    const times = all.map((each) => each[key as keyof Measures]).sort((a, b) => a - b);
    const [least = NaN, median = NaN, most = NaN] = [times[0], times[times.length >> 1], times.at(-1)];
    console.log(`${title.padEnd(36)} ${median.toFixed(0).padStart(6)}  (${least.toFixed(0)} to ${most.toFixed(0)})`);
  }
} finally {
  await server.close();
}

/** A browser that has never seen the site: no cache, no service worker, no compiled code. */
async function coldStart(executablePath: string, address: string): Promise<Measures> {
  const profile = mkdtempSync(join(tmpdir(), 'ems-yolo-load-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    viewport: { width: 1280, height: 800 },
    args: ['--headless=new', '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    await browser.addInitScript({ content: watchBoxes });
    const page = await browser.newPage();
    await page.goto(address);
    await page.waitForFunction(() => (window as unknown as { seen: { ownBoxes?: number } }).seen.ownBoxes !== undefined, undefined, { polling: 200, timeout: 120_000 });
    return await page.evaluate(() => {
      const { exampleBoxes = NaN, ownBoxes = NaN } = (window as unknown as { seen: { exampleBoxes?: number; ownBoxes?: number } }).seen;
      return { firstPaint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN, exampleBoxes, ownBoxes };
    });
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
