import { npyHeader } from './npy';
import type { Box, Size } from './geometry';
import type { TruthBox } from './truth';

/** Gen1's record: 8 + 4 * 4 + 1 + 4 + 4 bytes, packed. */
const description =
  "{'descr': [('ts', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4'), ('class_id', '|u1'), ('class_confidence', '<f4'), ('track_id', '<u4')], 'fortran_order': False, 'shape': (COUNT,), }";
const recordBytes = 33;

/** Boxes as Gen1's `*_bbox.npy`. */
export function writeGen1Boxes(boxes: readonly TruthBox[]): Uint8Array {
  const header = npyHeader(description.replace('COUNT', String(boxes.length)));
  const bytes = new Uint8Array(header.length + boxes.length * recordBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(header);
  boxes.forEach(({ timeUs, box: [x1, y1, x2, y2], class: label }, index) => {
    const at = header.length + index * recordBytes;
    view.setBigUint64(at, BigInt(Math.max(Math.round(timeUs ?? 0), 0)), true);
    [x1, y1, x2 - x1, y2 - y1].forEach((value, side) => view.setFloat32(at + 8 + side * 4, value, true));
    view.setUint8(at + 24, label ?? 0);
    view.setFloat32(at + 25, 1, true);
    view.setUint32(at + 29, index, true);
  });
  return bytes;
}

/** Boxes on a picture as YOLO's text: a class, then centre and size as shares of the picture. */
export function writeYolo(boxes: readonly { box: Box; class: number }[], { width, height }: Size): string {
  return boxes
    .map(({ box: [x1, y1, x2, y2], class: label }) => {
      const shares = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height];
      return `${label} ${shares.map((share) => share.toFixed(6)).join(' ')}\n`;
    })
    .join('');
}
