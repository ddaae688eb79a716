/**
 * What one neuron layer did over all time steps. Arrays have the shape `[steps, height, width, channels]`, row-major:
 * the value of step t, row y, column x, channel c is at `((t * height + y) * width + x) * channels + c`.
 */
export interface LayerTrace {
  /** `spikes`: every emitted value is 0 or 1. `values`: the neuron emits real numbers (SiLU, or ReLU in the ANN twin). */
  emits: 'spikes' | 'values';
  steps: number;
  height: number;
  width: number;
  channels: number;
  /** Membrane potentials before the reset. */
  membrane: Float32Array;
  emitted: Float32Array;
  /** What a membrane must exceed to spike. */
  threshold: number;
}
