import * as tf from '@tensorflow/tfjs';
import type { BackendName } from '../../base/backendName';
import { registerOnWasm, registerOnWebgl, registerOnWebgpu } from './registerNeuronKernel';

export type TfjsBackend = Exclude<BackendName, 'reference' | 'event' | 'webgpu-half'>;

/** A backend of tfjs that runs. */
export interface StartedTfjs {
  /** The device as a person knows it. */
  label: string;
  /** Resolves with the driver's words when the device is gone; never for a CPU. */
  lost: Promise<string>;
}

export interface TfjsOptions {
  /** Addresses of tfjs's WASM binaries by file name; where missing, Node finds them beside the package. */
  wasmPaths: Readonly<Record<string, string>> | undefined;
  refuseSoftware: boolean;
}

const never = new Promise<string>(() => undefined);

let running: { name: TfjsBackend; started: StartedTfjs } | undefined;

/**
 * Starts tfjs, once in a worker or process: it has one active backend. Whoever asks for the same one later shares it, and with it the device.
 * @returns the reason, as the end of a sentence, when it cannot be had
 */
export async function startTfjs(name: TfjsBackend, options: TfjsOptions): Promise<StartedTfjs | string> {
  if (running?.name === name) return running.started;
  if (running) return `tfjs runs on ${running.started.label} here already, and on one backend at a time`;
  const started = await starters[name](options);
  if (typeof started !== 'string') running = { name, started };
  return started;
}

/** What tfjs's tensors take. */
export function tfjsMemory(): { tensors: number; bytes: number } {
  const { numTensors, numBytes } = tf.memory();
  return { tensors: numTensors, bytes: numBytes };
}

const starters: Record<TfjsBackend, (options: TfjsOptions) => Promise<StartedTfjs | string>> = {
  webgpu: async ({ refuseSoftware }) => {
    if (typeof navigator === 'undefined' || !navigator.gpu) return 'there is no WebGPU here';
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return 'the browser offers no WebGPU adapter';
    const software = adapter.info.isFallbackAdapter || adapter.info.architecture === 'swiftshader';
    if (software && refuseSoftware) return 'its only adapter is emulated in software, which is slower than the CPU';
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
    return {
      label: `WebGPU (${software ? 'software: ' : ''}${adapterName || 'unnamed adapter'})`,
      lost: device.lost.then((info) => info.message || info.reason || 'no reason given'),
    };
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
    return { label: simd ? 'CPU (tfjs, WASM SIMD)' : 'CPU (tfjs, WASM)', lost: never };
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
    return { label: 'WebGL', lost: never };
  },
};

async function activate(name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start ${name}`);
  await tf.ready();
}
