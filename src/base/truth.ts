import { XMLParser } from 'fast-xml-parser';
import { AppError } from './errors';
import type { Box, Size } from './geometry';
import { readNpyRecords } from './npy';
import { z } from './schema';

/** Boxes that people drew: ground truth for a recording or a picture. */

export interface TruthBox {
  /** When it holds, on the recording's clock; undefined where the file knows no time: then it holds throughout. */
  timeUs: number | undefined;
  /** Clipped to the sensor or picture. */
  box: Box;
  /** Index into the data set's classes; undefined where the file only has a name. */
  class: number | undefined;
  /** Undefined where the file only has an index. */
  name: string | undefined;
}

/** Label files are small; what is larger is none. */
const maximumBytes = 64 << 20;

/**
 * Reads `*_bbox.npy` (Gen1), VOC's XML and YOLO's text.
 * @throws AppError `input/unsupported` for another kind of file, `input/unreadable` for a damaged one
 */
export async function readTruth({ name, blob, sensor }: { name: string; blob: Blob; sensor: Size }): Promise<TruthBox[]> {
  const bytes = await labelBytes(name, blob);
  return readBoxes(name, bytes, sensor).flatMap((truth) => {
    const box = clipBox(truth.box, sensor);
    return box ? [{ ...truth, box }] : [];
  });
}

function readBoxes(name: string, bytes: Uint8Array, sensor: Size): TruthBox[] {
  if (bytes[0] === 0x93) return parseGen1Boxes(name, bytes).map((truth) => ({ ...truth, name: undefined }));
  const text = new TextDecoder().decode(bytes);
  if (isVoc(text)) return parseVoc(name, text).objects.map((object) => ({ ...object, timeUs: undefined, class: undefined }));
  if (/\.txt$/i.test(name)) {
    return parseYolo(name, text).map((label) => ({ timeUs: undefined, box: boxOfShares(label.box, sensor), class: label.class, name: undefined }));
  }
  throw new AppError(
    'input/unsupported',
    `${name} is not a file of boxes that is known here.`,
    'Known are Gen1’s *_bbox.npy, VOC’s XML and YOLO’s txt.',
  );
}

/** @throws AppError `input/unreadable` */
export async function labelBytes(name: string, blob: Blob): Promise<Uint8Array> {
  if (blob.size > maximumBytes) throw unreadable(name, 'it is too large for a file of boxes');
  return new Uint8Array(await blob.arrayBuffer());
}

/**
 * Gen1's boxes; the time is called `ts` or `t` (there are releases with either).
 * @returns boxes that may reach beyond the sensor; class 0 where the file names none
 * @throws AppError `input/unreadable`
 */
export function parseGen1Boxes(name: string, bytes: Uint8Array): { timeUs: number; box: Box; class: number | undefined }[] {
  const records = readNpyRecords(bytes, name);
  const field = (...names: string[]): Float64Array | undefined => {
    const found = names.find((known) => records.has(known));
    return found === undefined ? undefined : records.get(found);
  };
  const t = field('ts', 't');
  const [x, y, w, h] = ['x', 'y', 'w', 'h'].map((known) => field(known));
  const classes = field('class_id');
  if (!t || !x || !y || !w || !h) throw unreadable(name, 'it has no fields t, x, y, w and h');
  return Array.from(t, (timeUs, index) => {
    const left = x[index] ?? 0;
    const top = y[index] ?? 0;
    return { timeUs, box: [left, top, left + (w[index] ?? 0), top + (h[index] ?? 0)], class: classes?.[index] };
  });
}

/** Whether a text begins as a VOC annotation does. */
export function isVoc(text: string): boolean {
  return /^\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*|<!DOCTYPE[^>]*>\s*)*<annotation[\s>/]/.test(text.slice(0, 4000).replace(/^\uFEFF/, ''));
}

const vocNumber = z.string().trim().min(1).pipe(z.coerce.number());
const vocAnnotationSchema = z.object({
  filename: z.coerce.string().optional(),
  object: z
    .array(
      z.object({
        name: z.coerce.string(),
        bndbox: z.object({ xmin: vocNumber, ymin: vocNumber, xmax: vocNumber, ymax: vocNumber }),
      }),
    )
    .default([]),
});
// An element without content is parsed as an empty text.
const vocSchema = z.object({ annotation: z.preprocess((value) => (value === '' ? {} : value), vocAnnotationSchema) });

/**
 * VOC's XML. Coordinates are taken as they stand (VOC's own count from 1, most tools' from 0).
 * @returns boxes that may reach beyond the picture
 * @throws AppError `input/unreadable`
 */
export function parseVoc(name: string, text: string): { filename: string | undefined; objects: { name: string; box: Box }[] } {
  let parsed: unknown;
  try {
    // Entities of the document's own are a way to make a small file large. Names such as 007 are no numbers.
    parsed = new XMLParser({ processEntities: false, parseTagValue: false, isArray: (tag) => tag === 'object' }).parse(text);
  } catch (cause) {
    throw unreadable(name, 'its XML is damaged', cause);
  }
  const voc = vocSchema.safeParse(parsed);
  if (!voc.success) throw unreadable(name, 'it is no VOC annotation');
  const { filename, object } = voc.data.annotation;
  return {
    filename,
    objects: object.map(({ name: label, bndbox: { xmin, ymin, xmax, ymax } }) => ({ name: label, box: [xmin, ymin, xmax, ymax] })),
  };
}

/**
 * YOLO's text: a class, then centre and size (or the corners of a polygon) as shares of the picture.
 * @returns corners as shares of the picture's sides
 * @throws AppError `input/unreadable`
 */
export function parseYolo(name: string, text: string): { class: number; box: Box }[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [label = NaN, ...shares] = line.trim().split(/\s+/).map(Number);
      if (!Number.isInteger(label) || label < 0 || shares.length < 4 || !shares.every((value) => value >= -1 && value <= 2)) {
        throw unreadable(name, 'a line is not a class and four shares of the picture');
      }
      // A fifth number is a confidence; three corners or more are the outline of a segment.
      return { class: label, box: shares.length >= 6 && shares.length % 2 === 0 ? boxAround(shares) : boxOfCentre(shares) };
    });
}

function boxOfCentre([x = 0, y = 0, width = 0, height = 0]: readonly number[]): Box {
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

function boxAround(corners: readonly number[]): Box {
  const xs = corners.filter((_, index) => index % 2 === 0);
  const ys = corners.filter((_, index) => index % 2 === 1);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** From shares of the sides to pixels. */
export function boxOfShares([x1, y1, x2, y2]: Box, { width, height }: Size): Box {
  return [x1 * width, y1 * height, x2 * width, y2 * height];
}

/** @returns undefined where nothing of the box is on the picture */
export function clipBox([x1, y1, x2, y2]: Box, { width, height }: Size): Box | undefined {
  const box: Box = [Math.max(x1, 0), Math.max(y1, 0), Math.min(x2, width), Math.min(y2, height)];
  return box[2] > box[0] && box[3] > box[1] ? box : undefined;
}

function unreadable(name: string, why: string, cause?: unknown): AppError {
  return new AppError('input/unreadable', `The boxes in ${name} cannot be read: ${why}.`, 'Check the file, or leave it out.', cause);
}
