import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fingerprint } from './site';

describe('fingerprint', () => {
  let folder = '';
  const current = () => fingerprint(folder, ['src', 'index.html', 'missing']);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'site-'));
    await mkdir(join(folder, 'src/deeper'), { recursive: true });
    await writeFile(join(folder, 'src/deeper/a.ts'), 'a');
    await writeFile(join(folder, 'index.html'), '<p>');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('stays the same when a file is written again with the same content', async () => {
    const before = await current();
    await writeFile(join(folder, 'src/deeper/a.ts'), 'a');
    expect(await current()).toBe(before);
  });

  it('changes with a deep file, with a single file, and with a name', async () => {
    const seen = new Set([await current()]);
    await writeFile(join(folder, 'src/deeper/a.ts'), 'b');
    seen.add(await current());
    await writeFile(join(folder, 'index.html'), '<b>');
    seen.add(await current());
    await rename(join(folder, 'src/deeper/a.ts'), join(folder, 'src/deeper/c.ts'));
    seen.add(await current());
    expect(seen.size).toBe(4);
  });

  it('changes when a path that was missing appears', async () => {
    const before = await current();
    await writeFile(join(folder, 'missing'), '');
    expect(await current()).not.toBe(before);
  });

  it('does not depend on where the folder lies', async () => {
    const before = await current();
    const elsewhere = `${folder}-moved`;
    await rename(folder, elsewhere);
    folder = elsewhere;
    expect(await current()).toBe(before);
  });
});
