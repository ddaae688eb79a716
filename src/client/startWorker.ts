import type { WorkerLike } from './engineClient';

export function startEngineWorker(): WorkerLike {
  return new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module', name: 'engine' });
}

export function startTrainingWorker(): WorkerLike {
  return new Worker(new URL('../engine/trainingWorker.ts', import.meta.url), { type: 'module', name: 'training' });
}
