/** Data sets that are read (`evaluate/datasets` says how). */
export const datasetFormats = ['voc', 'coco', 'yolo', 'gen1'] as const;
export type DatasetFormat = (typeof datasetFormats)[number];

/** Parts that a data set may name. */
export const datasetParts = ['train', 'val', 'test'] as const;
export type DatasetPart = (typeof datasetParts)[number];
