import type { DatasetFormat, DatasetPart } from '../../base/datasetOptions';
import type { Box, Size } from '../../base/geometry';
import type { DatasetFile } from './files';

/** A box that a person drew, as the rules of mAP take it. */
export interface LabelBox {
  /** Pixels of the picture or sensor, clipped to it. */
  box: Box;
  /** Index into the class names. */
  class: number;
  /** Stands for many objects (COCO's `iscrowd`): nothing is missed in it, and nothing is wrong in it. */
  isCrowd: boolean;
  /** COCO's size of an object: the area of its outline; undefined where only the box is known. */
  areaPx: number | undefined;
}

/** What is looked at: a picture, or the window of events that ends when the labels hold. */
export type SampleContent = { kind: 'picture'; file: DatasetFile } | { kind: 'events'; file: DatasetFile; untilUs: number };

export interface DatasetSample {
  /** Differs for all samples of the set. */
  id: string;
  title: string;
  content: SampleContent;
  /** Parts of the set that it belongs to; empty where the set names none. */
  parts: readonly DatasetPart[];
  /** COCO's id of the picture, for results in COCO's format. */
  imageId: number | string;
  /** @param size of the decoded picture or of the sensor; boxes that lie outside are left out */
  labelsOn(size: Size): LabelBox[];
}

/** A file that could not be used; the rest of the set goes on without it. */
export interface DatasetProblem {
  path: string;
  message: string;
}

export interface Dataset {
  format: DatasetFormat;
  classNames: readonly string[];
  /** COCO's ids of the classes; else 1, 2, 3 ... */
  categoryIds: readonly number[];
  samples: readonly DatasetSample[];
  problems: readonly DatasetProblem[];
  /** How many samples each part that the set names has, before `part` and `limit` chose among them. */
  partSizes: Partial<Record<DatasetPart, number>>;
}

/** A label as its file says it. */
export interface RawLabel {
  box: Box;
  unit: 'pixels' | 'shares';
  /** Index into the set's class names, or the name itself where the set has no list of them. */
  class: number | string;
  isCrowd?: boolean;
  areaPx?: number | undefined;
}

/** A sample before its labels are read. */
export interface DraftSample {
  id: string;
  title: string;
  content: SampleContent;
  parts: readonly DatasetPart[];
  imageId: number | string;
  /** The file that is to blame when its labels cannot be read. */
  labelPath: string;
  /** @throws AppError */
  readLabels(): Promise<readonly RawLabel[]>;
}

export interface DraftDataset {
  /** Undefined where classes are what the labels name. */
  classNames: readonly string[] | undefined;
  categoryIds?: readonly number[];
  drafts: readonly DraftSample[];
  problems: readonly DatasetProblem[];
}

/** The part that a name stands for: `train2017`, `valid`, `instances_val2017`, `testing`. */
export function partNamed(name: string): DatasetPart | undefined {
  const [, part] = /(?:^|[^a-z])(train|val|test)(?:ing|id|idation)?(?:\d{4})?(?:[^a-z]|$)/i.exec(name) ?? [];
  return part === undefined ? undefined : (part.toLowerCase() as DatasetPart);
}

/** The parts that a path's folders name. */
export function partsOfPath(path: string): DatasetPart[] {
  const named = path
    .split('/')
    .slice(0, -1)
    .flatMap((folder) => (/^(train|training|val|valid|validation|test|testing)(\d{4})?$/i.test(folder) ? (partNamed(folder) ?? []) : []));
  return [...new Set(named)].slice(-1);
}
