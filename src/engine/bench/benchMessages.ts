import { AppError, asAppError } from '../../base/errors';
import type { Picture } from '../../base/picture';
import { throwIfCancelled, type Task } from '../../base/progress';
import { WorkerAnswers } from '../../base/workerAnswers';
import { WorkerClient } from '../../base/workerClient';
import type { FromTellingWorker, WorkerLike } from '../../base/workerMessages';
import { openCheckpoint } from '../../checkpoint/open';
import type { NetworkGraph } from '../../network/graph';
import { graphOfCheckpoint, parameterCount } from '../../network/weights';
import { widenedTwice } from '../../network/widen';
import {
  benchRequestSchemas,
  type BenchAnswers,
  type BenchEvent,
  type BenchRequestKind,
  type BenchRequests,
  type BenchRow,
  type BenchSetup,
  type ContestantAnswers,
  type ContestantCase,
  type ContestantName,
  type ContestantRequests,
  type RaceReport,
  type RaceRow,
} from '../benchProtocol';
import { pictureSideOf } from '../frames';
import { locateModel, type ReadModelFile } from '../locate';
import { sidesOf } from './costs';
import { benchPicture, squareInput } from './picture';
import { race, type Contestant } from './race';

/** What a benchmark needs from where it runs: a worker in a page, or a test. */
export interface BenchSurroundings {
  readModelFile: ReadModelFile;
  decodePicture(image: Blob): Promise<Picture>;
  /** A worker that answers as `ContestantMessages` does. */
  startContestant(): WorkerLike;
}

type ContestantClient = WorkerClient<ContestantRequests, ContestantAnswers>;
type Handlers = { [K in BenchRequestKind]: (payload: BenchRequests[K], task: Task) => Promise<BenchAnswers[K]> };

/** A setup with its files read. */
interface PreparedSetup {
  title: string;
  cases: readonly ContestantCase[];
  /** The first network's. */
  graph: NetworkGraph;
  pictureOf(side: number): Float32Array;
}

/** Runs benchmarks for the page: starts a worker for each contestant, has them run in turn, and ends them. */
export class BenchMessages {
  private readonly answers: WorkerAnswers;

  constructor(
    private readonly surroundings: BenchSurroundings,
    private readonly post: (message: FromTellingWorker) => void,
  ) {
    this.answers = new WorkerAnswers((kind, payload, task) => this.handle(kind, payload, task), post);
  }

  receive(data: unknown): void {
    this.answers.receive(data);
  }

  private async handle(kind: string, payload: unknown, task: Task): Promise<unknown> {
    if (!isRequestKind(kind)) throw new AppError('internal', `The benchmark was asked for ${kind}, which it does not know.`, 'Reload the page.');
    // The schema and the handler of one kind belong together, which the type system cannot follow through the index.
    const handler = this.handlers[kind] as (payload: unknown, task: Task) => Promise<unknown>;
    return handler(benchRequestSchemas[kind].parse(payload), task);
  }

  private readonly handlers: Handlers = {
    race: async ({ setup, contestants: names, counts }, task) => {
      const prepared = await this.prepare(setup, task);
      const clients: ContestantClient[] = [];
      const stopAll = (): void => {
        for (const client of clients) client.stop();
      };
      // A run that is under way cannot be asked to stop: its worker is ended.
      task.signal.addEventListener('abort', stopAll, { once: true });
      const leftOut: RaceReport['leftOut'][number][] = [];
      const contestants: Contestant[] = [];
      const report = (rows: readonly RaceRow[]): RaceReport => ({ rows: rows.map((row) => rowOf(row, prepared, setup)), leftOut });
      try {
        for (const [index, name] of names.entries()) {
          throwIfCancelled(task.signal);
          task.report({ label: `Starting ${name}`, done: index, total: names.length, unit: 'items' });
          const client = this.startContestant(name);
          clients.push(client);
          try {
            contestants.push(...(await openContestants(client, name, prepared.cases, task)));
          } catch (thrown) {
            throwIfCancelled(task.signal);
            client.stop();
            leftOut.push({ contestant: name, reason: asAppError(thrown).message });
          }
        }
        if (contestants.length === 0) {
          throw new AppError('backend/unavailable', `None of the chosen engines can run here: ${leftOut.map(({ reason }) => reason).join(' ')}`, 'Choose others.');
        }
        // The networks together, so that a reader compares like with like; the first of each is what others are compared with.
        const inOrder = contestants.toSorted((a, b) => networkOrder.indexOf(a.network) - networkOrder.indexOf(b.network));
        return report(await race(inOrder, counts, task, (rows) => this.tell(report(rows))));
      } finally {
        task.signal.removeEventListener('abort', stopAll);
        stopAll();
      }
    },
    costs: async ({ setup, backend, sweep, counts }, task) => {
      const prepared = await this.prepare(setup, task);
      const [benchCase] = prepared.cases;
      if (!benchCase) throw new RangeError('There is no network to measure.');
      const client = this.startContestant(`this ${backend}`);
      const stop = (): void => client.stop();
      task.signal.addEventListener('abort', stop, { once: true });
      try {
        const { side } = benchCase;
        const sides = sidesOf({ width: side, height: side }, sweep.sideShares, prepared.graph);
        const pictures = new Map(sides.map((each) => [each, prepared.pictureOf(each)]));
        const measured = await client.request('costs', { backend, benchCase, sweep, pictures, counts }, task);
        return { model: prepared.title, width: side, height: side, steps: setup.steps, backend, ...measured };
      } finally {
        task.signal.removeEventListener('abort', stop);
        stop();
      }
    },
  };

  private tell(event: BenchEvent): void {
    this.post({ type: 'event', event });
  }

  private startContestant(name: ContestantName): ContestantClient {
    const words = { stopped: `The engine ${name} stopped`, remedy: 'Leave it out, or choose a smaller picture.' };
    return new WorkerClient<ContestantRequests, ContestantAnswers>(() => this.surroundings.startContestant(), words, () => undefined);
  }

  private async prepare({ networks, twiceAsWide, picture, side: wanted, steps }: BenchSetup, task: Task): Promise<PreparedSetup> {
    const image = picture === 'smear' ? benchPicture() : await this.surroundings.decodePicture(picture);
    const located = await Promise.all(
      networks.map(async ({ network, source }) => ({ network, ...(await locateModel(network, source, this.surroundings.readModelFile, task)) })),
    );
    const [first] = located;
    if (!first) throw new RangeError('There is no network to measure.');
    const checkpoint = await openCheckpoint(first.blob, task);
    const graph = graphOfCheckpoint(twiceAsWide ? widenedTwice(checkpoint) : checkpoint);
    const side = wanted ?? pictureSideOf({ inputSize: first.manifest?.inputSize, parameters: parameterCount(graph) });
    const values = squareInput(image, side);
    return {
      title: twiceAsWide ? `${first.name}, twice as wide` : first.name,
      cases: located.map(({ network, blob }) => ({ network, weights: blob, twiceAsWide, steps, picture: values, side })),
      graph,
      pictureOf: (other) => squareInput(image, other),
    };
  }
}

const networkOrder = ['snn', 'ann'];

async function openContestants(client: ContestantClient, name: ContestantName, cases: readonly ContestantCase[], task: Task): Promise<Contestant[]> {
  const { threads } = await client.request('open', { name, cases: [...cases] }, task);
  const [engine = '', backend = ''] = name.split(' ');
  return cases.map(({ network }, index) => ({
    network,
    engine,
    backend,
    threads,
    run: () => client.request('run', { index }, { ...task, report: () => undefined }),
    // Its worker looks at the clock: what messages take is nobody's.
    time: () => client.request('time', { index }, { ...task, report: () => undefined }),
    release: () => client.stop(),
  }));
}

function rowOf(row: RaceRow, { title, cases }: PreparedSetup, { steps }: BenchSetup): BenchRow {
  const side = cases[0]?.side ?? NaN;
  return { model: title, width: side, height: side, steps, ...row };
}

function isRequestKind(kind: string): kind is BenchRequestKind {
  return Object.hasOwn(benchRequestSchemas, kind);
}
