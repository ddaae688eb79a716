import { defaultConversion, type ConversionOptions } from '../base/conversionOptions';
import { paperConvention, type EnergyConvention } from '../base/energyConvention';
import type { DetectionResult, EnergyBreakdown } from '../client/types';

/** The network that the ANN twin is converted to, and how far its boxes have come. */
export interface ConvertedState {
  isOn: boolean;
  options: ConversionOptions;
  /** What the thresholds are measured on: the gallery's smears, what is shown now, or pictures of the person's own. */
  calibration: 'gallery' | 'shown' | 'files';
  files: readonly File[];
  /** How many steps it is to run. */
  steps: number;
  /** After more and more steps on one source, in this order; the pane shows the one of `steps`, or the last before it. */
  points: readonly DetectionResult[];
  /** Whose points they are. */
  sourceId: string | undefined;
  running: boolean;
}

export const firstConvertedState: ConvertedState = {
  isOn: false,
  options: defaultConversion,
  calibration: 'gallery',
  files: [],
  steps: 256,
  points: [],
  sourceId: undefined,
  running: false,
};

/** Estimates of what is shown, under the paper's convention and under the one that was chosen. */
export interface EnergyState {
  convention: EnergyConvention;
  /** Undefined for what has not run. */
  estimates: Record<'snn' | 'converted', ComparedEstimate | undefined>;
  /** Spent up to each step of the SNN, and up to each point of the converted network, as chosen. */
  spentPj: Record<'snn' | 'converted', readonly (number | null)[]>;
}

export interface ComparedEstimate {
  paper: EnergyBreakdown;
  chosen: EnergyBreakdown;
}

export const firstEnergyState: EnergyState = {
  convention: paperConvention,
  estimates: { snn: undefined, converted: undefined },
  spentPj: { snn: [], converted: [] },
};
