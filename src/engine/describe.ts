import type { Size } from '../base/geometry';
import { anchorCellOf, type AnchorCell, type AnchorGrid } from '../detect/candidates';
import { decode, type Candidates } from '../detect/decode';
import { toOriginal, type LetterboxPlacement } from '../detect/letterbox';
import { suppress } from '../detect/nonMaximumSuppression';
import { nodeShapes, type NetworkGraph } from '../network/graph';
import { elementCount } from '../tensor/operations';
import type { BlockDescription, DetectionResult, LayerDescription, ModelDescription, Slot } from './protocol';

/** What a network computed, in the words of the protocol. */

/** Logits of one detection scale, `[height, width, anchors * (5 + classes)]`. */
export interface ScaleOutput {
  height: number;
  width: number;
  logits: Float32Array;
}

export function decodeScales(
  { graph, anchors }: { graph: NetworkGraph; anchors: readonly (readonly number[])[] },
  scales: readonly ScaleOutput[],
): Candidates {
  const heads = scales.map((scale, index) => ({ ...scale, stride: graph.scales[index]?.stride ?? 1, anchors: anchors[index] ?? [] }));
  return decode(heads, graph.description.classNames.length);
}

/** The grids of anchors that candidates are counted through. */
export function cellsOf({ anchors }: { anchors: readonly (readonly number[])[] }, scales: readonly Pick<ScaleOutput, 'height' | 'width'>[]): AnchorGrid[] {
  return scales.map(({ height, width }, scale) => ({ height, width, anchors: anchors[scale] ?? [] }));
}

/** Boxes on the original picture. @param cells from {@link cellsOf}; undefined where boxes cannot be followed into the network */
export function detectionsOf(
  candidates: Candidates,
  cells: readonly AnchorGrid[] | undefined,
  placement: LetterboxPlacement,
  display: { confidence: number; iou: number },
  { classNames }: Pick<ModelDescription, 'classNames'>,
): DetectionResult['detectionsPerStep'][number] {
  return suppress(candidates, { ...display, severalClassesPerBox: false }).map(({ box, score, class: label, candidate }) => ({
    box: toOriginal(box, placement),
    score,
    class: label,
    name: classNames[label] ?? `class ${label}`,
    ...(cells && { cell: placeOf(anchorCellOf(candidate, cells)) }),
  }));
}

function placeOf({ scale, x, y }: AnchorCell): { scale: number; x: number; y: number } {
  return { scale, x, y };
}

export function describeLayers(graph: NetworkGraph, input: Size, mode: Slot): LayerDescription[] {
  const shapes = nodeShapes(graph, input.height, input.width);
  return graph.layers.map(({ index, node, row, repeat, label }) => {
    const { height = 0, width = 0, channels = 0 } = shapes[node] ?? {};
    const repeats = graph.blocks[row]?.repeats ?? 1;
    return {
      index,
      row,
      label: repeats > 1 ? `${repeat + 1}, ${label}` : label,
      emits: { snn: graph.nodes[node]?.emits ?? 'values', ann: 'values' as const, converted: 'spikes' as const }[mode],
      height,
      width,
      channels,
    };
  });
}

export function describeBlocks(graph: NetworkGraph, input: Size): BlockDescription[] {
  return graph.blocks.map(({ row, block, repeats, channels, stride }) => ({
    row,
    block,
    repeats,
    channels,
    height: input.height / stride,
    width: input.width / stride,
  }));
}

/** Spikes of the whole network at each step; layers that share their neurons count once. */
export function spikesPerStep(graph: NetworkGraph, input: Size, steps: number, firingRates: readonly (readonly number[] | undefined)[]): number[] {
  const shapes = nodeShapes(graph, input.height, input.width);
  const layers = graph.layers.filter(({ node }, index) => graph.layers.findIndex((layer) => layer.node === node) === index);
  return Array.from({ length: steps }, (_, step) =>
    layers.reduce((sum, { index, node }) => {
      const shape = shapes[node];
      return sum + Math.round((firingRates[index]?.[step] ?? 0) * (shape ? elementCount(shape) : 0));
    }, 0),
  );
}
