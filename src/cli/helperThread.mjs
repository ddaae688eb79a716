// A thread that computes along (threads.ts). As in bin.mjs, tsx compiles the program as it is loaded.
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { serve } = await import('../tensor/event/helper.ts');
serve(workerData, () => parentPort.postMessage('ready'));
