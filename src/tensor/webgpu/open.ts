import type { LayerClock } from '../operations';
import { Gpu } from './gpu';
import { KernelChooser, type ChoiceStorage } from './kernelChooser';
import { WebgpuOperations } from './operations';

/** Changes with the kernels that there are to choose from. */
const kernelGeneration = 1;
/** So long a first visit may spend on measuring kernels. */
const measuringBudgetMs = 3000;

export interface OpenedWebgpu {
  label: string;
  operations: WebgpuOperations;
  lost: Promise<string>;
  memory(): { tensors: number; bytes: number };
}

export interface WebgpuOptions {
  /** A GPU that is emulated on the CPU is no use where the CPU's own engine is to be had. */
  refuseSoftware: boolean;
  /** Where the choice of kernels is kept between visits. */
  choices?: ChoiceStorage;
  clock?: LayerClock;
}

/** @returns the reason, as the end of a sentence, when it cannot be had */
export async function openWebgpu({ refuseSoftware, choices, clock }: WebgpuOptions): Promise<OpenedWebgpu | string> {
  if (typeof navigator === 'undefined' || !navigator.gpu) return 'there is no WebGPU here';
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return 'the browser offers no WebGPU adapter';
  const { info, limits } = adapter;
  const software = info.isFallbackAdapter || info.architecture === 'swiftshader';
  if (software && refuseSoftware) return 'its only adapter is emulated in software, which is slower than the CPU';
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: { maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize, maxBufferSize: limits.maxBufferSize },
  });
  const name = [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  const chooser = new KernelChooser(
    `${[name, info.device, info.description].filter(Boolean).join(', ')}; kernels ${kernelGeneration}`,
    choices ?? nowhere,
    () => performance.now(),
    measuringBudgetMs,
  );
  const gpu = new Gpu(device, chooser, clock);
  return {
    label: `WebGPU (${software ? 'software: ' : ''}${name})`,
    operations: new WebgpuOperations(gpu),
    lost: device.lost.then((reason) => reason.message || reason.reason || 'no reason given'),
    memory: () => gpu.memory(),
  };
}

const nowhere: ChoiceStorage = { read: () => Promise.resolve(undefined), write: () => Promise.resolve() };
