import { largestJacobian, stackKinds, type GradientProfile, type StackKind, type StackSettings } from '../base/blockStacks';
import { presetCurrent, type CurrentPreset, type NeuronLoss, type NeuronSettings } from '../base/neuron';
import type { Task } from '../base/progress';
import type { Surrogate } from '../base/surrogate';
import { engine } from '../state/engine';
import { initialLearn, noCurves, type GradientLaboratory, type NeuronLaboratory } from '../state/learn';
import { usePlayground } from '../state/store';
import { underWay } from './work';

// The neuron laboratory

/** Currents that can be drawn, in the units of the threshold's scale. */
export const currentRange = [-1, 2] as const;

export function setNeuron(change: Partial<NeuronSettings>): void {
  changeNeuron(({ settings }) => ({ settings: { ...settings, ...change } }));
}

export function setLoss(change: Partial<NeuronLoss>): void {
  changeNeuron(({ loss }) => ({ loss: { ...loss, ...change } }));
}

export function setNeuronSurrogate(surrogate: Surrogate): void {
  changeNeuron(() => ({ surrogate }));
}

export function chooseCurrent(preset: CurrentPreset): void {
  changeNeuron(({ current, amplitude }) => ({ preset, current: presetCurrent(preset, current.length, amplitude) }));
}

export function setAmplitude(amplitude: number): void {
  changeNeuron(({ preset, current }) => ({ amplitude, ...(preset !== 'drawn' && { current: presetCurrent(preset, current.length, amplitude) }) }));
}

/** A drawn current keeps what it has and goes on with silence. */
export function setNeuronSteps(steps: number): void {
  changeNeuron(({ preset, current, amplitude, step }) => ({
    current: preset === 'drawn' ? Array.from({ length: steps }, (_, index) => current[index] ?? 0) : presetCurrent(preset, steps, amplitude),
    step: Math.min(step, steps - 1),
  }));
}

/** Draws one step's current by hand. */
export function drawCurrent(step: number, value: number): void {
  const [low, high] = currentRange;
  const drawn = Math.round(Math.min(Math.max(value, low), high) * 100) / 100;
  changeNeuron(({ current }) => ({ preset: 'drawn', current: current.map((before, index) => (index === step ? drawn : before)) }));
}

export function selectNeuronStep(step: number): void {
  changeNeuron(() => ({ step }));
}

export function resetNeuronLaboratory(): void {
  changeNeuron(() => initialLearn.neuron);
}

function changeNeuron(change: (neuron: NeuronLaboratory) => Partial<NeuronLaboratory>): void {
  usePlayground.setState(({ learn }) => ({ learn: { ...learn, neuron: { ...learn.neuron, ...change(learn.neuron) } } }));
}

// The gradient laboratory

export function setStack(change: Partial<StackSettings>): void {
  changeGradient(({ settings, block }) => {
    const next = { ...settings, ...change };
    return { settings: next, block: { ...block, place: Math.min(block.place, next.depth) } };
  });
}

export function setSeeds(seeds: number): void {
  changeGradient(() => ({ seeds }));
}

/** Chooses the block whose Jacobian is looked at, and measures it. */
export function chooseBlock(change: Partial<GradientLaboratory['block']>): void {
  changeGradient(({ block }) => ({ block: { ...block, ...change } }));
  void measureBlock();
}

/** The theory's curves for the present settings, then the gradient of each kind of stack over the seeds: the chart fills as they come. */
export async function measureGradients(): Promise<void> {
  const { settings, seeds } = usePlayground.getState().learn.gradient;
  await underWay('gradients', 'Measuring gradients', async (task) => {
    await predict(settings, task);
    const total = seeds * stackKinds.length;
    let done = 0;
    // One seed of each kind after the other, so that the kinds can be compared from the start.
    for (let seed = 1; seed <= seeds; seed++) {
      for (const kind of stackKinds) {
        const profile = await engine.request('measureGradient', { kind, settings, seed }, partOf(task, done, total));
        addMeasured(kind, settings, profile);
        done++;
      }
    }
  });
}

/** The first time, the theory's curves and one spectrum: they take a moment, and there is something to see from the start. */
export function openGradientLaboratory(): void {
  const { settings, curvesSettings, spectrum } = usePlayground.getState().learn.gradient;
  if (!curvesSettings) void underWay('gradients', 'Predicting gradients', (task) => predict(settings, task));
  if (!spectrum) void measureBlock();
}

async function predict(settings: StackSettings, task: Task): Promise<void> {
  const predicted: [StackKind, GradientProfile][] = [];
  for (const kind of stackKinds) predicted.push([kind, await engine.request('predictGradient', { kind, settings }, task)]);
  // All at once: until they are there, what was measured before stays.
  const curves = noCurves();
  for (const [kind, profile] of predicted) curves[kind] = { predicted: profile, measured: [] };
  changeGradient(() => ({ curves, curvesSettings: settings }));
}

function addMeasured(kind: StackKind, settings: StackSettings, profile: GradientProfile): void {
  changeGradient(({ curves, curvesSettings }) =>
    curvesSettings === settings ? { curves: { ...curves, [kind]: { ...curves[kind], measured: [...curves[kind].measured, profile] } } } : {},
  );
}

/** A task whose progress is one part of several. */
function partOf(task: Task, done: number, total: number): Task {
  return {
    signal: task.signal,
    report: (progress) =>
      task.report({ label: `Measuring gradients: stack ${done + 1} of ${total}`, done: done + progress.done / (progress.total ?? 1), total, unit: 'items' }),
  };
}

export async function measureBlock(): Promise<void> {
  const { settings, block } = usePlayground.getState().learn.gradient;
  // The page says why.
  if (settings.steps * settings.width > largestJacobian) return;
  const result = await underWay('spectrum', 'Measuring a block’s Jacobian', (task) => engine.request('measureSpectrum', { ...block, settings, seed: 1 }, task));
  if (result) changeGradient(() => ({ spectrum: { ...block, settings, result } }));
}

export function resetGradientLaboratory(): void {
  changeGradient(({ curves, curvesSettings, spectrum }) => ({ ...initialLearn.gradient, curves, curvesSettings, spectrum }));
}

function changeGradient(change: (gradient: GradientLaboratory) => Partial<GradientLaboratory>): void {
  usePlayground.setState(({ learn }) => ({ learn: { ...learn, gradient: { ...learn.gradient, ...change(learn.gradient) } } }));
}
