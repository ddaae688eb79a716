import { panelTitles, hideablePanels } from '../state/names';
import { setView, usePlayground } from '../state/store';
import { chooseBox, chooseMissedBox, chooseSurestBox, restoreMuted, toggleMuted, traceNeuronBack } from './explain';
import { exportCommands } from './exports';
import { chooseFiles } from './files';
import { loadedName } from './keptModels';
import { chooseKeptModel, chooseShippedModel, shippedModels } from './models';
import { putBackTrained, selectLayer, setRun } from './run';
import { chooseSample, gallerySamples } from './samples';
import { copyLink, firstView } from './shared';
import { filmAnother, sceneTitles } from './simulate';
import { drawAnother } from './sources';
import { chooseTheme } from './theme';
import { moveStep, togglePlay } from './timeline';
import { showDialog, togglePanel } from './view';

/**
 * Every action once: the palette lists what stands here, keys press it, and buttons call the same functions. What needs a chart or
 * knows the pages is added by whoever has them.
 */
export interface Command {
  /** Unique; part of it before the colon is the kind of action. */
  id: string;
  title: string;
  group: CommandGroup;
  key?: CommandKey;
  run: () => void;
}

/** In the order in which the palette lists them. */
export const commandGroups = ['Time', 'Run', 'Network', 'Explain', 'Source', 'Export and share', 'Page'] as const;
export type CommandGroup = (typeof commandGroups)[number];

export interface CommandKey {
  /** `KeyboardEvent.key`. */
  value: string;
  /** As the list of keys shows it; several commands with the same text share a row. */
  shown: string;
  /** What the row says, where it is for several commands. */
  does?: string;
}

type Provider = () => readonly Command[];

const providers: Provider[] = [timeCommands, runCommands, networkCommands, explainCommands, sourceCommands, exportCommands, pageCommands];

/** Adds commands that other rooms have; the provider is asked whenever somebody wants the list. */
export function addCommands(provider: Provider): void {
  providers.push(provider);
}

/** What can be done now. */
export function commandsNow(): readonly Command[] {
  return providers.flatMap((provider) => provider());
}

function timeCommands(): readonly Command[] {
  return [
    { id: 'time:play', title: 'Play or pause the time steps', group: 'Time', key: { value: ' ', shown: 'Space' }, run: togglePlay },
    { id: 'time:back', title: 'One step back', group: 'Time', key: { value: 'ArrowLeft', shown: '← →', does: 'One step back or forward' }, run: () => moveStep(-1) },
    { id: 'time:forward', title: 'One step forward', group: 'Time', key: { value: 'ArrowRight', shown: '← →' }, run: () => moveStep(1) },
  ];
}

const mostSteps = 16;
const keyedSteps = 9;

function runCommands(): readonly Command[] {
  return [
    ...Array.from({ length: mostSteps }, (_, index): Command => {
      const steps = index + 1;
      const key = { value: String(steps), shown: '1 … 9', does: 'Run with that many time steps' };
      return {
        id: `steps:${steps}`,
        title: `Run with T = ${steps} time ${steps === 1 ? 'step' : 'steps'}`,
        group: 'Run',
        ...(steps <= keyedSteps && { key }),
        run: () => setRun({ steps }),
      };
    }),
    { id: 'run:trained', title: 'Put back what the network was trained with', group: 'Run', run: putBackTrained },
    ...shippedModels.map(({ name, title }): Command => ({ id: `model:${name}`, title: `Model: ${title}`, group: 'Run', run: () => void chooseShippedModel(name) })),
    ...usePlayground.getState().keptModels.map((own): Command => ({ id: `model:${loadedName(own)}`, title: `Model: ${loadedName(own)}`, group: 'Run', run: () => void chooseKeptModel(own) })),
  ];
}

function networkCommands(): readonly Command[] {
  const { results, view } = usePlayground.getState();
  const result = results.snn?.result;
  const orders = ['rate', 'place', 'channel'] as const;
  return [
    ...(result?.layers ?? []).map(
      ({ index, row, label }): Command => ({
        id: `layer:${index}`,
        title: `Layer ${index}: ${row} ${result?.blocks[row]?.block ?? ''}, ${label}`,
        group: 'Network',
        run: () => selectLayer(index),
      }),
    ),
    {
      id: 'network:channels',
      title: view.channelView === 'mean' ? 'Maps of one channel' : 'Maps of the channels’ mean',
      group: 'Network',
      run: () => setView({ channelView: view.channelView === 'mean' ? 'neuron' : 'mean' }),
    },
    ...orders.map((order): Command => ({ id: `raster:${order}`, title: `Raster sorted by ${order}`, group: 'Network', run: () => setView({ rasterOrder: order }) })),
  ];
}

function explainCommands(): readonly Command[] {
  const { results, view, run } = usePlayground.getState();
  const { layer, neuron } = view;
  const blocks = results.snn?.result.blocks.filter(({ row }) => results.snn?.result.layers.some((each) => each.row === row)) ?? [];
  return [
    { id: 'explain:surest', title: 'Why is the surest box there', group: 'Explain', run: chooseSurestBox },
    { id: 'explain:missed', title: 'Why was a labelled box missed', group: 'Explain', run: chooseMissedBox },
    ...(view.box ? [{ id: 'explain:none', title: 'Choose no box', group: 'Explain', run: () => chooseBox(undefined) } as const] : []),
    ...(neuron
      ? ([
          { id: 'explain:trace', title: 'Trace the chosen neuron back to its pixels', group: 'Explain', run: () => void traceNeuronBack() },
          { id: 'mute:neuron', title: 'Mute or unmute the chosen neuron', group: 'Explain', run: () => toggleMuted({ kind: 'neuron', layer, ...neuron }) },
          { id: 'mute:channel', title: 'Mute or unmute the chosen channel', group: 'Explain', run: () => toggleMuted({ kind: 'channel', layer, channel: neuron.channel }) },
        ] as const)
      : []),
    ...blocks.map(({ row, block }): Command => ({ id: `mute:block-${row}`, title: `Mute or unmute block ${row} (${block})`, group: 'Explain', run: () => toggleMuted({ kind: 'block', row }) })),
    ...(run.muted.length > 0 ? [{ id: 'mute:none', title: 'Restore everything that is muted', group: 'Explain', run: restoreMuted } as const] : []),
  ];
}

function sourceCommands(): readonly Command[] {
  return [
    { id: 'source:file', title: 'Open a file: picture, recording, video, checkpoint, settings', group: 'Source', run: chooseFiles },
    ...gallerySamples.map(({ name, title }): Command => ({ id: `sample:${name}`, title: `Open ${title}`, group: 'Source', run: () => void chooseSample(name) })),
    { id: 'source:draw', title: 'Draw another smear', group: 'Source', run: () => void drawAnother() },
    { id: 'source:digits', title: `Film another: ${sceneTitles.digits}`, group: 'Source', run: () => void filmAnother('digits') },
    { id: 'source:road', title: `Film another: ${sceneTitles.road}`, group: 'Source', run: () => void filmAnother('road') },
    { id: 'source:first', title: 'Back to the first picture', group: 'Source', run: () => void chooseSample(firstView.sample) },
  ];
}

function pageCommands(): readonly Command[] {
  const { hidden } = usePlayground.getState().view;
  const themes = ['system', 'light', 'dark'] as const;
  return [
    { id: 'share:link', title: 'Copy a link to this view', group: 'Export and share', run: () => void copyLink() },
    ...hideablePanels.map(
      (name): Command => ({
        id: `panel:${name}`,
        title: `${hidden.includes(name) ? 'Show' : 'Hide'} the panel: ${panelTitles[name]}`,
        group: 'Page',
        run: () => togglePanel(name),
      }),
    ),
    ...themes.map((theme): Command => ({ id: `theme:${theme}`, title: `Theme: ${theme}`, group: 'Page', run: () => chooseTheme(theme) })),
    { id: 'page:commands', title: 'Find a command', group: 'Page', key: { value: '/', shown: '/' }, run: () => showDialog('commands') },
    { id: 'page:help', title: 'What this page shows, and its keys', group: 'Page', key: { value: '?', shown: '?' }, run: () => showDialog('help') },
  ];
}
