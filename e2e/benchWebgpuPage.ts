import * as onnxruntime from 'onnxruntime-web/webgpu';
import { quietTask } from '../src/base/progress';
import { openCheckpoint } from '../src/checkpoint/open';
import { letterbox, placeInto } from '../src/detect/letterbox';
import { networkContestant, onnxContestant, type BenchCase } from '../src/engine/bench/contestants';
import { race, type Contestant, type RaceRow, type RunCounts } from '../src/engine/bench/race';
import { drawSmear } from '../src/input/frames/smear';
import { openClockedWebgpu, openStockTfjs } from '../src/tensor/backend';
import { caseSettings, caseShape } from '../src/engine/bench/contestants';
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
};

Object.assign(window, { benchPage: page });
