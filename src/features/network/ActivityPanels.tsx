import { RateBars } from '../../charts/RateBars';
import { Raster } from '../../charts/Raster';
import { selectLayer } from '../../commands/run';
import { selectNeuron } from '../../commands/neurons';
import { setView, usePlayground } from '../../state/store';
import { Panel, SelectField } from '../../ui/controls';
import { useTrace } from './useTrace';

const orders = [
  { id: 'rate', label: 'sorted by rate' },
  { id: 'place', label: 'sorted by place' },
  { id: 'channel', label: 'sorted by channel' },
] as const;

/** Spikes of all neurons of the chosen layer. */
export function RasterPanel() {
  const trace = useTrace();
  const step = usePlayground((state) => state.view.step);
  const order = usePlayground((state) => state.view.rasterOrder);
  const neuron = usePlayground((state) => state.view.neuron);
  const theme = usePlayground((state) => state.view.shownTheme);
  return (
    <Panel
      title="Spike raster"
      aside={
        <SelectField label="Order of the raster" hideLabel choices={orders} value={order} onChange={(rasterOrder) => setView({ rasterOrder })} />
      }
    >
      {trace && trace.trace.emits === 'spikes' ? (
        <Raster
          trace={trace.trace}
          step={step}
          order={order}
          theme={theme}
          hideSilent={false}
          selected={neuron && (neuron.y * trace.trace.width + neuron.x) * trace.trace.channels + neuron.channel}
          onSelectNeuron={(index) => selectNeuron(trace.trace, index)}
          onHoverNeuron={(index) => {
            if (index === undefined) setView({ hoveredCell: undefined });
            else {
              const place = Math.floor(index / trace.trace.channels);
              setView({ hoveredCell: { x: place % trace.trace.width, y: Math.floor(place / trace.trace.width) } });
            }
          }}
        />
      ) : (
        <p className="panel-empty">{trace ? 'This layer emits SiLU values, not spikes.' : 'Choose a layer in the network above.'}</p>
      )}
    </Panel>
  );
}

export function RatesPanel() {
  const result = usePlayground((state) => state.results.snn?.result);
  const step = usePlayground((state) => state.view.step);
  const layer = usePlayground((state) => state.view.layer);
  const theme = usePlayground((state) => state.view.shownTheme);
  return (
    <Panel title="Firing rate per layer" aside="share of neurons that fire, per step">
      {result && (
        <RateBars
          layers={result.layers.map((described) => ({
            index: described.index,
            label: `${described.row} ${described.label}`,
            rates: result.firingRates[described.index] ?? null,
          }))}
          step={step}
          selected={layer}
          theme={theme}
          onSelectLayer={selectLayer}
        />
      )}
    </Panel>
  );
}
