import { usePlayground, type TraceResult } from '../../state/store';

/** The trace of the chosen layer; undefined while another one is still shown by the engine's last answer. */
export function useTrace(): TraceResult | undefined {
  return usePlayground(({ trace, view }) => (trace?.layer.index === view.layer ? trace : undefined));
}
