import { parseArgs } from 'node:util';
import { AppError } from '../base/errors';
import type { DetectionResult, RunSettings } from '../engine/protocol';
import { Session } from '../engine/session';
import { maximumSteps, trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { inputSide, mode as modeSchema, parseOption, share, wholeNumber } from './arguments';
import { writeDrawing } from './draw';
import { writeRaw } from './raw';
import { readKernels } from './kernels';
import { modelSource, nodeSurroundings, openFile, terminalTask } from './surroundings';
import { z } from '../base/schema';

/** The paper's number of steps, for checkpoints that do not say what they were trained with. */
const defaultSteps = 4;

export async function detectCommand(args: string[]): Promise<void> {
  const { values: options } = parseArgs({
    args,
    options: {
      weights: { type: 'string' },
      input: { type: 'string' },
      steps: { type: 'string' },
      conf: { type: 'string', default: '0.25' },
      iou: { type: 'string', default: '0.45' },
      size: { type: 'string' },
      mode: { type: 'string', default: 'snn' },
      backend: { type: 'string', default: 'auto' },
      json: { type: 'boolean', default: false },
      raw: { type: 'string' },
      draw: { type: 'string' },
    },
  });
  const text = z.string().min(1, 'a file is needed');
  const weights = parseOption('weights', options.weights, text);
  const input = parseOption('input', options.input, text);
  const modeAsked = parseOption('mode', options.mode, modeSchema);
  const confidence = parseOption('conf', options.conf, share);
  const iou = parseOption('iou', options.iou, share);
  const preference = parseOption('backend', options.backend, z.enum(['auto', 'event', 'wasm', 'reference']));
  const stepsAsked = options.steps === undefined ? undefined : parseOption('steps', options.steps, wholeNumber.pipe(z.int().min(1).max(maximumSteps)));
  const inputSize = options.size === undefined ? ('native' as const) : parseOption('size', options.size, inputSide);

  const task = terminalTask();
  const frame = { id: input, image: await openFile(input) };
  const source = await modelSource(weights);
  const backend = await openBackend({ preference, wasmPaths: undefined, eventKernels: readKernels, avoid: [] });
  const session = new Session(backend, nodeSurroundings);
  const model = await session.load({ slot: modeAsked, source }, task);
  const slot = model.mode;
  const settings: RunSettings = { steps: stepsAsked ?? model.steps ?? defaultSteps, ...trainedNeuron, inputSize };
  const result = await session.detect({ slot, frame, settings, confidence, iou }, task);
  if (options.raw !== undefined) await writeRaw(options.raw, await session.record({ slot, frame, settings }, task));
  if (options.draw !== undefined) await writeDrawing(options.draw, frame.image, result);
  process.stdout.write(options.json ? `${JSON.stringify(jsonOf(result), null, 2)}\n` : table(result));
}

function finalDetections(result: DetectionResult): DetectionResult['detectionsPerStep'][number] {
  const last = result.detectionsPerStep.at(-1);
  if (!last) throw new AppError('internal', 'The run returned no step.', 'Report this together with the command.');
  return last;
}

/** The contract of the command line; firing rates are the mean over the steps, one for each layer that spikes. */
function jsonOf(result: DetectionResult): unknown {
  return {
    model: result.model,
    backend: result.backend.name,
    steps: result.steps,
    width: result.picture.width,
    height: result.picture.height,
    detections: finalDetections(result),
    firingRates: result.firingRates
      .filter((perStep) => perStep !== null)
      .map((perStep) => perStep.reduce((sum, rate) => sum + rate, 0) / perStep.length),
    energy: result.energy,
    timing: result.timing,
  };
}

function table(result: DetectionResult): string {
  const { energy, timing } = result;
  const detections = finalDetections(result);
  const lines = detections.map(({ box, score, name }) =>
    [score.toFixed(3), ...box.map((side) => side.toFixed(1).padStart(7)), name].join('  '),
  );
  const microjoules = (pj: number | null): string => (pj === null ? 'not measured' : `${(pj / 1e6).toFixed(1)} µJ`);
  return [
    `${result.model}, ${result.mode.toUpperCase()}${result.mode === 'snn' ? ` over ${result.steps} steps` : ''}, ${result.backend.label}; picture ${result.picture.width} x ${result.picture.height}, input ${result.input.width} x ${result.input.height}`,
    'score       x1       y1       x2       y2  class',
    ...lines,
    `${detections.length} boxes`,
    `energy (${energy.convention}): SNN ${microjoules(energy.snnPj)}, ANN of the same architecture ${microjoules(energy.annPj)}`,
    `time: preprocessing ${timing.preprocessMs.toFixed(0)} ms, network ${timing.inferenceMs.toFixed(0)} ms (reading back included), boxes ${timing.postprocessMs.toFixed(0)} ms`,
    '',
  ].join('\n');
}
