import { AppError } from '../../base/errors';
import type { Task } from '../../base/progress';
import { aedat2 } from './aedat2';
import { aedat3 } from './aedat3';
import { aedat4 } from './aedat4';
import { atisBin } from './atisBin';
import { dat } from './dat';
import { eventStream } from './eventStream';
import { evt2 } from './evt2';
import { evt3 } from './evt3';
import { hdf5 } from './hdf5';
import { npy } from './npy';
import { Recording } from './recording';
import { refused } from './refused';
import type { Format, OpenOptions, RecordingFile } from './source';
import { text } from './text';

/** In the order in which they are asked: those with a signature first, those that are only plausible last. */
const formats: readonly Format[] = [refused, hdf5, npy, aedat4, aedat3, aedat2, evt3, evt2, eventStream, dat, text, atisBin];

const headBytes = 64 * 1024;

/**
 * The one door for recordings: what is in the file decides which format it is.
 * @throws AppError `input/unsupported` where no reader knows it or its kind is refused by name, `input/unreadable`
 */
export async function openRecording(file: RecordingFile, options: OpenOptions, task: Task): Promise<Recording> {
  const head = await headOf(file.blob);
  const format = formats.find((known) => known.recognises(head, file.name));
  if (!format) {
    throw new AppError(
      'input/unsupported',
      `${file.name} is not an event recording of a kind that is known here.`,
      'Known are Prophesee DAT and RAW (EVT 2.0, 2.1, 3.0), AEDAT 2, 3.1 and 4, ATIS bin, Event Stream, HDF5, npy, npz and text.',
    );
  }
  return new Recording(await format.open(file, head, options, task));
}

/** Whether a reader would take the file: for telling recordings from pictures and checkpoints. */
export async function isRecording(file: RecordingFile): Promise<boolean> {
  const head = await headOf(file.blob);
  return formats.some((known) => known.recognises(head, file.name));
}

async function headOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.slice(0, headBytes).arrayBuffer());
}
