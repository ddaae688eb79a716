import type { LayerTrace } from '../base/trace';
import { setView, usePlayground } from '../state/store';

/** By its index in `[height, width, channels]`. */
export function selectNeuron({ width, channels }: LayerTrace, index: number): void {
  const place = Math.floor(index / channels);
  setView({ neuron: { x: place % width, y: Math.floor(place / width), channel: index % channels } });
}

export function selectCell(cell: { x: number; y: number }): void {
  const { neuron } = usePlayground.getState().view;
  setView({ neuron: { ...cell, channel: neuron?.channel ?? 0 } });
}

export function selectChannel(channel: number): void {
  const { neuron } = usePlayground.getState().view;
  setView({ neuron: { x: neuron?.x ?? 0, y: neuron?.y ?? 0, channel }, channelView: 'neuron' });
}
