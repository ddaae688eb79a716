import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeBackend, nodeTraining, nodeTrainingKernels } from '../../e2e/kernels';
import { intersectionOverUnion, type Box } from '../base/geometry';
import type { Muted } from '../base/muted';
import { quietTask } from '../base/progress';
import { reachOf } from '../base/reach';
import { defaultSurrogate } from '../base/surrogate';
import { openCheckpoint } from '../checkpoint/open';
import { letterbox, placeInto } from '../detect/letterbox';
import { graphOfCheckpoint } from '../network/weights';
import { openBackend } from '../tensor/backend';
import { readParameters } from '../train/parameters';
import { Pass } from '../train/pass';
import type { DetectionResult, Explanation, Frame, RunSettings } from './protocol';
import { Session } from './session';

const root = resolve(import.meta.dirname, '../..');
const settings: RunSettings = { steps: 4, decay: 0.25, threshold: 0.5, inputSize: 256 };
/** Of a score, where every spike is the same: the logits differ by a few millionths. */
const tolerance = 1e-5;
const display = { confidence: 0.25, iou: 0.45 };

describe('why a box is there, on the shipped network', () => {
  let session: Session;
  let picture: { width: number; height: number; data: Uint8Array<ArrayBuffer> };
  let frame: Frame;
  let found: DetectionResult;
  const detect = (muted: readonly Muted[] = [], change: Partial<RunSettings> = {}): Promise<DetectionResult> =>
    session.detect({ slot: 'snn', frame, settings: { ...settings, ...change, muted: [...muted] }, ...display }, quietTask);
  const explain = (target: { class: number; box: Box }, layer = 9, upTo = 4, muted: readonly Muted[] = []): Promise<Explanation> =>
    session.explain({ frame, settings: { ...settings, muted: [...muted] }, target, upTo, layer }, quietTask);

  beforeAll(async () => {
    const backend = await openBackend(nodeBackend('event'));
    session = new Session(backend, {
      readModelFile: (path) => openAsBlob(resolve(root, 'models', path)),
      decodePicture: () => Promise.reject(new Error('decoded already')),
      encodePicture: () => Promise.reject(new Error('not here')),
      decodeVideo: () => {
        throw new Error('not here');
      },
      openOnnxRuntime: () => import('onnxruntime-web'),
      trainingKernels: nodeTrainingKernels,
    });
    await session.load({ slot: 'snn', source: { kind: 'shipped', name: 'bccd' } }, quietTask);
    const { data, info } = await sharp(resolve(root, 'public/gallery/smear-3.jpg')).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    picture = { width: info.width, height: info.height, data: new Uint8Array(data) };
    frame = { id: 'smear 3', image: picture };
    found = await detect();
  });

  it('finds the candidate that every box came from, with its score, at every step', async () => {
    for (const [step, detections] of found.detectionsPerStep.entries()) {
      for (const { box, class: label, score, cell } of detections.slice(step, step + 1)) {
        const { found: candidate, upTo } = await explain({ class: label, box }, 9, step + 1);
        expect(upTo).toBe(step + 1);
        expect(Math.abs(candidate.score - score)).toBeLessThan(tolerance);
        expect(intersectionOverUnion(candidate.box, box)).toBeGreaterThan(0.99);
        expect({ scale: candidate.scale, x: candidate.x, y: candidate.y }).toEqual(cell);
      }
    }
  });

  it('adds up to the logits, weighted by the score’s slopes', async () => {
    const [best] = found.detectionsPerStep.at(-1) ?? [];
    if (!best) throw new Error('no box');
    const { layers, directInput, biases, explained, slopes, logits, layerMap, inputMap } = await explain(best, 9);
    expect(slopes.objectness * logits.objectness + slopes.class * logits.class).toBeCloseTo(explained, 5);
    const direct = layers.flatMap((layer) => layer.direct).reduce((sum, value) => sum + value, 0);
    expect(direct + directInput + biases).toBeCloseTo(explained, 4);
    const ninth = layers.find(({ layer }) => layer === 9) ?? layers.find(({ row }) => row === 4);
    const sum = layerMap.values.reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(ninth?.signed.reduce((total, value) => total + value, 0) ?? NaN, 4);
    expect(inputMap.values).toHaveLength(256 * 256);
    // What the box shows matters more than what is far from it.
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = best.box.map((corner, index) => corner * 0.4 + (index % 2 === 1 ? 32 : 0));
    const mean = (inside: boolean): number => {
      const values = inputMap.values.filter((_, place) => {
        const [x, y] = [place % 256, Math.floor(place / 256)];
        return (x >= x1 && x < x2 && y >= y1 && y < y2) === inside;
      });
      return values.reduce((total, value) => total + Math.abs(value), 0) / values.length;
    };
    expect(mean(true)).toBeGreaterThan(3 * mean(false));
  });

  it('explains a box that was missed by the anchor that came nearest to finding it', async () => {
    const box: Box = [30, 420, 75, 465];
    const { found: candidate } = await explain({ class: 0, box });
    expect(candidate.iou).toBeGreaterThan(0.3);
    expect(candidate.score).toBeLessThan(0.25);
    await expect(explain({ class: 0, box: [-50, -50, -10, -10] })).rejects.toMatchObject({ code: 'input/unsupported' });
    await expect(explain({ class: 7, box })).rejects.toMatchObject({ code: 'input/unsupported' });
  });

  it('silencing a block that it calls irrelevant changes nothing visible; silencing what it calls relevant does', async () => {
    const boxes = found.detectionsPerStep.at(-1) ?? [];
    let irrelevantBlocks = 0;
    const effects: number[] = [];
    for (const target of boxes.slice(0, 3)) {
      const { blocks } = await explain(target);
      const total = blocks.reduce((sum, { magnitude }) => sum + magnitude, 0);
      for (const { row, magnitude } of blocks) {
        if (magnitude / total > 1e-6) continue;
        irrelevantBlocks++;
        const after = (await detect([{ kind: 'block', row }])).detectionsPerStep.at(-1) ?? [];
        const same = after.find((box) => box.class === target.class && intersectionOverUnion(box.box, target.box) > 0.99);
        expect(same?.score).toBeCloseTo(target.score, 4);
      }
      const [most] = [...blocks].sort((a, b) => b.magnitude - a.magnitude);
      const after = (await detect([{ kind: 'block', row: most?.row ?? 0 }])).detectionsPerStep.at(-1) ?? [];
      const still = after.find((box) => box.class === target.class && intersectionOverUnion(box.box, target.box) > 0.5);
      effects.push(Math.abs((still?.score ?? 0) - target.score));
    }
    expect(Math.max(...effects)).toBeGreaterThan(0.1);
    expect(irrelevantBlocks).toBeGreaterThan(0);
  });

  it('explains the network as it runs: silenced, with soft reset', async () => {
    const muted: Muted[] = [{ kind: 'block', row: 2 }];
    const [best] = (await detect(muted, { reset: 'soft', threshold: 0.45 })).detectionsPerStep.at(-1) ?? [];
    if (!best) throw new Error('no box');
    const explanation = await session.explain({ frame, settings: { ...settings, reset: 'soft', threshold: 0.45, muted }, target: best, upTo: 4, layer: 3 }, quietTask);
    expect(Math.abs(explanation.found.score - best.score)).toBeLessThan(tolerance);
    expect(explanation.blocks.find(({ row }) => row === 2)).toEqual({ row: 2, signed: 0, magnitude: 0 });
  });

  it('explains the spikes that fell, where training’s rounding has a membrane on the other side of its threshold', async () => {
    const checkpoint = await openCheckpoint(await openAsBlob(resolve(root, 'models/bccd/snn.safetensors')), quietTask);
    const graph = graphOfCheckpoint(checkpoint);
    const values = letterbox(picture, placeInto(picture, { width: 256, height: 256 }));
    const operations = await nodeTraining();
    const parameters = await readParameters(graph, checkpoint, quietTask);
    const forward = async (threshold: number): Promise<Pass> => {
      const pass = new Pass(graph, parameters, operations, { mode: 'snn', steps: 4, neuron: { decay: 0.25, threshold }, surrogate: defaultSurrogate, statistics: 'running' });
      await pass.forward(values, { steps: 1, images: 1, height: 256, width: 256, channels: 3 });
      return pass;
    };
    // At the first step the membrane is the current: one that training has higher, taken as the threshold, fires there and not here.
    const first = graph.nodes[graph.layers[0]?.node ?? -1];
    if (first?.op !== 'neuron') throw new Error('no neuron');
    const { trace } = await session.trace({ slot: 'snn', frame, settings, layer: 0 }, quietTask);
    const before = await forward(settings.threshold);
    const currents = await before.valueOf(first.input);
    before.release();
    const at = currents.findIndex((current, neuron) => current > (trace.membrane[neuron] ?? NaN) && Math.abs(current - 0.5) < 0.01);
    const threshold = trace.membrane[at] ?? NaN;
    expect((currents[at] ?? NaN) - threshold).toBeLessThan(1e-5);
    const change = { threshold };
    expect((await session.trace({ slot: 'snn', frame, settings: { ...settings, ...change }, layer: 0 }, quietTask)).trace.emitted[at]).toBe(0);
    const flipped = await forward(threshold);
    expect((await flipped.valueOf(first.id))[at]).toBe(1);
    flipped.release();

    const boxes = (await detect([], change)).detectionsPerStep.at(-1) ?? [];
    expect(boxes.length).toBeGreaterThan(3);
    for (const target of boxes.slice(0, 2)) {
      const { found: candidate } = await session.explain({ frame, settings: { ...settings, ...change }, target, upTo: 4, layer: 0 }, quietTask);
      expect(Math.abs(candidate.score - target.score)).toBeLessThan(tolerance);
    }
    const neuron = { layer: 0, channel: at % trace.channels, x: Math.floor(at / trace.channels) % trace.width, y: Math.floor(at / trace.channels / trace.width) };
    expect((await session.traceBack({ frame, settings: { ...settings, ...change }, neuron, step: 0 }, quietTask)).fired).toBe(false);
  });

  it('traces a neuron back to pixels within what kernels and strides allow, outside of which nothing changes it', async () => {
    const layer = 5;
    const { trace, inputReach } = await session.trace({ slot: 'snn', frame, settings, layer }, quietTask);
    const neurons = trace.emitted.length / trace.steps;
    const at = trace.emitted.findIndex((spike, index) => index >= neurons * 2 + neurons / 2 && spike === 1);
    const step = Math.floor(at / neurons);
    const n = at % neurons;
    const neuron = { layer, channel: n % trace.channels, x: Math.floor(n / trace.channels) % trace.width, y: Math.floor(n / trace.channels / trace.width) };
    const { input, layers, fired } = await session.traceBack({ frame, settings, neuron, step }, quietTask);
    expect(fired).toBe(true);
    const range = reachOf(inputReach, neuron, input);
    const inside = (place: number): boolean => {
      const [x, y] = [place % input.width, Math.floor(place / input.width)];
      return range !== undefined && x >= range.left && x <= range.right && y >= range.top && y <= range.bottom;
    };
    const pixels = [...input.values.keys()].filter((place) => input.values[place] === 1);
    expect(pixels.length).toBeGreaterThan(0);
    expect(pixels.every(inside)).toBe(true);
    expect(layers.length).toBeGreaterThan(2);
    expect(layers.every(({ count, of }) => count > 0 && count < of)).toBe(true);

    // Outside of what strides and kernels allow, pixels may be anything.
    const changed = { ...picture, data: picture.data.map((_, index) => (index * 31) % 256) };
    const outside = changed.data.slice();
    for (let y = 0; y < changed.height; y++) {
      for (let x = 0; x < changed.width; x++) {
        const place = (Math.floor(y * 0.4) + 32) * 256 + Math.floor(x * 0.4);
        if (inside(place - 257) || inside(place) || inside(place + 257)) outside.set(picture.data.subarray((y * changed.width + x) * 3, (y * changed.width + x) * 3 + 3), (y * changed.width + x) * 3);
      }
    }
    const same = await session.trace({ slot: 'snn', frame: { id: 'outside', image: { ...changed, data: outside } }, settings, layer }, quietTask);
    expect(same.trace.membrane[at]).toBe(trace.membrane[at]);
  });

  it('refuses to trace spikes on a large input', async () => {
    await expect(
      session.traceBack({ frame, settings: { ...settings, inputSize: 640 }, neuron: { layer: 0, x: 0, y: 0, channel: 0 }, step: 0 }, quietTask),
    ).rejects.toMatchObject({ code: 'input/too-large' });
  });
});
