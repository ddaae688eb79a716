import { AppError } from '../base/errors';
import type { Task } from '../base/progress';
import { openPyTorch } from './pytorch';
import { openSafetensors, truncated } from './safetensors';
import type { Checkpoint } from './types';

/** torch.save before version 1.6: a pickle of this number comes first. */
const legacyMagic = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20];

/**
 * Opens a checkpoint by what it holds, whatever it is called.
 * @throws AppError `checkpoint/*`, `cancelled`
 */
export async function openCheckpoint(blob: Blob, task: Task): Promise<Checkpoint> {
  const head = await firstBytes(blob);
  const starts = (signature: readonly number[], at = 0): boolean => signature.every((byte, index) => head[at + index] === byte);
  if (head.length === 0) {
    throw notACheckpoint('The file is empty.', 'Download or save it again.');
  }
  if (starts([0x50, 0x4b, 0x03, 0x04]) || starts([0x50, 0x4b, 0x05, 0x06])) return openPyTorch(blob, task);
  if (head[8] === 0x7b && headerFits(head, blob.size)) return openSafetensors(blob, task);
  if (starts(legacyMagic)) {
    throw new AppError(
      'checkpoint/legacy-tar',
      'The checkpoint is in the format that PyTorch wrote before version 1.6, which is not read here.',
      'Load it with PyTorch and save it again: torch.save(torch.load("old.pt"), "new.pt").',
    );
  }
  if (starts([...'ustar'].map((letter) => letter.charCodeAt(0)), 257) || looksLikeTar(head)) {
    throw new AppError(
      'checkpoint/legacy-tar',
      'The file is a tar archive; PyTorch’s oldest format is one, and it is not read here.',
      'Load it with PyTorch and save it again: torch.save(torch.load("old.pt"), "new.pt"); unpack any other archive first.',
    );
  }
  if (starts([0x80]) && (head[1] ?? 0) <= 5) {
    throw notACheckpoint(
      'The file is a bare pickle, without the zip archive that PyTorch puts around it.',
      'Save the model with torch.save (PyTorch 1.6 or newer), and load that.',
    );
  }
  if (starts([0x1f, 0x8b])) {
    throw notACheckpoint('The file is compressed with gzip.', 'Unpack it, and load what is in it.');
  }
  if (isText(head)) {
    const text = new TextDecoder().decode(head).trimStart().toLowerCase();
    if (text.startsWith('<!doctype') || text.startsWith('<html')) {
      throw notACheckpoint('The file is a web page, not a checkpoint.', 'Use the download link itself: the page around it was saved.');
    }
    if (text.startsWith('version https://git-lfs')) {
      throw notACheckpoint('The file is a pointer of Git LFS, not the checkpoint itself.', 'Fetch the real file with git lfs pull.');
    }
    throw notACheckpoint('The file is text, not a checkpoint.', 'Choose a .pt or .safetensors file.');
  }
  // A safetensors file that was cut off keeps its first bytes.
  if (head[8] === 0x7b) throw truncated();
  if (starts([0x08]) && new TextDecoder('latin1').decode(head).includes('pytorch')) {
    throw notACheckpoint('The file is an ONNX model, which does not say how EMS-YOLO is built.', 'Load the .pt that it was exported from.');
  }
  throw notACheckpoint('The file is not a checkpoint of a kind that is known here.', 'Choose a .pt file that torch.save wrote, or a .safetensors file.');
}

async function firstBytes(blob: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.slice(0, 512).arrayBuffer());
  } catch (cause) {
    throw notACheckpoint('The file cannot be read: it was moved, or it is a folder.', 'Choose the file again.', cause);
  }
}

function notACheckpoint(message: string, remedy: string, cause?: unknown): AppError {
  return new AppError('checkpoint/not-a-checkpoint', message, remedy, cause);
}

/** Whether the first 8 bytes can be the length of a header inside of the file. */
function headerFits(head: Uint8Array, size: number): boolean {
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  return length >= 2 && 8 + length <= size;
}

/** A tar without the `ustar` mark: a name, then octal numbers at fixed places. */
function looksLikeTar(head: Uint8Array): boolean {
  if (head.length < 512 || !head[0]) return false;
  const octal = new TextDecoder('latin1').decode(head.subarray(100, 108));
  const checksum = new TextDecoder('latin1').decode(head.subarray(148, 156));
  return /^[0-7 ]{6,7}[\0 ]/.test(octal) && /^[0-7 ]{6,7}[\0 ]/.test(checksum);
}

/** ASCII or UTF-8. */
function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}
