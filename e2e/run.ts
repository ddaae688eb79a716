/** `npm test`: everything that must hold; a failure does not keep the rest from being tried. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { asAppError } from '../src/base/errors';
import { findChromium } from './chromium';

const projectFolder = resolve(import.meta.dirname, '..');
const resultsFolder = join(projectFolder, 'test-results');
const unitResults = join(resultsFolder, 'unit.json');
const browserResults = join(resultsFolder, 'browser.json');

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Outcome {
  title: string;
  ok: boolean;
  seconds: number;
  /** Undefined where the step does not count tests. */
  counts: Counts | undefined;
}

const nothing: Counts = { passed: 0, failed: 0, skipped: 0 };

const vitestReport = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
});

function unitCounts(report: unknown): Counts {
  const read = vitestReport.parse(report);
  return { passed: read.numPassedTests, failed: read.numFailedTests, skipped: read.numPendingTests + read.numTodoTests };
}

const playwrightReport = z.object({
  stats: z.object({ expected: z.number(), unexpected: z.number(), flaky: z.number(), skipped: z.number() }),
});

function browserCounts(report: unknown): Counts {
  const { expected, unexpected, flaky, skipped } = playwrightReport.parse(report).stats;
  return { passed: expected + flaky, failed: unexpected, skipped };
}

/**
 * Runs one step: in view of the person, or beside others, and then its output comes when it has ended. A step that counts tests but leaves no
 * report, or runs none, has failed.
 */
async function step(title: string, command: string[], { beside = false, report }: StepOptions = {}): Promise<Outcome> {
  const heading = `\n=== ${title} ===\n`;
  if (!beside) console.log(heading);
  const started = performance.now();
  const { status, output } = await ended(command, beside);
  if (beside) console.log(`${heading}\n${output}`);
  const seconds = (performance.now() - started) / 1000;
  if (!report) return { title, ok: status === 0, seconds, counts: undefined };
  try {
    const counts = report.read(JSON.parse(readFileSync(report.file, 'utf8')));
    return { title, ok: status === 0 && counts.failed === 0 && counts.passed > 0, seconds, counts };
  } catch {
    console.error(`The step "${title}" left no report that can be read: ${report.file}`);
    return { title, ok: false, seconds, counts: nothing };
  }
}

interface StepOptions {
  beside?: boolean;
  report?: { file: string; read: (report: unknown) => Counts };
}

function ended([program = '', ...words]: string[], isKept: boolean): Promise<{ status: number | null; output: string }> {
  const stream = isKept ? 'pipe' : 'inherit';
  const child = spawn(program, words, { cwd: projectFolder, stdio: ['ignore', stream, stream], shell: process.platform === 'win32' });
  let output = '';
  for (const part of [child.stdout, child.stderr]) part?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => {
    child.on('error', ({ message }) => resolve({ status: null, output: `${output}${message}\n` }));
    child.on('close', (status) => resolve({ status, output }));
  });
}

async function browserStep(): Promise<Outcome> {
  const title = 'Browser tests';
  try {
    process.env['CHROMIUM_PATH'] = findChromium();
  } catch (thrown) {
    const { message, remedy } = asAppError(thrown);
    console.error(`\n=== ${title} ===\n\n${message}\n${remedy}`);
    return { title, ok: false, seconds: 0, counts: nothing };
  }
  console.log(`\nThe browser: ${process.env['CHROMIUM_PATH']}`);
  return step(title, ['npx', 'playwright', 'test', '-c', 'e2e/playwright.config.ts'], {
    report: { file: browserResults, read: browserCounts },
  });
}

function printSummary(outcomes: Outcome[]): void {
  console.log('\n=== Summary ===\n');
  for (const { title, ok, seconds, counts } of outcomes) {
    const detail = counts ? `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped` : '';
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${title.padEnd(14)} ${seconds.toFixed(0).padStart(5)} s  ${detail}`.trimEnd());
  }
  const total = outcomes.reduce(
    (sum, { ok, counts }) => ({
      passed: sum.passed + (counts?.passed ?? 0),
      // A step that failed as a whole (a crash, a lint error) must not hide behind tests that all passed.
      failed: sum.failed + Math.max(counts?.failed ?? 0, ok ? 0 : 1),
      skipped: sum.skipped + (counts?.skipped ?? 0),
    }),
    nothing,
  );
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}

rmSync(resultsFolder, { recursive: true, force: true });
mkdirSync(resultsFolder, { recursive: true });

const outcomes = [
  // None of these keeps two cores busy by itself.
  ...(await Promise.all([
    step('Lint', ['npm', 'run', '--silent', 'lint'], { beside: true }),
    step('Types', ['npm', 'run', '--silent', 'types'], { beside: true }),
    step('Build', ['npm', 'run', '--silent', 'build'], { beside: true }),
  ])),
  await step('Unit tests', ['npx', 'vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${unitResults}`], {
    report: { file: unitResults, read: unitCounts },
  }),
  await browserStep(),
];
printSummary(outcomes);
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;
