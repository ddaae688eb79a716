import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { quietTask } from '../src/base/progress';
import { goldenCases } from './golden';
import { openWithModule } from './bundle';
import { openExpected, openPage, readBoxes } from './page';
import { expect, test } from './support';
import type { WebgpuPage } from './webgpuPage';

/** WebGPU on SwiftShader, a GPU emulated in software: slow, and exact enough to count every spike. */

interface LayerAnswer {
  emits: string;
  /** Sides without the steps. */
  shape: [height: number, width: number, channels: number];
  steps: number;
  membrane: number[];
  emitted: number[];
}

/** Starts an engine of its own in the page, from the built worker, and speaks the protocol with it. */
async function startEngine(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const address = performance.getEntriesByType('resource').find(({ name }) => /\/worker-[^/]*\.js$/.test(name))?.name;
    if (address === undefined) throw new Error('The page has loaded no worker.');
    const worker = new Worker(address, { type: 'module' });
    let next = 1;
    (window as unknown as { ask: unknown }).ask = (kind: string, payload: unknown) =>
      new Promise((resolve, reject) => {
        const id = next++;
        worker.addEventListener('message', ({ data }) => {
          if (data.id !== id) return;
          if (data.type === 'result') resolve(data.value);
          if (data.type === 'error') reject(new Error(`${data.error.code}: ${data.error.message}`));
        });
        worker.postMessage({ type: 'request', id, kind, payload });
      });
  });
}

async function ask<T>(page: Page, kind: string, payload: object, files: Record<string, string> = {}): Promise<T> {
  return page.evaluate(
    async ([requestKind, request, encoded]) => {
      const blobs = Object.fromEntries(
        Object.entries(encoded).map(([name, base64]) => [name, new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))])]),
      );
      const { ask: send } = window as unknown as { ask: (kind: string, payload: unknown) => Promise<unknown> };
      const place = (value: unknown): unknown => {
        if (typeof value === 'string' && value.startsWith('file:')) return blobs[value.slice('file:'.length)];
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, place(item)]));
      };
      const answer = (await send(requestKind, place(request))) as Record<string, unknown>;
      if (!('trace' in answer)) return answer as T;
      const trace = answer['trace'] as { emits: string; steps: number; height: number; width: number; channels: number; membrane: Float32Array; emitted: Float32Array };
      return {
        emits: trace.emits,
        steps: trace.steps,
        shape: [trace.height, trace.width, trace.channels],
        membrane: Array.from(trace.membrane),
        emitted: Array.from(trace.emitted),
      } as T;
    },
    [kind, payload, files] as const,
  );
}

const base64 = (path: string): string => readFileSync(path).toString('base64');

// The engine around the operations; all cases are below.
for (const { name, folder, steps, height, width } of goldenCases().filter((golden) => golden.name === 'res10-ee-64')) {
  test(`every spike of ${name} as the engine traces it on WebGPU`, async ({ page }) => {
    test.setTimeout(300_000);
    await openPage(page);
    await startEngine(page);
    const choice = await ask<{ name: string }>(page, 'open', { preference: 'webgpu', avoid: [], threads: 1 });
    expect(choice.name).toBe('webgpu');
    const model = await ask<{ neuronLayers: number }>(
      page,
      'load',
      { slot: 'snn', source: { kind: 'file', name: 'checkpoint.pt', blob: 'file:checkpoint' } },
      { checkpoint: base64(resolve(folder, 'checkpoint.pt')) },
    );
    const picture = base64(resolve(folder, 'input.png'));
    const settings = { steps, decay: 0.25, threshold: 0.5, inputSize: 'native' };
    const expected = await openExpected(folder);
    expect(model.neuronLayers).toBeGreaterThan(0);
    for (let layer = 0; layer < model.neuronLayers; layer++) {
      const { emits, shape, steps: ran, membrane, emitted } = await ask<LayerAnswer>(
        page,
        'trace',
        { slot: 'snn', frame: { id: 'golden', image: 'file:picture' }, settings, layer },
        { picture },
      );
      const [h, w, channels] = shape;
      expect(ran).toBe(steps);
      expect(expected.tensors.get(`neuron.${layer}.spike`)?.shape).toEqual([steps, 1, channels, h, w]);
      const goldenMembrane = await expected.read(`neuron.${layer}.membrane`, quietTask);
      const goldenEmitted = await expected.read(`neuron.${layer}.spike`, quietTask);
      let flips = 0;
      let largest = 0;
      for (let index = 0; index < emitted.length; index++) {
        // Ours is [steps, h, w, channels], PyTorch's [steps, 1, channels, h, w].
        const channel = index % channels;
        const place = Math.floor(index / channels) % (h * w);
        const step = Math.floor(index / (channels * h * w));
        const at = (step * channels + channel) * h * w + place;
        const difference = Math.abs((emitted[index] ?? NaN) - (goldenEmitted[at] ?? NaN));
        if (emits === 'spikes') flips += difference === 0 ? 0 : 1;
        else largest = Math.max(largest, difference);
        largest = Math.max(largest, Math.abs((membrane[index] ?? NaN) - (goldenMembrane[at] ?? NaN)));
      }
      expect(flips, `spikes of layer ${layer} (${height} x ${width})`).toBe(0);
      expect(largest, `membranes of layer ${layer}`).toBeLessThan(1e-3);
    }
  });
}

type WithWebgpu = Window & { webgpuPage: WebgpuPage };

test('every operation on WebGPU is the reference’s, with every kernel', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'webgpuPage.ts');
  const names = await page.evaluate(() => (window as unknown as WithWebgpu).webgpuPage.caseNames());
  expect(names.length).toBeGreaterThan(8);
  for (const name of names) {
    await test.step(name, () => page.evaluate((asked) => (window as unknown as WithWebgpu).webgpuPage.check(asked), name));
  }
});

test('a frame is one submission and one read-back, in the buffers of the frames before', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'webgpuPage.ts');
  const { states, frames } = await page.evaluate(() => (window as unknown as WithWebgpu).webgpuPage.memory());
  expect(states[1]).toEqual(states[0]);
  expect(frames.length).toBe(10);
  for (const calls of frames) expect(calls).toEqual({ submissions: 1, readBacks: 1, newBuffers: 0 });
});

test('a device that is lost within a frame gets a sentence, and another can be opened', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'webgpuPage.ts');
  const { frame, reason, next, other } = await page.evaluate(() => (window as unknown as WithWebgpu).webgpuPage.loss());
  expect(frame).toMatch(/^backend\/lost: The graphics device was lost: .+\. Open the engine again/);
  expect(frame).toContain(reason);
  expect(next).toBe(frame);
  expect(other).toBe('done');
});

async function routeGolden(page: Page, folder: string): Promise<[checkpoint: string, expected: string]> {
  await page.route('/golden/*', (route) => route.fulfill({ path: resolve(folder, new URL(route.request().url()).pathname.replace('/golden/', '')) }));
  return ['/golden/checkpoint.pt', '/golden/expected.safetensors'];
}

const smallCases = goldenCases().filter(({ height, width, half }) => height * width <= 96 * 160 && !half);

for (const { name, folder, ...size } of smallCases) {
  test(`every kernel on ${name}, neurons by themselves and fused`, async ({ page }) => {
    test.setTimeout(300_000);
    await openWithModule(page, 'webgpuPage.ts');
    const answer = await page.evaluate(
      ([[checkpoint, expected], { steps, height, width }]) =>
        (window as unknown as WithWebgpu).webgpuPage.golden(checkpoint, expected, { steps, height, width }),
      [await routeGolden(page, folder), size] as const,
    );
    expect(answer.flips.length).toBeGreaterThan(0);
    expect(answer.flips.filter((count) => count !== 0)).toEqual([]);
    expect(answer.countDifferences.length).toBeGreaterThan(0);
    expect(answer.countDifferences.filter((count) => count !== 0)).toEqual([]);
    expect(answer.largestMembraneDifference).toBeLessThan(1e-3);
    expect(answer.largestLogitDifference).toBeLessThan(1e-3);
  });
}

test('the device tells how long each layer took', async ({ page }) => {
  test.setTimeout(300_000);
  await openWithModule(page, 'webgpuPage.ts');
  const golden = smallCases.find(({ name }) => name === 'res10-ee-64');
  if (!golden) throw new Error('The golden case is missing.');
  const [checkpoint, expected] = await routeGolden(page, golden.folder);
  const { convolutions, heard } = await page.evaluate(
    ([weights, recorded, { steps, height, width }]) => (window as unknown as WithWebgpu).webgpuPage.layerTimes(weights, recorded, { steps, height, width }),
    [checkpoint, expected, golden] as const,
  );
  expect(convolutions.length).toBeGreaterThan(10);
  expect(heard.map(([name]) => name)).toEqual(expect.arrayContaining(convolutions));
  for (const [name, durationMs] of heard) expect(durationMs, name).toBeGreaterThanOrEqual(0);
});

test('half precision, emulated, moves a few spikes and changes little', async ({ page }) => {
  test.setTimeout(300_000);
  const golden = smallCases.find(({ name }) => name === 'res10-ee-64');
  if (!golden) throw new Error('The golden case is missing.');
  await openWithModule(page, 'webgpuPage.ts');
  const { logits, rates } = await page.evaluate(
    ([[checkpoint, expected], { steps, height, width }]) =>
      (window as unknown as WithWebgpu).webgpuPage.halfPrecision(checkpoint, expected, { steps, height, width }),
    [await routeGolden(page, golden.folder), golden] as const,
  );
  // A single spike that flips shows in the logits, and is one of many in the rates.
  expect(logits).toBeGreaterThan(0);
  expect(rates).toBeLessThan(0.03);
});

test('frame after frame, WebGPU keeps no tensor and no memory', async ({ page }) => {
  test.setTimeout(300_000);
  const [golden] = goldenCases().filter(({ name }) => name === 'resnet34-cat-64');
  if (!golden) throw new Error('The golden case is missing.');
  await openPage(page);
  await startEngine(page);
  await ask(page, 'open', { preference: 'webgpu', avoid: [], threads: 1 });
  await ask(
    page,
    'load',
    { slot: 'snn', source: { kind: 'file', name: 'checkpoint.pt', blob: 'file:checkpoint' } },
    { checkpoint: base64(resolve(golden.folder, 'checkpoint.pt')) },
  );
  const picture = base64(resolve(golden.folder, 'input.png'));
  const frame = async (index: number): Promise<{ tensors: number; bytes: number }> => {
    const settings = { steps: golden.steps, decay: 0.25, threshold: 0.5, inputSize: 'native' };
    const shared = { slot: 'snn', frame: { id: `frame ${index}`, image: 'file:picture' }, settings };
    await ask(page, 'detect', { ...shared, confidence: 0.25, iou: 0.45 }, { picture });
    await ask(page, 'trace', { ...shared, layer: index % 40 }, { picture });
    return ask(page, 'memory', {});
  };
  const first = await frame(0);
  for (let index = 1; index < 10; index++) expect(await frame(index)).toEqual(first);
  const choices = await page.evaluate(async () => (await (await caches.open('kernel choices')).keys()).length);
  expect(choices, 'kernels chosen and remembered').toBeGreaterThan(0);
});

test('a page whose graphics device is lost says so, and goes on', async ({ page, complaints }) => {
  test.setTimeout(300_000);
  await openPage(page);
  const chooser = page.getByRole('button', { name: /Backend$/ });
  await chooser.click();
  await page.getByRole('option', { name: /^WebGPU(?! \(16-bit\))/ }).click();
  await expect(chooser).toContainText('WebGPU (software');
  await page.keyboard.press('1');
  await expect(page.getByText('SNN (T = 1)')).toBeVisible({ timeout: 120_000 });
  const worker = page.workers().at(-1);
  await worker?.evaluate(() => {
    const create = GPUDevice.prototype.createCommandEncoder;
    GPUDevice.prototype.createCommandEncoder = function (...given) {
      this.destroy();
      return create.apply(this, given);
    };
  });
  await page.keyboard.press('2');
  await expect(page.getByText(/The engine stopped \(the graphics device was lost .* and was started again/)).toBeVisible({ timeout: 60_000 });
  complaints.length = 0;
  await expect(page.getByText('SNN (T = 2)')).toBeVisible({ timeout: 120_000 });
  await expect(chooser).toContainText('WebGPU (software');
});

test('the choice of backend is shown with its reason, and can be changed', async ({ page }) => {
  await openPage(page);
  const before = await readBoxes(page, 'snn');
  const chooser = page.getByRole('button', { name: /Backend$/ });
  await expect(chooser).toContainText('CPU (event-driven WASM SIMD');
  await chooser.click();
  await expect(page.getByRole('option', { name: /Automatic/ })).toContainText('emulated in software');
  await page.getByRole('option', { name: 'Reference' }).click();
  await expect(chooser).toContainText('Reference (plain JavaScript)');
  await page.keyboard.press('1');
  await expect(page.getByText('SNN (T = 1)')).toBeVisible({ timeout: 90_000 });
  await chooser.click();
  await page.getByRole('option', { name: /CPU \(tfjs\)/ }).click();
  await expect(chooser).toContainText('CPU (tfjs, WASM SIMD)');
  await page.keyboard.press('4');
  await expect(page.getByText('SNN (T = 4)')).toBeVisible();
  await expect.poll(async () => readBoxes(page, 'snn')).toEqual(before);
});
