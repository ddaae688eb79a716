import { linearFit, type LinearFit } from '../../base/linearFit';
import type { Task } from '../../base/progress';
import { convolutionCosts, nodeShapes, type NetworkGraph } from '../../network/graph';
import { Network, trainedNeuron, type NetworkRun } from '../../network/network';
import { elementCount, neuronsOnClock, type LayerClock, type Operations } from '../../tensor/operations';
import { caseSettings, caseShape, meanRate, type BenchCase } from './contestants';
import { interleaved, spreadOf, type RunCounts, type Spread } from './race';

/** What one engine's time depends on. */
export interface Costs {
  rates: RateCost[];
  steps: { steps: number; run: Spread }[];
  /** Milliseconds against steps. */
  stepsFit: LinearFit;
  sizes: { width: number; height: number; run: Spread }[];
  /** Milliseconds against millions of pixels. */
  sizesFit: LinearFit;
  layers: LayerCost[];
  /** Share of their time that the spiking layers take at a tenth of the rate, between the two measured rates around it. */
  spikingShareAtTenth: number;
}

export interface RateCost {
  threshold: number;
  firingRate: number;
  run: Spread;
  /** The convolutions that read spikes: each layer's median, shortest and longest time, added up. */
  spikingLayers: Spread;
  /** All neurons together. */
  neurons: Spread;
}

export interface LayerCost {
  /** Name of its weights. */
  name: string;
  reads: 'spikes' | 'values';
  /** Multiply-adds for one step. */
  operations: number;
  /** One for each threshold of {@link Costs.rates}; the firing rate of what it reads is null for real values. */
  atThreshold: { firingRate: number | null; run: Spread }[];
}

/** The threshold is multiplied by these. */
export const thresholdFactors = [1, 1.5, 2, 2.5, 3, 5, 8] as const;
const stepCounts = [1, 2, 4, 6, 8, 12, 16] as const;
/** Sides of the picture, as shares of the case's, rounded to what the network takes. */
const sideShares = [0.5, 0.75, 1, 1.25, 1.5] as const;

/** Operations that tell how long their layers took. */
export type ClockedOperations = (clock: LayerClock) => Promise<Operations> | Operations;

/**
 * Times one engine at other thresholds, steps and sizes, everything in turn as {@link race} does.
 * @param pictureOf the case's picture `[1, side, side, 3]` at another size
 */
export async function measureCosts(
  benchCase: BenchCase,
  open: ClockedOperations,
  pictureOf: (side: number) => Float32Array,
  counts: RunCounts,
  task: Task,
): Promise<Costs> {
  const times = new Map<string, number>();
  const operations = await open((layer, durationMs) => times.set(layer, (times.get(layer) ?? 0) + durationMs));
  const network = await Network.load(benchCase.checkpoint, operations, task);
  const settings = caseSettings(benchCase);
  try {
    const atThresholds = thresholdFactors.map((factor) => ({ threshold: trainedNeuron.threshold * factor, runs: [] as LayerTimes[], last: undefined as NetworkRun | undefined }));
    const thresholdCases = atThresholds.map((entry) => async () => {
      times.clear();
      entry.last = await network.run(benchCase.picture, caseShape(benchCase), { ...settings, threshold: entry.threshold }, task);
      entry.runs.push(new Map(times));
    });
    const stepCases = stepCounts.map((steps) => () => network.run(benchCase.picture, caseShape(benchCase), { ...settings, steps }, task));
    const sides = sidesOf(benchCase, network.graph);
    const sizeCases = sides.map((side) => {
      const picture = pictureOf(side);
      return () => network.run(picture, { steps: 1, height: side, width: side, channels: 3 }, settings, task);
    });
    const spreads = await interleaved([...thresholdCases, ...stepCases, ...sizeCases], counts, task);
    const rateSpreads = spreads.splice(0, thresholdCases.length);
    const stepSpreads = spreads.splice(0, stepCases.length);
    const steps = stepSpreads.map((run, index) => ({ steps: stepCounts[index] ?? NaN, run }));
    const sizes = spreads.map((run, index) => ({ width: sides[index] ?? NaN, height: sides[index] ?? NaN, run }));
    const timed = atThresholds.map((entry) => ({ ...entry, runs: entry.runs.slice(counts.warmUpRuns) }));
    const layers = layerCosts(network.graph, benchCase, timed);
    const spiking = layers.filter(({ reads }) => reads === 'spikes');
    const rates = timed.map(({ threshold, runs, last }, index) => ({
      threshold,
      firingRate: (last && meanRate(last)) ?? NaN,
      run: rateSpreads[index] ?? spreadOf([]),
      spikingLayers: addedUp(spiking.map(({ atThreshold }) => atThreshold[index]?.run ?? spreadOf([]))),
      neurons: spreadOf(runs.map((run) => run.get(neuronsOnClock) ?? 0)),
    }));
    return {
      rates,
      steps,
      stepsFit: linearFit(steps.map(({ steps: x, run }) => ({ x, y: run.medianMs }))),
      sizes,
      sizesFit: linearFit(sizes.map(({ width, height, run }) => ({ x: (width * height) / 1e6, y: run.medianMs }))),
      layers,
      spikingShareAtTenth: shareAt(0.1, rates),
    };
  } finally {
    network.release();
  }
}

/** What interrupts the process meets a layer of a run: the median of each layer is free of it, that of whole runs is not. */
function addedUp(spreads: readonly Spread[]): Spread {
  const sum = (of: (spread: Spread) => number): number => spreads.reduce((total, spread) => total + of(spread), 0);
  return { medianMs: sum(({ medianMs }) => medianMs), minMs: sum(({ minMs }) => minMs), maxMs: sum(({ maxMs }) => maxMs), runs: spreads[0]?.runs ?? 0 };
}

/**
 * Time of the spiking layers at a share of the first firing rate, as a share of the first time: linear between the two measured rates around
 * it. NaN where none is as low.
 * @param rates falling
 */
export function shareAt(share: number, rates: readonly Pick<RateCost, 'firingRate' | 'spikingLayers'>[]): number {
  const rateOf = ({ firingRate }: Pick<RateCost, 'firingRate'>): number => firingRate / (rates[0]?.firingRate ?? NaN);
  const next = rates.findIndex((entry) => rateOf(entry) <= share);
  const [above, below] = [rates[next - 1], rates[next]];
  if (!above || !below) return NaN;
  const weight = (rateOf(above) - share) / (rateOf(above) - rateOf(below));
  const ms = above.spikingLayers.medianMs * (1 - weight) + below.spikingLayers.medianMs * weight;
  return ms / (rates[0]?.spikingLayers.medianMs ?? NaN);
}

type LayerTimes = ReadonlyMap<string, number>;

function layerCosts(
  graph: NetworkGraph,
  { height, width }: BenchCase,
  atThresholds: readonly { runs: readonly LayerTimes[]; last: NetworkRun | undefined }[],
): LayerCost[] {
  return convolutionCosts(graph, height, width).map(({ node, operations, spikesFrom }) => {
    const convolution = graph.nodes[node];
    const name = convolution?.op === 'convolution' ? convolution.weightName : '';
    return {
      name,
      reads: spikesFrom === undefined ? 'values' : 'spikes',
      operations,
      atThreshold: atThresholds.map(({ runs, last }) => {
        const rates = spikesFrom === undefined ? undefined : last?.firingRates[spikesFrom];
        return {
          firingRate: rates ? rates.reduce((sum, rate) => sum + rate, 0) / rates.length : null,
          run: spreadOf(runs.map((run) => run.get(name) ?? 0)),
        };
      }),
    };
  });
}

function sidesOf({ width, height }: BenchCase, { largestStride }: NetworkGraph): number[] {
  const sides = sideShares.map((share) => Math.max(1, Math.round((Math.max(width, height) * share) / largestStride)) * largestStride);
  return [...new Set(sides)];
}

export interface MemoryNeed {
  /** Folded weights and biases. */
  weightBytes: number;
  /** The two largest neuron layers as float32 at all steps. */
  twoLargestLayersBytes: number;
}

/** What a frame cannot do without, to measure an engine's memory against. */
export function memoryNeed(graph: NetworkGraph, { height, width, steps }: BenchCase): MemoryNeed {
  const sizes = nodeShapes(graph, height, width)
    .filter((_, node) => graph.nodes[node]?.op === 'neuron')
    .map((shape) => elementCount({ ...shape, steps }) * 4)
    .toSorted((a, b) => b - a);
  const weightBytes = graph.nodes.reduce((sum, node) => {
    if (node.op !== 'convolution') return sum;
    const { kernel, inputChannels, outputChannels } = node.geometry;
    return sum + (kernel * kernel * inputChannels + 1) * outputChannels * 4;
  }, 0);
  return { weightBytes, twoLargestLayersBytes: (sizes[0] ?? 0) + (sizes[1] ?? 0) };
}
