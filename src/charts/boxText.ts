import { format } from 'd3';
import type { Detection } from '../base/geometry';

const formatScore = format('.2f');

/** "RBC 0.87". */
export function boxText({ name, score }: Pick<Detection, 'name' | 'score'>): string {
  return `${name} ${formatScore(score)}`;
}

const namedBoxes = 5;

/** A pane's boxes in a sentence, the best ones by name. */
export function describeBoxes(title: string, detections: readonly Detection[]): string {
  if (detections.length === 0) return `${title}: no boxes.`;
  const best = [...detections].sort((a, b) => b.score - a.score).slice(0, namedBoxes);
  const rest = detections.length - best.length;
  const count = detections.length === 1 ? '1 box' : `${detections.length} boxes`;
  return `${title}: ${count}: ${best.map(boxText).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}.`;
}
