import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { representations } from '../base/eventOptions';
import { AppError } from '../base/errors';
import type { Representation } from '../base/eventOptions';
import type { Task } from '../base/progress';
import type { DetectionResult, EventsFrame, PictureFrame, RecordingRef, RunSettings } from '../engine/protocol';
import { Session } from '../engine/session';
import { isRecording } from '../input/events/open';
import { trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { convertedStepCount, inputSide, mode as modeSchema, number, parseOption, share, stepCount } from './arguments';
import { eventsPicture, writeDrawing } from './draw';
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
      from: { type: 'string' },
      window: { type: 'string' },
      representation: { type: 'string', default: 'gen1' },
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
  const stepsAsked = options.steps === undefined ? undefined : parseOption('steps', options.steps, convertedStepCount);
  const inputSize = options.size === undefined ? ('native' as const) : parseOption('size', options.size, inputSide);

  const fromUs = options.from === undefined ? undefined : parseOption('from', options.from, number);
  const windowUs = options.window === undefined ? undefined : parseOption('window', options.window, number.pipe(z.number().positive()));
  const representation = parseOption('representation', options.representation, z.enum(representations));

  const task = terminalTask();
  const source = await modelSource(weights);
  const backend = await openBackend({ preference, wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [] });
  const session = new Session(backend, nodeSurroundings);
  const model = await session.load({ slot: modeAsked, source }, task);
  const slot = model.mode;
  // Only a converted network takes more steps than it would have been trained with, and only its file says that it is one.
  if (options.steps !== undefined && slot !== 'converted') parseOption('steps', options.steps, stepCount);
  const file = { name: basename(input), blob: await openFile(input) };
  const frame = (await isRecording(file))
    ? await eventsFrame(session, file, { fromUs, windowUs, representation }, task)
    : pictureFrame(file.blob, fromUs ?? windowUs);
  const settings: RunSettings = { steps: stepsAsked ?? model.steps ?? defaultSteps, ...trainedNeuron, inputSize };
  const result = await session.detect({ slot, frame, settings, confidence, iou }, task);
  if (options.raw !== undefined) await writeRaw(options.raw, await session.record({ slot, frame, settings }, task));
  if (options.draw !== undefined) await writeDrawing(options.draw, await pictureOf(session, frame, task), result);
  process.stdout.write(options.json ? `${JSON.stringify(jsonOf(result), null, 2)}\n` : table(result));
}

/** The window that ends Gen1's rule: 250 ms (specification, section 8). */
const defaultWindowUs = 250_000;

function pictureFrame(image: Blob, eventsOption: number | undefined): PictureFrame {
  if (eventsOption === undefined) return { id: 'picture', image };
  throw new AppError('usage', 'The options --from and --window are for event recordings, and the input is none.', 'See the usage below.');
}

async function eventsFrame(
  session: Session,
  file: { name: string; blob: Blob },
  { fromUs, windowUs = defaultWindowUs, representation }: { fromUs: number | undefined; windowUs: number | undefined; representation: Representation },
  task: Task,
): Promise<EventsFrame> {
  const recording: RecordingRef = { kind: 'file', id: file.name, ...file };
  const firstUs = fromUs ?? (await session.recordings.scan({ recording, budgetMs: Infinity }, task)).summary.minUs ?? 0;
  return { id: 'events', recording, fromUs: firstUs, windowUs, representation, fit: 'stretch', withoutHotPixels: false, carryMembranes: false };
}

/** For drawing boxes on: the picture itself, or the window's events. */
async function pictureOf(session: Session, frame: PictureFrame | EventsFrame, task: Task): Promise<Blob> {
  if (!('recording' in frame)) {
    if (frame.image instanceof Blob) return frame.image;
    throw new TypeError('The command line opens pictures as files.');
  }
  const { recording, fromUs, windowUs, withoutHotPixels } = frame;
  const view = await session.recordings.view({ recording, fromUs, toUs: fromUs + windowUs, view: 'polarity', withoutHotPixels }, task);
  return nodeSurroundings.encodePicture(eventsPicture(view));
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
    detections: finalDetections(result).map(({ box, score, class: label, name }) => ({ box, score, class: label, name })),
    firingRates: result.firingRates
      .filter((perStep) => perStep !== null)
      .map((perStep) => perStep.reduce((sum, rate) => sum + rate, 0) / perStep.length),
    energy: result.energy,
    timing: result.timing,
  };
}

const networkNames: Record<DetectionResult['mode'], string> = { snn: 'SNN', ann: 'ANN', converted: 'converted SNN' };

function table(result: DetectionResult): string {
  const { energy, timing } = result;
  const detections = finalDetections(result);
  const lines = detections.map(({ box, score, name }) =>
    [score.toFixed(3), ...box.map((side) => side.toFixed(1).padStart(7)), name].join('  '),
  );
  const microjoules = (pj: number | null): string => (pj === null ? 'not measured' : `${(pj / 1e6).toFixed(1)} µJ`);
  return [
    `${result.model}, ${networkNames[result.mode]}${result.mode === 'ann' ? '' : ` over ${result.steps} steps`}, ${result.backend.label}; picture ${result.picture.width} x ${result.picture.height}, input ${result.input.width} x ${result.input.height}`,
    'score       x1       y1       x2       y2  class',
    ...lines,
    `${detections.length} boxes`,
    `energy (${energy.convention}): SNN ${microjoules(energy.snnPj)}, ANN of the same architecture ${microjoules(energy.annPj)}`,
    `time: preprocessing ${timing.preprocessMs.toFixed(0)} ms, network ${timing.inferenceMs.toFixed(0)} ms (reading back included), boxes ${timing.postprocessMs.toFixed(0)} ms`,
    '',
  ].join('\n');
}
