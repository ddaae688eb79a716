import { NetworkStrip } from '../../charts/NetworkStrip';
import { selectLayer } from '../../commands/run';
import { usePlayground } from '../../state/store';
import { Panel } from '../../ui/controls';
import { rateAt } from './layers';

/** The blocks in order, coloured by firing rate at the chosen step; a click opens a layer. */
export function NetworkPanel() {
  const result = usePlayground((state) => state.results.snn?.result);
  const step = usePlayground((state) => state.view.step);
  const layer = usePlayground((state) => state.view.layer);
  const theme = usePlayground((state) => state.view.shownTheme);
  const parameters = usePlayground((state) => state.models.snn?.parameters);
  if (!result) return <Panel title="Network">{null}</Panel>;
  const blocks = result.blocks.map((block) => ({
    index: block.row,
    label: String(block.row),
    kind: block.repeats > 1 ? `${block.block} × ${block.repeats}` : block.block,
    channels: block.channels,
    height: block.height,
    width: block.width,
    layers: result.layers
      .filter(({ row }) => row === block.row)
      .map(({ index, label }) => ({ index, label, rate: rateAt(result, index, step) })),
  }));
  return (
    <Panel
      title="Network"
      aside={`firing rate at step ${step + 1}${parameters === undefined ? '' : ` · ${(parameters / 1e6).toFixed(2)} M parameters`}`}
    >
      <NetworkStrip blocks={blocks} selected={layer} theme={theme} onSelectLayer={selectLayer} />
    </Panel>
  );
}
