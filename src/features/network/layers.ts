import type { DetectionResult, LayerDescription } from '../../state/store';

/** "3 ConcatBlock_ms, branch 1": the row, its block, and which neuron of it. */
export function layerName(result: DetectionResult, layer: LayerDescription): string {
  return `${layer.row} ${result.blocks[layer.row]?.block ?? 'block'}, ${layer.label}`;
}

/** Mean over the steps; null for layers that do not spike. */
export function meanRate(result: DetectionResult, layer: number): number | null {
  const perStep = result.firingRates[layer];
  if (!perStep || perStep.length === 0) return null;
  return perStep.reduce((sum, rate) => sum + rate, 0) / perStep.length;
}

/** At one step; null for layers that do not spike. */
export function rateAt(result: DetectionResult, layer: number, step: number): number | null {
  return result.firingRates[layer]?.[step] ?? null;
}
