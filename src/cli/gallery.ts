/** `npm run gallery`: draws the gallery's pictures and computes what the page shows before its engine is ready. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Session } from '../engine/session';
import { drawSmear } from '../input/frames/smear';
import { trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { readKernels } from './kernels';
import { projectFolder } from './site';
import { nodeSurroundings, terminalTask } from './surroundings';
import type { DetectionResult } from '../engine/protocol';

export const galleryFolder = join(projectFolder, 'public', 'gallery');
export const gallerySeeds = [1, 2, 3, 4, 5, 6] as const;

/** The stored picture of a seed, as the page gets it. */
export async function galleryPicture(seed: number): Promise<Buffer> {
  const { width, height, data } = drawSmear(seed);
  return sharp(data, { raw: { width, height, channels: 3 } }).jpeg({ quality: 88, chromaSubsampling: '4:4:4' }).toBuffer();
}

/** What both networks find on a picture, with the settings that the page opens with. */
export async function computeExample(image: Blob): Promise<{ snn: DetectionResult; ann: DetectionResult }> {
  const task = terminalTask();
  const session = new Session(await openBackend({ preference: 'event', wasmPaths: undefined, eventKernels: readKernels, avoid: [] }), nodeSurroundings);
  const run = async (slot: 'snn' | 'ann'): Promise<DetectionResult> => {
    const model = await session.load({ slot, source: { kind: 'shipped', name: 'bccd' } }, task);
    const settings = { steps: model.steps ?? 4, ...trainedNeuron, inputSize: model.inputSize ?? ('native' as const) };
    return session.detect({ slot, frame: { id: 'example', image }, settings, confidence: 0.25, iou: 0.45 }, task);
  };
  return { snn: await run('snn'), ann: await run('ann') };
}

async function writeGallery(): Promise<void> {
  await mkdir(galleryFolder, { recursive: true });
  for (const seed of gallerySeeds) await writeFile(join(galleryFolder, `smear-${seed}.jpg`), await galleryPicture(seed));
  const example = await computeExample(new Blob([new Uint8Array(await galleryPicture(gallerySeeds[0]))]));
  await writeFile(join(galleryFolder, 'example.json'), `${JSON.stringify(example)}\n`);
}

if (process.argv[1] === import.meta.filename) await writeGallery();
