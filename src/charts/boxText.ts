import { format } from 'd3';
import type { Box } from '../base/geometry';
import type { BoxKind } from './palette';

/** A box on a picture: a detection as it is, or one compared with the labels, or a label. */
export interface OverlayBox {
  box: Box;
  name: string;
  /** Index into the class names. */
  class: number;
  /** A label has none. */
  score?: number | undefined;
  /** How it compares with the labels; it decides how the box looks. Without it the class does. */
  kind?: BoxKind | undefined;
}

const formatScore = format('.2f');

/** The order in which kinds are named. */
export const boxKinds: readonly BoxKind[] = ['matched', 'false', 'missed', 'truth', 'both', 'only-first', 'only-second'];

/** Kinds that stand before a box's name. */
const namedKinds: readonly (BoxKind | undefined)[] = ['false', 'missed', 'truth'];

/** "RBC 0.87"; "false RBC 0.31", "missed RBC". */
export function boxText({ name, score, kind }: Pick<OverlayBox, 'name' | 'score' | 'kind'>): string {
  const parts = [namedKinds.includes(kind) ? kind : undefined, name, score === undefined ? undefined : formatScore(score)];
  return parts.filter((part) => part !== undefined).join(' ');
}

const namedBoxes = 5;

/** What kinds of boxes are called where their own names do not say it. */
export type KindNames = Partial<Record<BoxKind, string>>;

/** A pane's boxes in a sentence, the best ones by name. */
export function describeBoxes(title: string, boxes: readonly OverlayBox[], names: KindNames = {}): string {
  if (boxes.length === 0) return `${title}: no boxes.`;
  const best = [...boxes].sort((a, b) => (b.score ?? 0) - (a.score ?? 0)).slice(0, namedBoxes);
  const rest = boxes.length - best.length;
  const count = boxes.length === 1 ? '1 box' : `${boxes.length} boxes`;
  const kinds = countKinds(boxes).map(({ kind, count: each }) => `${each} ${names[kind] ?? kind}`);
  const compared = kinds.length > 0 ? ` (${kinds.join(', ')})` : '';
  return `${title}: ${count}${compared}: ${best.map(boxText).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}.`;
}

/** How many boxes of each kind there are, without the kinds that do not occur. */
export function countKinds(boxes: readonly OverlayBox[]): { kind: BoxKind; count: number }[] {
  return boxKinds
    .map((kind) => ({ kind, count: boxes.filter((box) => box.kind === kind).length }))
    .filter(({ count }) => count > 0);
}
