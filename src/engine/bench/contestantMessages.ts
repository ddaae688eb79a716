import { AppError } from '../../base/errors';
import type { Task } from '../../base/progress';
import { WorkerAnswers } from '../../base/workerAnswers';
import type { FromWorker } from '../../base/workerMessages';
import { openCheckpoint } from '../../checkpoint/open';
import { widenedTwice } from '../../network/widen';
import { openBackend, openStockTfjs, type Backend, type BackendOptions } from '../../tensor/backend';
import type { LayerClock } from '../../tensor/operations';
import {
  contestantRequestSchemas,
  type ContestantAnswers,
  type ContestantCase,
  type ContestantName,
  type ContestantRequestKind,
  type ContestantRequests,
  type OwnBackend,
} from '../benchProtocol';
import { networkContestant, onnxContestant, type BenchCase, type OnnxRuntime, type Place } from './contestants';
import { measureCosts, measureMemory } from './costs';
import type { Contestant } from './race';

/** What a contestant's worker reads of the site. */
export interface ContestantSurroundings {
  programs: Pick<BackendOptions, 'wasmPaths' | 'eventKernels' | 'kernelChoices'>;
  openOnnxRuntime(provider: 'wasm' | 'webgpu'): Promise<OnnxRuntime>;
}

type Handlers = { [K in ContestantRequestKind]: (payload: ContestantRequests[K], task: Task) => Promise<ContestantAnswers[K]> };

/** One contestant in a worker of its own: tfjs has one backend a worker, and nobody's memory or compiler is in another's way. */
export class ContestantMessages {
  private readonly answers: WorkerAnswers;
  private contestants: Contestant[] = [];

  constructor(
    private readonly surroundings: ContestantSurroundings,
    post: (message: FromWorker) => void,
  ) {
    this.answers = new WorkerAnswers((kind, payload, task) => this.handle(kind, payload, task), post);
  }

  receive(data: unknown): void {
    this.answers.receive(data);
  }

  private async handle(kind: string, payload: unknown, task: Task): Promise<unknown> {
    if (!isRequestKind(kind)) throw new AppError('internal', `A contestant was asked for ${kind}, which it does not know.`, 'Reload the page.');
    // The schema and the handler of one kind belong together, which the type system cannot follow through the index.
    const handler = this.handlers[kind] as (payload: unknown, task: Task) => Promise<unknown>;
    return handler(contestantRequestSchemas[kind].parse(payload), task);
  }

  private readonly handlers: Handlers = {
    open: async ({ name, cases }, task) => {
      const benchCases = await Promise.all(cases.map((each) => benchCaseOf(each, task)));
      this.contestants = await this.openAll(name, benchCases, task);
      return { threads: this.contestants[0]?.threads ?? 1 };
    },
    run: ({ index }) => this.contestant(index).run(),
    time: ({ index }) => this.contestant(index).time(),
    costs: async ({ backend, benchCase, sweep, pictures, counts }, task) => {
      const own = await benchCaseOf(benchCase, task);
      const open = (clock?: LayerClock): Promise<Backend> => this.openOwn(backend, clock);
      const pictureOf = (side: number): Float32Array => {
        const picture = pictures.get(side);
        if (picture) return picture;
        throw new RangeError(`There is no picture of side ${side}.`);
      };
      return { costs: await measureCosts(own, open, pictureOf, sweep, counts, task), memory: await measureMemory(own, open, task) };
    },
  };

  private contestant(index: number): Contestant {
    const contestant = this.contestants[index];
    if (contestant) return contestant;
    throw new AppError('internal', 'A contestant was asked to run before it was opened.', 'Reload the page.');
  }

  private openOwn(backend: OwnBackend, clock?: LayerClock): Promise<Backend> {
    return openBackend({ ...this.surroundings.programs, preference: backend, avoid: [], ...(clock && { clock }) });
  }

  private async openAll(name: ContestantName, cases: readonly BenchCase[], task: Task): Promise<Contestant[]> {
    const [engine = '', backend = ''] = name.split(' ');
    const place: Place = { engine, backend, threads: 1 };
    const each = async (open: (benchCase: BenchCase) => Promise<Contestant>): Promise<Contestant[]> => {
      const contestants: Contestant[] = [];
      for (const benchCase of cases) contestants.push(await open(benchCase));
      return contestants;
    };
    switch (name) {
      case 'this event':
      case 'this webgpu':
      case 'this wasm':
      case 'this webgl': {
        const { operations, choice } = await this.openOwn(choiceOf[name]);
        return each((benchCase) => networkContestant(benchCase, operations, { ...place, backend: choice.name }, task));
      }
      case 'tfjs wasm':
      case 'tfjs webgpu':
      case 'tfjs webgl': {
        const operations = await openStockTfjs(choiceOf[name], this.surroundings.programs.wasmPaths);
        return each((benchCase) => networkContestant(benchCase, operations, place, task));
      }
      case 'onnxruntime-web wasm':
      case 'onnxruntime-web webgpu': {
        const provider = choiceOf[name];
        const runtime = await this.surroundings.openOnnxRuntime(provider);
        return each((benchCase) => onnxContestant(benchCase, runtime, { executionProviders: [provider] }, place, task));
      }
    }
  }
}

const choiceOf = {
  'this event': 'event',
  'this webgpu': 'webgpu',
  'this wasm': 'wasm',
  'this webgl': 'webgl',
  'tfjs wasm': 'wasm',
  'tfjs webgpu': 'webgpu',
  'tfjs webgl': 'webgl',
  'onnxruntime-web wasm': 'wasm',
  'onnxruntime-web webgpu': 'webgpu',
} as const satisfies Record<ContestantName, OwnBackend>;

async function benchCaseOf({ network, weights, twiceAsWide, steps, picture, side }: ContestantCase, task: Task): Promise<BenchCase> {
  const checkpoint = await openCheckpoint(weights, task);
  return { network, checkpoint: twiceAsWide ? widenedTwice(checkpoint) : checkpoint, steps, picture, width: side, height: side };
}

function isRequestKind(kind: string): kind is ContestantRequestKind {
  return Object.hasOwn(contestantRequestSchemas, kind);
}
