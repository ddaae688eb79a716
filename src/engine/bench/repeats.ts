import type { Task } from '../../base/progress';
import { Network } from '../../network/network';
import type { Backend } from '../../tensor/backend';
import type { RunCounts, Spread } from '../benchProtocol';
import { caseSettings, caseShape, type BenchCase } from './contestants';
import { interleaved, timeOf } from './race';

/** Frames that have something in common, computed from the start and with what the frame before left. */
export interface RepeatCost {
  frames: string;
  fromTheStart: Spread;
  reusing: Spread;
}

/** What changes from one frame to the next. Each gives a frame for every number. */
const sequences: Record<string, (benchCase: BenchCase, index: number) => Float32Array> = {
  'a sixteenth of the side moves': withMovingSquare,
  'nothing changes': ({ picture }) => picture,
  'everything changes': ({ picture }, index) => picture.map((value) => value * (1 - (index % 16) / 64)),
};

/** Times frames one after the other, both ways in turn. */
export async function measureRepeats(benchCase: BenchCase, open: () => Promise<Backend>, counts: RunCounts, task: Task): Promise<RepeatCost[]> {
  const { operations } = await open();
  const networks: Network[] = [];
  try {
    const cases: (() => Promise<number>)[] = [];
    for (const frameOf of Object.values(sequences)) {
      for (const reuse of [false, true]) {
        const network = await Network.load(benchCase.checkpoint, operations, task);
        networks.push(network);
        let index = 0;
        cases.push(() => {
          const frame = frameOf(benchCase, index++);
          return timeOf(() => network.run(frame, caseShape(benchCase), { ...caseSettings(benchCase), reuse }, task));
        });
      }
    }
    const spreads = await interleaved(cases, counts, task);
    return Object.keys(sequences).flatMap((frames, index) => {
      const [fromTheStart, reusing] = spreads.slice(2 * index, 2 * index + 2);
      return fromTheStart && reusing ? [{ frames, fromTheStart, reusing }] : [];
    });
  } finally {
    for (const network of networks) network.release();
  }
}

/** A grey square crosses the picture from left to right, before a background that stays as it is. */
function withMovingSquare({ picture, width, height }: BenchCase, index: number): Float32Array {
  const side = Math.max(1, Math.floor(width / 16));
  const top = Math.floor((height - side) / 2);
  const left = (index * Math.ceil(side / 4)) % (width - side);
  const frame = picture.slice();
  for (let y = top; y < top + side; y++) frame.fill(0.5, (y * width + left) * 3, (y * width + left + side) * 3);
  return frame;
}
