import type { BenchFile, BenchSetup, ContestantName, OwnBackend, RaceReport } from '../client/types';

export type { BenchDetail, BenchFile, BenchRow, BenchSetup, ContestantName, OwnBackend, RaceReport, Spread } from '../client/types';

/** What the Benchmark page is set to, what it measured, and what that is compared with. */
export interface BenchState {
  choice: BenchChoice;
  running: 'race' | 'costs' | undefined;
  result: BenchFile | undefined;
  leftOut: RaceReport['leftOut'];
  /** What the costs of {@link result} were measured with, for measuring one more threshold. */
  costsOf: { setup: BenchSetup; backend: OwnBackend } | undefined;
  /** The trained threshold is multiplied by this in what is shown of the layers. */
  factor: number;
  /** A result that was saved before. */
  compared: { title: string; file: BenchFile } | undefined;
}

export interface BenchChoice {
  contestants: readonly ContestantName[];
  /** `smear` is the command line's; `shown` that of the Detect page. */
  picture: 'smear' | 'shown';
  /** Undefined: the model's own. */
  side: number | undefined;
  steps: number;
  twiceAsWide: boolean;
  timedRuns: number;
  /** Whose costs are measured. */
  backend: OwnBackend;
}

export const initialBench: BenchState = {
  choice: {
    contestants: ['this event', 'tfjs wasm', 'onnxruntime-web wasm'],
    picture: 'smear',
    side: undefined,
    steps: 4,
    twiceAsWide: false,
    timedRuns: 15,
    backend: 'event',
  },
  running: undefined,
  result: undefined,
  leftOut: [],
  costsOf: undefined,
  factor: 1,
  compared: undefined,
};
