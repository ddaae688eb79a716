import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import { seededRandom, shuffled } from '../base/random';
import type { SuppressionSettings } from '../detect/nonMaximumSuppression';
import type { NetworkGraph } from '../network/graph';
import { trainedNeuron } from '../network/network';
import { expectedTensors } from '../network/weights';
import type { TrainingOperations } from '../tensor/training';
import { augment, type TrainingPicture } from './augment';
import { stageOf, totalEpochs, type TrainingConfig } from './config';
import type { EpochReport, StepReport } from './log';
import { yoloLoss, type Loss, type TrainingTarget } from './loss';
import { detectBatch, measure, type BatchDetections } from './measure';
import { gradientNorm, optimise, scheduledRate, updateAverage, type Moments } from './optimiser';
import { anchorsInCells } from './parameters';
import { Pass, type PassOutput, type PassSettings } from './pass';
import { validationRandom, type TrainingSources } from './source';

/** Share of a batch's statistics that goes into the running ones (specification, section 3). */
const normMomentum = 0.1;

/** Everything that a run is made of at a moment; a run that goes on from it ends like one that was never stopped. */
export interface TrainingState {
  /** Steps of the optimiser so far. */
  step: number;
  parameters: Map<string, Float32Array>;
  /** The moving average, which is what is evaluated and exported. */
  average: Map<string, Float32Array>;
  moments: Moments;
}

/** A run of training: step after step, each by its own number alone, so that it can be stopped and taken up anywhere. */
export class Trainer {
  readonly stepsPerEpoch: number;
  readonly steps: number;
  private readonly trained: ReadonlySet<string> | undefined;
  private readonly decayed: ReadonlySet<string>;
  private lastGradients: ReadonlyMap<string, Float32Array> = new Map();
  private lastRates: (number | null)[] = [];

  constructor(
    readonly graph: NetworkGraph,
    readonly config: TrainingConfig,
    private readonly operations: TrainingOperations,
    readonly sources: TrainingSources,
    readonly state: TrainingState,
  ) {
    this.stepsPerEpoch = Math.max(1, Math.floor(sources.training.length / (config.batch * config.accumulate)));
    this.steps = this.stepsPerEpoch * totalEpochs(config);
    this.trained = config.train === 'head' ? headNames(graph) : undefined;
    this.decayed = new Set([...expectedTensors(graph)].filter(([, shape]) => shape.length === 4).map(([name]) => name));
  }

  get isDone(): boolean {
    return this.state.step >= this.steps;
  }

  /** The epoch that the next step belongs to, from 0. */
  get epoch(): number {
    return Math.floor(this.state.step / this.stepsPerEpoch);
  }

  /** One step of the optimiser. When it fails or is cancelled, the state is what it was before. */
  async step(task: Task): Promise<StepReport> {
    const { config, state } = this;
    const started = performance.now();
    const { epoch } = this;
    const stage = stageOf(config, epoch);
    const order = shuffled(this.sources.training.length, seededRandom(config.seed ^ Math.imul(epoch + 1, 0x9e3779b1)));
    const gradients = new Map<string, Float32Array>();
    const losses: Loss[] = [];
    const outputs: PassOutput[] = [];
    for (let part = 0; part < config.accumulate; part++) {
      throwIfCancelled(task.signal);
      const first = ((state.step % this.stepsPerEpoch) * config.accumulate + part) * config.batch;
      const { loss, output, found } = await this.batchGradients(order, first, stage.size, stage.steps);
      losses.push(loss);
      outputs.push(output);
      for (const [name, values] of found) addTo(gradients, name, values);
    }
    const learningRate = scheduledRate(
      config.optimiser.learningRate, state.step, this.steps, config.schedule.warmUpEpochs * this.stepsPerEpoch, config.schedule.finalShare,
    );
    const norm = optimise(
      state.parameters, gradients, state.moments, config.optimiser, learningRate, state.step + 1, (name) => this.decayed.has(name),
    );
    if (!Number.isFinite(norm)) {
      throw new AppError(
        'train/diverged',
        `Training went astray in step ${state.step + 1}: a gradient is no finite number.`,
        'Begin again with a lower learning rate, or clip gradients at a smaller norm.',
      );
    }
    for (const output of outputs) this.updateStatistics(output);
    updateAverage(state.average, state.parameters, config.averageDecay, state.step + 1);
    state.step++;
    this.lastGradients = gradients;
    this.lastRates = (outputs.at(-1)?.firingRates ?? []).map((rate) => rate ?? null);
    const mean = (pick: (loss: Loss) => number): number => losses.reduce((sum, loss) => sum + pick(loss), 0) / losses.length;
    return {
      step: state.step,
      steps: this.steps,
      epoch,
      learningRate,
      box: mean((loss) => loss.box),
      objectness: mean((loss) => loss.objectness),
      class: mean((loss) => loss.class),
      gradientNorm: norm,
      firingRates: this.lastRates,
      picturesPerSecond: (config.batch * config.accumulate * 1000) / (performance.now() - started),
    };
  }

  /** mAP of the averaged weights on what was kept aside, and what the last step was like. */
  async evaluate(task: Task): Promise<EpochReport> {
    const { size, steps } = stageOf(this.config, totalEpochs(this.config) - 1);
    const { released, coco } = await measure(
      this.graph, this.state.average, this.operations, this.passSettings(steps), this.sources.validation, size, task,
    );
    return {
      epoch: this.epoch,
      map50: released.map50 ?? null,
      map: released.map ?? null,
      cocoMap50: coco.map50 ?? null,
      cocoMap: coco.map ?? null,
      gradientNorms: Object.fromEntries(
        [...this.lastGradients].filter(([name]) => this.decayed.has(name)).map(([name, values]) => [name, gradientNorm(new Map([[name, values]]))]),
      ),
      firingRates: this.lastRates,
    };
  }

  /** What the averaged weights find on the first pictures that were kept aside. */
  async samples(count: number, suppression: SuppressionSettings): Promise<BatchDetections & { size: number }> {
    const { size, steps } = stageOf(this.config, totalEpochs(this.config) - 1);
    const { validation } = this.sources;
    const pictures = Array.from({ length: Math.min(count, validation.length) }, (_, index) => validation.read(index, validationRandom(index)));
    return { ...(await detectBatch(this.graph, this.state.average, this.operations, this.passSettings(steps), pictures, size, suppression)), size };
  }

  passSettings(steps: number): Omit<PassSettings, 'statistics'> {
    return { mode: this.config.mode, steps, neuron: trainedNeuron, surrogate: this.config.surrogate };
  }

  private async batchGradients(order: readonly number[], first: number, size: number, steps: number) {
    const { config, operations, graph, state } = this;
    const pictures = Array.from({ length: config.batch }, (_, index) => this.picture(order, first + index, size));
    const { data, inputSteps, targets } = assemble(pictures, size);
    const pass = new Pass(graph, state.parameters, operations, {
      ...this.passSettings(steps),
      // What is not trained keeps its statistics, too.
      statistics: config.train === 'head' ? 'running' : 'batch',
    });
    try {
      const output = await pass.forward(data, { steps: inputSteps, images: pictures.length, height: size, width: size, channels: 3 });
      const anchors = anchorsInCells(graph, graph.description.anchors);
      const loss = yoloLoss(
        output.logits.map(({ data: logits, shape }, scale) => ({
          logits, images: shape.images, height: shape.height, width: shape.width, anchors: anchors[scale] ?? [],
        })),
        targets,
        graph.description.classNames.length,
        config.gains,
      );
      const { parameters: found } = await pass.backward(loss.gradients, {
        ratePenalty: config.ratePenalty, trace: false, ...(this.trained && { only: this.trained }),
      });
      return { loss, output, found };
    } finally {
      pass.release();
    }
  }

  /** Everything random about a picture follows from the seed and the picture's number in the run. */
  private picture(order: readonly number[], place: number, size: number): TrainingPicture {
    const { training } = this.sources;
    const { config } = this;
    const number = this.epoch * this.stepsPerEpoch * config.batch * config.accumulate + place;
    const random = seededRandom(Math.imul(config.seed + 1, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
    const source = training.read(order[place % order.length] ?? 0, random);
    return augment(source, () => training.read(Math.floor(random() * training.length), random), config.augmentation, size, random);
  }

  private updateStatistics({ statistics }: PassOutput): void {
    if (this.config.train === 'head') return;
    for (const [prefix, { mean, variance, places }] of statistics) {
      const unbiased = places > 1 ? places / (places - 1) : 1;
      move(this.state.parameters.get(`${prefix}.running_mean`), mean, 1);
      move(this.state.parameters.get(`${prefix}.running_var`), variance, unbiased);
    }
  }
}

function move(running: Float32Array | undefined, batch: Float32Array, factor: number): void {
  running?.forEach((value, channel) => {
    running[channel] = value * (1 - normMomentum) + (batch[channel] ?? NaN) * factor * normMomentum;
  });
}

/** The detection convolutions' names. */
function headNames(graph: NetworkGraph): ReadonlySet<string> {
  return new Set(
    graph.scales.flatMap(({ node }) => {
      const convolution = graph.nodes[node];
      if (convolution?.op !== 'convolution' || convolution.shift.kind !== 'bias') return [];
      return [convolution.weightName, convolution.shift.name];
    }),
  );
}

/** Pictures of a batch, one behind the other within each step. */
function assemble(pictures: readonly TrainingPicture[], size: number): { data: Float32Array; inputSteps: number; targets: TrainingTarget[] } {
  const inputSteps = pictures[0]?.steps ?? 1;
  const plane = size * size * 3;
  const data = new Float32Array(inputSteps * pictures.length * plane);
  pictures.forEach(({ values, steps }, image) => {
    if (steps !== inputSteps) throw new RangeError('The pictures of a batch differ in their steps.');
    for (let step = 0; step < steps; step++) data.set(values.subarray(step * plane, (step + 1) * plane), (step * pictures.length + image) * plane);
  });
  return { data, inputSteps, targets: pictures.flatMap(({ targets }, image) => targets.map((target) => ({ ...target, image }))) };
}

function addTo(sums: Map<string, Float32Array>, name: string, values: Float32Array): void {
  const sum = sums.get(name);
  if (!sum) {
    sums.set(name, values);
    return;
  }
  for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] ?? NaN) + (values[index] ?? NaN);
}
