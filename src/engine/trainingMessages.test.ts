import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeTraining } from '../../e2e/kernels';
import { AppError } from '../base/errors';
import type { Picture } from '../base/picture';
import { between, seededRandom } from '../base/random';
import type { KeptContent } from '../base/storage';
import { openCheckpoint } from '../checkpoint/open';
import { parseManifest } from '../checkpoint/manifest';
import { quietTask } from '../base/progress';
import type { Storage } from './keptRun';
import { TrainingMessages, type TrainingSurroundings } from './trainingMessages';
import type { FromTrainer, KeptRun, TrainingEvent, TrainingRequest, TrainingRequestKind } from './trainingProtocol';

class MemoryStorage implements Storage {
  files = new Map<string, KeptContent>();
  /** Writes after this many more are lost, as those of a page that is gone. */
  writesLeft = Infinity;
  read = (path: string) => Promise.resolve(this.files.get(path));
  keep = (files: Readonly<Record<string, KeptContent>>, forgotten: readonly string[] = []) => {
    if (this.writesLeft-- > 0) {
      for (const path of this.files.keys()) if (forgotten.some((folder) => path.startsWith(folder))) this.files.delete(path);
      for (const [path, content] of Object.entries(files)) this.files.set(path, content);
    }
    return Promise.resolve();
  };
  list = (folder: string) =>
    Promise.resolve([...this.files].filter(([path]) => path.startsWith(folder)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, content]) => ({ path, content })));
}

const side = 64;

/** A bright square; where it is follows from the seed, and so do picture and label. */
function square(seed: number) {
  const random = seededRandom(seed);
  const size = Math.round(between(random, 14, 30));
  return { size, left: Math.round(between(random, 0, side - size)), top: Math.round(between(random, 0, side - size)) };
}

/** The "file" of a picture is its seed; decoding draws it. */
async function decodePicture(image: Blob): Promise<Picture> {
  const seed = Number(await image.text());
  if (!Number.isInteger(seed)) throw new AppError('input/unreadable', 'It is no picture.', 'Leave it out.');
  const { size, left, top } = square(seed);
  const data = new Uint8Array(side * side * 3).fill(60);
  for (let y = top; y < top + size; y++) data.fill(250, (y * side + left) * 3, (y * side + left + size) * 3);
  return { width: side, height: side, data };
}

function dataset(count: number) {
  const files = Array.from({ length: count }, (_, seed) => {
    const { size, left, top } = square(seed);
    const label = `0 ${(left + size / 2) / side} ${(top + size / 2) / side} ${size / side} ${size / side}`;
    return [
      { path: `images/${seed}.png`, blob: new Blob([String(seed)]) },
      { path: `labels/${seed}.txt`, blob: new Blob([label]) },
    ];
  }).flat();
  return { kind: 'files' as const, files: [...files, { path: 'classes.txt', blob: new Blob(['square\n']) }] };
}

const config = {
  name: 'squares',
  network: { widthMultiple: 0.25 },
  stages: [{ epochs: 2, size: 64, steps: 2 }],
  batch: 4,
  evaluateEvery: 1,
  checkpointMinutes: 1e-9,
};

class Trainee {
  readonly sent: FromTrainer[] = [];
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  private readonly messages: TrainingMessages;
  private nextId = 1;
  onEvent: (event: TrainingEvent) => void = () => undefined;
  private isBusy = false;

  constructor(storage: Storage, changes: Partial<TrainingSurroundings> = {}) {
    this.messages = new TrainingMessages(
      {
        storage,
        decodePicture,
        readModelFile: () => Promise.reject(new AppError('fetch/failed', 'There is no such model.', 'Choose another.')),
        readDigits: () => Promise.reject(new AppError('fetch/failed', 'There are no digits.', '')),
        openTraining: async () => ({ choice: { name: 'event', label: 'CPU', reason: '' }, operations: await nodeTraining(), lost: new Promise<string>(() => undefined), memory: () => ({ tensors: 0, bytes: 0 }) }),
        alone: async (work) => {
          if (this.isBusy) return false;
          this.isBusy = true;
          await work().finally(() => (this.isBusy = false));
          return true;
        },
        ...changes,
      },
      (message) => {
        this.sent.push(structuredClone(message));
        if (message.type === 'event') this.onEvent(message.event);
        if (message.type === 'result') this.waiting.get(message.id)?.resolve(message.value);
        if (message.type === 'error') this.waiting.get(message.id)?.reject(AppError.fromReport(message.error));
      },
    );
  }

  request<K extends TrainingRequestKind>(kind: K, payload: TrainingRequest<K>): { id: number; answer: Promise<unknown> } {
    const id = this.nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.messages.receive({ type: 'request', id, kind, payload });
    return { id, answer };
  }

  cancel(id: number): void {
    this.messages.receive({ type: 'cancel', id });
  }

  events(): TrainingEvent[] {
    return this.sent.flatMap((message) => (message.type === 'event' ? message.event : []));
  }
}

/** A hash of every weight, in single precision. */
async function weightsIn({ files }: MemoryStorage): Promise<string> {
  const checkpoint = await openCheckpoint(files.get('models/squares/snn.pt') as Blob, quietTask);
  const hash = createHash('sha256');
  for (const name of checkpoint.tensors.keys()) hash.update(name).update(await checkpoint.read(name, quietTask));
  return hash.digest('hex');
}

const begin = { config, data: dataset(10), title: 'My squares' };

describe('a run in the page’s worker', () => {
  it('tells what it does, leaves a model, and forgets itself', async () => {
    const storage = new MemoryStorage();
    const trainee = new Trainee(storage);
    expect(await trainee.request('begin', begin).answer).toEqual({ name: 'squares', mode: 'snn' });
    const kinds = trainee.events().map(({ kind }) => kind);
    expect(kinds).toEqual(['opened', 'step', 'step', 'samples', 'epoch', 'step', 'step', 'samples', 'epoch']);
    const [opened, , , samples] = trainee.events();
    expect(opened).toMatchObject({ run: { title: 'My squares', step: 0, shape: { steps: 4, stepsPerEpoch: 2, training: 8, validation: 2, classNames: ['square'] } } });
    expect(samples).toMatchObject({ epoch: 1, samples: [{ size: 64, truth: [{ class: 0 }] }, { size: 64 }] });
    expect([...storage.files.keys()]).toEqual(['manifest.json', 'snn.safetensors', 'snn.pt', 'snn.config.json', 'snn.log.jsonl'].map((name) => `models/squares/${name}`));
    expect(parseManifest(String(storage.files.get('models/squares/manifest.json')))).toMatchObject({ name: 'squares', inputSize: 64, steps: 2 });
    const weights = storage.files.get('models/squares/snn.safetensors');
    expect((await openCheckpoint(weights as Blob, quietTask)).description?.classNames).toEqual(['square']);
    expect(await trainee.request('keptRun', {}).answer).toBeUndefined();
  });

  it('never takes the place of another model: the twin joins it, the next one gets a number', async () => {
    const storage = new MemoryStorage();
    const trainee = new Trainee(storage);
    const short = { ...begin, config: { ...config, stages: [{ epochs: 1, size: 32, steps: 1 }] } };
    const names = [];
    for (const mode of ['snn', 'ann', 'ann']) names.push(await trainee.request('begin', { ...short, config: { ...short.config, mode } }).answer);
    expect(names).toEqual([{ name: 'squares', mode: 'snn' }, { name: 'squares', mode: 'ann' }, { name: 'squares-2', mode: 'ann' }]);
    expect(Object.keys(parseManifest(String(storage.files.get('models/squares/manifest.json'))).weights)).toEqual(['snn', 'ann']);
    expect(parseManifest(String(storage.files.get('models/squares-2/manifest.json'))).name).toBe('squares-2');
  });

  it('pauses, is there after the worker is gone, and ends like one left alone', async () => {
    const alone = new MemoryStorage();
    await new Trainee(alone).request('begin', begin).answer;
    const storage = new MemoryStorage();
    const first = new Trainee(storage);
    const run = first.request('begin', begin);
    first.onEvent = (event) => event.kind === 'step' && event.report.step === 3 && first.cancel(run.id);
    await expect(run.answer).rejects.toMatchObject({ code: 'cancelled' });
    const second = new Trainee(storage);
    const kept = (await second.request('keptRun', {}).answer) as KeptRun;
    expect(kept).toMatchObject({ step: 3, title: 'My squares', config: { name: 'squares' } });
    expect([kept.steps.length, kept.epochs.length]).toEqual([3, 1]);
    await second.request('resume', {}).answer;
    expect(await weightsIn(storage)).toBe(await weightsIn(alone));
    const curve = (from: MemoryStorage) => String(from.files.get('models/squares/snn.log.jsonl')).replaceAll(/"picturesPerSecond":[\d.e+-]+/g, '');
    expect(curve(storage)).toBe(curve(alone));
  });

  it.each([2, 3, 4, 5, 6])('killed after %i writes to the storage, it goes on to the same weights', async (writes) => {
    const alone = new MemoryStorage();
    await new Trainee(alone).request('begin', begin).answer;
    const storage = new MemoryStorage();
    const first = new Trainee(storage);
    storage.writesLeft = writes;
    const run = first.request('begin', begin);
    first.onEvent = (event) => event.kind === 'step' && event.report.step === 4 && first.cancel(run.id);
    await run.answer.catch(() => undefined);
    storage.writesLeft = Infinity;
    const second = new Trainee(storage);
    const kept = (await second.request('keptRun', {}).answer) as KeptRun;
    expect(kept.steps).toHaveLength(kept.step);
    await second.request('resume', {}).answer;
    expect(await weightsIn(storage)).toBe(await weightsIn(alone));
  });

  it('that cannot begin leaves the one that is kept', async () => {
    const storage = new MemoryStorage();
    const trainee = new Trainee(storage);
    const run = trainee.request('begin', begin);
    trainee.onEvent = (event) => event.kind === 'step' && trainee.cancel(run.id);
    await expect(run.answer).rejects.toMatchObject({ code: 'cancelled' });
    const before = [...storage.files.keys()];
    await expect(trainee.request('begin', { ...begin, data: dataset(1) }).answer).rejects.toMatchObject({ code: 'train/no-data' });
    await expect(trainee.request('begin', { ...begin, data: { kind: 'files', files: [] } }).answer).rejects.toMatchObject({ code: 'dataset/unknown' });
    await expect(trainee.request('begin', { ...begin, config: { ...config, startFrom: 'no-such-model' } }).answer).rejects.toMatchObject({ code: 'fetch/failed' });
    await expect(trainee.request('begin', { ...begin, data: { kind: 'digits' } }).answer).rejects.toMatchObject({ code: 'train/invalid-settings' });
    expect([...storage.files.keys()]).toEqual(before);
    await trainee.request('discard', {}).answer;
    expect(storage.files.size).toBe(0);
  });

  it('is one at a time', async () => {
    const trainee = new Trainee(new MemoryStorage());
    const run = trainee.request('begin', begin);
    await expect(trainee.request('begin', begin).answer).rejects.toMatchObject({ code: 'train/already-running' });
    await expect(trainee.request('discard', {}).answer).rejects.toMatchObject({ code: 'train/already-running' });
    trainee.cancel(run.id);
    await expect(run.answer).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('names pictures that it leaves out', async () => {
    const trainee = new Trainee(new MemoryStorage());
    const data = dataset(4);
    data.files.push({ path: 'images/broken.png', blob: new Blob(['x']) }, { path: 'labels/broken.txt', blob: new Blob(['0 0.5 0.5 0.1 0.1']) });
    const run = trainee.request('begin', { ...begin, data, config: { ...config, batch: 2 } });
    trainee.onEvent = () => trainee.cancel(run.id);
    await run.answer.catch(() => undefined);
    expect(trainee.events()[0]).toMatchObject({ leftOut: [{ title: 'broken.png', reason: 'It is no picture.' }] });
  });
});

describe('looking before training', () => {
  it('names a data set’s classes and its problems', async () => {
    const trainee = new Trainee(new MemoryStorage());
    const data = dataset(3);
    data.files.push({ path: 'images/7.png', blob: new Blob(['7']) }, { path: 'labels/7.txt', blob: new Blob(['0 what']) });
    expect(await trainee.request('inspect', { data }).answer).toMatchObject({ format: 'yolo', classNames: ['square'], samples: 3, problemCount: 1, problems: [{ path: 'labels/7.txt' }] });
  });

  it('fills in a configuration, or names the setting that is wrong', async () => {
    const trainee = new Trainee(new MemoryStorage());
    expect(await trainee.request('check', { config }).answer).toMatchObject({ name: 'squares', optimiser: { kind: 'adamw' } });
    await expect(trainee.request('check', { config: { batch: -1 } }).answer).rejects.toMatchObject({
      code: 'train/invalid-settings', message: expect.stringContaining('batch') as string,
    });
  });

  it('a kept run of another version is told, and can be discarded', async () => {
    const storage = new MemoryStorage();
    storage.files.set('run/about.json', '{"format":2}');
    const trainee = new Trainee(storage);
    await expect(trainee.request('keptRun', {}).answer).rejects.toMatchObject({ code: 'train/unreadable-run' });
    await expect(trainee.request('resume', {}).answer).rejects.toMatchObject({ code: 'train/unreadable-run' });
    await trainee.request('discard', {}).answer;
    expect(await trainee.request('keptRun', {}).answer).toBeUndefined();
  });
});
