import { beforeEach, expect, test, vi } from 'vitest';
import { AppError } from '../base/errors';
import { usePlayground } from '../state/store';
import type { TrainingConfig } from '../state/training';
import { asked, next } from './testing';
import { beginRun, changeConfig, setConfigText } from './training';

vi.mock('../state/trainer', () => import('./testing'));

/** Of a configuration, what these tests change. */
const confirmed = { batch: 8, seed: 1 } as TrainingConfig;

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal('navigator', { storage: { persist: () => Promise.resolve(true) } });
  const { training } = usePlayground.getState();
  usePlayground.setState({ training: { ...training, config: confirmed, configProblem: undefined } });
});

function answerAll(): void {
  for (const { payload, answer } of asked.splice(0)) answer(payload['config']);
}

test('a setting that is changed while another one is being checked keeps that one', async () => {
  const changes = [changeConfig({ batch: 3 }), changeConfig({ seed: 77 })];
  answerAll();
  await Promise.all(changes);
  expect(usePlayground.getState().training.config).toEqual({ ...confirmed, batch: 3, seed: 77 });
});

test('a run begins with what was changed last', async () => {
  const change = changeConfig({ batch: 3 });
  const begun = beginRun();
  answerAll();
  await change;
  const begin = await next('begin');
  expect(begin.payload).toMatchObject({ config: { batch: 3 } });
  begin.refuse(new Error('enough'));
  await begun;
});

test('settings that are refused change nothing, and nothing is built on them', async () => {
  const wrong = setConfigText('{"batch": -1}');
  (await next('check')).refuse(new AppError('train/invalid-settings', 'batch is no number from 1', 'Change it.'));
  expect(await wrong).toBe(false);
  expect(usePlayground.getState().training).toMatchObject({ config: confirmed, configProblem: 'batch is no number from 1' });
  const change = changeConfig({ seed: 5 });
  answerAll();
  await change;
  expect(usePlayground.getState().training).toMatchObject({ config: { ...confirmed, seed: 5 }, configProblem: undefined });
});
