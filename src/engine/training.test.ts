import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeTraining } from '../../e2e/kernels';
import { AppError } from '../base/errors';
import { quietTask, type Task } from '../base/progress';
import { between, seededRandom } from '../base/random';
import { sha256Of } from '../checkpoint/manifest';
import { openCheckpoint } from '../checkpoint/open';
import type { Dataset } from '../evaluate/datasets/dataset';
import { parseTrainingConfig, type TrainingConfig } from '../train/config';
import { readLog } from '../train/log';
import { readState, writeState, type RunStore } from '../train/run';
import { picturesSource, type TrainingSources } from '../train/source';
import type { Trainer } from '../train/trainer';
import type { LabelledPicture } from '../train/augment';
import { datasetSources, finishRun, openRun } from './training';

/** Bright squares and dark ones on grey. */
function drawn(seed: number): LabelledPicture {
  const random = seededRandom(seed);
  const side = 64;
  const data = new Uint8Array(side * side * 3).fill(110);
  const boxes = [0, 1].map((label) => {
    const size = Math.round(between(random, 16, 26));
    const left = Math.round(between(random, label * 32, label * 32 + 32 - size));
    const top = Math.round(between(random, 0, side - size));
    for (let y = top; y < top + size; y++) data.fill(label === 0 ? 240 : 15, (y * side + left) * 3, (y * side + left + size) * 3);
    return { box: [left, top, left + size, top + size] as const, class: label };
  });
  return { width: side, height: side, data, steps: 1, boxes };
}

const classNames = ['bright', 'dark'];
const sources: TrainingSources = {
  training: picturesSource(classNames, [1, 2, 3, 4, 5, 6].map(drawn)),
  validation: picturesSource(classNames, [7, 8].map(drawn)),
};

function smallConfig(changes: Record<string, unknown> = {}): TrainingConfig {
  return parseTrainingConfig({
    network: { widthMultiple: 0.25 },
    stages: [{ epochs: 1, size: 32, steps: 1 }, { epochs: 2, size: 32, steps: 2 }],
    batch: 2,
    optimiser: { learningRate: 5e-3 },
    schedule: { warmUpEpochs: 1 },
    evaluateEvery: 2,
    ...changes,
  });
}

/** A store that lives as long as the test; once `frozen` it is a store whose process is gone. */
class MemoryStore implements RunStore {
  state: Blob | undefined;
  log = '';
  frozen = false;
  readState = (): Promise<Blob | undefined> => Promise.resolve(this.state);
  readLog = (): Promise<string> => Promise.resolve(this.log);
  writeState = (state: Blob): Promise<void> => this.unlessFrozen(() => (this.state = state));
  writeLog = (lines: string): Promise<void> => this.unlessFrozen(() => (this.log = lines));
  appendLog = (line: string): Promise<void> => this.unlessFrozen(() => (this.log += line));

  private unlessFrozen(change: () => void): Promise<void> {
    if (!this.frozen) change();
    return Promise.resolve();
  }
}

async function trained(config: TrainingConfig, store: RunStore, task: Task = quietTask, onStep?: (step: number) => void): Promise<Trainer> {
  const trainer = await openRun({ config, sources, checkpoint: undefined, store }, await nodeTraining(), task);
  await finishRun(trainer, store, undefined, task, { onStep: ({ step }) => onStep?.(step) });
  return trainer;
}

/** What does not depend on how fast the machine was. */
function curve({ log }: MemoryStore) {
  const { steps, epochs } = readLog(log);
  return { steps: steps.map((report) => ({ ...report, picturesPerSecond: 0 })), epochs };
}

/** Of everything that a run goes on from: equal where all of it is. */
async function hashOf({ state }: Trainer): Promise<string> {
  return sha256Of(await writeState(state));
}

const sgd = { optimiser: { kind: 'sgd', learningRate: 1e-2 } };

describe('a run', () => {
  it.each([{}, { mode: 'ann' }, { accumulate: 2, batch: 1, ...sgd }, { train: 'head', seed: 7 }])('equals another with the same seed: %j', async (changes) => {
    const config = smallConfig(changes);
    const stores = [new MemoryStore(), new MemoryStore()];
    const runs = [];
    for (const store of stores) runs.push(await hashOf(await trained(config, store)));
    expect(runs[0]).toEqual(runs[1]);
    const [one, other] = stores.map(curve);
    expect(one).toEqual(other);
    expect(one?.steps).toHaveLength(9);
    expect(one?.epochs.map(({ epoch }) => epoch)).toEqual([2, 3]);
  });

  it('differs from one with another seed', async () => {
    const [one, other] = [await trained(smallConfig({ seed: 1 }), new MemoryStore()), await trained(smallConfig({ seed: 2 }), new MemoryStore())];
    expect(await hashOf(one)).not.toEqual(await hashOf(other));
  });

  it('ends with the same weights and curve as one left alone, wherever it is killed and whatever it had stored by then', async () => {
    const config = smallConfig({ checkpointMinutes: 1e-9 });
    const whole = new MemoryStore();
    const expected = await hashOf(await trained(config, whole));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.nat(3), fc.nat(40), async (killedAt, lost, cut) => {
        const store = new MemoryStore();
        const killed = new Error('killed');
        await expect(
          trained(config, store, quietTask, (step) => {
            // The last states were not written any more; the log was, and its last line was not finished.
            if (step === Math.max(1, killedAt - lost)) store.frozen = true;
            if (step === killedAt) throw killed;
          }),
        ).rejects.toBe(killed);
        store.frozen = false;
        store.log = `${store.log}${'{"kind":"step","step":8,"steps":9,"epoch":2,'.slice(0, cut)}`;
        const trainer = await trained(config, store);
        expect(await hashOf(trainer)).toEqual(expected);
        expect(curve(store)).toEqual(curve(whole));
      }),
      { numRuns: 6 },
    );
  });

  it('stops when it is cancelled with its state written, and goes on from there to the same end', async () => {
    const config = smallConfig();
    const expected = await hashOf(await trained(config, new MemoryStore()));
    const store = new MemoryStore();
    const controller = new AbortController();
    const task: Task = { signal: controller.signal, report: () => undefined };
    await expect(trained(config, store, task, (step) => step === 5 && controller.abort())).rejects.toMatchObject({ code: 'cancelled' });
    expect(readLog(store.log).steps).toHaveLength(5);
    expect(await hashOf(await trained(config, store))).toEqual(expected);
  });

  it('makes an evaluation again that was cut short', async () => {
    const config = smallConfig({ evaluateEvery: 1 });
    const whole = new MemoryStore();
    await trained(config, whole);
    const store = new MemoryStore();
    const controller = new AbortController();
    const task: Task = { signal: controller.signal, report: () => undefined };
    await expect(trained(config, store, task, (step) => step === 3 && controller.abort())).rejects.toMatchObject({ code: 'cancelled' });
    expect(readLog(store.log).epochs).toEqual([]);
    await trained(config, store);
    const scores = ({ log }: MemoryStore) => readLog(log).epochs.map(({ step, map50, map }) => ({ step, map50, map }));
    expect(scores(store)).toEqual(scores(whole));
  });

  it('learns: boxes and classes come right', async () => {
    const store = new MemoryStore();
    const config = smallConfig({
      stages: [{ epochs: 30, size: 64, steps: 1 }], batch: 3, anchors: 'fit', optimiser: { learningRate: 1e-2 },
      gains: { box: 0.05, objectness: 1, class: 0.5 }, augmentation: { mosaic: 0, scale: 0.1 }, averageDecay: 0.9, evaluateEvery: 30,
    });
    await trained(config, store);
    const { steps, epochs } = readLog(store.log);
    // Objectness is left out: what it aims at is the boxes' overlap, so it rises while they come right.
    const losses = steps.map(({ box, class: label }) => box + label);
    const mean = (part: number[]): number => part.reduce((sum, value) => sum + value, 0) / part.length;
    expect(mean(losses.slice(-6))).toBeLessThan(0.6 * mean(losses.slice(0, 6)));
    expect(epochs.at(-1)?.map50).toBeGreaterThan(0.3);
  });

  it('leaves a model that says what it is', async () => {
    const config = smallConfig({ name: 'squares', title: 'Squares', stages: [{ epochs: 1, size: 32, steps: 2 }] });
    const store = new MemoryStore();
    const trainer = await openRun({ config, sources, checkpoint: undefined, store }, await nodeTraining(), quietTask);
    const { manifest, safetensors, torch } = await finishRun(trainer, store, undefined, quietTask, {});
    expect(manifest).toMatchObject({ name: 'squares', inputSize: 32, steps: 2, reads: 'pictures', description: { classNames } });
    expect(manifest.weights.snn?.bytes).toBe(safetensors.size);
    expect(manifest.scores.map(({ rule }) => rule)).toEqual(['released code', 'COCO']);
    const [opened, fromTorch] = [await openCheckpoint(safetensors, quietTask), await openCheckpoint(torch, quietTask)];
    expect(opened).toMatchObject({ mode: 'snn', description: { classNames } });
    expect(new Set(fromTorch.tensors.keys())).toEqual(new Set(opened.tensors.keys()));
    // The twin's entries stay, another network's do not.
    const twin = smallConfig({ ...config, mode: 'ann' });
    const next = await openRun({ config: twin, sources, checkpoint: opened, store: new MemoryStore() }, await nodeTraining(), quietTask);
    const both = await finishRun(next, new MemoryStore(), manifest, quietTask, {});
    expect(Object.keys(both.manifest.weights)).toEqual(['snn', 'ann']);
    const stranger = { ...manifest, description: { ...manifest.description, rows: manifest.description.rows.slice(1) } };
    const alone = await finishRun(next, new MemoryStore(), stranger, quietTask, {});
    expect(Object.keys(alone.manifest.weights)).toEqual(['ann']);
  });

  it('tells that it went astray, and keeps the state before', async () => {
    const store = new MemoryStore();
    const config = smallConfig();
    const trainer = await openRun({ config, sources, checkpoint: undefined, store }, await nodeTraining(), quietTask);
    const before = await hashOf(trainer);
    const weights = trainer.state.parameters.get('model.0.conv.weight');
    const first = weights?.[0] ?? 0;
    weights?.fill(NaN, 0, 1);
    await expect(finishRun(trainer, store, undefined, quietTask, {})).rejects.toMatchObject({ code: 'train/diverged' });
    weights?.fill(first, 0, 1);
    expect(await hashOf(trainer)).toEqual(before);
  });
});

describe('a stored state', () => {
  it('of another network, or damaged anywhere, is refused or read as it was: never half', async () => {
    const config = smallConfig({ stages: [{ epochs: 1, size: 32, steps: 1 }] });
    const trainer = await trained(config, new MemoryStore());
    const bytes = new Uint8Array(await (await writeState(trainer.state)).arrayBuffer());
    const { graph } = await openRun({ config: smallConfig({ network: { widthMultiple: 0.375 } }), sources, checkpoint: undefined, store: new MemoryStore() }, await nodeTraining(), quietTask);
    await expect(readState(graph, new Blob([bytes.slice()]), quietTask)).rejects.toMatchObject({ code: 'train/unreadable-run' });
    await fc.assert(
      fc.asyncProperty(fc.nat(20_000), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (place, change, cut) => {
        const mutated = cut ? bytes.slice(0, place) : bytes.slice();
        if (!cut) mutated[place] = (mutated[place] ?? 0) ^ change;
        try {
          const state = await readState(trainer.graph, new Blob([mutated]), quietTask);
          expect(state.parameters.size).toBe(trainer.state.parameters.size);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(AppError);
          expect(thrown).toMatchObject({ code: 'train/unreadable-run' });
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('datasetSources', () => {
  const decode = async (image: Blob) => {
    const side = Number(await image.text());
    if (!(side > 0)) throw new AppError('input/unreadable', 'It is no picture.', '');
    return { width: side, height: side, data: new Uint8Array(side * side * 3) };
  };
  const dataset = (contents: readonly string[], labelled = true): Dataset => ({
    format: 'yolo',
    classNames: ['thing'],
    categoryIds: [1],
    problems: [],
    partSizes: {},
    samples: contents.map((content, index) => ({
      id: String(index),
      title: `picture ${index}`,
      content: { kind: 'picture', file: { path: `${index}.png`, open: () => Promise.resolve(new Blob([content])) } },
      parts: [],
      imageId: index,
      labelsOn: () => (labelled ? [{ box: [1, 1, 9, 9], class: 0, isCrowd: false, areaPx: undefined }] : []),
    })),
  });

  it('parts by the seed, shrinks, and names what it leaves out', async () => {
    const left: string[] = [];
    const { training, validation } = await datasetSources(smallConfig(), 0.25, dataset(['10', '', '200', '20', '30']), decode, (title) => left.push(title), quietTask);
    expect(left).toEqual(['picture 1']);
    expect([training.length, validation.length]).toEqual([3, 1]);
    const sides = [0, 1, 2].map((index) => training.read(index, seededRandom(1)).width);
    expect(Math.max(...sides)).toBeLessThanOrEqual(48);
  });

  it.each([
    ['fewer than two pictures can be read', ['10', ''], true],
    ['nothing is labelled', ['10', '20'], false],
  ])('refuses a set where %s', async (_, contents, labelled) => {
    await expect(datasetSources(smallConfig(), 0.25, dataset(contents, labelled), decode, () => undefined, quietTask)).rejects.toMatchObject({ code: 'train/no-data' });
  });
});
