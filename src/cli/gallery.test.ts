import { openAsBlob, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { z } from '../base/schema';
import { detectionResultSchema } from '../engine/protocol';
import { drawLabelledSmear, drawSmear } from '../input/frames/smear';
import { unpackDigits } from '../input/frames/mnist';
import { chosenDigits, computeExample, digitsFile, galleryFolder, galleryLabels, galleryRecording, galleryScenes, gallerySeeds } from './gallery';

describe('the gallery', () => {
  it.each(gallerySeeds)('holds the picture that seed %i draws', async (seed) => {
    const { width, height, data } = drawSmear(seed);
    const stored = await sharp(join(galleryFolder, `smear-${seed}.jpg`)).raw().toBuffer({ resolveWithObject: true });
    expect(stored.info).toMatchObject({ width, height, channels: 3 });
    const difference = stored.data.reduce((sum, value, index) => sum + Math.abs(value - (data[index] ?? NaN)), 0) / data.length;
    // What JPEG loses; another seed differs by more than 15.
    expect(difference).toBeLessThan(3);
  });

  it.each(gallerySeeds)('holds the cells that seed %i draws, each a box on the picture', (seed) => {
    expect(readFileSync(join(galleryFolder, `smear-${seed}.json`), 'utf8')).toBe(galleryLabels(seed));
    const { picture, boxes } = drawLabelledSmear(seed);
    expect(boxes.length).toBeGreaterThan(12);
    for (const { name, box: [x1, y1, x2, y2] } of boxes) {
      expect(Math.min(x1, y1, picture.width - x2, picture.height - y2)).toBeGreaterThanOrEqual(0);
      // Cells lie on a bright ground and are darker than it: so is the middle of each box.
      const middle = (Math.round((y1 + y2) / 2) * picture.width + Math.round((x1 + x2) / 2)) * 3;
      expect(picture.data[middle + 1]).toBeLessThan(200);
      const side = Math.max(x2 - x1, y2 - y1);
      const [smallest, largest] = { RBC: [60, 130], WBC: [120, 240], Platelets: [18, 45] }[name];
      expect(side).toBeGreaterThan(smallest ?? 0);
      expect(side).toBeLessThan(largest ?? 0);
    }
  });

  it.each(galleryScenes)('holds the recording that the simulated camera makes: %j', async ({ scene, seed }) => {
    const { recording, boxes } = await galleryRecording(scene, seed);
    expect(readFileSync(join(galleryFolder, `${scene}-${seed}.raw`)).equals(recording)).toBe(true);
    expect(readFileSync(join(galleryFolder, `${scene}-${seed}.json`), 'utf8')).toBe(boxes);
  });

  it('shows first what the networks really find', async () => {
    const stored = z
      .object({ snn: detectionResultSchema, ann: detectionResultSchema })
      .parse(JSON.parse(readFileSync(join(galleryFolder, 'example.json'), 'utf8')));
    const computed = await computeExample(await openAsBlob(join(galleryFolder, 'smear-1.jpg')));
    for (const slot of ['snn', 'ann'] as const) {
      const { timing: storedTiming, ...expected } = stored[slot];
      const { timing, ...actual } = computed[slot];
      expect(Object.keys(storedTiming)).toEqual(Object.keys(timing));
      expect(JSON.parse(JSON.stringify(actual))).toEqual(expected);
    }
  });

  it('holds the digits to train with', async () => {
    const [stored, chosen] = [await unpackDigits(new Uint8Array(readFileSync(digitsFile))), await chosenDigits()];
    for (const part of ['training', 'validation'] as const) {
      expect(stored[part].map(({ label }) => label)).toEqual(chosen[part].map(({ label }) => label));
      const greys = [stored, chosen].map((pools) => Buffer.concat(pools[part].map(({ grey }) => grey)));
      expect(greys[0]?.equals(greys[1] ?? Buffer.of())).toBe(true);
    }
    expect([stored.training.length, stored.validation.length]).toEqual([2000, 400]);
  });

  it('draws other pictures for other seeds, and the same for the same', () => {
    expect(drawSmear(7).data).toEqual(drawSmear(7).data);
    expect(drawSmear(7).data).not.toEqual(drawSmear(8).data);
  });
});
