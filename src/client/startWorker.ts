import type { WorkerLike } from '../base/workerMessages';

export function startEngineWorker(): WorkerLike {
  return new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module', name: 'engine' });
}

export function startBenchWorker(): WorkerLike {
  return new Worker(new URL('../engine/benchWorker.ts', import.meta.url), { type: 'module', name: 'bench' });
}

export function startTrainingWorker(): WorkerLike {
  return new Worker(new URL('../engine/trainingWorker.ts', import.meta.url), { type: 'module', name: 'training' });
}
