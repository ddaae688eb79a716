import type { DatasetPart } from '../base/datasetOptions';
import type { DatasetSummary, EvaluationState, RequestPayload } from '../client/types';

/** What the Evaluate page has open, what is to be evaluated, and what came of it. */
export interface EvaluateState {
  dataset: OpenDataset | undefined;
  choice: EvaluationChoice;
  evaluation: Evaluation | undefined;
  /** Which of the results is looked at closely: an index into the evaluation's cases. */
  shownCase: number;
  shownRule: 'released' | 'coco';
}

/** A data set as the engine was given it; it can be given again to an engine that was started anew. */
export interface OpenDataset {
  title: string;
  content: RequestPayload<'openDataset'>['content'];
  summary: DatasetSummary;
}

export interface EvaluationChoice {
  /** Ids of networks that a person switched on or off; the rest follows what is loaded. */
  networks: Readonly<Record<string, boolean>>;
  /** Of trained SNNs; empty: each network's own. */
  steps: readonly number[];
  convertedSteps: readonly number[];
  /** Undefined: the whole set. */
  part: DatasetPart | undefined;
  /** Undefined: all samples. */
  limit: number | undefined;
  /** Undefined: each network's own. */
  inputSize: number | undefined;
}

export interface Evaluation {
  request: Omit<RequestPayload<'evaluate'>, 'budgetMs'>;
  /** The data set's title. */
  title: string;
  /** What it comes to so far; undefined before the first samples are through. */
  state: EvaluationState | undefined;
  isRunning: boolean;
}

export const initialEvaluate: EvaluateState = {
  dataset: undefined,
  choice: { networks: {}, steps: [], convertedSteps: [], part: undefined, limit: undefined, inputSize: undefined },
  evaluation: undefined,
  shownCase: 0,
  shownRule: 'released',
};
