import { fetchKernels } from '../tensor/event/kernelsFile';
import { wasmFiles } from '../tensor/wasmFiles';
import { storedChoices } from '../tensor/webgpu/storedChoices';
import { ContestantMessages } from './bench/contestantMessages';
import { openOnnxRuntime } from './pageOnnxRuntime';

/** One engine of a benchmark, alone in its worker. */

const messages = new ContestantMessages(
  { programs: { wasmPaths: wasmFiles, eventKernels: fetchKernels, kernelChoices: storedChoices }, openOnnxRuntime },
  (message) => self.postMessage(message),
);

self.addEventListener('message', (event: MessageEvent<unknown>) => messages.receive(event.data));
