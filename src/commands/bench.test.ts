import { beforeEach, expect, it, vi } from 'vitest';
import type { BenchFile } from '../state/bench';
import { usePlayground } from '../state/store';
import { openBench, setFactor, switchContestant } from './bench';

const asked: { sweep: { factors: number[] }; answer: (detail: unknown) => void }[] = [];

vi.mock('../state/benchClient', async (original) => ({
  ...(await original<object>()),
  benchmarks: { request: (_: string, { sweep }: { sweep: { factors: number[] } }) => new Promise((answer) => asked.push({ sweep, answer })) },
}));

const run = { medianMs: 1, minMs: 1, maxMs: 1, runs: 1 };

function detailAt(threshold: number): BenchFile['details'][number] {
  const rate = { threshold, firingRate: 0.1, run, spikingLayers: run, neurons: run };
  const costs = { rates: [rate], steps: [], stepsFit: null, sizes: [], sizesFit: null, layers: [], spikingShareAtTenth: NaN };
  const memory = { weightBytes: 1, twoLargestLayersBytes: 1, peakBytes: 1, heapBytes: 1 };
  return { model: 'tested', width: 64, height: 64, steps: 4, backend: 'event', costs, memory };
}

const initial = usePlayground.getState();
const errors = (): string[] => usePlayground.getState().messages.map(({ title }) => title);

beforeEach(() => {
  asked.length = 0;
  usePlayground.setState(initial, true);
});

it('measures where the slider came to rest while another threshold was being measured', async () => {
  vi.useFakeTimers();
  const costsOf = { setup: { networks: [], twiceAsWide: false, picture: 'smear' as const, steps: 4 }, backend: 'event' as const };
  usePlayground.setState(({ bench }) => ({ bench: { ...bench, factor: 1, costsOf, result: { machine: { cores: 1 }, rows: [], details: [detailAt(0.5)] } } }));
  setFactor(1.25);
  await vi.advanceTimersByTimeAsync(1000);
  setFactor(1.75);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked.map(({ sweep }) => sweep.factors)).toEqual([[1.25]]);
  asked[0]?.answer(detailAt(0.625));
  await vi.advanceTimersByTimeAsync(10);
  expect(asked.map(({ sweep }) => sweep.factors)).toEqual([[1.25], [1.75]]);
  asked[1]?.answer(detailAt(0.875));
  await vi.advanceTimersByTimeAsync(10);
  expect(usePlayground.getState().bench.result?.details[0]?.costs.rates.map(({ threshold }) => threshold)).toEqual([0.5, 0.625, 0.875]);
  expect(usePlayground.getState().bench.running).toBeUndefined();
  vi.useRealTimers();
});

it('keeps the engines in their order, whichever was switched last', () => {
  const before = usePlayground.getState().bench.choice.contestants;
  expect(before[0]).toBe('this event');
  switchContestant('this event', false);
  switchContestant('this event', true);
  expect(usePlayground.getState().bench.choice.contestants).toEqual(before);
});

it.each([
  ['', 'it is empty'],
  ['no JSON', 'it is not JSON'],
  ['{"machine":{"cores":1},"rows":[],"details":[]}', 'nothing was measured in it'],
  ['{"machine":{"cores":1},"rows":[{"network":"snn"}],"details":[]}', 'rows.0'],
])('says why a file is no result: %s', async (text, reason) => {
  await openBench(new File([text], 'some.json'));
  expect(errors().join()).toContain(`some.json is no result of a benchmark: ${reason}`);
  expect(usePlayground.getState().bench.compared).toBeUndefined();
});
