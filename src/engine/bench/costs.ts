import { linearFit, type LinearFit } from '../../base/linearFit';
import { throwIfCancelled, type Task } from '../../base/progress';
import { convolutionCosts, nodeShapes, type NetworkGraph } from '../../network/graph';
import { Network, trainedNeuron, type NetworkRun } from '../../network/network';
import { graphOfCheckpoint } from '../../network/weights';
import type { Backend } from '../../tensor/backend';
import { elementCount, neuronsOnClock, type LayerClock } from '../../tensor/operations';
import type { BenchMemory, Costs, LayerCost, RateCost, RunCounts, Spread, Sweep } from '../benchProtocol';
import { caseSettings, caseShape, meanRate, type BenchCase } from './contestants';
import { interleaved, spreadOf, timeOf } from './race';

/** Opens a backend whose layers tell the clock how long they took, as far as it can tell. */
export type ClockedBackend = (clock: LayerClock) => Promise<Backend>;

/**
 * Times one engine at other thresholds, steps and sizes, everything in turn as {@link race} does.
 * @param pictureOf the case's picture `[1, side, side, 3]` at another size
 */
export async function measureCosts(
  benchCase: BenchCase,
  open: ClockedBackend,
  pictureOf: (side: number) => Float32Array,
  sweep: Sweep,
  counts: RunCounts,
  task: Task,
): Promise<Costs> {
  const times = new Map<string, number>();
  const { operations } = await open((layer, durationMs) => times.set(layer, (times.get(layer) ?? 0) + durationMs));
  const network = await Network.load(benchCase.checkpoint, operations, task);
  const settings = caseSettings(benchCase);
  const atThreshold = (threshold: number): Promise<NetworkRun> => network.run(benchCase.picture, caseShape(benchCase), { ...settings, threshold }, task);
  try {
    const tenth = sweep.atTenth ? await factorForRate(async (factor) => meanRate(await atThreshold(trainedNeuron.threshold * factor)) ?? NaN, 0.1, task) : undefined;
    const factors = [...new Set([...sweep.factors, ...(tenth === undefined ? [] : [tenth])])].sort((a, b) => a - b);
    const atThresholds = factors.map((factor) => ({ threshold: trainedNeuron.threshold * factor, runs: [] as LayerTimes[], last: undefined as NetworkRun | undefined }));
    const thresholdCases = atThresholds.map((entry) => async () => {
      times.clear();
      const durationMs = await timeOf(async () => (entry.last = await atThreshold(entry.threshold)));
      entry.runs.push(new Map(times));
      return durationMs;
    });
    const stepCases = sweep.stepCounts.map((steps) => () => timeOf(() => network.run(benchCase.picture, caseShape(benchCase), { ...settings, steps }, task)));
    const sides = sidesOf(benchCase, sweep.sideShares, network.graph);
    const sizeCases = sides.map((side) => {
      const picture = pictureOf(side);
      return () => timeOf(() => network.run(picture, { steps: 1, height: side, width: side, channels: 3 }, settings, task));
    });
    const spreads = await interleaved([...thresholdCases, ...stepCases, ...sizeCases], counts, task);
    const rateSpreads = spreads.splice(0, thresholdCases.length);
    const stepSpreads = spreads.splice(0, stepCases.length);
    const steps = stepSpreads.map((run, index) => ({ steps: sweep.stepCounts[index] ?? NaN, run }));
    const sizes = spreads.map((run, index) => ({ width: sides[index] ?? NaN, height: sides[index] ?? NaN, run }));
    const timed = atThresholds.map((entry, index) => ({ ...entry, runs: entry.runs.slice(entry.runs.length - (rateSpreads[index]?.runs ?? 0)) }));
    const tellsLayers = times.size > 0;
    const layers = tellsLayers ? layerCosts(network.graph, benchCase, timed) : [];
    const spiking = layers.filter(({ reads }) => reads === 'spikes');
    const rates = timed.map(({ threshold, runs, last }, index) => ({
      threshold,
      firingRate: (last && meanRate(last)) ?? NaN,
      run: rateSpreads[index] ?? spreadOf([]),
      spikingLayers: tellsLayers ? addedUp(spiking.map(({ atThreshold }) => atThreshold[index]?.run ?? spreadOf([]))) : null,
      neurons: tellsLayers ? spreadOf(runs.map((run) => run.get(neuronsOnClock) ?? 0)) : null,
    }));
    return {
      rates,
      steps,
      stepsFit: fitOf(steps.map(({ steps: x, run }) => ({ x, y: run.medianMs }))),
      sizes,
      sizesFit: fitOf(sizes.map(({ width, height, run }) => ({ x: (width * height) / 1e6, y: run.medianMs }))),
      layers,
      spikingShareAtTenth: shareAt(0.1, rates),
    };
  } finally {
    network.release();
  }
}

function fitOf(points: readonly { x: number; y: number }[]): LinearFit | null {
  return points.length < 2 ? null : linearFit(points);
}

/** No threshold within this leaves so few spikes: the network has none to lose. */
const largestFactor = 64;
const halvings = 10;

/**
 * The factor on the threshold, from 1 up, that leaves a share of the spikes, by halving the interval: rates fall with the threshold.
 * @param rateAt the firing rate with the threshold multiplied by a factor
 * @returns undefined where even {@link largestFactor} leaves more
 */
export async function factorForRate(rateAt: (factor: number) => Promise<number>, share: number, task: Task): Promise<number | undefined> {
  const wanted = (await rateAt(1)) * share;
  if (!(wanted > 0) || (await rateAt(largestFactor)) > wanted) return undefined;
  let [low, high] = [1, largestFactor];
  for (let halving = 0; halving < halvings; halving++) {
    throwIfCancelled(task.signal);
    task.report({ label: 'Finding the threshold that leaves a tenth of the spikes', done: halving, total: halvings, unit: 'items' });
    const middle = Math.sqrt(low * high);
    if ((await rateAt(middle)) > wanted) low = middle;
    else high = middle;
  }
  return high;
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
  const msOf = (entry: Pick<RateCost, 'spikingLayers'> | undefined): number => entry?.spikingLayers?.medianMs ?? NaN;
  return (msOf(above) * (1 - weight) + msOf(below) * weight) / msOf(rates[0]);
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

/** Rounded to what the network takes. */
export function sidesOf({ width, height }: Pick<BenchCase, 'width' | 'height'>, sideShares: readonly number[], { largestStride }: NetworkGraph): number[] {
  const sides = sideShares.map((share) => Math.max(1, Math.round((Math.max(width, height) * share) / largestStride)) * largestStride);
  return [...new Set(sides)];
}

/** What a frame takes, in a memory of its own, and what it cannot do without. */
export async function measureMemory(benchCase: BenchCase, open: () => Promise<Backend>, task: Task): Promise<BenchMemory> {
  const { operations, memory } = await open();
  const network = await Network.load(benchCase.checkpoint, operations, task);
  try {
    await network.run(benchCase.picture, caseShape(benchCase), caseSettings(benchCase), task);
    const { peakBytes = null, heapBytes = null } = memory();
    return { ...memoryNeed(graphOfCheckpoint(benchCase.checkpoint), benchCase), peakBytes, heapBytes };
  } finally {
    network.release();
  }
}

function memoryNeed(graph: NetworkGraph, { height, width, steps }: BenchCase): Pick<BenchMemory, 'weightBytes' | 'twoLargestLayersBytes'> {
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
