import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { z } from '../base/schema';
import { detectionResultSchema, setView, usePlayground, type ModelDescription, type PictureSource } from '../state/store';
import { detectAll, setRun } from './run';

/** What the page has asked of the engine, each to be answered when the test says so. */
const asked = vi.hoisted(() => [] as ((answer: unknown) => void)[]);

vi.mock('../state/engine', () => ({
  engine: { request: () => new Promise((answer) => asked.push(answer)) },
}));

const { snn: example } = z.object({ snn: detectionResultSchema }).parse(JSON.parse(readFileSync(resolve(import.meta.dirname, '../../public/gallery/example.json'), 'utf8')));

const model: ModelDescription = {
  name: 'bccd',
  mode: 'snn',
  convertedFrom: undefined,
  head: undefined,
  classNames: ['Platelets', 'RBC', 'WBC'],
  parameters: undefined,
  neuronLayers: example.layers.length,
  inputSize: example.input.width,
  steps: undefined,
  reads: 'pictures',
  source: undefined,
};

const picture: PictureSource = {
  kind: 'picture',
  id: 'a smear',
  title: 'A smear',
  origin: 'Your file',
  originUrl: undefined,
  sample: undefined,
  size: example.picture,
  image: new Blob(),
  bitmap: { ...example.picture, close: () => undefined },
  truth: [],
};

test('whoever looks at the last step still does when T was changed while the result of another T was on its way', async () => {
  const { models } = usePlayground.getState();
  usePlayground.setState({ source: picture, models: { ...models, snn: model } });
  setRun({ steps: 4 });
  setView({ step: 3 });
  await vi.waitFor(() => expect(asked.length).toBe(1));
  setRun({ steps: 16 });
  // Sent before it could be cancelled.
  asked[0]?.({ ...example, steps: 4 });
  await vi.waitFor(() => expect(usePlayground.getState().results.snn?.result.steps).toBe(4));
  setRun({ steps: 5 });
  expect(usePlayground.getState().view.step).toBe(4);
});

test('a run that is asked for at once stands for the one that was to come soon', async () => {
  asked.length = 0;
  setRun({ steps: 2 });
  void detectAll();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked.length).toBe(1);
});
