import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeBackend, nodeTrainingKernels } from '../../e2e/kernels';
import { defaultSimulatorSettings } from '../base/eventOptions';
import { matchBoxes } from '../base/matchBoxes';
import { quietTask } from '../base/progress';
import { openBackend, type Backend } from '../tensor/backend';
import type { EventsFrame, RecordingRef, RunSettings } from './protocol';
import { Session, type Surroundings } from './session';

const models = resolve(import.meta.dirname, '../../models');
const surroundings: Surroundings = {
  readModelFile: (path) => openAsBlob(resolve(models, path)),
  decodePicture: () => Promise.reject(new Error('There are no pictures in these tests.')),
  encodePicture: () => Promise.reject(new Error('There are no pictures in these tests.')),
  // Two grey frames of 4 x 2 pixels, a twentieth of a second apart.
  openOnnxRuntime: () => import('onnxruntime-web'),
  decodeVideo: async function* () {
    for (const [index, grey] of [50, 200].entries()) {
      yield await Promise.resolve({ luminance: new Uint8Array(8).fill(grey), width: 4, height: 2, timeUs: index * 50_000, share: (index + 1) / 2 });
    }
  },
  trainingKernels: nodeTrainingKernels,
};
const settings: RunSettings = { steps: 5, decay: 0.25, threshold: 0.5, inputSize: 128 };
const display = { confidence: 0.25, iou: 0.45 };
const digits = (seed: number): RecordingRef => ({ kind: 'scene', id: `digits ${seed}`, scene: 'digits', seed });

function frameOf(recording: RecordingRef, change: Partial<EventsFrame> = {}): EventsFrame {
  const frame: EventsFrame = {
    id: '',
    recording,
    fromUs: 0,
    windowUs: 250_000,
    representation: 'gen1',
    fit: 'stretch',
    withoutHotPixels: false,
    carryMembranes: false,
    ...change,
  };
  return { ...frame, id: JSON.stringify([recording.id, change]) };
}

let backend: Backend;
let session: Session;
beforeAll(async () => {
  backend = await openBackend(nodeBackend('event'));
  session = new Session(backend, surroundings);
  await session.load({ slot: 'snn', source: { kind: 'shipped', name: 'nmnist-scenes' } }, quietTask);
});

const scan = (recording: RecordingRef) => session.recordings.scan({ recording, budgetMs: Infinity }, quietTask);

it('the shipped network finds the digits that the program draws and films', async () => {
  let drawn = 0;
  let found = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { truth } = await scan(digits(seed));
    const { detectionsPerStep } = await session.detect({ slot: 'snn', frame: frameOf(digits(seed)), settings, ...display }, quietTask);
    drawn += truth.length;
    found += truth.length - matchBoxes(detectionsPerStep.at(-1) ?? [], truth).missed.length;
  }
  // 96 percent over 150 seeds when this was written.
  expect(found / drawn).toBeGreaterThan(0.85);
});

describe('a window', () => {
  it('is shown as it is, with its statistics', async () => {
    const { summary } = await scan(digits(1));
    const view = await session.recordings.view({ recording: digits(1), fromUs: 0, toUs: 1e6, view: 'polarity', withoutHotPixels: false }, quietTask);
    if (view.pixels.kind !== 'polarity') throw new Error('Another view was asked for.');
    expect(view.statistics).toMatchObject({ events: summary.events, on: summary.on });
    expect(view.pixels.last.filter((value) => value !== 0)).toHaveLength(view.statistics.activePixels);
  });

  it('gives the network one slice for each step, and the ANN twin the whole window as one picture', async () => {
    const slices = await session.slices({ slot: 'snn', frame: frameOf(digits(1)), settings: { ...settings, steps: 3 } }, quietTask);
    expect(slices).toMatchObject({ steps: 3, width: 128, height: 128 });
    const ann = new Session(backend, surroundings);
    await ann.load({ slot: 'ann', source: { kind: 'file', name: 'twin.safetensors', blob: await openAsBlob(resolve(models, 'bccd/ann.safetensors')) } }, quietTask);
    expect(await ann.slices({ slot: 'ann', frame: frameOf(digits(1)), settings }, quietTask)).toMatchObject({ steps: 1 });
    ann.unload({ slot: 'ann' });
  });

  it('at every step the same where the released loader’s mistake is asked for', async () => {
    const slices = await session.slices({ slot: 'snn', frame: frameOf(digits(1), { representation: 'gen1-slice-0' }), settings }, quietTask);
    expect(slices.steps).toBe(1);
  });

  it('goes on from the membranes of the one before it, and from no other', async () => {
    const at = (fromUs: number, carryMembranes = true): EventsFrame => frameOf(digits(2), { fromUs, windowUs: 50_000, carryMembranes });
    const membranes = async (frame: EventsFrame): Promise<Float32Array> => {
      const { trace } = await session.trace({ slot: 'snn', frame, settings: { ...settings, steps: 1 }, layer: 3 }, quietTask);
      return trace.membrane;
    };
    const before = backend.memory().tensors;
    await membranes(at(0));
    const continued = await membranes(at(50_000));
    // Looking at it again starts from the same membranes.
    expect(await membranes(at(50_000))).toEqual(continued);
    const fresh = await membranes(at(50_000, false));
    expect(continued).not.toEqual(fresh);
    // After a jump there is nothing to go on from.
    await membranes(at(200_000));
    expect(await membranes(at(50_000))).toEqual(fresh);
    session.unload({ slot: 'snn' });
    await session.load({ slot: 'snn', source: { kind: 'shipped', name: 'nmnist-scenes' } }, quietTask);
    expect(backend.memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('the simulated camera', () => {
  it('turns a video into events that can be opened and saved', async () => {
    const made = await session.simulateVideo({ video: new Blob(), longSide: 240, settings: { ...defaultSimulatorSettings, thresholdSpread: 0, refractoryUs: 0 }, seed: 1 }, quietTask);
    // ln 4 = 1.386 crosses 0.25 five times, in eight pixels.
    expect(made).toMatchObject({ events: 40, frames: 2, durationUs: 50_000, width: 4, height: 2 });
    const recording: RecordingRef = { kind: 'live', id: 'video' };
    expect((await scan(recording)).summary).toMatchObject({ events: 40, on: 40, sensor: { width: 4, height: 2 } });
    const csv = await session.recordings.save({ recording, format: 'csv' }, quietTask);
    expect((await csv.text()).trim().split('\n')).toHaveLength(41);
  });

  it('that was never started is one sentence', async () => {
    const other = new Session(backend, surroundings);
    await expect(other.recordings.scan({ recording: { kind: 'live', id: 'x' }, budgetMs: 1 }, quietTask)).rejects.toMatchObject({ code: 'input/unreadable' });
  });
});
