import { openAsBlob, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { nodeBackend, nodeTrainingKernels } from '../../e2e/kernels';
import { defaultConversion, defaultConvertedSteps } from '../base/conversionOptions';
import { matchBoxes } from '../base/matchBoxes';
import type { Picture } from '../base/picture';
import { quietTask, type Progress } from '../base/progress';
import { drawSmear } from '../input/frames/smear';
import { openBackend, type Backend } from '../tensor/backend';
import type { Frame, RunSettings } from './protocol';
import { Session, type Surroundings } from './session';

const models = resolve(import.meta.dirname, '../../models');
const surroundings: Surroundings = {
  readModelFile: (path) => openAsBlob(resolve(models, path)),
  decodePicture: () => Promise.reject(new Error('The pictures of these tests are decoded already.')),
  encodePicture: ({ data }) => Promise.resolve(new Blob([new Uint8Array(data)])),
  openOnnxRuntime: () => import('onnxruntime-web'),
  decodeVideo: () => {
    throw new Error('These tests decode no video.');
  },
  trainingKernels: nodeTrainingKernels,
};

const settings: RunSettings = { steps: 4, decay: 0.25, threshold: 0.5, inputSize: 'native' };
const display = { confidence: 0.25, iou: 0.45 };
const shipped = { kind: 'shipped', name: 'bccd' } as const;

function small(picture: Picture, side: number): Picture {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((y + 60) * picture.width + 80) * 3;
    data.set(picture.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { width: side, height: side, data };
}

const frame = (id: string, image: Picture = small(drawSmear(1), 64)): Frame => ({
  id,
  image: { ...image, data: new Uint8Array(image.data) },
});

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend({ preference: 'wasm', wasmPaths: undefined, avoid: [] });
});

async function loaded(): Promise<Session> {
  const session = new Session(backend, surroundings);
  await session.load({ slot: 'snn', source: shipped }, quietTask);
  return session;
}

describe('a session', () => {
  it('leaves tensors and memory where they were after 200 frames', { timeout: 180_000 }, async () => {
    const session = await loaded();
    const run = async (index: number): Promise<{ tensors: number; bytes: number }> => {
      const shared = { slot: 'snn' as const, frame: frame(`frame ${index}`), settings };
      await session.detect({ ...shared, ...display }, quietTask);
      if (index % 10 === 0) await session.trace({ ...shared, layer: index % 21 }, quietTask);
      return session.memory();
    };
    const first = await run(0);
    expect(first.tensors).toBeGreaterThan(50);
    for (let index = 1; index < 200; index++) expect(await run(index)).toEqual(first);
    session.unload({ slot: 'snn' });
    expect(session.memory().tensors).toBe(0);
  });

  it('computes a frame like the last one not again, and one that differs in a corner as if it were the first', async () => {
    const onCpu = await openBackend(nodeBackend('event'));
    const session = new Session(onCpu, surroundings);
    await session.load({ slot: 'snn', source: shipped }, quietTask);
    const detect = async (of: Session, id: string, image: Picture) => {
      const { timing: _, ...result } = await of.detect({ slot: 'snn', frame: frame(id, image), settings, ...display }, quietTask);
      return result;
    };
    const picture = small(drawSmear(1), 224);
    const first = await detect(session, 'first', picture);
    const convolutions = vi.spyOn(onCpu.operations, 'spikingConvolution');
    expect(await detect(session, 'the same', picture)).toEqual(first);
    expect(convolutions).not.toHaveBeenCalled();
    for (const brightness of [10, 240, 90]) {
      const changed = { ...picture, data: new Uint8Array(picture.data) };
      for (let y = 0; y < 12; y++) changed.data.fill(brightness, y * 224 * 3, (y * 224 + 12) * 3);
      const fresh = new Session(onCpu, surroundings);
      await fresh.load({ slot: 'snn', source: shipped }, quietTask);
      expect(await detect(session, `corner ${brightness}`, changed)).toEqual(await detect(fresh, 'alone', changed));
      fresh.unload({ slot: 'snn' });
    }
  });

  it('shows boxes after each step, the last of them those of the whole run', async () => {
    const session = await loaded();
    const picture = drawSmear(1);
    const request = { slot: 'snn' as const, ...display, frame: frame('smear', picture) };
    const result = await session.detect({ ...request, settings: { ...settings, inputSize: 256 } }, quietTask);
    expect(result.detectionsPerStep).toHaveLength(4);
    expect(result.layers).toHaveLength(21);
    for (const rates of result.firingRates) expect(rates).toHaveLength(4);
    // After two steps of four a run of two steps has seen the same.
    const two = await session.detect({ ...request, settings: { ...settings, inputSize: 256, steps: 2 } }, quietTask);
    expect(two.detectionsPerStep.at(-1)?.map(({ name }) => name)).toEqual(result.detectionsPerStep[1]?.map(({ name }) => name));
    session.unload({ slot: 'snn' });
  });

  it.each([1, 3, 16])('runs with T = %i', async (steps) => {
    const session = await loaded();
    const { trace } = await session.trace({ slot: 'snn', frame: frame('t'), settings: { ...settings, steps }, layer: 4 }, quietTask);
    expect(trace.steps).toBe(steps);
    expect(trace.membrane).toHaveLength(steps * trace.height * trace.width * trace.channels);
    expect(trace.membrane.some((value) => value > trace.threshold)).toBe(true);
    expect(trace.emitted).toEqual(trace.membrane.map((value) => (value > trace.threshold ? 1 : 0)));
    session.unload({ slot: 'snn' });
  });

  it('takes the twin by one switch: ReLU everywhere, one pass, no firing rates', async () => {
    const session = new Session(backend, surroundings);
    const model = await session.load({ slot: 'ann', source: shipped }, quietTask);
    expect(model.mode).toBe('ann');
    const request = { slot: 'ann' as const, frame: frame('ann'), settings };
    const result = await session.detect({ ...request, ...display }, quietTask);
    expect(result.steps).toBe(1);
    expect(result.firingRates.every((rates) => rates === null)).toBe(true);
    const { trace } = await session.trace({ ...request, layer: 4 }, quietTask);
    expect(trace.emits).toBe('values');
    expect(trace.emitted).toEqual(trace.membrane.map((value) => Math.max(value, 0)));
    session.unload({ slot: 'ann' });
  });

  it('keeps the model that it has when a load fails or is cancelled, and leaves nothing behind', async () => {
    const session = await loaded();
    const before = session.memory();
    const broken = { slot: 'snn' as const, source: { kind: 'file' as const, name: 'broken.pt', blob: new Blob(['PK\u0003\u0004 cut off']) } };
    await expect(session.load(broken, quietTask)).rejects.toMatchObject({ code: 'checkpoint/truncated' });

    const [golden] = goldenCases();
    const source = { kind: 'file' as const, name: 'golden.pt', blob: await openAsBlob(resolve(golden?.folder ?? '', 'checkpoint.pt')) };
    const controller = new AbortController();
    const seen: Progress[] = [];
    const task = {
      signal: controller.signal,
      report: (progress: Progress) => {
        seen.push(progress);
        if (progress.label === 'Loading weights' && progress.done > (progress.total ?? 0) / 2) controller.abort();
      },
    };
    await expect(session.load({ slot: 'snn', source }, task)).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen.every(({ total }) => total !== undefined && total > 0)).toBe(true);
    expect(session.memory()).toEqual(before);
    const result = await session.detect({ slot: 'snn', frame: frame('after'), settings, ...display }, quietTask);
    expect(result.model).toBe('bccd');
    session.unload({ slot: 'snn' });
  });

  it('says what is missing', async () => {
    const session = new Session(backend, surroundings);
    await expect(session.detect({ slot: 'snn', frame: frame('x'), settings, ...display }, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
    await session.load({ slot: 'snn', source: shipped }, quietTask);
    await expect(session.trace({ slot: 'snn', frame: frame('x'), settings, layer: 99 }, quietTask)).rejects.toMatchObject({ code: 'network/invalid-settings' });
    session.unload({ slot: 'snn' });
  });
});

describe('the converted network', () => {
  const gallery = [1, 2, 3, 4, 5, 6];
  const twinSettings = { ...settings, steps: 1, inputSize: 320 };
  let event: Backend;
  let calibration: Frame[];
  beforeAll(async () => {
    event = await openBackend(nodeBackend('event'));
    calibration = await Promise.all(gallery.map(async (seed) => frame(`smear ${seed}`, await storedSmear(seed))));
  });

  async function convertedSession(options = defaultConversion): Promise<Session> {
    const session = new Session(event, surroundings);
    await session.load({ slot: 'ann', source: shipped }, quietTask);
    await session.convert({ calibration, options, settings: twinSettings }, quietTask);
    return session;
  }

  it('finds the same boxes as the ANN on every shipped sample at the T that the card states', { timeout: 300_000 }, async () => {
    const session = await convertedSession();
    for (const picture of calibration) {
      const request = { frame: picture, ...display };
      const ann = (await session.detect({ ...request, slot: 'ann', settings: twinSettings }, quietTask)).detectionsPerStep[0] ?? [];
      const result = await session.detect({ ...request, slot: 'converted', settings: { ...twinSettings, steps: defaultConvertedSteps } }, quietTask);
      const converted = result.detectionsPerStep[0] ?? [];
      expect(ann.length).toBeGreaterThan(10);
      expect(matchBoxes(converted, ann), picture.id).toEqual({ found: ann.map(() => true), missed: [] });
    }
    for (const slot of ['ann', 'converted'] as const) session.unload({ slot });
    expect(readFileSync(resolve(models, 'bccd/README.md'), 'utf8')).toContain(`T = ${defaultConvertedSteps}`);
  });

  it('goes on where it stopped, and starts anew on another frame or for fewer steps', async () => {
    const session = await convertedSession();
    const before = session.memory();
    const [first, second] = calibration;
    if (!first || !second) throw new Error('no pictures');
    const run = (picture: Frame, steps: number) =>
      session.detect({ slot: 'converted', frame: picture, settings: { ...twinSettings, steps }, ...display }, quietTask);
    const ten = await run(first, 10);
    expect(ten).toMatchObject({ mode: 'converted', steps: 10, operations: { steps: 10, neuronKind: 'integrate' } });
    expect(ten.layers.every(({ emits }) => emits === 'spikes')).toBe(true);
    expect(ten.spikesPerStep).toHaveLength(10);
    const thirty = await run(first, 30);
    expect(thirty.spikesPerStep.slice(0, 10)).toEqual(ten.spikesPerStep);
    expect(thirty.timing.inferenceMs).toBeGreaterThan(ten.timing.inferenceMs);
    expect((await run(second, 10)).spikesPerStep).not.toEqual(ten.spikesPerStep);
    expect((await run(first, 10)).spikesPerStep).toEqual(ten.spikesPerStep);
    // The paper's formula again: spikes times what they reach, over ten steps.
    expect(ten.energy.snnPj).toBeLessThan(thirty.energy.snnPj ?? 0);
    session.unload({ slot: 'converted' });
    expect(session.memory().tensors).toBeLessThan(before.tensors);
    await expect(run(first, 1)).rejects.toMatchObject({ code: 'engine/no-model' });
    session.unload({ slot: 'ann' });
  });

  it('needs an ANN twin, and has no membranes to look into', async () => {
    const session = new Session(event, surroundings);
    await expect(session.convert({ calibration, options: defaultConversion, settings: twinSettings }, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
    const converted = await convertedSession();
    const request = { slot: 'converted' as const, frame: calibration[0] ?? frame('x'), settings: twinSettings, layer: 0 };
    await expect(converted.trace(request, quietTask)).rejects.toMatchObject({ code: 'network/invalid-settings' });
    for (const slot of ['ann', 'converted'] as const) converted.unload({ slot });
  });
});

async function storedSmear(seed: number): Promise<Picture> {
  const { data, info } = await sharp(resolve(models, `../public/gallery/smear-${seed}.jpg`)).raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}
