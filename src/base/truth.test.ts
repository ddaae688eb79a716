import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPresent, sharedDataFolder } from '../../e2e/golden';
import { readTruth, type TruthBox } from './truth';
import { npyHeader } from './npy';
import { writeGen1Boxes } from './writeTruth';

const sensor = { width: 304, height: 240 };
const read = (name: string, bytes: BlobPart): Promise<TruthBox[]> => readTruth({ name, blob: new Blob([bytes]), sensor });

const boxes: TruthBox[] = [
  { timeUs: 250_000, box: [10, 20, 40, 60], class: 1, name: undefined },
  { timeUs: 500_000, box: [0.5, 1.5, 303, 239], class: 0, name: undefined },
];

describe('Gen1’s boxes', () => {
  it('come back as they were written', async () => {
    expect(await read('a_bbox.npy', new Uint8Array(writeGen1Boxes(boxes)))).toEqual(boxes);
  });

  it('have a time called t in some releases', async () => {
    const header = npyHeader("{'descr': [('t', '<u8'), ('x', '<f4'), ('y', '<f4'), ('w', '<f4'), ('h', '<f4'), ('class_id', '|u1')], 'fortran_order': False, 'shape': (1,), }");
    const bytes = new Uint8Array(header.length + 25);
    bytes.set(header);
    const view = new DataView(bytes.buffer, header.length);
    view.setBigUint64(0, 99n, true);
    [5, 6, 7, 8].forEach((value, side) => view.setFloat32(8 + side * 4, value, true));
    view.setUint8(24, 1);
    expect(await read('a_bbox.npy', bytes)).toEqual([{ timeUs: 99, box: [5, 6, 12, 14], class: 1, name: undefined }]);
  });

  it('are clipped to the sensor, and left out where nothing of them is on it', async () => {
    const outside: TruthBox[] = [
      { timeUs: 1, box: [-20, 8, 37, 250], class: 0, name: undefined },
      { timeUs: 1, box: [310, 8, 330, 20], class: 0, name: undefined },
    ];
    expect(await read('a_bbox.npy', new Uint8Array(writeGen1Boxes(outside)))).toEqual([{ timeUs: 1, box: [0, 8, 37, 240], class: 0, name: undefined }]);
  });

  const sample = resolve(sharedDataFolder, 'events/gen1_layout/sample_bbox.npy');
  it.runIf(isPresent(sample, 'Reading a real file of boxes'))('of a real file', async () => {
    const truth = await read('sample_bbox.npy', new Uint8Array(readFileSync(sample)));
    expect(truth.map(({ timeUs }) => timeUs)).toEqual([20_000, 60_000, 60_000, 99_000]);
    expect(truth.at(-1)?.box).toEqual([0, 8, 37, 41]);
  });
});

describe('VOC and YOLO', () => {
  it('VOC names its classes and holds throughout', async () => {
    const xml = '<annotation><object><name>car</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>';
    expect(await read('a.xml', xml)).toEqual([{ timeUs: undefined, box: [1, 2, 30, 40], class: undefined, name: 'car' }]);
    expect(await read('a.xml', '<annotation></annotation>')).toEqual([]);
  });

  it('entities of its own are not followed', async () => {
    const bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><annotation><object><name>&b;</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>';
    const names = await read('a.xml', bomb).then(
      (truth) => truth.map(({ name }) => name),
      () => [],
    );
    expect(names).not.toContain('bbbb');
  });

  it('YOLO counts in shares of the picture', async () => {
    expect(await read('a.txt', '1 0.5 0.5 0.25 0.5\n\n')).toEqual([{ timeUs: undefined, box: [114, 60, 190, 180], class: 1, name: undefined }]);
  });
});

it.each([
  ['a.npy', 'no numpy', 'input/unsupported'],
  ['a.xml', '<annotation><object><name>x</name></object></annotation>', 'input/unreadable'],
  ['a.txt', '1 2 3\n', 'input/unreadable'],
  ['a_bbox.npy', '\u0093NUMPY', 'input/unsupported'],
])('%s with %j is refused with a sentence', async (name, text, code) => {
  await expect(read(name, text)).rejects.toMatchObject({ code });
});
