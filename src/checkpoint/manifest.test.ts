import { readFileSync, openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError } from '../base/errors';
import { parseManifest, verifySha256 } from './manifest';
import { codeOf } from './testing';

const folder = resolve(import.meta.dirname, '../../models/bccd');
const text = readFileSync(resolve(folder, 'manifest.json'), 'utf8');

function refusal(changed: string): unknown {
  try {
    return parseManifest(changed);
  } catch (error) {
    return error instanceof AppError ? error.code : error;
  }
}

describe('the shipped manifest', () => {
  const manifest = parseManifest(text);

  it('says what it is', () => {
    expect(manifest.name).toBe('bccd');
    expect(manifest.description.rows.at(-1)?.block).toBe('Detect');
    expect(manifest.scores.length).toBeGreaterThan(0);
    for (const { map50, map } of manifest.scores) {
      expect(map50).toBeLessThanOrEqual(1);
      expect(map).toBeLessThanOrEqual(map50);
    }
  });

  it.each(['snn', 'ann'] as const)('names the %s weights that lie beside it', async (mode) => {
    const weights = manifest.weights[mode];
    const blob = await openAsBlob(resolve(folder, weights?.file ?? ''));
    expect(blob.size).toBe(weights?.bytes);
    await verifySha256(blob, weights?.sha256 ?? '');
    expect(await codeOf(verifySha256(blob.slice(1), weights?.sha256 ?? ''))).toBe('checkpoint/hash-mismatch');
  });
});

describe('damaged manifests', () => {
  const changed = (change: (manifest: Record<string, unknown>) => void): string => {
    const copy = JSON.parse(text) as Record<string, unknown>;
    change(copy);
    return JSON.stringify(copy);
  };
  it.each([
    ['no JSON', text.slice(0, 100)],
    ['a web page', '<!doctype html>'],
    ['another format', changed((manifest) => (manifest['format'] = 2))],
    ['no rows', changed((manifest) => delete manifest['description'])],
    ['no steps', changed((manifest) => (manifest['steps'] = 0))],
    ['a file in another folder', text.replace('snn.safetensors', '../snn.safetensors')],
    ['a hash that is none', text.replace(/"sha256": "[0-9a-f]/, '"sha256": "x')],
  ])('%s', (_label, damaged) => {
    expect(damaged).not.toBe(text);
    expect(refusal(damaged)).toBe('checkpoint/malformed');
  });
});
