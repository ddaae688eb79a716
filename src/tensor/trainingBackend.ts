import type { BackendName } from '../base/backendName';
import { chooseBackend, openEvent, openReference, type Backend, type BackendPreference } from './backend';
import type { KernelSource } from './event/kernels';
import { EventTraining } from './event/training';
import { startTrainingKernels } from './event/trainingKernels';
import { ReferenceTraining } from './referenceTraining';
import { startTfjs, tfjsMemory } from './tfjs/start';
import { TfjsTraining } from './tfjs/training';
import type { TrainingOperations } from './training';

/** What training runs on, and why: shown beside the run. */
export type TrainingBackend = Backend<TrainingOperations>;

export interface TrainingPrograms {
  /** Addresses of tfjs's WASM binaries by file name; where missing, Node finds them beside the package. */
  wasmPaths?: Readonly<Record<string, string>>;
  /** The compiled kernels of training on the CPU. */
  kernels: KernelSource;
}

/**
 * The one place that decides what a run trains on: for `auto` WebGPU on a real GPU, else the event-driven engine on the CPU. Training on tfjs
 * shares tfjs, and on WebGPU the device, with the network that the same worker runs.
 * @param avoid backends that failed since the page was opened and are passed over by `auto`
 * @throws AppError `backend/unavailable`
 */
export async function openTraining(
  preference: BackendPreference, { wasmPaths, kernels }: TrainingPrograms, avoid: readonly BackendName[] = [],
): Promise<TrainingBackend> {
  return chooseBackend<TrainingOperations>(preference, avoid, async (name, refuseSoftware) => {
    if (name === 'reference') return openReference(new ReferenceTraining());
    if (name === 'event') return openEvent(async () => new EventTraining(await startTrainingKernels(await kernels())));
    // Gradients take 32 bits.
    const started = await startTfjs(name === 'webgpu-half' ? 'webgpu' : name, { wasmPaths, refuseSoftware });
    return typeof started === 'string' ? started : { ...started, operations: new TfjsTraining(name === 'webgpu-half' ? 'webgpu' : name), memory: tfjsMemory };
  });
}
