import { existsSync, openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { AppError } from '../base/errors';
import type { Picture } from '../base/picture';
import type { Progress, Task } from '../base/progress';
import { parseManifest } from '../checkpoint/manifest';
import { readKernels } from './kernels';
import type { ModelSource } from '../engine/protocol';
import type { Surroundings } from '../engine/session';

const modelsFolder = fileURLToPath(new URL('../../models', import.meta.url));

/** Larger pictures are refused before they are decoded. */
const maximumPixels = 100_000_000;

export const nodeSurroundings: Surroundings = {
  readModelFile: (path) => openFile(join(modelsFolder, path)),
  decodePicture: async (image) => decodePicture(new Uint8Array(await image.arrayBuffer())),
  encodePicture: async ({ width, height, data }) =>
    new Blob([new Uint8Array(await sharp(data, { raw: { width, height, channels: 3 } }).png().toBuffer())], { type: 'image/png' }),
  openOnnxRuntime: () => import('onnxruntime-web'),
  decodeVideo: () => {
    throw new AppError('input/unsupported', 'Videos are decoded by a browser only.', 'Open the video on the page.');
  },
  trainingKernels: () => readKernels('training'),
};

/** The file as a blob that is read when and where it is needed. @throws AppError `input/unreadable` */
export async function openFile(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch (cause) {
    throw new AppError('input/unreadable', `The file ${path} cannot be read.`, 'Check the name and that you may read it.', cause);
  }
}

/** A path to a checkpoint, or the name of a folder in `models`. */
export async function modelSource(weights: string): Promise<ModelSource> {
  if (existsSync(join(modelsFolder, weights, 'manifest.json'))) return { kind: 'shipped', name: weights };
  const blob = await openFile(weights);
  return { kind: 'file', name: basename(weights), blob, manifest: await manifestBeside(weights, blob.size) };
}

/** The manifest of a model folder, as `train` leaves one, if the file is one of its weights or the same as a `.pt`: it says what size they were trained at. */
async function manifestBeside(path: string, bytes: number): Promise<string | undefined> {
  try {
    const text = await readFile(join(dirname(path), 'manifest.json'), 'utf8');
    const name = basename(path);
    const isOf = (weights: { file: string; bytes: number } | undefined): boolean =>
      weights !== undefined && (weights.file === name ? weights.bytes === bytes : name.endsWith('.pt') && parse(weights.file).name === parse(name).name);
    const { snn, ann } = parseManifest(text).weights;
    return isOf(snn) || isOf(ann) ? text : undefined;
  } catch {
    // None, or something else of that name: the checkpoint can do without.
    return undefined;
  }
}

/** Turned as its EXIF says, on white where it is transparent. */
async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: maximumPixels })
      .autoOrient()
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return { width: info.width, height: info.height, data: new Uint8Array(data) };
    return { width: info.width, height: info.height, data: grayToRgb(data) };
  } catch (cause) {
    throw new AppError(
      'input/unreadable',
      'The input is not a picture that can be read.',
      'Give a PNG, JPEG, WebP, AVIF, GIF or TIFF picture of at most 100 megapixels.',
      cause,
    );
  }
}

function grayToRgb(gray: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(gray.length * 3);
  gray.forEach((value, index) => rgb.fill(value, index * 3, index * 3 + 3));
  return rgb;
}

/** Progress goes to standard error, so that standard output holds only results. */
export function terminalTask(): Task {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return { signal: controller.signal, report: process.stderr.isTTY ? showProgress : () => undefined };
}

function showProgress({ label, done, total }: Progress): void {
  const share = total ? ` ${Math.round((done / total) * 100)}%` : '';
  process.stderr.write(`\r${label}${share}\u001b[K${total !== undefined && done >= total ? '\n' : ''}`);
}
