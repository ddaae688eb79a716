import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeBackend, nodeTrainingKernels } from '../../e2e/kernels';
import { tinyOnnx, v5Output, v8Output, type TinyBox } from '../../e2e/onnxFiles';
import type { Picture } from '../base/picture';
import { quietTask } from '../base/progress';
import { openCheckpoint } from '../checkpoint/open';
import { drawSmear } from '../input/frames/smear';
import { trainedNeuron } from '../network/network';
import { exportOnnx } from '../network/onnx';
import { openBackend } from '../tensor/backend';
import type { Frame, ModelDescription } from './protocol';
import { Session } from './session';

const models = resolve(import.meta.dirname, '../../models');
const display = { confidence: 0.25, iou: 0.45 };
const settings = { steps: 1, ...trainedNeuron, inputSize: 'native' as const };

let session: Session;
beforeAll(async () => {
  session = new Session(await openBackend(nodeBackend('event')), {
    readModelFile: (path) => openAsBlob(resolve(models, path)),
    decodePicture: () => Promise.reject(new Error('The pictures of these tests are decoded already.')),
    encodePicture: () => Promise.reject(new Error('These tests encode nothing.')),
    openOnnxRuntime: () => import('onnxruntime-web'),
    trainingKernels: nodeTrainingKernels,
    decodeVideo: () => {
      throw new Error('These tests decode no video.');
    },
  });
});

const load = (blob: Blob, slot: 'snn' | 'ann' = 'ann'): Promise<ModelDescription> => session.load({ slot, source: { kind: 'file', name: 'tiny.onnx', blob } }, quietTask);
const picture = (width: number, height: number): Frame => ({ id: `${width} x ${height}`, image: { width, height, data: new Uint8Array(width * height * 3).fill(90) } });

// On 64 x 64 pixels: a picture of 128 x 96 is scaled to 64 x 48 between bands of 8.
const boxes: readonly TinyBox[] = [
  { centre: [32, 32], sides: [16, 12], score: 0.9, class: 1 },
  { centre: [33, 32], sides: [16, 12], score: 0.6, class: 1 },
  { centre: [10, 20], sides: [8, 8], score: 0.5, class: 0 },
  { centre: [50, 50], sides: [8, 8], score: 0.1, class: 0 },
];
const onPicture = [
  { box: [48, 36, 80, 60], class: 1 },
  { box: [12, 16, 28, 32], class: 0 },
];

describe('a detector from an ONNX file, in the ANN’s place', () => {
  it.each([
    ['v8', v8Output(boxes, 2, 84), { names: "{0: 'cat', 1: 'dog'}" }, ['dog', 'cat'], 'YOLOv8 head, ONNX'],
    ['v5', v5Output(boxes, 2, 252), { names: "['cat', 'dog']" }, ['dog', 'cat'], 'YOLOv5 head, ONNX'],
    ['v8 without names', v8Output(boxes, 2, 84), {}, ['class 1', 'class 0'], 'YOLOv8 head, ONNX'],
    ['v5 without names', v5Output(boxes, 2, 252), {}, ['class 1', 'class 0'], 'YOLOv5 head, ONNX'],
  ] as const)('finds its boxes: %s', async (_, output, metadata, names, head) => {
    // Dropped anywhere it goes into the one place that it fits.
    expect(await load(tinyOnnx([output], 64, metadata), 'snn')).toMatchObject({ mode: 'ann', head, inputSize: 64, parameters: undefined });
    const result = await session.detect({ slot: 'ann', frame: picture(128, 96), settings, ...display }, quietTask);
    expect(result).toMatchObject({ steps: 1, picture: { width: 128, height: 96 }, input: { width: 64, height: 64 }, layers: [], backend: { label: 'onnxruntime-web (WASM)' } });
    const [found = []] = result.detectionsPerStep;
    expect(found.map(({ name }) => name)).toEqual(names);
    found.forEach(({ box, class: label }, index) => {
      expect(label).toBe(onPicture[index]?.class);
      box.forEach((side, corner) => expect(side).toBeCloseTo(onPicture[index]?.box[corner] ?? NaN, 3));
    });
    await expect(session.trace({ slot: 'ann', frame: picture(128, 96), settings, layer: 0 }, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
    session.unload({ slot: 'ann' });
    await expect(session.detect({ slot: 'ann', frame: picture(128, 96), settings, ...display }, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
  });

  it('finds boxes with the logits of a v3 head', async () => {
    const zeros = (cells: number) => ({ shape: [1, 18, cells, cells], data: new Float32Array(18 * cells * cells).fill(-10) });
    const coarse = zeros(2);
    // Cell (1, 0), anchor 1 (156 x 198): in the cell's middle, a quarter of the anchor; objectness and class sure.
    [0, 0, Math.log(0.1), Math.log(0.1), 10, 10].forEach((logit, value) => (coarse.data[(6 + value) * 4 + 1] = logit));
    expect(await load(tinyOnnx([coarse, zeros(4), zeros(8)], 64))).toMatchObject({ head: 'YOLOv3 head, ONNX', classNames: ['class 0'] });
    const { detectionsPerStep } = await session.detect({ slot: 'ann', frame: picture(64, 64), settings, ...display }, quietTask);
    const [[found] = []] = detectionsPerStep;
    [48 - 7.8, 16 - 9.9, 48 + 7.8, 16 + 9.9].forEach((side, corner) => expect(found?.box[corner]).toBeCloseTo(side, 3));
    session.unload({ slot: 'ann' });
  });

  it('runs a network of free size at the size that its exporter names', async () => {
    expect(await load(tinyOnnx([v8Output(boxes, 2, 84)], 'side', { imgsz: '[64, 64]' }))).toMatchObject({ inputSize: 64 });
    session.unload({ slot: 'ann' });
  });

  it('finds the same cells as the twin that it was exported from', async () => {
    const { width, height, data } = drawSmear(1);
    const image: Picture = { width, height, data: new Uint8Array(data) };
    const request = { slot: 'ann' as const, frame: { id: 'smear', image: { ...image, data: new Uint8Array(data) } }, settings: { ...settings, inputSize: 256 }, ...display };
    await session.load({ slot: 'ann', source: { kind: 'shipped', name: 'bccd' } }, quietTask);
    const twin = await session.detect(request, quietTask);
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(models, 'bccd/ann.safetensors')), quietTask);
    const exported = await exportOnnx(checkpoint, { mode: 'ann', steps: 1, ...trainedNeuron, pictureForEachStep: false, size: { width: 256, height: 256 } }, quietTask);
    expect(await load(exported)).toMatchObject({ classNames: ['Platelets', 'RBC', 'WBC'] });
    const foreign = await session.detect(request, quietTask);
    expect(foreign.detectionsPerStep[0]?.map(({ name }) => name)).toEqual(twin.detectionsPerStep[0]?.map(({ name }) => name));
    foreign.detectionsPerStep[0]?.forEach(({ box, score }, index) => {
      const expected = twin.detectionsPerStep[0]?.[index];
      expect(score).toBeCloseTo(expected?.score ?? NaN, 3);
      box.forEach((side, corner) => expect(Math.abs(side - (expected?.box[corner] ?? NaN))).toBeLessThan(0.05));
    });
    session.unload({ slot: 'ann' });
  });

  it('is refused with a sentence that says what was found, and what was there stays', async () => {
    await session.load({ slot: 'ann', source: { kind: 'shipped', name: 'bccd' } }, quietTask);
    const classifier = tinyOnnx([{ shape: [1, 1000], data: new Float32Array(1000) }], 64, { task: 'classify' });
    await expect(load(classifier)).rejects.toMatchObject({ code: 'checkpoint/unsupported-head', message: expect.stringMatching(/output0 \[1, 1000\] \(made for the task classify\)/) });
    await expect(load(tinyOnnx([v8Output(boxes, 2, 84)], 64, { names: "{0: 'one'}" }))).rejects.toMatchObject({ code: 'checkpoint/unsupported-head', message: expect.stringMatching(/\[1, 6, 84\] \(with 1 class\)/) });
    await expect(load(tinyOnnx([v8Output(boxes, 2, 84)], 50))).rejects.toMatchObject({ code: 'checkpoint/unsupported-head', message: expect.stringContaining('50 x 50') });
    const whole = new Uint8Array(await classifier.arrayBuffer());
    await expect(load(new Blob([whole.slice(0, 100)]))).rejects.toMatchObject({ code: 'checkpoint/malformed' });
    // An operator that there is not.
    const text = new TextDecoder('latin1').decode(whole);
    const at = text.indexOf('ReduceMean');
    whole.set(new TextEncoder().encode('ReduceMeal'), at);
    await expect(load(new Blob([whole]))).rejects.toMatchObject({ code: 'checkpoint/malformed' });
    const { model } = await session.detect({ slot: 'ann', frame: picture(64, 64), settings, ...display }, quietTask);
    expect(model).toBe('bccd');
    session.unload({ slot: 'ann' });
  });
});
