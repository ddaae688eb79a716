import { readKernels } from '../src/cli/kernels';
import type { BackendName } from '../src/base/backendName';
import type { BackendOptions } from '../src/tensor/backend';
import { EventTraining } from '../src/tensor/event/training';
import { startTrainingKernels } from '../src/tensor/event/trainingKernels';
import type { TrainingPrograms } from '../src/tensor/trainingBackend';

/** What opens any backend that Node has. */
export function nodeBackend(preference: 'auto' | BackendName): BackendOptions {
  return { preference, wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [] };
}

export const nodeTrainingKernels = (): Promise<BufferSource> => readKernels('training');

/** What opens any training that Node has. */
export const trainingPrograms: TrainingPrograms = { kernels: nodeTrainingKernels };

/** Training on the CPU. */
export async function nodeTraining(): Promise<EventTraining> {
  return new EventTraining(await startTrainingKernels(await nodeTrainingKernels()));
}
