import { readKernels, type KernelProgram } from '../src/cli/kernels';
import { nodeThreads } from '../src/cli/threads';
import type { BackendName } from '../src/base/backendName';
import type { BackendOptions } from '../src/tensor/backend';
import { EventTraining } from '../src/tensor/event/training';
import { startTrainingKernels } from '../src/tensor/event/trainingKernels';
import type { TrainingPrograms } from '../src/tensor/trainingBackend';

/** What opens any backend that Node has; the CPU engine on several threads if so wanted. */
export function nodeBackend(preference: 'auto' | BackendName, threads = 1): BackendOptions {
  return { preference, wasmPaths: undefined, eventKernels: () => readKernels(), ...(threads > 1 && { eventThreads: nodeThreads(threads) }), avoid: [] };
}

/** A compiled program of the CPU engine. */
export const nodeKernels = (program: KernelProgram): Promise<BufferSource> => readKernels(program);

export const nodeTrainingKernels = (): Promise<BufferSource> => nodeKernels('training');

/** What opens any training that Node has. */
export const trainingPrograms: TrainingPrograms = { kernels: nodeTrainingKernels };

/** Training on the CPU. */
export async function nodeTraining(): Promise<EventTraining> {
  return new EventTraining(await startTrainingKernels(await nodeTrainingKernels()));
}
