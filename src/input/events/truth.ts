import { XMLParser } from 'fast-xml-parser';
import { AppError } from '../../base/errors';
import type { Box, Size } from '../../base/geometry';
import { z } from '../../base/schema';
import { readNpyRecords } from './npy';

/** Boxes that people drew: ground truth for a recording or a picture. */

export interface TruthBox {
  /** When it holds, on the recording's clock; undefined where the file knows no time: then it holds throughout. */
  timeUs: number | undefined;
  /** Clipped to the sensor. */
  box: Box;
  /** Index into the data set's classes; undefined where the file only has a name. */
  class: number | undefined;
  /** Undefined where the file only has an index. */
  name: string | undefined;
}

/** Label files are small; what is larger is none. */
const maximumBytes = 64 << 20;

/**
 * Reads `*_bbox.npy` (Gen1; the time is called `ts` or `t`, the confidence `class_confidence` or `confidence`), VOC's XML
 * and YOLO's text (class, centre and size as shares of the picture).
 * @throws AppError `input/unsupported` for another kind of file, `input/unreadable` for a damaged one
 */
export async function readTruth({ name, blob, sensor }: { name: string; blob: Blob; sensor: Size }): Promise<TruthBox[]> {
  if (blob.size > maximumBytes) throw unreadable(name, 'it is too large for a file of boxes');
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const boxes = readBoxes(name, bytes, sensor);
  return boxes.flatMap((truth) => {
    const box = clipped(truth.box, sensor);
    return box ? [{ ...truth, box }] : [];
  });
}

function readBoxes(name: string, bytes: Uint8Array, sensor: Size): TruthBox[] {
  if (bytes[0] === 0x93) return readGen1(name, bytes);
  const text = new TextDecoder().decode(bytes);
  if (/^\s*<(\?xml|annotation)/.test(text.slice(0, 1000))) return readVoc(name, text);
  if (/\.txt$/i.test(name)) return readYolo(name, text, sensor);
  throw new AppError(
    'input/unsupported',
    `${name} is not a file of boxes that is known here.`,
    'Known are Gen1’s *_bbox.npy, VOC’s XML and YOLO’s txt.',
  );
}

function readGen1(name: string, bytes: Uint8Array): TruthBox[] {
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
    return {
      timeUs,
      box: [left, top, left + (w[index] ?? 0), top + (h[index] ?? 0)],
      class: classes?.[index],
      name: undefined,
    };
  });
}

const vocNumber = z.coerce.number();
const vocAnnotationSchema = z.object({
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

function readVoc(name: string, text: string): TruthBox[] {
  let parsed: unknown;
  try {
    // Entities of the document's own are a way to make a small file large.
    parsed = new XMLParser({ processEntities: false, isArray: (tag) => tag === 'object' }).parse(text);
  } catch (cause) {
    throw unreadable(name, 'its XML is damaged', cause);
  }
  const voc = vocSchema.safeParse(parsed);
  if (!voc.success) throw unreadable(name, 'it is no VOC annotation');
  return voc.data.annotation.object.map(({ name: label, bndbox: { xmin, ymin, xmax, ymax } }) => ({
    timeUs: undefined,
    box: [xmin, ymin, xmax, ymax],
    class: undefined,
    name: label,
  }));
}

function readYolo(name: string, text: string, { width, height }: Size): TruthBox[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [label = NaN, x = NaN, y = NaN, w = NaN, h = NaN] = line.trim().split(/\s+/).map(Number);
      if (!Number.isInteger(label) || ![x, y, w, h].every((value) => value >= -1 && value <= 2)) {
        throw unreadable(name, 'a line is not a class and four shares of the picture');
      }
      return {
        timeUs: undefined,
        box: [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height],
        class: label,
        name: undefined,
      };
    });
}

function clipped([x1, y1, x2, y2]: Box, { width, height }: Size): Box | undefined {
  const box: Box = [Math.max(x1, 0), Math.max(y1, 0), Math.min(x2, width), Math.min(y2, height)];
  return box[2] > box[0] && box[3] > box[1] ? box : undefined;
}

function unreadable(name: string, why: string, cause?: unknown): AppError {
  return new AppError('input/unreadable', `The boxes in ${name} cannot be read: ${why}.`, 'Check the file, or leave it out.', cause);
}
