import { maximumThreads, type BackendName } from '../base/backendName';
import { AppError } from '../base/errors';
import { shareKernels, startKernels, type KernelSource } from './event/kernels';
import { EventOperations } from './event/operations';
import { alone, startTeam, type StartHelper, type Team } from './event/team';
import type { LayerClock, Operations } from './operations';
import { ReferenceOperations } from './reference';
import type { TfjsBackend } from './tfjs/start';
import type { ChoiceStorage } from './webgpu/kernelChooser';

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

export interface Backend<Performed = Operations> {
  choice: BackendChoice;
  operations: Performed;
  /** Resolves with the driver's words when the device is gone, or with what became of a thread on the CPU; never for one thread. */
  lost: Promise<string>;
  memory(): BackendMemory;
}

export interface BackendMemory {
  tensors: number;
  bytes: number;
  /** The most that was ever in use, and how far it reaches into the memory; not every backend tells. */
  peakBytes?: number;
  heapBytes?: number;
}

export interface BackendOptions {
  preference: BackendPreference;
  /** Addresses of tfjs's WASM binaries by file name; where missing, Node finds them beside the package. */
  wasmPaths: Readonly<Record<string, string>> | undefined;
  /** The compiled kernels of the event-driven engine; without them it cannot be had. */
  eventKernels?: KernelSource;
  /** Where the choice of WebGPU kernels is kept between visits. */
  kernelChoices?: ChoiceStorage;
  /** Hears how long each layer took, from backends that can tell. */
  clock?: LayerClock;
  /** What more than one thread takes; without it, the event-driven engine runs on one. */
  eventThreads?: EventThreads;
  /** Backends that failed since the page was opened and are passed over by `auto`. */
  avoid: readonly BackendName[];
}

export interface EventThreads {
  /** How many, with the one that asks. */
  threads: number;
  /** The kernels compiled for a memory that threads share. */
  kernels: KernelSource;
  startHelper: StartHelper;
}

/** A backend before it is told why it was chosen. */
export type Opened<Performed> = Omit<Backend<Performed>, 'choice'> & { label: string };

const never = new Promise<string>(() => undefined);

/**
 * Opens the one backend of this worker or process: tfjs has one active backend, so another choice takes a new worker.
 * @throws AppError `backend/unavailable` when the backend that was asked for by name is not to be had
 */
export async function openBackend({ preference, avoid, wasmPaths, eventKernels, eventThreads, kernelChoices, clock }: BackendOptions): Promise<Backend> {
  return chooseBackend<Operations>(preference, avoid, async (name, refuseSoftware) => {
    if (name === 'reference') return openReference(new ReferenceOperations());
    if (name === 'event') return openEvent(eventKernels && (async () => new EventOperations(await startTeamOrAlone(eventKernels, eventThreads), clock)));
    // What most visitors never need is fetched by those who do.
    if (name === 'webgpu' || name === 'webgpu-half') {
      const { openWebgpu } = await import('./webgpu/open');
      return openWebgpu({ refuseSoftware, precision: name === 'webgpu' ? 'single' : 'half', choices: kernelChoices, clock });
    }
    const [{ startTfjs, tfjsMemory }, { TfjsOperations }] = await Promise.all([import('./tfjs/start'), import('./tfjs/operations')]);
    const started = await startTfjs(name, { wasmPaths, refuseSoftware });
    return typeof started === 'string' ? started : { ...started, operations: new TfjsOperations(name), memory: tfjsMemory };
  });
}

/** Where threads cannot be had after all (no room for their memory, say), one does it. */
export async function startTeamOrAlone(kernels: KernelSource, wanted: EventThreads | undefined): Promise<Team> {
  if (wanted && wanted.threads > 1) {
    try {
      return await startTeam(await shareKernels(wanted.kernels), Math.min(wanted.threads, maximumThreads), wanted.startHelper);
    } catch {
      // What stands against one thread too is said there; else the label tells how many there are.
    }
  }
  return alone(await startKernels(kernels));
}

/**
 * The operations on tfjs alone, neurons composed of its own operations and spikes convolved as any other values: what this
 * program is measured against. @throws AppError `backend/unavailable`
 */
export async function openStockTfjs(name: TfjsBackend, wasmPaths: BackendOptions['wasmPaths']): Promise<Operations> {
  const [{ startTfjs }, { TfjsOperations }] = await Promise.all([import('./tfjs/start'), import('./tfjs/operations')]);
  const started = await startTfjs(name, { wasmPaths, refuseSoftware: false });
  if (typeof started !== 'string') return new TfjsOperations(name, 'stock');
  throw new AppError('backend/unavailable', `tfjs cannot run on ${backendTitles[name]} here: ${started}.`, 'Compare with another engine.');
}

/**
 * WebGPU on a device of its own, whatever the adapter is: to measure it.
 * @param clock hears how long each layer took in a run, where the device has timestamps; what is fused counts as the layer it is fused with
 * @throws AppError `backend/unavailable`
 */
export async function openClockedWebgpu(clock?: LayerClock): Promise<Operations> {
  const { openWebgpu } = await import('./webgpu/open');
  const opened = await openWebgpu({ refuseSoftware: false, precision: 'single', clock });
  if (typeof opened !== 'string') return opened.operations;
  throw new AppError('backend/unavailable', `WebGPU cannot be used here: ${opened}.`, 'Measure another backend.');
}

export const backendTitles: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  'webgpu-half': 'WebGPU (16-bit)',
  event: 'CPU (event-driven)',
  wasm: 'CPU (tfjs)',
  webgl: 'WebGL',
  reference: 'reference',
};

/**
 * Opens the backend that was asked for by name, or for `auto` the fastest that is to be had.
 * @param open returns the reason, as the end of a sentence, when the backend cannot be had
 * @throws AppError `backend/unavailable`
 */
export async function chooseBackend<Performed>(
  preference: BackendPreference,
  avoid: readonly BackendName[],
  open: (name: BackendName, refuseSoftware: boolean) => Promise<Opened<Performed> | string>,
): Promise<Backend<Performed>> {
  const chosen = (name: BackendName, { label, ...opened }: Opened<Performed>, reason: string): Backend<Performed> => ({
    ...opened,
    choice: { name, label, reason },
  });
  if (preference !== 'auto') {
    const opened = await open(preference, false);
    if (typeof opened !== 'string') return chosen(preference, opened, 'You chose it.');
    throw new AppError(
      'backend/unavailable',
      `The ${backendTitles[preference]} backend cannot be used here: ${opened}.`,
      'Choose another backend, or leave the choice to the program.',
    );
  }

  const passedOver: string[] = [];
  for (const name of ['webgpu', 'event', 'wasm', 'reference'] as const) {
    if (avoid.includes(name) && name !== 'reference') {
      passedOver.push(`${backendTitles[name]} failed twice since the page was opened`);
      continue;
    }
    const opened = await open(name, true);
    if (typeof opened === 'string') passedOver.push(`${backendTitles[name]}: ${opened}`);
    else return chosen(name, opened, reasonFor(name, passedOver));
  }
  throw new AppError('backend/unavailable', `Nothing here can compute: ${passedOver.join('; ')}.`, 'Use a current browser.');
}

function reasonFor(name: BackendName, passedOver: readonly string[]): string {
  if (passedOver.length === 0) return 'The fastest one here.';
  return name === 'reference' ? `Nothing faster is left: ${passedOver.join('; ')}.` : `Chosen because ${passedOver.join('; ')}.`;
}

/** Plain JavaScript can always be had. */
export function openReference<Performed>(operations: Performed): Opened<Performed> {
  return { label: 'Reference (plain JavaScript)', operations, lost: never, memory: () => ({ tensors: 0, bytes: 0 }) };
}

/** @param start undefined where the engine's program is not at hand */
export async function openEvent<Performed extends { memory: Backend['memory']; threads?: number; lost?: Promise<string> }>(start: (() => Promise<Performed>) | undefined): Promise<Opened<Performed> | string> {
  if (!start) return 'its program is not at hand';
  try {
    const operations = await start();
    const { threads = 1, lost = never } = operations;
    return { label: `CPU (event-driven WASM SIMD${threads > 1 ? `, ${threads} threads` : ''})`, operations, lost, memory: () => operations.memory() };
  } catch (error) {
    // A machine without SIMD refuses to compile the program.
    return `its program could not be started (${error instanceof Error ? error.message : String(error)})`;
  }
}
