import { beforeEach, expect, test, vi } from 'vitest';
import { usePlayground, type PlaygroundState } from '../state/store';
import { explainChosen, startExplaining, traceNeuronBack } from './explain';
import { setRun } from './run';
import { asked, exampleModel, examplePicture, exampleResult, next } from './testing';

vi.mock('../state/engine', () => import('./testing'));

startExplaining();

beforeEach(() => {
  asked.length = 0;
  const { models, results, view } = usePlayground.getState();
  const [surest] = exampleResult.detectionsPerStep.at(-1) ?? [];
  usePlayground.setState({
    source: examplePicture,
    models: { ...models, snn: exampleModel },
    results: { ...results, snn: { sourceId: examplePicture.id, result: exampleResult, precomputed: false } },
    view: { ...view, neuron: { x: 1, y: 2, channel: 3 }, box: surest && { of: 'snn', class: surest.class, box: surest.box } },
  });
});

const shown = (): PlaygroundState['explain'] => usePlayground.getState().explain;

test('a box is explained and a spike traced back at the same time', async () => {
  void explainChosen();
  void traceNeuronBack();
  (await next('explain')).answer({ found: {} });
  (await next('traceBack')).answer({ fired: true });
  await vi.waitFor(() => expect(shown()).toMatchObject({ explanation: { result: { found: {} } }, traced: { channel: 3, result: { fired: true } } }));
});

test('what led to a spike is shown no more when the network runs otherwise, and not at all when it comes too late', async () => {
  void traceNeuronBack();
  (await next('traceBack')).answer({ fired: true });
  await vi.waitFor(() => expect(shown().traced).toBeDefined());
  setRun({ threshold: 0.7 });
  expect(shown().traced).toBeUndefined();

  const traced = traceNeuronBack();
  const request = await next('traceBack');
  setRun({ threshold: 0.8 });
  request.answer({ fired: true });
  await traced;
  expect(shown().traced).toBeUndefined();
});
