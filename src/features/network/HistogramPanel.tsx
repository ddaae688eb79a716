import { MembraneHistogram } from '../../charts/MembraneHistogram';
import { showStep } from '../../commands/timeline';
import { usePlayground } from '../../state/store';
import { Panel } from '../../ui/controls';
import { useTrace } from './useTrace';

/** How the chosen layer's membranes are spread, step by step. */
export function HistogramPanel() {
  const trace = useTrace();
  const step = usePlayground((state) => state.view.step);
  const theme = usePlayground((state) => state.view.shownTheme);
  return (
    <Panel title="Membrane histogram" aside="share of the layer’s neurons">
      {trace ? (
        <MembraneHistogram trace={trace.trace} step={step} theme={theme} onSelectStep={showStep} />
      ) : (
        <p className="panel-empty">Choose a layer in the network above.</p>
      )}
    </Panel>
  );
}
