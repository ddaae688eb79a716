import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';

/** Recorded numbers of the released implementation: two cases in the repository, the rest where they lie beside it. */

const ownFolder = resolve(import.meta.dirname, 'golden');
export const sharedGoldenFolder = resolve(import.meta.dirname, '../../shared/golden');
export const sharedWeightsFolder = resolve(import.meta.dirname, '../../shared/weights');
export const sharedDataFolder = resolve(import.meta.dirname, '../../shared/data');

const caseSchema = z.object({
  time_steps: z.int(),
  height: z.int(),
  width: z.int(),
  firing_rates: z.array(z.number()),
  half_checkpoint: z.boolean().default(false),
});

export interface GoldenCase {
  name: string;
  folder: string;
  steps: number;
  height: number;
  width: number;
  firingRates: number[];
  /** Stored in float16: a few neurons may flip. */
  half: boolean;
}

/** All cases with a checkpoint of their own; prints which ones are missing here. */
export function goldenCases(): GoldenCase[] {
  if (!existsSync(sharedGoldenFolder)) {
    console.log(`Only the golden cases in the repository are tested: ${sharedGoldenFolder} does not exist.`);
  }
  const folders = new Map<string, string>();
  for (const root of [sharedGoldenFolder, ownFolder]) {
    if (!existsSync(root)) continue;
    for (const name of readdirSync(root)) {
      const folder = resolve(root, name);
      if (existsSync(resolve(folder, 'checkpoint.pt'))) folders.set(name, folder);
    }
  }
  return [...folders].map(([name, folder]) => {
    const parsed = caseSchema.parse(JSON.parse(readFileSync(resolve(folder, 'case.json'), 'utf8')));
    return {
      name,
      folder,
      steps: parsed.time_steps,
      height: parsed.height,
      width: parsed.width,
      firingRates: parsed.firing_rates,
      half: parsed.half_checkpoint,
    };
  });
}

/** Whether the folder exists; where it does not, prints that what needs it is skipped. */
export function isPresent(folder: string, needed: string): boolean {
  if (existsSync(folder)) return true;
  console.log(`${needed} is skipped: ${folder} does not exist.`);
  return false;
}
