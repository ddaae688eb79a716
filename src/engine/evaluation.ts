import { paperConvention } from '../base/energyConvention';
import { AppError, asAppError } from '../base/errors';
import type { DatasetFormat } from '../base/datasetOptions';
import type { Size } from '../base/geometry';
import { throwIfCancelled, type Task } from '../base/progress';
import type { Candidates } from '../detect/decode';
import { toOriginal } from '../detect/letterbox';
import { suppress, type SuppressionSettings } from '../detect/nonMaximumSuppression';
import { conventionText } from '../energy/energy';
import { shownSuppression } from '../evaluate/analysis/errors';
import { matchClasses, type ClassMatch } from '../evaluate/classes';
import type { Dataset, DatasetProblem, DatasetSample, LabelBox } from '../evaluate/datasets/dataset';
import type { DatasetFile } from '../evaluate/datasets/files';
import { openDataset } from '../evaluate/datasets/open';
import { evaluationSuppression } from '../evaluate/rules/meanAveragePrecision';
import type { ScoredBox } from '../evaluate/rules/rules';
import { Tally, type SampleOutcome } from '../evaluate/tally';
import { paintSteps } from '../input/events/steps';
import { trainedNeuron } from '../network/network';
import { filesOf } from './datasetContent';
import { Frames, pictureSideOf, type PreparedInput } from './frames';
import type {
  DatasetSummary,
  EvaluatedCase,
  EvaluationState,
  EventsFrame,
  Frame,
  ModelDescription,
  RequestPayload,
  RunSettings,
} from './protocol';
import { Recordings } from './recordings';
import type { Surroundings } from './session';

/** What an evaluation asks of the session: networks, and single runs of them. */
export interface EvaluationHost<Model extends EvaluatedModel> {
  surroundings: Surroundings;
  /** The network that is loaded in the slot, or one of its own from `source`, which is released at the end. */
  network(wanted: WantedNetwork, task: Task): Promise<Model>;
  /** Whether the network is still there: one of a slot may have made way for another. */
  isLoaded(model: Model, wanted: WantedNetwork): boolean;
  run(model: Model, frame: PreparedFrame, task: Task): Promise<FrameOutcome>;
  release(model: Model): void;
}

type WantedNetwork = RequestPayload<'evaluate'>['networks'][number];

export interface EvaluatedModel {
  description: ModelDescription;
}

export interface PreparedFrame {
  frame: Frame;
  settings: RunSettings;
  input: PreparedInput;
}

export interface FrameOutcome {
  candidates: Candidates;
  inferenceMs: number;
  firingRate: number | undefined;
  snnPj: number | undefined;
  annPj: number;
}

/** The window that ends when a label holds (specification, section 8). */
const labelWindowUs = 250_000;
const defaultSteps = { pictures: 4, events: 5 };
/** Reporting costs time of its own: at most about a fifth of the whole. */
const reportShare = 4;

interface OpenedDataset {
  id: string;
  dataset: Dataset;
}

interface Case<Model> extends Pick<EvaluatedCase, 'steps' | 'inputSize' | 'sizeChosenBy'> {
  model: Model;
  match: ClassMatch;
  tally: Tally;
}

interface Running<Model> {
  id: string;
  /** Its id. */
  dataset: string;
  networks: readonly { model: Model; wanted: WantedNetwork }[];
  samples: readonly DatasetSample[];
  cases: readonly Case<Model>[];
  next: number;
  /** Samples that could not be read. */
  problems: DatasetProblem[];
  reportMs: number;
}

/** The data set and the evaluation of a session: one of each, the last that were asked for. */
export class Evaluations<Model extends EvaluatedModel> {
  private opened: OpenedDataset | undefined;
  private running: Running<Model> | undefined;
  private readonly frames: Frames;
  private readonly recordings = new Recordings();

  constructor(private readonly host: EvaluationHost<Model>) {
    this.frames = new Frames(host.surroundings, this.recordings);
  }

  /** @throws AppError `dataset/*`, `cancelled` */
  async openDataset({ id, content, format }: RequestPayload<'openDataset'>, task: Task): Promise<DatasetSummary> {
    const files = await filesOf(content);
    return this.openFiles({ id, files, format }, task);
  }

  async openFiles({ id, files, format }: { id: string; files: readonly DatasetFile[]; format: DatasetFormat | undefined }, task: Task): Promise<DatasetSummary> {
    const dataset = await openDataset(files, { format }, task);
    this.close();
    this.opened = { id, dataset };
    return summaryOf(id, dataset, dataset.problems);
  }

  /**
   * Goes on with an evaluation for about `budgetMs`, from where the last call with its id ended, and tells what it comes to
   * so far; repeat until it is `finished`. Cancelled in between, it can be gone on with.
   * @throws AppError `engine/no-dataset`, `engine/no-model`, `dataset/other-classes`, `cancelled`
   */
  async evaluate(request: RequestPayload<'evaluate'>, task: Task): Promise<EvaluationState> {
    const started = performance.now();
    const opened = this.dataset(request.dataset);
    const running = this.running?.id === request.id ? this.running : await this.start(request, opened, task);
    if (running.next < running.samples.length && running.networks.some(({ model, wanted }) => !this.host.isLoaded(model, wanted))) {
      throw new AppError('engine/no-model', 'A network made way for another while it was evaluated.', 'Evaluate again.');
    }
    const until = started + Math.max(request.budgetMs, running.reportMs * reportShare);
    while (running.next < running.samples.length) {
      await this.evaluateSample(running, task);
      task.report({ label: 'Evaluating', done: running.next, total: running.samples.length, unit: 'items' });
      if (performance.now() >= until) break;
    }
    const reporting = performance.now();
    const state = stateOf(running, opened.dataset);
    running.reportMs = performance.now() - reporting;
    return state;
  }

  /** A sample as a person looks at it. @throws AppError `engine/no-evaluation` */
  async picture({ id, sample: index }: RequestPayload<'evaluatedPicture'>, task: Task): Promise<Blob> {
    const running = this.evaluation(id);
    const sample = running.samples[index];
    if (!sample) throw new RangeError(`The evaluation has no sample ${index}.`);
    const { content } = sample;
    if (content.kind === 'picture') return content.file.open();
    const { recording, fromUs, windowUs } = eventsFrame(running.dataset, content.file.path, content.untilUs, await content.file.open());
    const { sensor, events } = await this.recordings.window(recording, { fromUs, toUs: fromUs + windowUs, withoutHotPixels: false }, task);
    const painted = paintSteps(events, sensor, { fromUs, windowUs, steps: 1, representation: 'gen1' });
    return this.host.surroundings.encodePicture({ ...sensor, data: Uint8Array.from(painted, (value) => Math.round(value * 255)) });
  }

  /** COCO's results of one case: `[{ image_id, category_id, bbox, score }]`. @throws AppError `engine/no-evaluation` */
  cocoResults({ id, case: index }: RequestPayload<'evaluationDetections'>): Blob {
    const { samples, cases } = this.evaluation(id);
    const wanted = cases[index];
    if (!wanted || !this.opened) throw new RangeError(`The evaluation has no case ${index}.`);
    const { categoryIds } = this.opened.dataset;
    const categoryOf = new Map(wanted.match.toNetwork.flatMap((label, own) => (label === undefined ? [] : [[label, categoryIds[own]] as const])));
    const lines: string[] = [];
    for (const { sample, detections } of wanted.tally.detections()) {
      for (const { box: [x1, y1, x2, y2], score, class: label } of detections) {
        const category = categoryOf.get(label);
        if (category === undefined) continue;
        const bbox = [x1, y1, x2 - x1, y2 - y1].map((side) => Math.round(side * 100) / 100);
        lines.push(JSON.stringify({ image_id: samples[sample]?.imageId, category_id: category, bbox, score: Math.round(score * 1e5) / 1e5 }));
      }
    }
    return new Blob([`[${lines.join(',\n')}]\n`], { type: 'application/json' });
  }

  private async start(request: RequestPayload<'evaluate'>, { dataset }: OpenedDataset, task: Task): Promise<Running<Model>> {
    this.stop();
    const { part, limit } = request;
    const samples = dataset.samples.filter(({ parts }) => part === undefined || parts.includes(part)).slice(0, limit ?? Infinity);
    if (samples.length === 0) throw new AppError('dataset/unknown', `The data set has no part ${part ?? ''}.`, 'Choose another part, or all.');
    const networks: { model: Model; wanted: WantedNetwork }[] = [];
    try {
      const cases: Case<Model>[] = [];
      for (const wanted of request.networks) {
        const model = await this.host.network(wanted, task);
        networks.push({ model, wanted });
        cases.push(...this.casesOf(model, wanted, request.inputSize, dataset));
      }
      this.running = { id: request.id, dataset: request.dataset, networks, samples, cases, next: 0, problems: [], reportMs: 0 };
      return this.running;
    } catch (thrown) {
      this.release(networks);
      throw thrown;
    }
  }

  private casesOf(model: Model, wanted: WantedNetwork, asked: number | undefined, dataset: Dataset): Case<Model>[] {
    const { classNames, mode, steps: trained } = model.description;
    const match = matchClasses(dataset, classNames);
    const askedSteps = wanted.steps.length > 0 ? wanted.steps : [trained ?? defaultSteps[dataset.format === 'gen1' ? 'events' : 'pictures']];
    // One pass is all that an ANN has.
    const everySteps = mode === 'ann' ? [1] : [...new Set(askedSteps)].sort((a, b) => a - b);
    const size = sizeFor(model.description, asked, dataset);
    return everySteps.map((steps) => ({ model, steps, ...size, match, tally: new Tally(classNames) }));
  }

  private async evaluateSample(running: Running<Model>, task: Task): Promise<void> {
    const index = running.next;
    const sample = running.samples[index];
    if (!sample) return;
    const outcomes: Omit<SampleOutcome, 'sample'>[] = [];
    for (const wanted of running.cases) {
      throwIfCancelled(task.signal);
      const outcome = await this.outcome(running, sample, wanted, task);
      if (!outcome) break;
      outcomes.push(outcome);
    }
    running.next++;
    // Only whole samples are counted, so that cases stay comparable wherever they are cancelled.
    if (outcomes.length < running.cases.length) return;
    running.cases.forEach(({ tally }, position) => {
      const outcome = outcomes[position];
      if (outcome) tally.add({ sample: index, ...outcome });
    });
  }

  /** Undefined where the sample cannot be read: then its file is named, and the rest goes on. */
  private async outcome({ dataset, problems }: Running<Model>, sample: DatasetSample, { model, inputSize, steps, match }: Case<Model>, task: Task): Promise<Omit<SampleOutcome, 'sample'> | undefined> {
    const started = performance.now();
    const settings: RunSettings = { ...trainedNeuron, steps, inputSize };
    let frame: Frame;
    let input: PreparedInput;
    try {
      frame = await frameOf(dataset, sample);
      input = await this.frames.prepare(frame, settings, model.description, task);
    } catch (thrown) {
      throwIfCancelled(task.signal);
      problems.push({ path: sample.content.file.path, message: asAppError(thrown).message });
      return undefined;
    }
    const preprocessMs = performance.now() - started;
    const { candidates, ...outcome } = await this.host.run(model, { frame, settings, input }, task);
    const inferred = performance.now();
    const size = input.placement.original;
    const boxesOf = (thresholds: SuppressionSettings): ScoredBox[] => suppress(candidates, thresholds).map((found) => ({ ...found, box: toOriginal(found.box, input.placement) }));
    return {
      size,
      detections: boxesOf(evaluationSuppression),
      shown: boxesOf(shownSuppression),
      labels: labelsFor(sample, size, match),
      preprocessMs,
      postprocessMs: performance.now() - inferred,
      ...outcome,
    };
  }

  private dataset(id: string): OpenedDataset {
    if (this.opened?.id === id) return this.opened;
    throw new AppError('engine/no-dataset', 'The engine does not hold the data set any more.', 'Choose the data set again.');
  }

  private evaluation(id: string): Running<Model> {
    if (this.running?.id === id) return this.running;
    throw new AppError('engine/no-evaluation', 'The engine does not hold this evaluation any more.', 'Evaluate again.');
  }

  private close(): void {
    this.stop();
    this.opened = undefined;
  }

  private stop(): void {
    this.release(this.running?.networks ?? []);
    this.running = undefined;
  }

  /** Those of a slot belong to the session. */
  private release(networks: Running<Model>['networks']): void {
    for (const { model, wanted } of networks) if (wanted.source) this.host.release(model);
  }
}

/** As asked; else the network's own; else the sensor's, or what is likely for pictures. */
function sizeFor(model: ModelDescription, asked: number | undefined, { format }: Dataset): Pick<EvaluatedCase, 'inputSize' | 'sizeChosenBy'> {
  if (asked !== undefined) return { inputSize: asked, sizeChosenBy: 'request' };
  if (model.inputSize !== undefined) return { inputSize: model.inputSize, sizeChosenBy: 'network' };
  return format === 'gen1' ? { inputSize: 'native', sizeChosenBy: 'sensor' } : { inputSize: pictureSideOf(model), sizeChosenBy: 'assumption' };
}

/** @param set the data set's id: files of another set may have the same names */
async function frameOf(set: string, { id, content }: DatasetSample): Promise<Frame> {
  const blob = await content.file.open();
  return content.kind === 'picture' ? { id: `${set}/${id}`, image: blob } : eventsFrame(set, content.file.path, content.untilUs, blob);
}

function eventsFrame(set: string, path: string, untilUs: number, blob: Blob): EventsFrame {
  return {
    id: `${set}/${path}@${untilUs}`,
    recording: { kind: 'file', id: `${set}/${path}`, name: path, blob },
    fromUs: untilUs - labelWindowUs,
    windowUs: labelWindowUs,
    representation: 'gen1',
    fit: 'stretch',
    withoutHotPixels: false,
    carryMembranes: false,
  };
}

/** The sample's labels with the network's classes; those of classes that it does not know are left out. */
function labelsFor(sample: DatasetSample, size: Size, { toNetwork }: ClassMatch): LabelBox[] {
  return sample.labelsOn(size).flatMap((label) => {
    const known = toNetwork[label.class];
    return known === undefined ? [] : [{ ...label, class: known }];
  });
}

const problemsShown = 200;

function summaryOf(id: string, dataset: Dataset, problems: readonly DatasetProblem[]): DatasetSummary {
  return {
    id,
    format: dataset.format,
    classNames: dataset.classNames,
    samples: dataset.samples.length,
    partSizes: dataset.partSizes,
    problems: problems.slice(0, problemsShown),
    problemCount: problems.length,
  };
}

function stateOf<Model extends EvaluatedModel>(running: Running<Model>, dataset: Dataset): EvaluationState {
  return {
    id: running.id,
    done: running.next,
    total: running.samples.length,
    finished: running.next >= running.samples.length,
    energyConvention: conventionText(paperConvention),
    dataset: summaryOf(running.dataset, dataset, [...dataset.problems, ...running.problems]),
    cases: running.cases.map(({ model: { description }, steps, inputSize, sizeChosenBy, match, tally }): EvaluatedCase => {
      const { worst, ...result } = tally.result();
      return {
        network: description.name,
        mode: description.mode,
        steps,
        inputSize,
        sizeChosenBy,
        classNames: description.classNames,
        matchedBy: match.by,
        unknownClasses: match.unknown,
        ...result,
        worst: worst.map((sample) => ({ ...sample, title: running.samples[sample.sample]?.title ?? '' })),
      };
    }),
  };
}
