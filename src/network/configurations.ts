import type { NetworkRow } from '../checkpoint/types';

/**
 * The released configurations, for checkpoints that do not carry their rows (a bare state_dict). Channel counts are
 * those at width multiple 1.
 */

type ShortRow = [from: number | number[], repeats: number, block: string, args: NetworkRow['args']];

function rows(list: readonly ShortRow[]): NetworkRow[] {
  return list.map(([from, repeats, block, args]) => ({ from: Array.isArray(from) ? from : [from], repeats, block, args }));
}

/** The head is the same in all of them; `deep` is the row of the backbone that it reads at stride 16, `last` the one before the head. */
function head(deep: number, last: number, blocks: { neck: ShortRow; large: string; medium: string; small: string }): ShortRow[] {
  return [
    blocks.neck,
    [-1, 1, blocks.large, [512, 3, 1]],
    [-2, 1, blocks.medium, [128, 1, 1]],
    [-1, 1, 'Sample', ['None', 2, 'nearest']],
    [[-1, deep], 1, 'Concat', [2]],
    [-1, 1, blocks.small, [256, 3, 1]],
    [[last + 6, last + 2], 1, 'Detect', ['nc', 'anchors']],
  ];
}

const plain = { large: 'BasicBlock_2', medium: 'BasicBlock_2', small: 'BasicBlock_2' };
const silu = { large: 'Conv', medium: 'BasicBlock_2', small: 'Conv' };
const efficient = { large: 'ConcatBlock_ms', medium: 'BasicBlock_ms', small: 'BasicBlock_ms' };
const wideNeck: ShortRow = [-1, 1, 'BasicBlock_1', [256, 1]];
const neck = (block: string): ShortRow => [-1, 1, block, [256, 3, 1]];

function stages(down: (stage: number) => string, keep: string | undefined, repeats: readonly number[]): ShortRow[] {
  return [64, 128, 256, 512].flatMap((channels, stage): ShortRow[] => {
    const first: ShortRow = [-1, 1, down(stage), [channels, 3, 2]];
    return keep ? [first, [-1, repeats[stage] ?? 1, keep, [channels, 3, 1]]] : [first];
  });
}

export const configurations: Readonly<Record<string, readonly NetworkRow[]>> = {
  resnet10: rows([
    [-1, 1, 'Conv_1', [64, 7, 2]],
    ...stages((stage) => (stage === 0 ? 'BasicBlock_2' : 'Concat_res2'), undefined, []),
    ...head(3, 4, { neck: wideNeck, ...plain }),
  ]),
  resnet18: rows([
    [-1, 1, 'Conv_1', [64, 7, 2]],
    ...stages(() => 'BasicBlock_2', 'BasicBlock_2', [1, 1, 1, 1]),
    ...head(6, 8, { neck: neck('BasicBlock_2'), ...silu }),
  ]),
  resnet34: rows([
    [-1, 1, 'Conv_1', [64, 7, 2]],
    ...stages(() => 'BasicBlock_2', 'BasicBlock_2', [2, 3, 5, 2]),
    ...head(6, 8, { neck: wideNeck, ...plain }),
  ]),
  'resnet34-cat': rows([
    [-1, 1, 'Conv_1', [64, 7, 2]],
    ...stages((stage) => (stage === 0 ? 'BasicBlock_2' : 'Concat_res2'), 'BasicBlock_2', [2, 3, 5, 2]),
    ...head(6, 8, { neck: neck('BasicBlock_2'), ...silu }),
  ]),
  'res10-ee': rows([
    [-1, 1, 'Conv_2', [32, 3, 2]],
    ...stages(() => 'ConcatBlock_ms', undefined, []),
    ...head(3, 4, { neck: neck('BasicBlock_ms'), ...efficient }),
  ]),
  'res18-ee': rows([
    [-1, 1, 'Conv_2', [32, 3, 2]],
    ...stages(() => 'ConcatBlock_ms', 'BasicBlock_ms', [1, 1, 1, 1]),
    ...head(6, 8, { neck: neck('BasicBlock_ms'), ...efficient }),
  ]),
};

/** Pixels; stride 16, then stride 32. */
export const defaultAnchors: readonly (readonly number[])[] = [
  [10, 14, 23, 27, 37, 58],
  [81, 82, 135, 169, 344, 319],
];
