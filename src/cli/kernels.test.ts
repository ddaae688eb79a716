import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kernelsFile } from './kernels';

it('compiles once for all who ask at the same time on a new machine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ems-yolo-kernels-'));
  try {
    const files = await Promise.all([kernelsFile('training', folder), kernelsFile('training', folder), kernelsFile('training', folder)]);
    expect(new Set(files).size).toBe(1);
    expect(await readdir(folder)).toHaveLength(1);
  } finally {
    await rm(folder, { recursive: true });
  }
});
