import { intersectionOverUnion } from '../../base/geometry';
import type { ComparedPicture } from '../rules/rules';

/**
 * Counts `[label][detection]`, rows and columns in the order of the network's classes, then background: the last column
 * counts labels that nothing found, the last row detections where nothing is.
 */
export type ConfusionMatrix = number[][];

export function emptyConfusion(classes: number): ConfusionMatrix {
  return Array.from({ length: classes + 1 }, () => new Array<number>(classes + 1).fill(0));
}

/** IoU that a detection and a label have at least when they are paired. */
const paired = 0.5;

/**
 * Pairs detections and labels whatever their classes, best IoU first, each once (YOLOv5's confusion matrix, whose IoU is 0.45).
 * Crowds are left out, with the detections that only they would explain counted as background.
 */
export function countConfusion(matrix: ConfusionMatrix, { detections, labels: all }: ComparedPicture): void {
  const labels = all.filter(({ isCrowd }) => !isCrowd);
  const background = matrix.length - 1;
  const pairs = detections
    .flatMap((detection, index) => labels.map((label, other) => ({ index, other, overlap: intersectionOverUnion(detection.box, label.box) })))
    .filter(({ overlap }) => overlap >= paired)
    .sort((a, b) => b.overlap - a.overlap);
  const ofDetection = new Map<number, number>();
  const ofLabel = new Map<number, number>();
  for (const { index, other } of pairs) {
    if (ofDetection.has(index) || ofLabel.has(other)) continue;
    ofDetection.set(index, other);
    ofLabel.set(other, index);
  }
  const count = (row: number, column: number): void => {
    const counts = matrix[row];
    if (counts?.[column] !== undefined) counts[column]++;
  };
  labels.forEach((label, index) => {
    const detection = detections[ofLabel.get(index) ?? -1];
    count(label.class, detection ? detection.class : background);
  });
  detections.forEach((detection, index) => {
    if (!ofDetection.has(index)) count(background, detection.class);
  });
}
