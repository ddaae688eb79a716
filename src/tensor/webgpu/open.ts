import { quietTask } from '../../base/progress';
import type { LayerClock } from '../operations';
import { subgroupOrderProgram, type Precision } from './convolutionPrograms';
import { Gpu } from './gpu';
import { KernelChooser, type ChoiceStorage, type KernelChoice } from './kernelChooser';
import { WebgpuOperations } from './operations';
import { workgroupThreads } from './program';

/** Changes with the kernels that there are to choose from. */
const kernelGeneration = 3;
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
  precision: Precision;
  /** Where the choice of kernels is kept between visits, or what chooses in its place. */
  choices?: ChoiceStorage | KernelChoice;
  clock?: LayerClock;
}

/** @returns the reason, as the end of a sentence, when it cannot be had */
export async function openWebgpu({ refuseSoftware, precision, choices = nowhere, clock }: WebgpuOptions): Promise<OpenedWebgpu | string> {
  if (typeof navigator === 'undefined' || !navigator.gpu) return 'there is no WebGPU here';
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return 'the browser offers no WebGPU adapter';
  const { features, info, limits } = adapter;
  const software = info.isFallbackAdapter || info.architecture === 'swiftshader';
  if (software && refuseSoftware) return 'its only adapter is emulated in software, which is slower than the CPU';
  if (precision === 'half' && (!features.has('shader-f16') || typeof Float16Array === 'undefined')) return 'the graphics card or the browser has no numbers of 16 bits';
  const wanted: GPUFeatureName[] = ['timestamp-query', 'subgroups', ...(precision === 'half' ? (['shader-f16'] as const) : [])];
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => features.has(feature)),
    requiredLimits: { maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize, maxBufferSize: limits.maxBufferSize },
  });
  const name = [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  const identity = [name, info.device, info.description, `kernels ${kernelGeneration}`, precision].filter(Boolean).join(', ');
  const chooser = 'choose' in choices ? choices : new KernelChooser(identity, choices, () => performance.now(), measuringBudgetMs);
  const lost = device.lost.then(({ message, reason }) => (message || reason).replace(/\.$/, ''));
  const gpu = new Gpu(device, lost, chooser, clock);
  const subgroupThreads = device.features.has('subgroups') && (await subgroupsAreOrdered(gpu)) ? (info.subgroupMinSize ?? 1) : 1;
  return {
    label: `WebGPU (${software ? 'software: ' : ''}${name}${precision === 'single' ? '' : `, ${precision} precision`})`,
    operations: new WebgpuOperations(gpu, { precision, subgroupThreads }),
    lost,
    memory: () => gpu.memory(),
  };
}

const nowhere: ChoiceStorage = { read: () => Promise.resolve(undefined), write: () => Promise.resolve() };

/** The language does not promise it. */
async function subgroupsAreOrdered(gpu: Gpu): Promise<boolean> {
  const bytes = workgroupThreads * 4;
  const buffer = gpu.allocate(bytes);
  const variant = { name: '', program: subgroupOrderProgram, threads: workgroupThreads };
  gpu.record({ layer: '', variants: [variant], shape: '', buffers: [buffer], uniforms: [workgroupThreads] });
  const [order = new ArrayBuffer(0)] = await gpu.read([{ buffer, bytes }], quietTask);
  gpu.release(buffer);
  return new Uint32Array(order).every((ordered) => ordered === 1);
}
