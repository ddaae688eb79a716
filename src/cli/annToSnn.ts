import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defaultConversion, maximumCalibrationFrames, normalisations, largestBurst, type ConversionOptions } from '../base/conversionOptions';
import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { z } from '../base/schema';
import { Session } from '../engine/session';
import type { Conversion } from '../network/conversion';
import { trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { inputSide, number, parseOption, wholeNumber } from './arguments';
import { galleryFolder } from './gallery';
import { readKernels } from './kernels';
import { nodeSurroundings, openFile } from './surroundings';

/** The options of `convert --ann-to-snn`, as the command line has them. */
export interface AnnToSnnArguments {
  calibrate?: string[] | undefined;
  normalisation?: string | undefined;
  percentile?: string | undefined;
  burst?: string | undefined;
  size?: string | undefined;
}

/** Measures the ANN twin's activations on calibration pictures: files or folders that are named, else the gallery's smears. */
export async function measureConversion(input: Blob, name: string, args: AnnToSnnArguments, task: Task): Promise<Conversion> {
  const options: ConversionOptions = {
    normalisation: args.normalisation === undefined ? defaultConversion.normalisation : parseOption('normalisation', args.normalisation, z.enum(normalisations)),
    percentile: args.percentile === undefined ? defaultConversion.percentile : parseOption('percentile', args.percentile, number.pipe(z.number().positive().max(100))),
    maximumSpikes: args.burst === undefined ? defaultConversion.maximumSpikes : parseOption('burst', args.burst, wholeNumber.pipe(z.int().min(1).max(largestBurst))),
  };
  const inputSize = args.size === undefined ? ('native' as const) : parseOption('size', args.size, inputSide);
  const paths = await picturesAt(args.calibrate ?? [galleryFolder]);
  const session = new Session(await openBackend({ preference: 'auto', wasmPaths: undefined, eventKernels: readKernels, avoid: [] }), nodeSurroundings);
  const loaded = await session.load({ slot: 'ann', source: { kind: 'file', name, blob: input } }, task);
  if (loaded.mode !== 'ann') {
    throw new AppError('usage', `${name} is an SNN, and a conversion starts from its ANN twin.`, 'Give the checkpoint of the twin, which was trained with ReLU.');
  }
  const calibration = await Promise.all(paths.map(async (path) => ({ id: path, image: await openFile(path) })));
  return session.measure({ calibration, options, settings: { steps: 1, ...trainedNeuron, inputSize } }, task);
}

/** A folder stands for the pictures in it. */
async function picturesAt(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const names = await readdir(path).catch(() => undefined);
    if (!names) found.push(path);
    else found.push(...names.filter((name) => /\.(png|jpe?g|webp|avif|gif|bmp|tiff?)$/i.test(basename(name))).sort().map((name) => join(path, name)));
  }
  if (found.length > 0) return found.slice(0, maximumCalibrationFrames);
  throw new AppError('usage', `There is no picture in ${paths.join(', ')}.`, 'Name pictures, or folders that hold some, with --calibrate.');
}
