import * as onnxruntime from 'onnxruntime-web/webgpu';
import { quietTask } from '../src/base/progress';
import { openCheckpoint } from '../src/checkpoint/open';
import { pairBoxes } from '../src/base/boxDifference';
import type { Detection } from '../src/base/geometry';
import { letterbox, placeInto } from '../src/detect/letterbox';
import { caseSettings, caseShape, networkContestant, onnxContestant, type BenchCase } from '../src/engine/bench/contestants';
import { decodeScales, detectionsOf } from '../src/engine/describe';
import { race, type Contestant } from '../src/engine/bench/race';
import type { RaceRow, RunCounts } from '../src/engine/benchProtocol';
import { drawSmear } from '../src/input/frames/smear';
import { openClockedWebgpu, openStockTfjs } from '../src/tensor/backend';
import { openWebgpu } from '../src/tensor/webgpu/open';
import type { Precision } from '../src/tensor/webgpu/convolutionPrograms';
import { Network } from '../src/network/network';

/** What benchWebgpu.ts runs in a page. */

export interface BenchRequest {
  /** Address of the weights. */
  weights: string;
  network: 'snn' | 'ann';
  size: number;
  steps: number;
  counts: RunCounts;
  opponents: readonly string[];
}

export interface BenchPage {
  race(request: BenchRequest): Promise<RaceRow[]>;
  /** Milliseconds of the layers in one frame, by the device's own timestamps. */
  layers(request: BenchRequest): Promise<[string, number][]>;
  /** What weights and sums of 16 bits do to the boxes of drawn pictures, emulated. */
  halfPrecision(request: BenchRequest, pictures: number): Promise<BoxEffect>;
}

export interface BoxEffect {
  /** Boxes with 32 bits, and how many of them are there with 16 (same class, IoU 0.5 or more). */
  boxes: number;
  shared: number;
  /** Boxes that only 16 bits have. */
  added: number;
  /** Of the shared ones. */
  meanIou: number;
  smallestIou: number;
  largestScoreChange: number;
}

async function caseOf({ weights, network, size, steps }: BenchRequest): Promise<BenchCase> {
  const checkpoint = await openCheckpoint(await (await fetch(weights)).blob(), quietTask);
  const picture = drawSmear(1);
  return { network, checkpoint, steps, width: size, height: size, picture: letterbox(picture, placeInto(picture, { width: size, height: size })) };
}

const opponents: Record<string, (benchCase: BenchCase) => Promise<Contestant>> = {
  tfjs: async (benchCase) =>
    networkContestant(benchCase, await openStockTfjs('webgpu', undefined), { engine: 'tfjs', backend: 'webgpu', threads: 1 }, quietTask),
  'onnxruntime-web': (benchCase) => {
    onnxruntime.env.wasm.numThreads = 1;
    onnxruntime.env.wasm.wasmPaths = '/onnxruntime/';
    return onnxContestant(benchCase, onnxruntime, { executionProviders: ['webgpu'] }, { engine: 'onnxruntime-web', backend: 'webgpu', threads: 1 }, quietTask);
  },
};

const page: BenchPage = {
  async race(request) {
    const benchCase = await caseOf(request);
    const operations = await openClockedWebgpu();
    const contestants = [await networkContestant(benchCase, operations, { engine: 'this', backend: 'webgpu', threads: 1 }, quietTask)];
    try {
      for (const name of request.opponents) {
        const open = opponents[name];
        if (open) contestants.push(await open(benchCase));
      }
      return await race(contestants, request.counts, quietTask);
    } finally {
      for (const contestant of contestants) await contestant.release();
    }
  },

  async layers(request) {
    const benchCase = await caseOf(request);
    const times = new Map<string, number>();
    const operations = await openClockedWebgpu((layer, durationMs) => times.set(layer, (times.get(layer) ?? 0) + durationMs));
    const network = await Network.load(benchCase.checkpoint, operations, quietTask);
    // The first run chooses kernels.
    for (let run = 0; run < 2; run++) {
      times.clear();
      await network.run(benchCase.picture, caseShape(benchCase), caseSettings(benchCase), quietTask);
    }
    network.release();
    return [...times];
  },

  async halfPrecision(request, pictures) {
    const benchCase = await caseOf(request);
    const detect = async (precision: Precision): Promise<Detection[][]> => {
      const opened = await openWebgpu({ refuseSoftware: false, precision });
      if (typeof opened === 'string') throw new Error(opened);
      const network = await Network.load(benchCase.checkpoint, opened.operations, quietTask);
      const found: Detection[][] = [];
      for (let seed = 1; seed <= pictures; seed++) {
        const picture = drawSmear(seed);
        const placement = placeInto(picture, { width: request.size, height: request.size });
        const { scales } = await network.run(letterbox(picture, placement), caseShape(benchCase), caseSettings(benchCase), quietTask);
        const candidates = decodeScales(network, scales.map(({ mean, ...sides }) => ({ ...sides, logits: mean })));
        found.push(detectionsOf(candidates, undefined, placement, { confidence: 0.25, iou: 0.45 }, network.graph.description));
      }
      network.release();
      return found;
    };
    const single = await detect('single');
    const half = await detect('emulated half');
    const effect: BoxEffect = { boxes: 0, shared: 0, added: 0, meanIou: 0, smallestIou: 1, largestScoreChange: 0 };
    for (const [index, boxes] of single.entries()) {
      effect.boxes += boxes.length;
      for (const { first, second, iou } of pairBoxes(boxes, half[index] ?? [])) {
        if (first === undefined) effect.added++;
        if (iou === undefined) continue;
        effect.shared++;
        effect.meanIou += iou;
        effect.smallestIou = Math.min(effect.smallestIou, iou);
        const change = Math.abs((boxes[first ?? 0]?.score ?? NaN) - (half[index]?.[second ?? 0]?.score ?? NaN));
        effect.largestScoreChange = Math.max(effect.largestScoreChange, change);
      }
    }
    effect.meanIou /= effect.shared;
    return effect;
  },
};

Object.assign(window, { benchPage: page });
