import { keep, listKept, readKept } from '../base/storage';
import { unpackDigits } from '../input/frames/mnist';
import { fetchTrainingKernels } from '../tensor/event/kernelsFile';
import { openTraining } from '../tensor/trainingBackend';
import { wasmFiles } from '../tensor/wasmFiles';
import { decodePicture, readModelFile, readSiteFile } from './pageFiles';
import { TrainingMessages } from './trainingMessages';

/** Training in a page: a worker of its own (decisions/0013). */

const messages = new TrainingMessages(
  {
    storage: { read: readKept, keep, list: listKept },
    readModelFile,
    decodePicture,
    readDigits: async (task) => unpackDigits(new Uint8Array(await (await readSiteFile('training/digits.bin', 'The handwritten digits', task)).arrayBuffer())),
    openTraining: () => openTraining('auto', { wasmPaths: wasmFiles, kernels: fetchTrainingKernels }),
    alone: (work) =>
      navigator.locks.request('training', { ifAvailable: true }, async (lock) => {
        if (lock) await work();
        return lock !== null;
      }),
  },
  (message) => self.postMessage(message),
);

self.addEventListener('message', (event: MessageEvent<unknown>) => messages.receive(event.data));
