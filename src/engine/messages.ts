import { AppError, asAppError, cancelled } from '../base/errors';
import type { Task } from '../base/progress';
import { energyBreakdown } from '../energy/energy';
import { isRecording } from '../input/events/open';
import { readTruth } from '../base/truth';
import { toWorkerSchema, type FromWorker } from '../base/workerMessages';
import { openBackend, type Backend, type BackendOptions, type EventThreads } from '../tensor/backend';
import { predictProfile } from '../train/laboratory/meanField';
import { measureProfile, measureSpectrum } from '../train/laboratory/stacks';
import {
  requestSchemas,
  type RequestKind,
  type RequestPayload,
  type ResponseOf,
} from './protocol';
import { Session, type Surroundings } from './session';

type Handlers = { [K in RequestKind]: (payload: RequestPayload<K>, task: Task) => Promise<ResponseOf[K]> | ResponseOf[K] };

type Post = (message: FromWorker, transfer: Transferable[]) => void;

/**
 * Answers the messages of one client. Requests run one after the other, since they share one device; a cancelled
 * request that still waits is answered at once.
 */
export class MessageHandler {
  private session: Session | undefined;
  private queue: Promise<void> = Promise.resolve();
  private readonly running = new Map<number, AbortController>();

  constructor(
    private readonly surroundings: Surroundings,
    private readonly programs: Pick<BackendOptions, 'wasmPaths' | 'eventKernels' | 'kernelChoices'> & { threads?: (count: number) => EventThreads | undefined },
    private readonly post: Post,
    private readonly open: (options: BackendOptions) => Promise<Backend> = openBackend,
  ) {}

  receive(data: unknown): void {
    const message = toWorkerSchema.parse(data);
    if (message.type === 'cancel') {
      this.running.get(message.id)?.abort();
      return;
    }
    const { id, kind, payload } = message;
    const controller = new AbortController();
    this.running.set(id, controller);
    this.queue = this.queue.then(() => this.answer(id, kind, payload, controller.signal));
  }

  private async answer(id: number, kind: string, payload: unknown, signal: AbortSignal): Promise<void> {
    const task: Task = {
      signal,
      report: (progress) => this.post({ type: 'progress', id, progress }, []),
    };
    try {
      if (signal.aborted) throw cancelled();
      const value = await this.handle(kind, payload, task);
      this.post({ type: 'result', id, value }, transferables(value));
    } catch (thrown) {
      this.post({ type: 'error', id, error: asAppError(thrown).toReport() }, []);
    } finally {
      this.running.delete(id);
    }
  }

  private async handle(kind: string, payload: unknown, task: Task): Promise<unknown> {
    if (!isRequestKind(kind)) throw new AppError('internal', `The engine was asked for ${kind}, which it does not know.`, 'Reload the page.');
    // The schema and the handler of one kind belong together, which the type system cannot follow through the index.
    const handler = this.handlers[kind] as (payload: unknown, task: Task) => unknown;
    return handler(requestSchemas[kind].parse(payload), task);
  }

  private readonly handlers: Handlers = {
    open: async ({ preference, avoid, threads }) => {
      const { threads: threadsOf, ...programs } = this.programs;
      const backend = await this.open({ preference, avoid, ...programs, eventThreads: threadsOf?.(threads) });
      void backend.lost.then((reason) => this.post({ type: 'lost', reason }, []));
      this.session = new Session(backend, this.surroundings);
      return backend.choice;
    },
    load: (payload, task) => this.opened().load(payload, task),
    convert: (payload, task) => this.opened().convert(payload, task),
    unload: (payload) => this.opened().unload(payload),
    detect: (payload, task) => this.opened().detect(payload, task),
    trace: (payload, task) => this.opened().trace(payload, task),
    explain: (payload, task) => this.opened().explain(payload, task),
    traceBack: (payload, task) => this.opened().traceBack(payload, task),
    identify: (payload) => isRecording(payload),
    scanRecording: (payload, task) => this.opened().recordings.scan(payload, task),
    viewRecording: (payload, task) => this.opened().recordings.view(payload, task),
    slices: (payload, task) => this.opened().slices(payload, task),
    readTruth: (payload) => readTruth(payload),
    saveRecording: (payload, task) => this.opened().recordings.save(payload, task),
    startSimulator: (payload) => this.opened().recordings.startSimulator(payload),
    simulateFrame: (payload) => this.opened().recordings.simulateFrame(payload),
    simulateSketch: (payload) => this.opened().recordings.simulateSketch(payload),
    simulateVideo: (payload, task) => this.opened().simulateVideo(payload, task),
    measureGradient: ({ kind, settings, seed }, task) => measureProfile(kind, settings, seed, task),
    predictGradient: ({ kind, settings }, task) => predictProfile(kind, settings, task),
    measureSpectrum: ({ kind, place, settings, seed }, task) => measureSpectrum(kind, place, settings, seed, task),
    draw: (payload) => this.opened().draw(payload),
    estimateEnergy: ({ runs, convention }) => runs.map((run) => energyBreakdown(run, convention)),
    openDataset: (payload, task) => this.opened().evaluations.openDataset(payload, task),
    evaluate: (payload, task) => this.opened().evaluations.evaluate(payload, task),
    evaluatedPicture: (payload, task) => this.opened().evaluations.picture(payload, task),
    evaluationDetections: (payload) => this.opened().evaluations.cocoResults(payload),
    memory: () => this.opened().memory(),
  };

  private opened(): Session {
    if (this.session) return this.session;
    throw new AppError('internal', 'The engine was used before its backend was opened.', 'Reload the page.');
  }
}

function isRequestKind(kind: string): kind is RequestKind {
  return Object.hasOwn(requestSchemas, kind);
}

/** The big arrays of an answer, all made for it, move to the page in place of being copied. */
function transferables(value: unknown): Transferable[] {
  // A list has a method of the name `values`.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const { trace, pixels, values, layerMap, inputMap } = value as Partial<ResponseOf['trace'] & ResponseOf['viewRecording'] & ResponseOf['slices'] & ResponseOf['explain']>;
  if (layerMap && inputMap) return [layerMap.values.buffer, inputMap.values.buffer];
  if (trace) return [trace.membrane.buffer, trace.emitted.buffer];
  if (pixels) return [pixels.kind === 'polarity' ? pixels.last.buffer : pixels.value.buffer];
  return values ? [values.buffer] : [];
}
