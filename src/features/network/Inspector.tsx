import { ChannelStrip } from '../../charts/ChannelStrip';
import { MembraneMap } from '../../charts/MembraneMap';
import { NeuronTrace } from '../../charts/NeuronTrace';
import { SpikeMap } from '../../charts/SpikeMap';
import type { LayerTrace } from '../../base/trace';
import { cellOfPixel } from '../../base/receptivePlace';
import { selectCell, selectChannel } from '../../commands/neurons';
import { forgetTraced, isMuted, toggleMuted, traceNeuronBack } from '../../commands/explain';
import { fitOf, selectLayer } from '../../commands/run';
import { showStep } from '../../commands/timeline';
import { setView, usePlayground, type DetectionResult, type Neuron } from '../../state/store';
import { Button, Panel, SelectField } from '../../ui/controls';
import { layerName, meanRate } from './layers';
import { useLitCells, useTrace } from './useTrace';
import './network.css';

/** The chosen layer and, in it, the chosen neuron. */
export function Inspector() {
  const result = usePlayground((state) => state.results.snn?.result);
  const layer = usePlayground((state) => state.view.layer);
  const neuron = usePlayground((state) => state.view.neuron);
  const trace = useTrace();
  const described = result?.layers[layer];
  return (
    <Panel title="Inspector" className="inspector">
      {result && described && (
        <>
          <SelectField
            label="Layer"
            choices={result.layers.map((choice) => ({ id: String(choice.index), label: `${choice.index} · ${layerName(result, choice)}` }))}
            value={String(layer)}
            onChange={(id) => selectLayer(Number(id))}
          />
          <p className="inspector-facts">
            {described.height} × {described.width} × {described.channels} neurons
            {meanRate(result, layer) === null ? ', emitting SiLU values' : `, mean firing rate ${((meanRate(result, layer) ?? 0) * 100).toFixed(1)}\u00a0%`}
          </p>
          {trace && neuron ? <LayerViews trace={trace.trace} neuron={neuron} result={result} /> : <p className="panel-empty">Reading membranes and spikes…</p>}
        </>
      )}
    </Panel>
  );
}

function LayerViews({ trace, neuron, result }: { trace: LayerTrace; neuron: Neuron; result: DetectionResult }) {
  const { step, hoveredCell, pixel, channelView, shownTheme } = usePlayground((state) => state.view);
  const fit = usePlayground((state) => fitOf(state.source));
  const lit = useLitCells();
  const channel = channelView === 'mean' ? ('mean' as const) : neuron.channel;
  const cursor = hoveredCell ?? (pixel && cellOfPixel(pixel, trace, result.input, result.picture, fit));
  const maps = {
    trace,
    step,
    channel,
    theme: shownTheme,
    selected: neuron,
    cursor,
    lit,
    onHoverCell: (cell: { x: number; y: number } | undefined) => setView({ hoveredCell: cell }),
    onSelectCell: selectCell,
  };
  return (
    <>
      <div className="inspector-channel">
        <span className="field-label">{channelView === 'mean' ? `mean of ${trace.channels} channels` : `channel ${neuron.channel} of ${trace.channels}`}</span>
        <Button look="quiet" onPress={() => setView({ channelView: channelView === 'mean' ? 'neuron' : 'mean' })}>
          {channelView === 'mean' ? 'Show one channel' : 'Show the mean'}
        </Button>
      </div>
      <div className="inspector-maps">
        <figure>
          <figcaption>Membrane</figcaption>
          <MembraneMap {...maps} />
        </figure>
        <figure>
          <figcaption>{trace.emits === 'spikes' ? 'Spikes' : 'Emitted'}</figcaption>
          <SpikeMap {...maps} />
        </figure>
      </div>
      <h3>Channels, by firing rate at this step</h3>
      <ChannelStrip trace={trace} shows="emitted" step={step} theme={shownTheme} selected={neuron.channel} onSelectChannel={selectChannel} />
      <NeuronTrace trace={trace} neuron={neuron} step={step} theme={shownTheme} onSelectStep={showStep} />
      <NeuronActions neuron={neuron} />
    </>
  );
}

/** Silencing what is looked at, and where its spike came from. */
function NeuronActions({ neuron }: { neuron: Neuron }) {
  const layer = usePlayground((state) => state.view.layer);
  const muted = usePlayground((state) => state.run.muted);
  const traced = usePlayground((state) => state.explain.traced);
  const own = { kind: 'neuron' as const, layer, ...neuron };
  const channel = { kind: 'channel' as const, layer, channel: neuron.channel };
  return (
    <>
      <div className="inspector-actions">
        <Button onPress={() => toggleMuted(own)}>{isMuted(muted, own) ? 'Unmute this neuron' : 'Mute this neuron'}</Button>
        <Button onPress={() => toggleMuted(channel)}>{isMuted(muted, channel) ? `Unmute channel ${neuron.channel}` : `Mute channel ${neuron.channel}`}</Button>
        <Button onPress={() => void traceNeuronBack()}>Trace back its spike</Button>
      </div>
      {traced && (
        <div className="inspector-traced" role="status">
          <p>
            The {traced.result.fired ? 'spike' : 'membrane'} of x {traced.x}, y {traced.y}, channel {traced.channel} of layer {traced.layer} at step {traced.step + 1} came from{' '}
            {traced.result.input.values.reduce((sum, mark) => sum + mark, 0).toLocaleString('en')} pixels of the network’s input (clear in the SNN’s picture)
            {traced.result.layers.length > 0 && ' through '}
            {traced.result.layers.map(({ layer: each, count, of }) => `${count.toLocaleString('en')} of ${of.toLocaleString('en')} in layer ${each}`).join(', ')}. Only
            spikes that were fired count; between them, everything within the kernels.
          </p>
          <Button look="quiet" onPress={forgetTraced}>
            Clear
          </Button>
        </div>
      )}
    </>
  );
}
