import { useDeferredValue, useMemo } from 'react';
import { reachOf, type CellRange } from '../../base/reach';
import { usePlayground, type TraceResult } from '../../state/store';

/** The trace of the chosen layer; undefined while another one is still shown by the engine's last answer. */
export function useTrace(): TraceResult | undefined {
  // A layer has millions of values. What is made of them is made between other work, one view after the other.
  const trace = useDeferredValue(usePlayground((state) => state.trace));
  const layer = usePlayground((state) => state.view.layer);
  return trace?.layer.index === layer ? trace : undefined;
}

/** Cells of the chosen layer that lead to the hovered box, by strides and kernels. */
export function useLitCells(): CellRange | undefined {
  const trace = useTrace();
  const hovered = usePlayground((state) => state.view.hoveredBox);
  const step = usePlayground((state) => state.view.step);
  const result = usePlayground((state) => (hovered ? state.results[hovered.slot]?.result : undefined));
  return useMemo(() => {
    if (!hovered || !trace || !result) return undefined;
    const lists = result.detectionsPerStep;
    const cell = lists[Math.min(hovered.slot === 'snn' ? step : 0, lists.length - 1)]?.[hovered.index]?.cell;
    const reach = cell && trace.scaleReaches[cell.scale];
    // Nothing of the layer leads there: all of it is dimmed.
    if (!cell || !reach) return cell ? nowhere : undefined;
    return reachOf(reach, cell, trace.trace) ?? nowhere;
  }, [hovered, trace, result, step]);
}

const nowhere: CellRange = { left: 0, top: 0, right: -1, bottom: -1 };
