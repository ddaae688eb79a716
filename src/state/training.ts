import type { Box, Size } from '../base/geometry';
import type { Progress } from '../base/progress';
import type { BackendChoice, DatasetContent, DatasetOverview, KeptRun, LoggedEpoch, RunShape, StepReport, TrainingConfig, TrainingEvent } from '../client/types';

export type { DatasetOverview, LoggedEpoch, RunShape, StepReport, TrainingConfig, TrainingEvent };

/** What the Train page is set to, and the run that there is. */
export interface TrainingState {
  data: 'digits' | 'dataset' | 'labelled';
  /** The folder or zip that was opened last. */
  dataset: { title: string; content: DatasetContent; overview: DatasetOverview } | undefined;
  /** What a configuration file would hold; undefined until the defaults were filled in. */
  config: TrainingConfig | undefined;
  /** What a person wants that cannot be had: names the setting. */
  configProblem: string | undefined;
  /** A new network, or the one that is loaded. */
  startFrom: 'new' | 'snn' | 'ann';
  run: RunState | undefined;
  /** What the worker is at; undefined while it rests. */
  progress: Progress | undefined;
  /** A run is kept that this version of the page cannot take up. */
  hasUnreadableRun: boolean;
  /** Whether somebody has looked for a run that is kept. */
  lookedForRun: boolean;
}

export interface RunState {
  status: 'running' | 'pausing' | 'paused' | 'ended';
  config: TrainingConfig;
  /** Of its data. */
  title: string;
  shape: RunShape;
  backend: BackendChoice | undefined;
  steps: readonly StepReport[];
  epochs: readonly LoggedEpoch[];
  samples: RunSamples | undefined;
  /** Pictures and labels that could not be read. */
  leftOut: readonly { title: string; reason: string }[];
  /** Where its model is, once it has ended. */
  model: { name: string; mode: 'snn' | 'ann' } | undefined;
}

/** What the network finds on pictures that were kept aside, beside what is there. */
export interface RunSamples {
  /** Epochs that were behind. */
  epoch: number;
  pictures: readonly {
    bitmap: ImageBitmap;
    size: number;
    truth: readonly { box: Box; class: number }[];
    found: readonly { box: Box; class: number; score: number }[];
  }[];
}

/** A model that was trained on this machine. */
export interface KeptModel {
  name: string;
  title: string;
  reads: 'pictures' | 'events';
  slots: readonly ('snn' | 'ann')[];
  inputSize: number;
  /** By the released code's rule on what was kept aside. */
  map50: Partial<Record<'snn' | 'ann', number>>;
  /** What it takes of the machine's storage. */
  bytes: number;
}

/** Pictures that a person draws boxes on. */
export interface LabellingState {
  classNames: readonly string[];
  pictures: readonly LabelledPicture[];
  /** Index of the one that is shown. */
  current: number;
  /** Index of its box that is chosen. */
  selected: number | undefined;
  /** The class of new boxes. */
  class: number;
}

export interface LabelledPicture {
  /** Differs for all of them; also the file's name. */
  name: string;
  image: Blob;
  bitmap: ImageBitmap;
  size: Size;
  boxes: readonly { box: Box; class: number }[];
}

export const initialTraining: TrainingState = {
  data: 'digits',
  dataset: undefined,
  config: undefined,
  configProblem: undefined,
  startFrom: 'new',
  run: undefined,
  progress: undefined,
  hasUnreadableRun: false,
  lookedForRun: false,
};

export const initialLabelling: LabellingState = { classNames: ['object'], pictures: [], current: 0, selected: undefined, class: 0 };

/** A run that is kept, as it is taken up from storage. */
export function keptRunState({ config, title, shape, steps, epochs }: KeptRun, status: RunState['status']): RunState {
  return { status, config, title, shape, backend: undefined, steps, epochs, samples: undefined, leftOut: [], model: undefined };
}
