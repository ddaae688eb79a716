import { AppError, asAppError } from '../base/errors';
import { datasetFormats, datasetParts } from '../base/datasetOptions';
import { representations, writableFormatIds } from '../base/eventOptions';
import { benchCommand } from './bench';
import { convertCommand } from './convert';
import { detectCommand } from './detect';
import { evaluateCommand } from './evaluate';
import { eventsCommand } from './events';
import { trainCommand } from './train';

const commands: Record<string, (args: string[]) => Promise<void>> = {
  detect: detectCommand,
  evaluate: evaluateCommand,
  events: eventsCommand,
  train: trainCommand,
  convert: convertCommand,
  bench: benchCommand,
};

const usage = `Usage: npm run -s cli -- COMMAND ...

  detect --weights W --input FILE [--steps T] [--conf 0.25] [--iou 0.45] [--size PX] [--mode snn|ann]
         [--backend event|wasm|reference] [--json] [--raw OUT.safetensors] [--draw OUT.png]
         [--from US] [--window US] [--representation ${representations.join('|')}]
      W is a .pt, a .safetensors, or the name of a shipped model; FILE is a picture or an event recording, of which the
      window from --from (its first event) over --window microseconds (250000) is used.
  events info FILE [--json]
  events convert IN OUT
      To ${writableFormatIds.join(', ')}, by OUT's ending (.dat, .evt2.raw, .evt3.raw or .raw, .npy, .csv).
  events scenes --recordings FOLDER --labels CSV --out FOLDER --count N [--seed S] [--size 128] [--objects 1-4]
         [--part all|train|validation] [--validation 0.1]
      Composes single-object recordings into scenes with boxes: NAME_td.dat, NAME_bbox.npy and classes.json. The parts
      share no recording.
  events bench [--megabytes 256] [--json]
      Writes large recordings and measures how fast they are read.
  evaluate --weights W --data FOLDER [--format ${datasetFormats.join('|')}] [--part ${datasetParts.join('|')}] [--steps T]
         [--size PX] [--mode snn|ann] [--limit N] [--json]
      mAP by the released code's rule and by COCO's. FOLDER (or a zip) holds pictures or recordings with their labels.
  train --data FOLDER --out FOLDER [--config FILE] [--resume] [--mode snn|ann]
      Trains on a labelled set, or on what the configuration composes; writes states, a log and in the end the model.
  convert IN OUT [--mode snn|ann] [--half]
      Between .pt and .safetensors; --half stores 16-bit floats.
  convert ANN OUT --ann-to-snn [--calibrate FILE|FOLDER]... [--normalisation channel|layer] [--percentile 99.9] [--burst 5]
         [--size PX] [--half]
      A spiking network without training: thresholds from the ANN twin's activations on calibration pictures (the
      gallery's drawn smears unless some are named). detect runs it with --steps up to 1024.
  convert IN OUT.onnx [--mode snn|ann] [--steps 4] [--size PX] [--slices]
      The network itself for other runtimes, unrolled over the steps; of any size without --size. With --slices it reads
      one picture for each step, as recordings give, in place of one that stays.
  bench [--weights W] [--size PX] [--steps 4] [--threads 1] [--against tfjs,onnxruntime-web,onnxruntime-node] [--json]
      Times this engine and others, interleaved, after comparing what they compute; then what its time depends on, and its
      memory. Without --weights and --size: bccd at 256 px, and at twice its width at 320 px.
`;

/** @returns the exit code: 0 done, 2 wrong usage, 1 a failure that is named on standard error */
export async function main(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const asked = name === 'help' || name === '--help';
    (asked ? process.stdout : process.stderr).write(usage);
    return asked ? 0 : 2;
  }
  try {
    await command(rest);
    return 0;
  } catch (thrown) {
    const error = isArgumentError(thrown) ? usageError(thrown.message) : asAppError(thrown);
    process.stderr.write(`${error.message} [${error.code}]\n${error.remedy}\n`);
    if (error.code === 'usage') process.stderr.write(`\n${usage}`);
    return error.code === 'usage' ? 2 : 1;
  }
}

function isArgumentError(thrown: unknown): thrown is Error {
  return thrown instanceof TypeError && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS');
}

function usageError(message: string): AppError {
  return new AppError('usage', message, 'See the usage below.');
}
