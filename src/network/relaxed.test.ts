import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { beforeAll, describe, expect, it } from 'vitest';
import { relaxedSimd } from 'wasm-feature-detect';
import { nodeKernels } from '../../e2e/kernels';
import { operationCases } from '../../e2e/operationCases';
import { quietTask } from '../base/progress';
import { seededRandom } from '../base/random';
import { openCheckpoint } from '../checkpoint/open';
import { startKernels } from '../tensor/event/kernels';
import { EventOperations } from '../tensor/event/operations';
import { alone } from '../tensor/event/team';
import { Network, trainedNeuron, type NetworkRun } from './network';

const side = 128;
type Program = 'index' | 'relaxed';

async function open(program: Program): Promise<EventOperations> {
  return new EventOperations(alone(await startKernels(() => nodeKernels(program))));
}

async function run(program: Program, mode: 'snn' | 'ann'): Promise<NetworkRun> {
  const file = resolve(import.meta.dirname, `../../models/bccd/${mode}.safetensors`);
  const network = await Network.load(await openCheckpoint(await openAsBlob(file), quietTask), await open(program), quietTask);
  const values = Float32Array.from({ length: side * side * 3 }, seededRandom(1));
  const settings = { mode, steps: 4, ...trainedNeuron, record: new Set(mode === 'snn' ? [0, 5] : []), logitsPerStep: false };
  return network.run(values, { steps: 1, height: side, width: side, channels: 3 }, settings, quietTask);
}

function logitsOf({ scales }: NetworkRun): number[] {
  return scales.flatMap(({ mean }) => Array.from(mean));
}

// Node 20 has relaxed SIMD behind a flag.
describe('the program for relaxed SIMD', () => {
  beforeAll(async () => {
    expect(WebAssembly.validate(await nodeKernels('index'))).toBe(true);
    setFlagsFromString('--experimental-wasm-relaxed-simd');
    expect(await relaxedSimd()).toBe(true);
  });

  it.each(Object.entries(operationCases))('%s', async (_, check) => {
    await check(await open('relaxed'), 0.5);
  });

  it('has the same membranes and spikes to the bit', async () => {
    const [plain, relaxed] = [await run('index', 'snn'), await run('relaxed', 'snn')];
    expect(plain.recorded).toHaveLength(2);
    expect(relaxed.recorded).toEqual(plain.recorded);
    expect(relaxed.firingRates).toEqual(plain.firingRates);
  });

  it.each(['snn', 'ann'] as const)('fuses where no neuron follows: logits of the %s differ, in their last digits', async (mode) => {
    const [plain, relaxed] = [logitsOf(await run('index', mode)), logitsOf(await run('relaxed', mode))];
    const largest = relaxed.reduce((most, value, index) => Math.max(most, Math.abs(value - (plain[index] ?? NaN))), 0);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(1e-4);
  });
});
