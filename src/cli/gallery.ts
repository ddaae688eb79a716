/** `npm run gallery`: draws the gallery's pictures, films its scenes, packs the digits that the page trains with, and computes what the page shows before its engine is ready. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { Session } from '../engine/session';
import type { SceneKind } from '../base/eventOptions';
import { simulateScene } from '../input/events/scenes';
import { openWriter } from '../input/events/write';
import { packDigits, type DigitPools } from '../input/frames/mnist';
import { drawLabelledSmear, drawSmear } from '../input/frames/smear';
import { trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { readKernels } from './kernels';
import { projectFolder } from './site';
import { nodeSurroundings, terminalTask } from './surroundings';
import { readDigits } from './train';
import type { DetectionResult } from '../engine/protocol';

export const galleryFolder = join(projectFolder, 'public', 'gallery');
export const gallerySeeds = [1, 2, 3, 4, 5, 6] as const;

/** The stored picture of a seed, as the page gets it. */
export async function galleryPicture(seed: number): Promise<Buffer> {
  const { width, height, data } = drawSmear(seed);
  return sharp(data, { raw: { width, height, channels: 3 } }).jpeg({ quality: 88, chromaSubsampling: '4:4:4' }).toBuffer();
}

/** The cells of it, as JSON. */
export function galleryLabels(seed: number): string {
  return `${JSON.stringify(drawLabelledSmear(seed).boxes)}\n`;
}

/** What both networks find on a picture, with the settings that the page opens with. */
export async function computeExample(image: Blob): Promise<{ snn: DetectionResult; ann: DetectionResult }> {
  const task = terminalTask();
  const session = new Session(await openBackend({ preference: 'event', wasmPaths: undefined, eventKernels: () => readKernels(), avoid: [] }), nodeSurroundings);
  const run = async (slot: 'snn' | 'ann'): Promise<DetectionResult> => {
    const model = await session.load({ slot, source: { kind: 'shipped', name: 'bccd' } }, task);
    const settings = { steps: model.steps ?? 4, ...trainedNeuron, inputSize: model.inputSize ?? ('native' as const) };
    return session.detect({ slot, frame: { id: 'example', image }, settings, confidence: 0.25, iou: 0.45 }, task);
  };
  return { snn: await run('snn'), ann: await run('ann') };
}

/** Recordings that the simulated camera makes of drawn scenes, and the boxes that are true of them. */
export const galleryScenes: readonly { scene: SceneKind; seed: number }[] = [
  { scene: 'digits', seed: 1 },
  { scene: 'digits', seed: 2 },
  { scene: 'digits', seed: 3 },
  { scene: 'road', seed: 1 },
];

/** The stored files of a scene: EVT 3.0, which is the smallest, and the boxes as JSON. */
export async function galleryRecording(scene: SceneKind, seed: number): Promise<{ recording: Buffer; boxes: string }> {
  const { events, sensor, boxes } = simulateScene(scene, seed);
  const parts: Uint8Array[] = [];
  const writer = openWriter('evt3', sensor, events.count, (bytes) => {
    parts.push(bytes);
  });
  await writer.write(events, 0, events.count);
  await writer.end();
  return { recording: Buffer.concat(parts), boxes: `${JSON.stringify(boxes)}\n` };
}

export const digitsFile = join(projectFolder, 'public', 'training', 'digits.bin');

/** Some of MNIST's digits: enough to see a network learn, and small enough to come with the site. */
export async function chosenDigits(): Promise<DigitPools> {
  return { training: (await readDigits('train')).slice(0, 2000), validation: (await readDigits('t10k')).slice(0, 400) };
}

async function writeGallery(): Promise<void> {
  await mkdir(galleryFolder, { recursive: true });
  await mkdir(dirname(digitsFile), { recursive: true });
  await writeFile(digitsFile, await packDigits(await chosenDigits()));
  for (const { scene, seed } of galleryScenes) {
    const { recording, boxes } = await galleryRecording(scene, seed);
    await writeFile(join(galleryFolder, `${scene}-${seed}.raw`), recording);
    await writeFile(join(galleryFolder, `${scene}-${seed}.json`), boxes);
  }
  for (const seed of gallerySeeds) {
    await writeFile(join(galleryFolder, `smear-${seed}.jpg`), await galleryPicture(seed));
    await writeFile(join(galleryFolder, `smear-${seed}.json`), galleryLabels(seed));
  }
  const example = await computeExample(new Blob([new Uint8Array(await galleryPicture(gallerySeeds[0]))]));
  await writeFile(join(galleryFolder, 'example.json'), `${JSON.stringify(example)}\n`);
}

if (process.argv[1] === import.meta.filename) await writeGallery();
