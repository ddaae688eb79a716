import type { Explanation, TracedBack } from '../client/types';

/** Why the chosen box is there, and what led to the chosen neuron's spike. */
export interface ExplainState {
  /** Undefined until a box is chosen and its explanation has come. */
  explanation: { sourceId: string; result: Explanation } | undefined;
  traced: { sourceId: string; layer: number; x: number; y: number; channel: number; step: number; result: TracedBack } | undefined;
}

export const firstExplainState: ExplainState = { explanation: undefined, traced: undefined };

/** Spikes of one window of a recording in one layer, for a raster over many of them. */
export interface RasterFrame {
  fromUs: number;
  steps: number;
  /** Bit t of a neuron's number is set where it spiked in step t. */
  masks: Uint32Array;
}

/** The windows that were looked at one after the other, of one layer of one recording. */
export interface RasterHistory {
  key: string;
  frames: readonly RasterFrame[];
}

export const firstRasterHistory: RasterHistory = { key: '', frames: [] };
