import * as tf from '@tensorflow/tfjs';
import type { BackendName } from '../base/backendName';
import { AppError } from '../base/errors';
import { startKernels, type KernelSource } from './event/kernels';
import { EventOperations } from './event/operations';
import type { Operations } from './operations';
import { ReferenceOperations } from './reference';
import { TfjsOperations } from './tfjs/operations';
import { registerOnWasm, registerOnWebgl, registerOnWebgpu } from './tfjs/registerNeuronKernel';

/** What a person asks for; `auto` is WebGPU on a real GPU, else the CPU. */
export type BackendPreference = 'auto' | BackendName;

/** What they get, and why: shown on the page beside the choice. */
export interface BackendChoice {
  name: BackendName;
  /** The device as a person knows it: "WebGPU (apple m2)", "CPU (event-driven WASM SIMD)". */
  label: string;
  /** One sentence: why this one. */
  reason: string;
}

export interface Backend {
  choice: BackendChoice;
  operations: Operations;
  /** Resolves with the driver's words when the device is gone; never for a CPU. */
  lost: Promise<string>;
  memory(): { tensors: number; bytes: number };
}

export interface BackendOptions {
  preference: BackendPreference;
  /** Addresses of tfjs's WASM binaries by file name; where missing, Node finds them beside the package. */
  wasmPaths: Readonly<Record<string, string>> | undefined;
  /** The compiled kernels of the event-driven engine; without them it cannot be had. */
  eventKernels?: KernelSource;
  /** Backends that failed in this session and are passed over by `auto`. */
  avoid: readonly BackendName[];
}

type Opened = Omit<Backend, 'choice'> & Omit<BackendChoice, 'reason'>;

const never = new Promise<string>(() => undefined);

/**
 * Opens the one backend of this worker or process: tfjs has one active backend, so another choice takes a new worker.
 * @throws AppError `backend/unavailable` when the backend that was asked for by name is not to be had
 */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { preference, avoid } = options;
  if (preference === 'reference') return referenceBackend();
  if (preference !== 'auto') {
    const opened = await openers[preference](options);
    if (typeof opened === 'string') {
      throw new AppError(
        'backend/unavailable',
        `The ${backendTitles[preference]} backend cannot be used here: ${opened}.`,
        'Choose another backend, or leave the choice to the program.',
      );
    }
    return chosen(opened, 'You chose it.');
  }

  const passedOver: string[] = [];
  for (const name of ['webgpu', 'event', 'wasm'] as const) {
    if (avoid.includes(name)) {
      passedOver.push(`${backendTitles[name]} failed twice in this session`);
      continue;
    }
    const opened = await openers[name](options, { refuseSoftware: true });
    if (typeof opened === 'string') passedOver.push(`${backendTitles[name]}: ${opened}`);
    else {
      const reason = passedOver.length === 0 ? 'The fastest one here.' : `Chosen because ${passedOver.join('; ')}.`;
      return chosen(opened, reason);
    }
  }
  const last = referenceBackend();
  return { ...last, choice: { ...last.choice, reason: `Nothing faster is left: ${passedOver.join('; ')}.` } };
}

/**
 * The operations on tfjs alone, neurons composed of its own operations and spikes convolved as any other values: what this
 * program is measured against. @throws AppError `backend/unavailable`
 */
export async function openStockTfjs(name: Exclude<BackendName, 'reference' | 'event'>, wasmPaths: BackendOptions['wasmPaths']): Promise<Operations> {
  await openBackend({ preference: name, wasmPaths, avoid: [] });
  return new TfjsOperations(name, 'stock');
}

export const backendTitles: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  event: 'CPU (event-driven)',
  wasm: 'CPU (tfjs)',
  webgl: 'WebGL',
  reference: 'reference',
};

/** Each returns the reason, as the end of a sentence, when the backend cannot be had. */
const openers: Record<
  Exclude<BackendName, 'reference'>,
  (options: BackendOptions, rules?: { refuseSoftware: boolean }) => Promise<Opened | string>
> = {
  webgpu: async (_, rules) => {
    if (typeof navigator === 'undefined' || !navigator.gpu) return 'there is no WebGPU here';
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return 'the browser offers no WebGPU adapter';
    const software = adapter.info.isFallbackAdapter || adapter.info.architecture === 'swiftshader';
    if (software && rules?.refuseSoftware) return 'its only adapter is emulated in software, which is slower than the CPU';
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    const device = await adapter.requestDevice({
      requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
      requiredLimits: {
        maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
        maxComputeWorkgroupsPerDimension: adapter.limits.maxComputeWorkgroupsPerDimension,
        maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
        maxBufferSize: adapter.limits.maxBufferSize,
        maxComputeWorkgroupSizeX: adapter.limits.maxComputeWorkgroupSizeX,
        maxComputeInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup,
      },
    });
    registerOnWebgpu();
    // The package registers a factory of its own, which asks for an adapter that we could not look at first.
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
    await activate('webgpu');
    // Small operations would be computed on the CPU in between, each with a wait for the queue.
    tf.env().set('WEBGPU_CPU_FORWARD', false);
    const adapterName = [adapter.info.vendor, adapter.info.architecture].filter(Boolean).join(' ');
    return tfjsBackend(
      'webgpu',
      `WebGPU (${software ? 'software: ' : ''}${adapterName || 'unnamed adapter'})`,
      device.lost.then((info) => info.message || info.reason || 'no reason given'),
    );
  },

  event: async ({ eventKernels }) => {
    if (!eventKernels) return 'its program is not at hand';
    try {
      const operations = new EventOperations(await startKernels(eventKernels));
      return { name: 'event', label: 'CPU (event-driven WASM SIMD)', operations, lost: never, memory: () => operations.memory() };
    } catch (error) {
      // A machine without SIMD refuses to compile the program.
      return `its program could not be started (${error instanceof Error ? error.message : String(error)})`;
    }
  },

  wasm: async ({ wasmPaths }) => {
    const { setWasmPaths, setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm');
    if (wasmPaths) setWasmPaths(wasmPaths, true);
    // tfjs's threads start from a script in a blob, which the page's content security policy forbids.
    setThreadsCount(1);
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    registerOnWasm();
    try {
      await activate('wasm');
    } catch (error) {
      return `its program could not be started (${error instanceof Error ? error.message : String(error)})`;
    }
    const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
    return tfjsBackend('wasm', simd ? 'CPU (tfjs, WASM SIMD)' : 'CPU (tfjs, WASM)', never);
  },

  webgl: async () => {
    if (typeof OffscreenCanvas === 'undefined') return 'there is no WebGL here';
    const context = new OffscreenCanvas(1, 1).getContext('webgl2');
    if (!context) return 'the browser offers no WebGL 2 context';
    registerOnWebgl();
    try {
      await activate('webgl');
    } catch {
      return 'its context could not be made';
    }
    if (!tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')) {
      return 'it has no 32-bit floats, and spikes near the threshold would differ';
    }
    return tfjsBackend('webgl', 'WebGL', never);
  },
};

async function activate(name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start ${name}`);
  await tf.ready();
}

function chosen({ name, label, ...opened }: Opened, reason: string): Backend {
  return { ...opened, choice: { name, label, reason } };
}

function tfjsBackend(name: Exclude<BackendName, 'reference' | 'event'>, label: string, lost: Promise<string>): Opened {
  return {
    name,
    label,
    operations: new TfjsOperations(name),
    lost,
    memory: () => {
      const { numTensors, numBytes } = tf.memory();
      return { tensors: numTensors, bytes: numBytes };
    },
  };
}

function referenceBackend(): Backend {
  return {
    choice: { name: 'reference', label: 'Reference (plain JavaScript)', reason: 'You chose it.' },
    operations: new ReferenceOperations(),
    lost: never,
    memory: () => ({ tensors: 0, bytes: 0 }),
  };
}
