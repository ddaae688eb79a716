import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { nodeBackend } from '../../../e2e/kernels';
import { quietTask } from '../../base/progress';
import { openCheckpoint } from '../../checkpoint/open';
import { openBackend } from '../../tensor/backend';
import { benchPicture, squareInput } from './picture';
import { measureRepeats } from './repeats';

it('times frames that have nothing, much and all in common, from the start and reusing', { timeout: 60_000 }, async () => {
  const checkpoint = await openCheckpoint(await openAsBlob(resolve(import.meta.dirname, '../../../models/bccd/snn.safetensors')), quietTask);
  const backend = await openBackend(nodeBackend('event'));
  const benchCase = { network: 'snn' as const, checkpoint, steps: 2, picture: squareInput(benchPicture(), 64), width: 64, height: 64 };
  const before = benchCase.picture.slice();
  const costs = await measureRepeats(benchCase, () => Promise.resolve(backend), { warmUpRuns: 1, timedRuns: 3 }, quietTask);
  expect(costs.map(({ frames }) => frames)).toEqual(['a sixteenth of the side moves', 'nothing changes', 'everything changes']);
  expect(costs.flatMap(({ fromTheStart, reusing }) => [fromTheStart.runs, reusing.runs])).toEqual([3, 3, 3, 3, 3, 3]);
  expect(benchCase.picture).toEqual(before);
});
