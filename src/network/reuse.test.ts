import { openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { nodeBackend } from '../../e2e/kernels';
import { quietTask } from '../base/progress';
import { seededRandom } from '../base/random';
import { openCheckpoint } from '../checkpoint/open';
import type { Checkpoint } from '../checkpoint/types';
import { openBackend, type Backend } from '../tensor/backend';
import { elementCount, type FeatureShape, type Region } from '../tensor/operations';
import { configurations, defaultAnchors } from './configurations';
import { buildGraph, nodeShapes, type NetworkGraph } from './graph';
import { Network, trainedNeuron, type NetworkRun, type RunSettings } from './network';
import { changedRegion, cropOf, patchesOf, segmentsOf } from './reuse';
import { expectedTensors, graphOfCheckpoint } from './weights';

/** A released configuration of a small width, with random weights. */
function randomCheckpoint(configuration: string, widthMultiple: number): Checkpoint {
  const rows = configurations[configuration] ?? [];
  const description = { rows, depthMultiple: 1, widthMultiple, inputChannels: 3, classNames: ['one', 'two'], anchors: defaultAnchors };
  const graph = buildGraph(description);
  const shapes = new Map([...expectedTensors(graph), [graph.anchorsName, [2, 3, 2]]]);
  const random = seededRandom(configuration.length);
  const valueOf = (name: string, fanIn: number): number => {
    if (name === graph.anchorsName || name.endsWith('running_var')) return 1;
    if (name.endsWith('bn.weight')) return 0.5 + random();
    return ((random() - 0.4) * 3) / Math.sqrt(fanIn);
  };
  const tensors = new Map(
    Array.from(shapes, ([name, shape]) => {
      const [outputs = 1, ...rest] = shape;
      const fanIn = rest.reduce((product, side) => product * side, 1);
      return [name, { shape, values: Float32Array.from({ length: outputs * fanIn }, () => valueOf(name, fanIn)) }];
    }),
  );
  return {
    format: 'safetensors',
    description,
    mode: undefined,
    tensors: new Map(Array.from(tensors, ([name, { shape }]) => [name, { name, shape, storedAs: 'float32' }])),
    read: (name) => Promise.resolve((tensors.get(name)?.values ?? new Float32Array()).slice()),
  };
}

async function shipped(): Promise<Checkpoint> {
  return openCheckpoint(await openAsBlob(resolve(import.meta.dirname, '../../models/bccd/snn.safetensors')), quietTask);
}

/** What comes after a frame: some of it anew, or all, or nothing; or the same with other settings. */
type Event =
  | { kind: 'region'; step: number; x: number; y: number; width: number; height: number; seed: number }
  | { kind: 'new'; seed: number }
  | { kind: 'same' }
  | { kind: 'settings'; settings: Partial<RunSettings>; slices: boolean };

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const small = fc.double({ min: 0.001, max: 0.3, noNaN: true });
const region = fc.record({ kind: fc.constant('region' as const), step: share, x: share, y: share, width: small, height: small, seed: fc.nat() });
const settings: fc.Arbitrary<Partial<RunSettings>> = fc.oneof(
  fc.record({ steps: fc.constantFrom(1, 2, 3, 4) }),
  fc.record({ threshold: fc.constantFrom(0.3, 0.5, 0.8) }),
  fc.record({ decay: fc.constantFrom(0, 0.25, 1) }),
  fc.record({ reset: fc.constantFrom('hard' as const, 'soft' as const) }),
  fc.record({ mode: fc.constantFrom('snn' as const, 'ann' as const) }),
  fc.record({ logitsPerStep: fc.boolean() }),
  fc.record({ record: fc.constantFrom(new Set<number>(), new Set([0, 3])) }),
  fc.record({ muted: fc.constantFrom([], [{ kind: 'channel' as const, layer: 1, channel: 2 }]) }),
);
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: region },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('new' as const), seed: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('same' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('settings' as const), settings, slices: fc.boolean() }) },
  ),
  { minLength: 4, maxLength: 9 },
);

function noise(length: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, random);
}

/** The frame after `before`, which stays as it is. */
function next(before: Float32Array, shape: FeatureShape, event: Event): Float32Array {
  const { steps, height, width, channels } = shape;
  if (event.kind === 'new') return noise(before.length, event.seed);
  const values = before.slice();
  if (event.kind !== 'region') return values;
  const random = seededRandom(event.seed);
  const [top, left] = [Math.floor(event.y * height), Math.floor(event.x * width)];
  const step = Math.floor(event.step * steps);
  for (let y = top; y < Math.min(height, top + event.height * height); y++) {
    for (let x = left; x < Math.min(width, left + event.width * width); x++) {
      for (let channel = 0; channel < channels; channel++) values[((step * height + y) * width + x) * channels + channel] = random();
    }
  }
  return values;
}

function bytesOf(values: Float32Array | undefined): Buffer {
  if (!values) return Buffer.of();
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function expectSame(found: NetworkRun, expected: NetworkRun): void {
  expect(found.steps).toBe(expected.steps);
  expect(found.firingRates).toEqual(expected.firingRates);
  const arrays = ({ scales, recorded }: NetworkRun): (Float32Array | undefined)[] => [
    ...scales.flatMap(({ mean, perStep }) => [mean, perStep]),
    ...recorded.flatMap(({ membrane, emitted }) => [membrane, emitted]),
  ];
  const others = arrays(expected);
  expect(arrays(found)).toHaveLength(others.length);
  arrays(found).forEach((values, index) => expect(bytesOf(values).equals(bytesOf(others[index]))).toBe(true));
}

const everywhere = (shape: FeatureShape): Region => ({ top: 0, left: 0, bottom: shape.height, right: shape.width });

describe.each([
  { name: 'resnet10', wide: 0.125, threads: 1, height: 96, width: 160, numRuns: 12 },
  { name: 'resnet18', wide: 0.125, threads: 1, height: 128, width: 96, numRuns: 6 },
  { name: 'res18-ee', wide: 0.25, threads: 1, height: 128, width: 128, numRuns: 8 },
  { name: 'bccd', wide: 0.25, threads: 1, height: 160, width: 192, numRuns: 3 },
  { name: 'bccd', wide: 0.25, threads: 2, height: 160, width: 192, numRuns: 3 },
])('frames of $name that have much in common, on $threads threads', ({ name, wide, threads, height, width, numRuns }) => {
  it('are computed to the same bits as from the start', { timeout: 300_000 }, async () => {
    const checkpoint = name === 'bccd' ? await shipped() : randomCheckpoint(name, wide);
    const { operations } = await openBackend(nodeBackend('event', threads));
    const patches = operations.regions ? vi.spyOn(operations.regions, 'paste') : undefined;
    const fresh = await Network.load(checkpoint, (await openBackend(nodeBackend('event'))).operations, quietTask);
    await fc.assert(
      fc.asyncProperty(events, async (sequence) => {
        const network = await Network.load(checkpoint, operations, quietTask);
        let current: RunSettings = { mode: 'snn', steps: 2, ...trainedNeuron, record: new Set(), logitsPerStep: true };
        let shape: FeatureShape = { steps: 1, height, width, channels: 3 };
        let values = noise(elementCount(shape), 1);
        for (const event of sequence) {
          if (event.kind === 'settings') {
            current = { ...current, ...event.settings };
            const slices = event.slices && current.mode === 'snn' ? current.steps : 1;
            if (shape.steps !== slices) {
              shape = { ...shape, steps: slices };
              values = noise(elementCount(shape), slices);
            }
          } else values = next(values, shape, event);
          expectSame(await network.run(values, shape, { ...current, reuse: true }, quietTask), await fresh.run(values, shape, current, quietTask));
        }
        network.release();
      }),
      { numRuns },
    );
    expect(patches?.mock.calls.length).toBeGreaterThan(5);
    fresh.release();
  });
});

describe('a run that reuses the one before', () => {
  const shape = { steps: 1, height: 96, width: 160, channels: 3 };
  const usual: RunSettings = { mode: 'snn', steps: 3, ...trainedNeuron, record: new Set(), logitsPerStep: false };
  const reusing = { ...usual, reuse: true };
  const corner: Extract<Event, { kind: 'region' }> = { kind: 'region', step: 0, x: 0, y: 0, width: 0.1, height: 0.1, seed: 3 };

  /** Three frames of which only a corner differs; the third is computed in part. */
  function threeFrames(): [Float32Array, Float32Array, Float32Array] {
    const first = noise(elementCount(shape), 1);
    const second = next(first, shape, corner);
    return [first, second, next(second, shape, { ...corner, seed: 4 })];
  }

  async function open(): Promise<{ backend: Backend; network: Network }> {
    const backend = await openBackend(nodeBackend('event'));
    return { backend, network: await Network.load(randomCheckpoint('resnet10', 0.125), backend.operations, quietTask) };
  }

  it('computes nothing where the frame is the same, and gives results of its own', async () => {
    const { backend, network } = await open();
    const [first] = threeFrames();
    const before = await network.run(first, shape, reusing, quietTask);
    const expected = await network.run(first, shape, usual, quietTask);
    before.scales[0]?.mean.fill(0);
    const convolutions = vi.spyOn(backend.operations, 'denseConvolution');
    const again = await network.run(first.slice(), shape, reusing, quietTask);
    expect(convolutions).not.toHaveBeenCalled();
    expectSame(again, expected);
    again.scales[0]?.mean.fill(0);
    expectSame(await network.run(first, shape, reusing, quietTask), expected);
  });

  it('starts afresh after one that was cancelled between old and new', async () => {
    const { backend, network } = await open();
    const [first, second, third] = threeFrames();
    await network.run(first, shape, reusing, quietTask);
    await network.run(second, shape, reusing, quietTask);
    const controller = new AbortController();
    const { regions } = backend.operations;
    if (!regions) throw new Error('The engine knows no regions.');
    const pasting = vi.spyOn(regions, 'paste').mockImplementationOnce(() => controller.abort());
    await expect(network.run(third, shape, reusing, { ...quietTask, signal: controller.signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(pasting).toHaveBeenCalledTimes(1);
    const expected = await network.run(third, shape, usual, quietTask);
    for (let repeat = 0; repeat < 2; repeat++) expectSame(await network.run(third, shape, reusing, quietTask), expected);
    expect(pasting).toHaveBeenCalledTimes(1);
  });

  it('is correct beside another one of the same network', async () => {
    const { network } = await open();
    const [first, second, third] = threeFrames();
    for (const frame of [first, second]) await network.run(frame, shape, reusing, quietTask);
    const together = await Promise.all([third, first, second].map((frame) => network.run(frame, shape, reusing, quietTask)));
    for (const [index, frame] of [third, first, second].entries()) {
      expectSame(together[index] ?? (await network.run(first, shape, usual, quietTask)), await network.run(frame, shape, usual, quietTask));
    }
  });

  it('leaves nothing in memory when the network is released, also with a run that was cancelled for it', async () => {
    const { backend, network } = await open();
    const [first, second, third] = threeFrames();
    const runs = async (tested: Network): Promise<void> => {
      for (const frame of [first, second, third]) await tested.run(frame, shape, reusing, quietTask);
    };
    await runs(network);
    network.release();
    const { tensors } = backend.memory();
    const other = await Network.load(randomCheckpoint('resnet10', 0.125), backend.operations, quietTask);
    await runs(other);
    expect(backend.memory().tensors).toBeGreaterThan(tensors);
    other.release();
    expect(backend.memory().tensors).toBe(tensors);
    const last = await Network.load(randomCheckpoint('resnet10', 0.125), backend.operations, quietTask);
    await runs(last);
    const controller = new AbortController();
    const running = last.run(first, shape, reusing, { ...quietTask, signal: controller.signal });
    controller.abort();
    last.release();
    await running.catch(() => undefined);
    expect(backend.memory().tensors).toBe(tensors);
  });

  it.each([
    { steps: 4, slices: 1, side: 256 },
    { steps: 4, slices: 4, side: 256 },
    { steps: 5, slices: 5, side: 128 },
  ])('takes at most 1.5 times the weights and the two largest layers, with $slices slices at $side px', async ({ steps, slices, side }) => {
    const checkpoint = await shipped();
    const { operations, memory } = await openBackend(nodeBackend('event'));
    const network = await Network.load(checkpoint, operations, quietTask);
    const frame = { steps: slices, height: side, width: side, channels: 3 };
    let values = noise(elementCount(frame), 1);
    for (const size of [0.1, 0.1, 0.3, 0.3, 0.1]) {
      values = next(values, frame, { ...corner, x: 0.4, y: 0.4, width: size, height: size });
      await network.run(values, frame, { ...reusing, steps }, quietTask);
    }
    const keptInputBytes = elementCount(frame) * 4;
    expect((memory().peakBytes ?? NaN) + keptInputBytes).toBeLessThan(1.5 * needOf(graphOfCheckpoint(checkpoint), frame, steps));
  });
});

function needOf(graph: NetworkGraph, { height, width }: FeatureShape, steps: number): number {
  const layers = nodeShapes(graph, height, width)
    .filter((_, node) => graph.nodes[node]?.op === 'neuron')
    .map((layer) => elementCount({ ...layer, steps }) * 4)
    .toSorted((a, b) => b - a);
  const weights = Array.from(expectedTensors(graph).values()).reduce((sum, sides) => sum + sides.reduce((product, side) => product * side, 4), 0);
  return weights + (layers[0] ?? 0) + (layers[1] ?? 0);
}

describe('what has changed', () => {
  const shape = { steps: 2, height: 5, width: 7, channels: 3 };
  const before = noise(elementCount(shape), 1);

  it('is found at every step, and its rectangle is as small as can be', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: before.length - 1 }), { minLength: 1, maxLength: 4 }), (places) => {
        const now = before.slice();
        for (const place of places) now[place] = 2;
        const pixels = places.map((place) => Math.floor(place / 3) % 35);
        const [rows, columns] = [pixels.map((pixel) => Math.floor(pixel / 7)), pixels.map((pixel) => pixel % 7)];
        const expected = { top: Math.min(...rows), left: Math.min(...columns), bottom: Math.max(...rows) + 1, right: Math.max(...columns) + 1 };
        expect(changedRegion(before, now, shape)).toEqual(expected);
        const [cropped, size] = cropOf(now, shape, expected);
        expect(size).toEqual({ steps: 2, height: expected.bottom - expected.top, width: expected.right - expected.left, channels: 3 });
        expect(cropped[0]).toBe(now[(expected.top * 7 + expected.left) * 3]);
        expect(cropped.at(-1)).toBe(now[((5 + expected.bottom - 1) * 7 + expected.right) * 3 - 1]);
      }),
    );
  });

  it('is nothing where all bits are equal, and a zero that changes its sign is a change', () => {
    expect(changedRegion(before, before.slice(), shape)).toBeUndefined();
    expect(changedRegion(Float32Array.of(0), Float32Array.of(-0), { steps: 1, height: 1, width: 1, channels: 1 })).toBeDefined();
    expect(changedRegion(Float32Array.of(NaN), Float32Array.of(NaN), { steps: 1, height: 1, width: 1, channels: 1 })).toBeUndefined();
  });
});

describe('the cuts of a network', () => {
  it('are where the first block at a resolution ends, as long as all goes through it', async () => {
    const graph = graphOfCheckpoint(await shipped());
    const shapes = nodeShapes(graph, 256, 256);
    const segments = segmentsOf(graph, shapes);
    // The backbone's blocks, but not the encoder; that of row 3 is also read by the head.
    expect(segments.map(({ to }) => [graph.nodes[to]?.op, graph.nodes[to]?.row, shapes[to]?.width])).toEqual([
      ['add', 1, 64],
      ['add', 2, 32],
      ['add', 3, 16],
      ['add', 4, 8],
    ]);
    expect(segments.map(({ from }) => from)).toEqual([0, ...segments.slice(0, -1).map(({ to }) => to)]);
  });

  it('widen what has changed by kernels and strides, on a case worked by hand', async () => {
    const graph = graphOfCheckpoint(await shipped());
    const shapes = nodeShapes(graph, 256, 256);
    const segments = segmentsOf(graph, shapes);
    // Pixel (101, 101) alone. Encoder, kernel 3 and stride 2: cells 50 and 51. Branch 1, the same: 25 and 26;
    // branch 2, kernel 3: 24 to 27. For these all of 23 to 28 is read, for that 45 to 57, for that pixels 89 to 115: in whole cells of 4 pixels
    // from 88 to before 116.
    const [patch] = patchesOf(segments, shapes, { top: 101, left: 101, bottom: 102, right: 102 });
    expect(patch?.changed.get(patch.segment.to)).toEqual({ top: 24, left: 24, bottom: 28, right: 28 });
    expect(patch?.crop).toEqual({ top: 88, left: 88, bottom: 116, right: 116 });
    expect(patchesOf(segments, shapes, everywhere({ steps: 1, height: 256, width: 256, channels: 3 }))).toEqual([]);
    expect(patchesOf(segments, shapes, { top: 0, left: 0, bottom: 1, right: 1 })[0]?.crop).toMatchObject({ top: 0, left: 0 });
  });
});
