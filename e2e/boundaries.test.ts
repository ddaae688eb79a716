import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ESLint } from 'eslint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import projectRules from '../eslint.config.js';

const projectFolder = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'import-rules-'));

/** A small stand-in for the project: a rule sees only imports that lead to a file. */
const files = [
  'src/base/errors.ts',
  'src/tensor/operations.ts',
  'src/tensor/wasm/kernel.wasm',
  'src/checkpoint/types.ts',
  'src/detect/decode.ts',
  'src/detect/decode.test.ts',
  'src/energy/energy.ts',
  'src/engine/protocol.ts',
  'src/engine/session.ts',
  'src/client/engineClient.ts',
  'src/state/store.ts',
  'src/features/timeline/other.tsx',
  'src/features/energy/view.tsx',
  'src/network/network.ts',
  'src/input/sketch.ts',
  'src/ui/button.tsx',
  'src/app/main.tsx',
  'src/cli/main.ts',
  'e2e/golden.ts',
];

beforeAll(() => {
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  symlinkSync(join(projectFolder, 'node_modules'), join(folder, 'node_modules'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const eslint = new ESLint({
  cwd: folder,
  overrideConfigFile: true,
  overrideConfig: [
    ...projectRules,
    // The typed rules would need a compilable project: only the import rules run here.
    { settings: { 'boundaries/root-path': folder }, languageOptions: { parserOptions: { projectService: false } } },
  ],
  ruleFilter: ({ ruleId }) => ruleId.startsWith('boundaries/'),
});

/** What the import rules say about a file with this path and text. */
async function complaints(filePath: string, text: string): Promise<string[]> {
  const results = await eslint.lintText(text, { filePath: join(folder, filePath) });
  const messages = results.flatMap((result) => result.messages);
  for (const message of messages) expect(message.fatal ?? false, message.message).toBe(false);
  return messages.map((message) => message.message);
}

const allowed: [file: string, text: string][] = [
  ['src/detect/madeUp.ts', "import { AppError } from '../base/errors';"],
  ['src/network/madeUp.ts', "import type { NetworkMode } from '../checkpoint/types';"],
  ['src/tensor/madeUp.ts', "import * as tf from '@tensorflow/tfjs'; import './operations';"],
  ['src/tensor/wasm/madeUp.ts', "import { AppError } from '../../base/errors'; import '../operations';"],
  ['src/tensor/wasm/madeUp.ts', "import url from './kernel.wasm?url';"],
  ['src/engine/protocol.ts', "import { errorCodes } from '../base/errors';"],
  ['src/engine/protocol.ts', "import type { NetworkMode } from '../checkpoint/types';"],
  ['src/engine/madeUp.ts', "import { z } from 'zod'; import './protocol';"],
  ['src/engine/trainingProtocol.ts', "import { requestSchemas } from './protocol';"],
  ['src/engine/madeUp.ts', "import { decode } from '../detect/decode';"],
  ['src/client/madeUp.ts', "import type { Request } from '../engine/protocol';"],
  ['src/client/madeUp.ts', "import { requestSchema } from '../engine/protocol';"],
  ['src/cli/madeUp.ts', "import { readFile } from 'node:fs/promises'; import sharp from 'sharp';"],
  ['src/cli/madeUp.ts', "import '../engine/session';"],
  ['src/checkpoint/madeUp.test.ts', "import { readFile } from 'node:fs/promises'; import './types';"],
  ['src/checkpoint/madeUp.test.ts', "import { goldenCases } from '../../e2e/golden';"],
  ['src/input/madeUp.test.ts', "import { describe } from 'vitest'; import sharp from 'sharp';"],
  ['src/state/madeUp.ts', "import { create } from 'zustand'; import '../base/errors'; import '../client/engineClient';"],
  ['src/ui/madeUp.tsx', "import { Button } from 'react-aria-components'; import '../base/errors';"],
  ['src/features/timeline/madeUp.tsx', "import { useMemo } from 'react'; import './other'; import '../../state/store';"],
  ['src/app/madeUp.tsx', "import { createRoot } from 'react-dom/client'; import '../features/timeline/other';"],
];

const forbidden: [file: string, text: string, complaint: string][] = [
  ['src/base/madeUp.ts', "import { decode } from '../detect/decode';", 'only itself, not detect'],
  ['src/detect/madeUp.ts', "import type { NetworkMode } from '../checkpoint/types';", 'not checkpoint'],
  ['src/checkpoint/madeUp.ts', "export * from '../detect/decode';", 'not detect'],
  ['src/energy/madeUp.ts', "export const later = import('../detect/decode');", 'not detect'],
  ['src/energy/madeUp.ts', "export type Mode = import('../checkpoint/types').NetworkMode;", 'not checkpoint'],
  ['src/detect/madeUp.ts', "import { decode } from './decode.test';", 'A test is not for importing'],
  ['src/detect/madeUp.ts', "import url from '../energy/energy?url';", 'no such file'],
  ['src/detect/madeUp.ts', "import url from './../energy/energy?url';", 'no such file'],
  ['src/network/madeUp.ts', "import * as tf from '@tensorflow/tfjs';", 'Only tensor'],
  ['src/engine/madeUp.ts', "import url from '@tensorflow/tfjs-backend-wasm/dist/a.wasm?url';", 'Only tensor'],
  ['src/network/madeUp.ts', "import { readFile } from 'node:fs/promises';", "Node's modules"],
  ['src/network/madeUp.test.ts', "import * as tf from '@tensorflow/tfjs';", 'Only tensor'],
  ['src/network/madeUp.test.ts', "import '../energy/energy';", 'not energy'],
  ['src/state/madeUp.ts', "import { useState } from 'react';", 'Only charts'],
  ['src/state/madeUp.ts', "import { jsx } from 'react/jsx-runtime';", 'Only charts'],
  ['src/ui/madeUp.tsx', "import { create } from 'zustand';", 'Only state'],
  ['src/input/madeUp.ts', "import sharp from 'sharp';", 'Only cli'],
  ['src/client/madeUp.ts', "import type { NetworkMode } from '../checkpoint/types';", 'not checkpoint'],
  ['src/client/madeUp.ts', "import '../engine/session';", 'not engine'],
  ['src/client/madeUp.ts', "import type { Session } from '../engine/session';", 'not engine'],
  ['src/engine/protocol.ts', "import { decode } from '../detect/decode';", 'only types'],
  ['src/engine/protocol.ts', "import type { Session } from './session';", 'only types'],
  ['src/engine/trainingProtocol.ts', "import { Session } from './session';", 'other protocols'],
  ['src/features/timeline/madeUp.tsx', "import '../energy/view';", 'not features'],
  ['src/features/timeline/madeUp.tsx', "import '../../client/engineClient';", 'not client'],
  ['src/app/madeUp.tsx', "import '../base/errors';", 'not base'],
  ['src/checkpoint/madeUp.ts', "import { goldenCases } from '../../e2e/golden';", 'not e2e'],
  ['src/notARoom/madeUp.ts', 'export const nothing = 0;', 'File does not match any'],
  ['src/madeUp.ts', 'export const nothing = 0;', 'File does not match any'],
];

describe('the import rules of src/', () => {
  it.each(allowed)('allow in %s: %s', async (file, text) => {
    expect(await complaints(file, text)).toEqual([]);
  });

  it.each(forbidden)('forbid in %s: %s', async (file, text, complaint) => {
    expect(await complaints(file, text)).toEqual([expect.stringContaining(complaint)]);
  });
});
