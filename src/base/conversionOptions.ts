/** How an ANN twin is converted to a spiking network: the words that the page, the engine and the conversion itself share. */

export const normalisations = ['channel', 'layer'] as const;

export interface ConversionOptions {
  /** One threshold for each channel of a layer, or one for the whole layer. */
  normalisation: (typeof normalisations)[number];
  /** Percentile of the positive activations, above 0 up to 100. */
  percentile: number;
  /** Spikes that a neuron may fire within one step (burst spikes, Li et al. 2022); 1 without bursts. */
  maximumSpikes: number;
}

export const defaultConversion: ConversionOptions = { normalisation: 'channel', percentile: 99.9, maximumSpikes: 5 };
export const largestBurst = 8;
/** On the shipped samples all boxes are those of the ANN by then. */
export const defaultConvertedSteps = 256;
/** Trained networks take up to 16 steps; the boxes of a converted one have long settled here. */
export const maximumConvertedSteps = 1024;
export const maximumCalibrationFrames = 32;
