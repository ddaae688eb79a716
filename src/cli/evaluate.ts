import { parseArgs } from 'node:util';
import { datasetFormats, datasetParts } from '../base/datasetOptions';
import { AppError, asAppError } from '../base/errors';
import { z } from '../base/schema';
import type { DatasetSummary, EvaluatedCase, EvaluationState } from '../engine/protocol';
import { Session } from '../engine/session';
import type { RuleResult } from '../evaluate/rules/rules';
import { openBackend } from '../tensor/backend';
import { convertedStepCount, inputSide, mode as modeSchema, parseOption, stepCount, wholeNumber } from './arguments';
import { datasetFilesAt } from './datasetFolder';
import { readKernels } from './kernels';
import { modelSource, nodeSurroundings, terminalTask } from './surroundings';

/** So often what was found so far is set down: what a cancelled run still tells. */
const portionMs = 5000;

export async function evaluateCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      weights: { type: 'string' },
      data: { type: 'string' },
      format: { type: 'string' },
      part: { type: 'string' },
      steps: { type: 'string' },
      size: { type: 'string' },
      mode: { type: 'string', default: 'snn' },
      limit: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const text = z.string().min(1, 'it is needed');
  const weights = parseOption('weights', options.weights, text);
  const data = parseOption('data', options.data, text);
  const asked = parseOption('mode', options.mode, modeSchema);
  const format = options.format === undefined ? undefined : parseOption('format', options.format, z.enum(datasetFormats));
  const part = options.part === undefined ? undefined : parseOption('part', options.part, z.enum(datasetParts));
  const limit = options.limit === undefined ? undefined : parseOption('limit', options.limit, wholeNumber.pipe(z.int().min(1)));
  const inputSize = options.size === undefined ? undefined : parseOption('size', options.size, inputSide);
  const steps = options.steps === undefined ? [] : [parseOption('steps', options.steps, convertedStepCount)];

  const task = terminalTask();
  const source = await modelSource(weights);
  const backend = await openBackend({ preference: 'auto', wasmPaths: undefined, eventKernels: readKernels, avoid: [] });
  const session = new Session(backend, nodeSurroundings);
  const { evaluations } = session;
  const model = await session.load({ slot: asked, source }, task);
  if (options.steps !== undefined && model.mode !== 'converted') parseOption('steps', options.steps, stepCount);
  await evaluations.openFiles({ id: 'data', files: await datasetFilesAt(data), format }, task);
  const request = { id: 'evaluation', dataset: 'data', part, limit, networks: [{ slot: model.mode, steps }], inputSize, budgetMs: portionMs };
  const state = await untilFinished(() => evaluations.evaluate(request, task));
  const [found] = state.cases;
  if (!found) throw new AppError('internal', 'The evaluation returned no case.', 'Report this together with the command.');
  for (const line of remarks(state.dataset, found, state)) process.stderr.write(`${line}\n`);
  process.stdout.write(options.json ? `${JSON.stringify(jsonOf(found), null, 2)}\n` : table(found, state));
}

/** Cancelled (control-C) it tells what it has. */
async function untilFinished(evaluate: () => Promise<EvaluationState>): Promise<EvaluationState> {
  let last: EvaluationState | undefined;
  while (!last?.finished) {
    try {
      last = await evaluate();
    } catch (thrown) {
      if (asAppError(thrown).code === 'cancelled' && last) return last;
      throw thrown;
    }
  }
  return last;
}

/** What a person should know about the figures; standard output holds only those. */
function remarks({ problems, problemCount, partSizes }: DatasetSummary, found: EvaluatedCase, { done, total, finished }: EvaluationState): string[] {
  const parts = Object.entries(partSizes).map(([name, size]) => `${name} ${size}`);
  return [
    ...(finished ? [] : [`Cancelled after ${done} of ${total}; the figures are of those.`]),
    ...(found.sizeChosenBy === 'assumption' ? [`The checkpoint does not say what size it was trained at; ${found.inputSize} px is assumed (--size chooses another).`] : []),
    ...(found.matchedBy === 'order' ? ['No class name of the data set is the network’s: classes were taken in order.'] : []),
    ...(found.unknownClasses.length > 0 ? [`The network does not know ${found.unknownClasses.join(', ')}: these labels were left out.`] : []),
    ...(parts.length > 1 ? [`The data set has parts: ${parts.join(', ')} (--part chooses one).`] : []),
    ...problems.map(({ path, message }) => `${path}: ${message}`),
    ...(problemCount > problems.length ? [`... and ${problemCount - problems.length} more files with problems.`] : []),
  ];
}

/** The contract of the command line. Means are null where no class has a label. */
function jsonOf({ samples, released, coco }: EvaluatedCase): unknown {
  const ruleOf = ({ map50, map, perClass }: RuleResult): unknown => ({
    map50: map50 ?? null,
    map: map ?? null,
    perClass: perClass.map(({ name, ap50, ap }) => ({ name, ap50, ap })),
  });
  return { images: samples, released: ruleOf(released), coco: ruleOf(coco) };
}

function table(found: EvaluatedCase, { dataset }: EvaluationState): string {
  const { network, mode, steps, inputSize, samples, released, coco, timing, errors } = found;
  const share = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(4)).padStart(8);
  const row = (name: string, labels: number, ...values: (number | undefined)[]): string => `${name.padEnd(16)} ${String(labels).padStart(7)} ${values.map(share).join('  ')}`;
  const all = released.perClass.reduce((sum, { labels }) => sum + labels, 0);
  const microjoules = (pj: number | undefined): string => (pj === undefined ? 'not measured' : `${(pj / 1e6).toFixed(1)} µJ`);
  return [
    `${network}, ${mode === 'converted' ? 'converted SNN' : mode.toUpperCase()}${mode === 'ann' ? '' : ` over ${steps} steps`}, input ${inputSize === 'native' ? 'as the sensor' : `${inputSize} px`}; ${samples} samples (${dataset.format})`,
    '',
    '                          released code       COCO (101 points)',
    'class             labels     AP50        AP      AP50        AP',
    row('all', all, released.map50, released.map, coco.map50, coco.map),
    ...released.perClass.map(({ name, labels, ap50, ap }) => {
      const other = coco.perClass.find((one) => one.name === name);
      return row(name, labels, ap50, ap, other?.ap50, other?.ap);
    }),
    '',
    `COCO: AP75 ${share(coco.map75).trim()}, small ${share(coco.mapByArea.small).trim()}, medium ${share(coco.mapByArea.medium).trim()}, large ${share(coco.mapByArea.large).trim()}; AR1 ${share(coco.recallByLimit[1]).trim()}, AR10 ${share(coco.recallByLimit[10]).trim()}, AR100 ${share(coco.recallByLimit[100]).trim()}`,
    `at confidence 0.25: ${errors.correct} correct; wrong class ${errors.class}, place ${errors.place}, both ${errors.both}, duplicate ${errors.duplicate}, background ${errors.background}; missed ${errors.missed}`,
    `a sample: preprocessing ${timing?.preprocessMs.toFixed(1) ?? '-'} ms, network ${timing?.inferenceMs.toFixed(1) ?? '-'} ms, boxes ${timing?.postprocessMs.toFixed(1) ?? '-'} ms (medians); energy: SNN ${microjoules(found.snnPj)}, ANN ${microjoules(found.annPj)}; firing rate ${found.firingRate?.toFixed(3) ?? '-'}`,
    '',
  ].join('\n');
}
