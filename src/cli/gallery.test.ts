import { openAsBlob, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { z } from '../base/schema';
import { detectionResultSchema } from '../engine/protocol';
import { drawSmear } from '../input/frames/smear';
import { unpackDigits } from '../input/frames/mnist';
import { chosenDigits, computeExample, digitsFile, galleryFolder, galleryRecording, galleryScenes, gallerySeeds } from './gallery';

describe('the gallery', () => {
  it.each(gallerySeeds)('holds the picture that seed %i draws', async (seed) => {
    const { width, height, data } = drawSmear(seed);
    const stored = await sharp(join(galleryFolder, `smear-${seed}.jpg`)).raw().toBuffer({ resolveWithObject: true });
    expect(stored.info).toMatchObject({ width, height, channels: 3 });
    const difference = stored.data.reduce((sum, value, index) => sum + Math.abs(value - (data[index] ?? NaN)), 0) / data.length;
    // What JPEG loses; another seed differs by more than 15.
    expect(difference).toBeLessThan(3);
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
