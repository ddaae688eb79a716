import { vi } from 'vitest';
import type { DetectionResult, ModelDescription, PictureSource } from '../state/store';

/** What tests of commands stand on: an engine or a trainer that answers when the test says so, and a picture with its model. */

interface Asked {
  kind: string;
  payload: Record<string, unknown>;
  answer: (value: unknown) => void;
  refuse: (reason: unknown) => void;
}

/** What the page has asked and got no answer to, in order. */
export const asked: Asked[] = [];

/** In place of `state/engine`'s. */
export const engine = {
  request: (kind: string, payload: Asked['payload'], task?: { signal: AbortSignal }): Promise<unknown> =>
    new Promise((answer, refuse) => {
      const one = { kind, payload, answer, refuse };
      asked.push(one);
      task?.signal.addEventListener('abort', () => {
        if (asked.includes(one)) asked.splice(asked.indexOf(one), 1);
        refuse(task.signal.reason);
      });
    }),
};

/** In place of `state/trainer`'s. */
export const trainer = engine;
export const followRun = (): void => undefined;

/** Waits until the page has asked for this; the test then answers it. */
export async function next(kind: string): Promise<Asked> {
  await vi.waitFor(() => {
    if (!asked.some((each) => each.kind === kind)) throw new Error(`The page has not asked for ${kind}.`);
  });
  const [found] = asked.splice(asked.findIndex((each) => each.kind === kind), 1);
  if (!found) throw new Error('It was there a moment ago.');
  return found;
}

export const exampleResult: DetectionResult = {
  model: 'bccd',
  backend: { name: 'event', label: 'CPU', reason: 'You chose it.' },
  mode: 'snn',
  steps: 4,
  picture: { width: 640, height: 480 },
  input: { width: 320, height: 320 },
  detectionsPerStep: [0.6, 0.7, 0.8, 0.9].map((score) => [{ box: [100, 100, 200, 200], score, class: 1, name: 'RBC' }]),
  layers: [],
  blocks: [],
  firingRates: [],
  spikesPerStep: [10, 20, 30, 40],
  operations: { steps: 4, layers: [], neurons: 0, neuronKind: 'leaky' },
  energy: { convention: '45 nm', acOpsPerStep: 0, macOpsPerStep: 0, snnPj: 0, annPj: 0 },
  timing: { preprocessMs: 1, inferenceMs: 1, postprocessMs: 1 },
};

export const exampleModel: ModelDescription = {
  name: 'bccd',
  mode: 'snn',
  convertedFrom: undefined,
  head: undefined,
  classNames: ['Platelets', 'RBC', 'WBC'],
  parameters: undefined,
  neuronLayers: 0,
  inputSize: exampleResult.input.width,
  steps: undefined,
  reads: 'pictures',
  source: undefined,
};

export const examplePicture: PictureSource = {
  kind: 'picture',
  id: 'a smear',
  title: 'A smear',
  origin: 'Your file',
  originUrl: undefined,
  sample: undefined,
  size: exampleResult.picture,
  image: new Blob(),
  bitmap: { ...exampleResult.picture, close: () => undefined },
  truth: [],
};
