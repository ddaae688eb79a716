import { describe, expect, it } from 'vitest';
import { nodeBackend } from '../../e2e/kernels';
import { openBackend } from './backend';

describe('the choice of backend', () => {
  it('is the event-driven engine where there is no GPU', async () => {
    const { choice } = await openBackend(nodeBackend('auto'));
    expect(choice).toMatchObject({ name: 'event', label: 'CPU (event-driven WASM SIMD)' });
    expect(choice.reason).toMatch(/no WebGPU/);
  });

  it('passes on to tfjs, and says why, where its program does not compile', async () => {
    // What a machine without SIMD makes of instructions that it does not know.
    const unknown = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0xff]);
    const { choice } = await openBackend({ ...nodeBackend('auto'), eventKernels: () => Promise.resolve(unknown) });
    expect(choice.name).toBe('wasm');
    expect(choice.reason).toMatch(/event-driven\): its program could not be started/);
  });

  it('refuses what was asked for by name and cannot be had', async () => {
    await expect(openBackend({ preference: 'event', wasmPaths: undefined, avoid: [] })).rejects.toMatchObject({ code: 'backend/unavailable' });
  });
});
