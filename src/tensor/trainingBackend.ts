import { AppError } from '../base/errors';
import type { BackendChoice } from './backend';
import type { KernelSource } from './event/kernels';
import { EventTraining } from './event/training';
import { startTrainingKernels } from './event/trainingKernels';
import type { TrainingOperations } from './training';

/** What training runs on, and why: shown beside the run. */
export interface TrainingBackend {
  choice: BackendChoice;
  operations: TrainingOperations;
  /** Resolves with the driver's words when the device is gone; never for a CPU. */
  lost: Promise<string>;
}

export interface TrainingBackendOptions {
  /** The compiled kernels of training on the CPU. */
  kernels: KernelSource;
}

/**
 * The one place that decides what a run trains on.
 * @throws AppError `backend/unavailable`
 */
export async function openTraining({ kernels }: TrainingBackendOptions): Promise<TrainingBackend> {
  try {
    return {
      choice: { name: 'event', label: 'CPU (event-driven WASM SIMD)', reason: 'The fastest one here.' },
      operations: new EventTraining(await startTrainingKernels(await kernels())),
      lost: new Promise<string>(() => undefined),
    };
  } catch (cause) {
    // A machine without SIMD refuses to compile the program.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('backend/unavailable', `Training cannot run here: its program could not be started (${why}).`, 'Use a current browser, or the command line.', cause);
  }
}
