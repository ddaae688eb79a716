import { expect, test, vi } from 'vitest';
import { setView, usePlayground } from '../state/store';
import { detectAll, setRun } from './run';
import { asked, exampleModel, examplePicture, exampleResult, next } from './testing';

vi.mock('../state/engine', () => import('./testing'));

const { models } = usePlayground.getState();
usePlayground.setState({ source: examplePicture, models: { ...models, snn: exampleModel } });

test('whoever looks at the last step still does when T was changed while the result of another T was on its way', async () => {
  setRun({ steps: 4 });
  setView({ step: 3 });
  const run = await next('detect');
  setRun({ steps: 16 });
  // Sent before it could be cancelled.
  run.answer({ ...exampleResult, steps: 4 });
  await vi.waitFor(() => expect(usePlayground.getState().results.snn?.result.steps).toBe(4));
  setRun({ steps: 5 });
  expect(usePlayground.getState().view.step).toBe(4);
  await next('detect');
});

test('a run that is asked for at once stands for the one that was to come soon', async () => {
  setRun({ steps: 2 });
  void detectAll();
  const run = await next('detect');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked.map(({ kind }) => kind)).not.toContain('detect');
  run.refuse(new DOMException('enough', 'AbortError'));
});
