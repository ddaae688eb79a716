import { paperConvention } from '../base/energyConvention';
import type { Task } from '../base/progress';
import type { LetterboxPlacement } from '../detect/letterbox';
import { estimateEnergy } from '../energy/energy';
import type { ConvertedNetwork, ConvertedRun, ConvertedState } from '../network/converted';
import type { Backend } from '../tensor/backend';
import { cellsOf, decodeScales, describeBlocks, describeLayers, detectionsOf } from './describe';
import type { FrameOutcome, PreparedFrame } from './evaluation';
import type { PreparedInput } from './frames';
import { frameCosts, operationCounts } from './operationCounts';
import type { DetectionResult, ModelDescription, RequestPayload } from './protocol';

interface ActiveRun {
  /** What it runs on; another key is another run. */
  key: string;
  run: ConvertedRun;
  state: ConvertedState | undefined;
  placement: LetterboxPlacement;
  preprocessMs: number;
  /** Of all its steps. */
  inferenceMs: number;
}

/** A converted network and the run that it is in the middle of: asked for more steps on the same frame, it goes on. */
export class ConvertedModel {
  private active: ActiveRun | undefined;

  constructor(
    readonly network: ConvertedNetwork,
    readonly description: ModelDescription,
    private readonly backend: Backend,
  ) {}

  /** @param prepare makes the network's input; called only where a new run starts */
  async detect(request: RequestPayload<'detect'>, prepare: () => Promise<PreparedInput>, task: Task): Promise<DetectionResult> {
    const { network, description } = this;
    const active = await this.advance(request, prepare, task);
    const { state, placement, preprocessMs, inferenceMs } = active;
    const started = performance.now();
    const firingRates = state.meanRates.map((rate) => [rate]);
    const operations = operationCounts(network.graph, placement.input, { steps: state.steps, firingRates, neuronKind: 'integrate' });
    return {
      model: description.name,
      backend: this.backend.choice,
      mode: 'converted',
      steps: state.steps,
      picture: placement.original,
      input: placement.input,
      detectionsPerStep: [detectionsOf(this.candidates(state), cellsOf(network, state.scales), placement, request, description)],
      layers: describeLayers(network.graph, placement.input, 'converted'),
      blocks: describeBlocks(network.graph, placement.input),
      firingRates,
      spikesPerStep: state.spikesPerStep,
      operations,
      energy: estimateEnergy(operations, paperConvention),
      timing: { preprocessMs, inferenceMs, postprocessMs: performance.now() - started },
    };
  }

  /** One frame as an evaluation wants it; the time is that of all its steps. */
  async evaluate({ frame, settings, input }: PreparedFrame, task: Task): Promise<FrameOutcome> {
    const { state, inferenceMs } = await this.advance({ frame, settings }, () => Promise.resolve(input), task);
    const firingRates = state.meanRates.map((rate) => [rate]);
    const operations = operationCounts(this.network.graph, input.placement.input, { steps: state.steps, firingRates, neuronKind: 'integrate' });
    return { candidates: this.candidates(state), inferenceMs, ...frameCosts(operations) };
  }

  /** The state after as many steps as the request's settings name. */
  async advance(
    { frame, settings }: Pick<RequestPayload<'detect'>, 'frame' | 'settings'>,
    prepare: () => Promise<PreparedInput>,
    task: Task,
  ): Promise<ActiveRun & { state: ConvertedState }> {
    const key = JSON.stringify([frame.id, settings.inputSize]);
    if (this.active && (this.active.key !== key || this.active.run.stepsDone > settings.steps)) this.forget();
    const active = this.active ?? (await this.start(key, prepare));
    const started = performance.now();
    const missing = settings.steps - active.run.stepsDone;
    const state = active.state && missing === 0 ? active.state : await active.run.advance(missing, task);
    active.state = state;
    active.inferenceMs += performance.now() - started;
    return { ...active, state };
  }

  candidates({ scales }: ConvertedState): ReturnType<typeof decodeScales> {
    return decodeScales(this.network, scales.map(({ height, width, mean }) => ({ height, width, logits: mean })));
  }

  release(): void {
    this.forget();
    this.network.release();
  }

  private async start(key: string, prepare: () => Promise<PreparedInput>): Promise<ActiveRun> {
    const started = performance.now();
    const { values, steps, placement } = await prepare();
    const preprocessed = performance.now();
    const run = this.network.start(values, { steps, ...placement.input, channels: 3 });
    const active = { key, run, state: undefined, placement, preprocessMs: preprocessed - started, inferenceMs: performance.now() - preprocessed };
    this.active = active;
    return active;
  }

  private forget(): void {
    this.active?.run.release();
    this.active = undefined;
  }
}
