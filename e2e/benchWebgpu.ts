/**
 * WebGPU in Chromium, emulated in software where there is no GPU: this engine against tfjs and onnxruntime-web on the same weights and
 * picture, outputs compared first, interleaved, medians. `npx tsx e2e/benchWebgpu.ts [--model bccd] [--network snn] [--size 256,128]
 * [--steps 4] [--runs 5] [--against tfjs,onnxruntime-web] [--layers] [--half PICTURES] [--json]`; `--half` compares the boxes of so many drawn
 * pictures in 16 bits with those in 32
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Route } from '@playwright/test';
import { z } from '../src/base/schema';
import { bundle } from './bundle';
import type { BenchPage, BenchRequest } from './benchWebgpuPage';
import { chromiumArguments, findChromium } from './chromium';

type WithBench = Window & { benchPage: BenchPage };

const list = z.string().transform((text): unknown[] => text.split(',').filter(Boolean));
const options = z
  .object({
    model: z.string().regex(/^[\w-]+$/),
    network: z.enum(['snn', 'ann']),
    size: list.pipe(z.array(z.coerce.number().int().positive())),
    steps: z.coerce.number().int().min(1).max(16),
    runs: z.coerce.number().int().positive(),
    against: list.pipe(z.array(z.enum(['tfjs', 'onnxruntime-web']))),
    layers: z.boolean(),
    half: z.coerce.number().int().min(0),
    json: z.boolean(),
  })
  .parse(
    parseArgs({
      options: {
        model: { type: 'string', default: 'bccd' },
        network: { type: 'string', default: 'snn' },
        size: { type: 'string', default: '256,128' },
        steps: { type: 'string', default: '4' },
        runs: { type: 'string', default: '5' },
        against: { type: 'string', default: 'tfjs,onnxruntime-web' },
        layers: { type: 'boolean', default: false },
        half: { type: 'string', default: '0' },
        json: { type: 'boolean', default: false },
      },
    }).values,
  );

const models = resolve(import.meta.dirname, '../models');
const onnxruntimeFiles = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu'));
const program = await bundle('benchWebgpuPage.ts');

/** Everything that the page asks for, without a server. */
async function answer(route: Route): Promise<void> {
  const { pathname } = new URL(route.request().url());
  const [, folder = '', ...path] = pathname.split('/');
  const name = path.join('/');
  if (folder === '') await route.fulfill({ contentType: 'text/html', body: '<!doctype html><script type="module" src="/program/entry.js"></script>' });
  else if (folder === 'program' && program.has(name)) await route.fulfill({ contentType: 'text/javascript', body: program.get(name) ?? '' });
  else if (folder === 'models') await route.fulfill({ body: await readFile(resolve(models, name)) });
  else if (folder === 'onnxruntime') {
    await route.fulfill({ contentType: name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', body: await readFile(resolve(onnxruntimeFiles, name)) });
  } else await route.fulfill({ status: 404 });
}

const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArguments });
try {
  const page = await browser.newPage();
  // A loaded machine takes its time.
  page.setDefaultTimeout(0);
  page.on('console', (message) => console.error(message.text()));
  page.on('pageerror', (error) => console.error(error.message));
  await page.route('http://localhost/**', answer);
  const results: object[] = [];
  for (const size of options.size) {
    // Once for each size, so that nobody's memory is full of the last one.
    await page.goto('http://localhost/');
    await page.waitForFunction(() => 'benchPage' in window);
    const request: BenchRequest = {
      weights: `/models/${options.model}/${options.network}.safetensors`,
      network: options.network,
      size,
      steps: options.steps,
      counts: { warmUpRuns: 1, timedRuns: options.runs },
      opponents: options.against,
    };
    const rows = await page.evaluate((asked) => (window as unknown as WithBench).benchPage.race(asked), request);
    const layers = options.layers ? await page.evaluate((asked) => (window as unknown as WithBench).benchPage.layers(asked), request) : [];
    const halfPrecision =
      options.half > 0
        ? await page.evaluate(([asked, pictures]) => (window as unknown as WithBench).benchPage.halfPrecision(asked, pictures), [request, options.half] as const)
        : undefined;
    results.push({ model: options.model, size, steps: options.steps, rows, layers, halfPrecision });
    if (options.json) continue;
    console.log(`${options.model}, ${options.network}, ${size} x ${size}, T = ${options.steps}, firing rate ${rows[0]?.firingRate?.toFixed(3) ?? '-'}`);
    for (const { engine, medianMs, minMs, maxMs, maxOutputDifference } of rows) {
      const times = [medianMs, minMs, maxMs].map((ms) => ms.toFixed(1).padStart(9)).join('');
      const ratio = (medianMs / (rows[0]?.medianMs ?? NaN)).toFixed(2).padStart(8);
      console.log(`  ${engine.padEnd(16)}${times} ms ${ratio} times ours, largest difference ${maxOutputDifference.toExponential(1)}`);
    }
    if (halfPrecision) console.log(`  16 bits, emulated, ${options.half} pictures: ${JSON.stringify(halfPrecision)}`);
    for (const [layer, ms] of layers) console.log(`    ${ms.toFixed(2).padStart(9)} ms  ${layer}`);
  }
  if (options.json) console.log(JSON.stringify({ browser: browser.version(), results }, null, 2));
} finally {
  await browser.close();
}
