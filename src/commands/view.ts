import { setView, usePlayground, type PanelName, type PlaygroundState } from '../state/store';

/** What is open and what is hidden. */

export function showDialog(dialog: PlaygroundState['view']['dialog']): void {
  setView({ dialog });
}

export function togglePanel(name: PanelName): void {
  const { hidden } = usePlayground.getState().view;
  setView({ hidden: hidden.includes(name) ? hidden.filter((other) => other !== name) : [...hidden, name] });
}
