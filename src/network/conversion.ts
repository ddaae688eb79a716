import { largestBurst, type ConversionOptions } from '../base/conversionOptions';
import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import type { Checkpoint } from '../checkpoint/types';
import type { FeatureShape } from '../tensor/operations';
import { elementCount } from '../tensor/operations';
import { nodeShapes, type NetworkGraph } from './graph';
import { trainedNeuron, type Network } from './network';
import { conversionMark, graphOfCheckpoint } from './weights';

/**
 * How an ANN twin becomes a spiking network without training: every ReLU becomes an integrate-and-fire neuron with reset by
 * subtraction whose threshold is a high percentile of what the ReLU emitted on calibration pictures (Rueckauer et al. 2017;
 * channel by channel: Kim et al. 2020, "Spiking-YOLO"). src/decisions/0014-conversion.md says which parts of which
 * paper are here.
 */

/** What a converted network has beside the twin's weights. */
export interface Conversion extends ConversionOptions {
  /** `[channels]` for each neuron node of the graph, all positive. */
  thresholds: ReadonlyMap<number, Float32Array>;
}

/** Above so many recorded values a calibration picture takes several passes. */
const valuesPerPass = 16_000_000;

/**
 * Runs the ANN twin over calibration pictures and takes each neuron's threshold from what its ReLU emitted.
 * @param pictures `[1, H, W, 3]` each, values in [0, 1]
 * @throws AppError `network/invalid-settings` without a picture or for options out of range, `cancelled`
 */
export async function calibrate(
  network: Network,
  pictures: readonly { values: Float32Array; shape: FeatureShape }[],
  options: ConversionOptions,
  task: Task,
): Promise<Conversion> {
  checkOptions(options, pictures.length);
  const { graph } = network;
  const firstLayers = graph.layers.filter(({ node }, index) => graph.layers.findIndex((layer) => layer.node === node) === index);
  const largest = new Map<number, LargestValues>();
  const thresholds = new Map<number, Float32Array>();
  let done = 0;
  for (const { values, shape } of pictures) {
    for (const layers of inPasses(graph, firstLayers, shape)) {
      throwIfCancelled(task.signal);
      const record = new Set(layers.map(({ index }) => index));
      const { recorded } = await network.run(values, shape, { mode: 'ann', steps: 1, ...trainedNeuron, record, logitsPerStep: false }, task);
      for (const { index, emitted, shape: layerShape } of recorded) {
        const node = graph.layers[index]?.node ?? -1;
        const kept = largest.get(node) ?? new LargestValues(layerShape.channels, options.percentile);
        largest.set(node, kept);
        kept.add(emitted, (elementCount(layerShape) / layerShape.channels) * pictures.length);
      }
    }
    done++;
    task.report({ label: 'Measuring activations on calibration pictures', done, total: pictures.length, unit: 'items' });
  }
  for (const [node, values] of largest) thresholds.set(node, values.thresholds(options.normalisation));
  return { ...options, thresholds };
}

function checkOptions({ percentile, maximumSpikes }: ConversionOptions, pictures: number): void {
  const problem =
    pictures === 0
      ? 'there is no calibration picture'
      : !(percentile > 0 && percentile <= 100)
        ? `the percentile is ${percentile}`
        : !Number.isInteger(maximumSpikes) || maximumSpikes < 1 || maximumSpikes > largestBurst
          ? `bursts of ${maximumSpikes} spikes were asked for`
          : undefined;
  if (problem === undefined) return;
  throw new AppError(
    'network/invalid-settings',
    `The network cannot be converted like this: ${problem}.`,
    `Give at least one picture, a percentile above 0 up to 100, and 1 to ${largestBurst} spikes a step.`,
  );
}

/** Layers in groups that are small enough to be recorded at once. */
function inPasses(graph: NetworkGraph, layers: NetworkGraph['layers'], { height, width }: FeatureShape): NetworkGraph['layers'][] {
  const shapes = nodeShapes(graph, height, width);
  const passes: NetworkGraph['layers'][number][][] = [];
  let values = Infinity;
  for (const layer of layers) {
    const shape = shapes[layer.node];
    const size = shape ? elementCount(shape) : 0;
    values += size;
    if (values > valuesPerPass) {
      passes.push([]);
      values = size;
    }
    passes.at(-1)?.push(layer);
  }
  return passes;
}

/** The largest activations of a layer, as many as its percentile needs: exact, without keeping all of them. */
export class LargestValues {
  private readonly perChannel: Largest[];
  private readonly whole = new Largest();

  constructor(
    channels: number,
    /** In percent. */
    private readonly percentile: number,
  ) {
    this.perChannel = Array.from({ length: channels }, () => new Largest());
  }

  /**
   * @param activations `[places, channels]`
   * @param placesInAll an upper bound of the places of all calls together
   */
  add(activations: Float32Array, placesInAll: number): void {
    const channels = this.perChannel.length;
    const share = 1 - this.percentile / 100;
    const keepOfChannel = Math.ceil(share * placesInAll) + 1;
    const keepOfLayer = Math.ceil(share * placesInAll * channels) + 1;
    this.perChannel.forEach((largest, channel) => {
      for (let at = channel; at < activations.length; at += channels) largest.add(activations[at] ?? 0, keepOfChannel);
    });
    for (const value of activations) this.whole.add(value, keepOfLayer);
  }

  /** A channel that never was active takes the layer's threshold, and a layer that never was takes 1. */
  thresholds(normalisation: ConversionOptions['normalisation']): Float32Array {
    const ofLayer = this.whole.percentile(this.percentile) ?? 1;
    return Float32Array.from(this.perChannel, (largest) =>
      normalisation === 'layer' ? ofLayer : (largest.percentile(this.percentile) ?? ofLayer),
    );
  }
}

/** The largest of a stream of numbers; what is not positive is left out. */
class Largest {
  private kept = new Float32Array(64);
  private count = 0;
  private positive = 0;
  /** Nothing below it can be among the largest any more. */
  private floor = 0;

  add(value: number, keep: number): void {
    if (!(value > 0)) return;
    this.positive++;
    if (value < this.floor) return;
    if (this.count === this.kept.length) {
      if (this.count >= 2 * keep) this.truncate(keep);
      else {
        const larger = new Float32Array(Math.min(this.count * 2, 2 * keep));
        larger.set(this.kept);
        this.kept = larger;
      }
    }
    this.kept[this.count++] = value;
  }

  /** Nearest rank: the smallest value that at least `percent` of all positive ones do not exceed. */
  percentile(percent: number): number | undefined {
    if (this.positive === 0) return undefined;
    const above = this.positive - Math.max(Math.ceil((percent / 100) * this.positive), 1);
    return this.kept.slice(0, this.count).sort()[this.count - 1 - above];
  }

  private truncate(keep: number): void {
    this.kept.subarray(0, this.count).sort();
    this.kept.copyWithin(0, this.count - keep, this.count);
    this.count = keep;
    this.floor = this.kept[0] ?? 0;
  }
}

// In a checkpoint

const thresholdsName = (layer: number): string => `conversion.thresholds.${layer}`;
const settingNames = { percentile: 'conversion.percentile', maximumSpikes: conversionMark, channelwise: 'conversion.channelwise' };

export interface ConversionTensor {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

/** What a file of a converted network holds beside the twin's tensors. */
export function conversionTensors(graph: NetworkGraph, { thresholds, normalisation, percentile, maximumSpikes }: Conversion): ConversionTensor[] {
  const scalar = (name: string, value: number): ConversionTensor => ({ name, shape: [1], data: Float32Array.of(value) });
  return [
    scalar(settingNames.percentile, percentile),
    scalar(settingNames.maximumSpikes, maximumSpikes),
    scalar(settingNames.channelwise, Number(normalisation === 'channel')),
    ...graph.layers.map(({ index, node }) => {
      const data = thresholds.get(node) ?? new Float32Array();
      return { name: thresholdsName(index), shape: [data.length], data };
    }),
  ];
}

/**
 * The conversion that a checkpoint carries, if it is one of a converted network.
 * @throws AppError `checkpoint/missing-tensor`, `checkpoint/misshapen-tensor`, `checkpoint/malformed`
 */
export async function conversionOfCheckpoint(checkpoint: Checkpoint, task: Task): Promise<Conversion | undefined> {
  if (!checkpoint.tensors.has(settingNames.maximumSpikes)) return undefined;
  const graph = graphOfCheckpoint(checkpoint);
  const scalar = async (name: string): Promise<number> => (await checkpoint.read(name, task))[0] ?? NaN;
  const percentile = await scalar(settingNames.percentile);
  const maximumSpikes = await scalar(settingNames.maximumSpikes);
  const channelwise = await scalar(settingNames.channelwise);
  const thresholds = new Map<number, Float32Array>();
  for (const { index, node } of graph.layers) {
    const channels = graph.nodes[node]?.channels ?? 0;
    const name = thresholdsName(index);
    const values = await checkpoint.read(name, task);
    if (values.length !== channels) {
      throw new AppError(
        'checkpoint/misshapen-tensor',
        `The tensor ${name} has ${values.length} thresholds, but the layer has ${channels} channels.`,
        'Convert the ANN twin again.',
      );
    }
    if (!values.every((value) => value > 0 && Number.isFinite(value))) throw malformed(`${name} holds a threshold that is not positive`);
    thresholds.set(node, values);
  }
  if (!Number.isInteger(maximumSpikes) || maximumSpikes < 1 || maximumSpikes > largestBurst) throw malformed(`it names bursts of ${maximumSpikes} spikes`);
  return { normalisation: channelwise === 0 ? 'layer' : 'channel', percentile, maximumSpikes, thresholds };
}

function malformed(what: string): AppError {
  return new AppError('checkpoint/malformed', `The converted network cannot be run: ${what}.`, 'Convert the ANN twin again.');
}
