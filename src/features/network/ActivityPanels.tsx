import { useMemo } from 'react';
import { cellOfPixel } from '../../base/receptivePlace';
import { neuronPlace } from '../../charts/layerViews';
import { RateBars } from '../../charts/RateBars';
import { Raster } from '../../charts/Raster';
import { fitOf, selectLayer } from '../../commands/run';
import { selectNeuron } from '../../commands/neurons';
import { setView, usePlayground, type TraceResult } from '../../state/store';
import { Panel, SelectField } from '../../ui/controls';
import { useLitCells, useTrace } from './useTrace';

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
  const lit = useLitCells();
  const windows = useWindows(trace);
  const hovered = useHoveredNeuron(trace);
  return (
    <Panel
      title="Spike raster"
      aside={
        <SelectField label="Order of the raster" hideLabel choices={orders} value={order} onChange={(rasterOrder) => setView({ rasterOrder })} />
      }
    >
      {trace && trace.trace.emits === 'spikes' ? (
        <Raster
          key={trace.layer.index}
          trace={trace.trace}
          step={step}
          order={order}
          theme={theme}
          hideSilent={false}
          windows={windows}
          lit={lit}
          hovered={hovered}
          selected={neuron && (neuron.y * trace.trace.width + neuron.x) * trace.trace.channels + neuron.channel}
          onSelectNeuron={(index) => selectNeuron(trace.trace, index)}
          onHoverNeuron={(index) => setView({ hoveredCell: index === undefined ? undefined : neuronPlace(trace.trace, index) })}
        />
      ) : (
        <p className="panel-empty">{trace ? 'This layer emits SiLU values, not spikes.' : 'Choose a layer in the network above.'}</p>
      )}
    </Panel>
  );
}

/** The windows of the recording that were looked at, where there are several. */
function useWindows(trace: TraceResult | undefined): { label: string; steps: number; masks: Uint32Array }[] | undefined {
  const frames = usePlayground((state) => state.history.frames);
  const isRecording = usePlayground((state) => state.recording !== undefined);
  return useMemo(() => {
    const neurons = trace && trace.trace.height * trace.trace.width * trace.trace.channels;
    if (!isRecording || frames.length < 2 || frames.at(-1)?.masks.length !== neurons) return undefined;
    return frames.map(({ fromUs, steps, masks }) => ({ label: `${(fromUs / 1e6).toFixed(2)} s`, steps, masks }));
  }, [frames, isRecording, trace]);
}

/** The neuron under the pointer; in the maps and on the picture that of the shown channel. */
function useHoveredNeuron(traced: TraceResult | undefined): number | undefined {
  const cell = usePlayground((state) => state.view.hoveredCell);
  const pixel = usePlayground((state) => state.view.pixel);
  const channel = usePlayground((state) => state.view.neuron?.channel ?? 0);
  const result = usePlayground((state) => state.results.snn?.result);
  const fit = usePlayground((state) => fitOf(state.source));
  if (!traced || !result) return undefined;
  const { trace } = traced;
  const place = cell ?? (pixel && cellOfPixel(pixel, trace, result.input, result.picture, fit));
  return place && (place.y * trace.width + place.x) * trace.channels + Math.min(cell?.channel ?? channel, trace.channels - 1);
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
