import { fetchKernels, fetchTrainingKernels } from '../tensor/event/kernelsFile';
import { wasmFiles } from '../tensor/wasmFiles';
import { MessageHandler } from './messages';
import { decodePicture, encodePicture, readModelFile } from './pageFiles';
import { openOnnxRuntime } from './pageOnnxRuntime';
import { pageThreads } from './pageThreads';
import { decodeVideo } from './video';

/** The engine in a page: a dedicated worker, so that the page stays free. */

const handler = new MessageHandler(
  { readModelFile, decodePicture, encodePicture, decodeVideo, openOnnxRuntime, trainingKernels: fetchTrainingKernels },
  { wasmPaths: wasmFiles, eventKernels: fetchKernels, threads: pageThreads },
  (message, transfer) => self.postMessage(message, { transfer }),
);

self.addEventListener('message', (event: MessageEvent<unknown>) => handler.receive(event.data));
