import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeBackend, nodeTrainingKernels } from '../../e2e/kernels';
import { defaultConversion } from '../base/conversionOptions';
import { AppError } from '../base/errors';
import { quietTask, type Task } from '../base/progress';
import { writeGen1Boxes } from '../base/writeTruth';
import { simulateScene } from '../input/events/scenes';
import { openWriter } from '../input/events/write';
import { drawSmear } from '../input/frames/smear';
import { openBackend, type Backend } from '../tensor/backend';
import type { EvaluationState, RequestPayload } from './protocol';
import { Session, type Surroundings } from './session';

const models = resolve(import.meta.dirname, '../../models');
/** A "picture file" holds the seed that it is drawn from. */
const surroundings: Surroundings = {
  readModelFile: (path) => openAsBlob(resolve(models, path)),
  decodePicture: async (image) => {
    const seed = Number(await image.text());
    if (Number.isNaN(seed)) throw new AppError('input/unreadable', 'It is no picture.', 'Draw another.');
    return drawSmear(seed);
  },
  encodePicture: ({ width, height, data }) => Promise.resolve(new Blob([`${width}x${height} `, new Uint8Array(data)])),
  openOnnxRuntime: () => import('onnxruntime-web'),
  trainingKernels: nodeTrainingKernels,
  decodeVideo: () => {
    throw new Error('These tests decode no video.');
  },
};

const shipped = { kind: 'shipped', name: 'bccd' } as const;
const annotation = (...names: string[]): string =>
  `<annotation>${names.map((name, index) => `<object><name>${name}</name><bndbox><xmin>${index * 90}</xmin><ymin>100</ymin><xmax>${index * 90 + 90}</xmax><ymax>190</ymax></bndbox></object>`).join('')}</annotation>`;

const pictures = ['1', '2', 'damaged', '3', '4'];
const files = pictures.flatMap((content, index) => [
  { path: `set/${index}.jpg`, blob: new Blob([content]) },
  { path: `set/${index}.xml`, blob: new Blob([annotation('RBC', 'RBC', 'Platelets')]) },
]);

type Request = RequestPayload<'evaluate'>;
const request: Request = { id: 'first', dataset: 'set', networks: [{ slot: 'snn', source: shipped, steps: [2, 1] }, { slot: 'ann', source: shipped, steps: [2] }], budgetMs: 0.001 };

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend(nodeBackend('event'));
});

async function opened(): Promise<Session> {
  const session = new Session(backend, surroundings);
  await session.evaluations.openDataset({ id: 'set', content: { kind: 'files', files } }, quietTask);
  return session;
}

async function finish(session: Session, asked: Request): Promise<EvaluationState> {
  for (;;) {
    const state = await session.evaluations.evaluate(asked, quietTask);
    if (state.finished) return state;
  }
}

/** Without what differs from run to run. */
const figures = ({ cases }: EvaluationState): unknown => cases.map(({ timing: _, ...rest }) => rest);

describe('an evaluation', () => {
  it('fills in portions, each network and T beside the others, and comes to the same in one go', async () => {
    const session = await opened();
    const seen: number[] = [];
    let state: EvaluationState;
    do {
      state = await session.evaluations.evaluate(request, quietTask);
      seen.push(state.done);
    } while (!state.finished);
    // How many a portion has depends on how fast they go.
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(state.done).toBe(5);
    expect(state.cases.map(({ mode, steps, inputSize, sizeChosenBy, samples }) => ({ mode, steps, inputSize, sizeChosenBy, samples }))).toEqual([
      { mode: 'snn', steps: 1, inputSize: 320, sizeChosenBy: 'network', samples: 4 },
      { mode: 'snn', steps: 2, inputSize: 320, sizeChosenBy: 'network', samples: 4 },
      { mode: 'ann', steps: 1, inputSize: 320, sizeChosenBy: 'network', samples: 4 },
    ]);
    expect(state.dataset.problems).toEqual([{ path: 'set/2.jpg', message: 'It is no picture.' }]);
    for (const { mode, released, firingRate, snnPj, annPj, timing, confusion, worst } of state.cases) {
      expect(released.perClass.map(({ name, labels }) => [name, labels])).toEqual([['Platelets', 4], ['RBC', 8]]);
      expect(annPj).toBeGreaterThan(0);
      expect(timing?.inferenceMs).toBeGreaterThan(0);
      expect(confusion.slice(0, 3).flat().reduce((sum, count) => sum + count, 0)).toBe(12);
      expect(worst.map(({ title }) => title)).toContain('0.jpg');
      if (mode === 'ann') expect([firingRate, snnPj]).toEqual([undefined, undefined]);
      else expect(firingRate).toBeGreaterThan(0.05);
    }
    const again = await session.evaluations.evaluate({ ...request, id: 'second', budgetMs: 1e9 }, quietTask);
    expect(figures(again)).toEqual(figures(state));
    // The networks were of its own, and go when another evaluation begins.
    const whileOpen = session.memory().tensors;
    await session.evaluations.openDataset({ id: 'set', content: { kind: 'files', files: files.slice(0, 2) } }, quietTask);
    const afterwards = session.memory().tensors;
    expect(afterwards).toBeLessThan(whileOpen / 10);
    await finish(session, { ...request, id: 'third' });
    await session.evaluations.openDataset({ id: 'set', content: { kind: 'files', files: [...files.slice(0, 2)] } }, quietTask);
    expect(session.memory().tensors).toBe(afterwards);
  });

  it('that is cancelled keeps what it has, and goes on', async () => {
    const session = await opened();
    await session.evaluations.evaluate(request, quietTask);
    const controller = new AbortController();
    const cancelling: Task = {
      signal: controller.signal,
      report: ({ done, label }) => {
        if (label === 'Evaluating' && done >= 2) controller.abort();
      },
    };
    await expect(session.evaluations.evaluate({ ...request, budgetMs: 1e9 }, cancelling)).rejects.toMatchObject({ code: 'cancelled' });
    const next = await session.evaluations.evaluate(request, quietTask);
    expect(next.done).toBeGreaterThanOrEqual(3);
    expect(figures(await finish(session, request))).toEqual(figures(await finish(await opened(), request)));
  });

  it('takes a part, a limit and a size', async () => {
    const session = await opened();
    const state = await finish(session, { ...request, limit: 1, inputSize: 64, networks: [{ slot: 'snn', source: shipped, steps: [] }] });
    expect(state).toMatchObject({ done: 1, total: 1, cases: [{ steps: 4, inputSize: 64, sizeChosenBy: 'request' }] });
    await expect(session.evaluations.evaluate({ ...request, id: 'x', part: 'test' }, quietTask)).rejects.toMatchObject({ code: 'dataset/unknown' });
  });

  it('says what is missing', async () => {
    const session = await opened();
    await expect(session.evaluations.evaluate({ ...request, dataset: 'another' }, quietTask)).rejects.toMatchObject({ code: 'engine/no-dataset' });
    await expect(session.evaluations.evaluate({ ...request, networks: [{ slot: 'ann', steps: [] }] }, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
    await expect(session.evaluations.picture({ id: 'never', sample: 0 }, quietTask)).rejects.toMatchObject({ code: 'engine/no-evaluation' });
    await session.load({ slot: 'ann', source: shipped }, quietTask);
    const ofSlot: Request = { ...request, networks: [{ slot: 'ann', steps: [] }] };
    await session.evaluations.evaluate(ofSlot, quietTask);
    await session.load({ slot: 'ann', source: shipped }, quietTask);
    await expect(session.evaluations.evaluate(ofSlot, quietTask)).rejects.toMatchObject({ code: 'engine/no-model' });
  });

  it('measures the converted network beside its twin', async () => {
    const session = await opened();
    await session.load({ slot: 'ann', source: shipped }, quietTask);
    const frame = { id: 'calibration', image: { ...drawSmear(1), data: new Uint8Array(drawSmear(1).data) } };
    await session.convert({ calibration: [frame], options: defaultConversion, settings: { steps: 1, decay: 0.25, threshold: 0.5, inputSize: 256 } }, quietTask);
    const state = await finish(session, { ...request, limit: 2, networks: [{ slot: 'ann', steps: [] }, { slot: 'converted', steps: [4, 64] }] });
    expect(state.cases.map(({ mode, steps, samples }) => [mode, steps, samples])).toEqual([['ann', 1, 2], ['converted', 4, 2], ['converted', 64, 2]]);
    const [, few, many] = state.cases;
    expect(many?.timing?.inferenceMs).toBeGreaterThan(few?.timing?.inferenceMs ?? Infinity);
    expect(many?.snnPj).toBeGreaterThan(few?.snnPj ?? Infinity);
  });

  it('gives its pictures, and its detections in COCO’s format', async () => {
    const session = await opened();
    const state = await finish(session, request);
    expect(await (await session.evaluations.picture({ id: 'first', sample: 1 }, quietTask)).text()).toBe('2');
    const results = JSON.parse(await session.evaluations.cocoResults({ id: 'first', case: 1 }).text()) as { image_id: string; category_id: number; bbox: number[]; score: number }[];
    expect(new Set(results.map(({ image_id: image }) => image))).toEqual(new Set(['0', '1', '3', '4']));
    // The data set lists Platelets and RBC; WBC has no category there.
    expect(new Set(results.map(({ category_id: category }) => category))).toEqual(new Set([1, 2]));
    for (const { bbox, score } of results) {
      expect(bbox).toHaveLength(4);
      expect(score).toBeGreaterThan(0.0009);
    }
    expect(state.cases[1]?.classNames).toEqual(['Platelets', 'RBC', 'WBC']);
  });

  it('runs on recordings, a time with labels after the other', async () => {
    const { events, sensor, boxes } = simulateScene('digits', 1);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const writer = openWriter('dat', sensor, events.count, (bytes) => void parts.push(new Uint8Array(bytes)));
    await writer.write(events, 0, events.count);
    await writer.end();
    const session = new Session(backend, surroundings);
    const summary = await session.evaluations.openDataset(
      {
        id: 'set',
        content: {
          kind: 'files',
          files: [
            { path: 'x_td.dat', blob: new Blob(parts) },
            { path: 'x_bbox.npy', blob: new Blob([new Uint8Array(writeGen1Boxes(boxes))]) },
            { path: 'classes.json', blob: new Blob([JSON.stringify(Array.from({ length: 10 }, (_, digit) => String(digit)))]) },
          ],
        },
      },
      quietTask,
    );
    expect(summary.format).toBe('gen1');
    const state = await finish(session, { ...request, limit: 3, networks: [{ slot: 'snn', source: { kind: 'shipped', name: 'nmnist-scenes' }, steps: [] }] });
    expect(state.cases).toMatchObject([{ steps: 5, samples: Math.min(3, summary.samples), matchedBy: 'name', unknownClasses: [] }]);
    expect(await (await session.evaluations.picture({ id: 'first', sample: 0 }, quietTask)).slice(0, 8).text()).toBe(`${sensor.width}x${sensor.height} `);
  });
});
