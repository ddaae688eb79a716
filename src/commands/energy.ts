import type { EnergyConvention } from '../base/energyConvention';
import { paperConvention } from '../base/energyConvention';
import { engine } from '../state/engine';
import { usePlayground, type OperationCounts } from '../state/store';
import { tellError } from './work';

/** Keeps the estimates of energy equal to what has run and to the convention that is chosen. */

let scheduled = false;
/** Answers come in order, but what they were asked for may have changed since. */
let asked = 0;

export function startEnergy(): void {
  usePlayground.subscribe((now, before) => {
    const changed =
      now.results.snn !== before.results.snn ||
      now.results.converted !== before.results.converted ||
      now.converted.points !== before.converted.points ||
      now.energy.convention !== before.energy.convention;
    if (!changed || scheduled) return;
    scheduled = true;
    setTimeout(() => {
      scheduled = false;
      void estimate();
    }, 0);
  });
}

export function setEnergyConvention(change: Partial<EnergyConvention>): void {
  usePlayground.setState(({ energy }) => ({ energy: { ...energy, convention: { ...energy.convention, ...change } } }));
}

async function estimate(): Promise<void> {
  const { results, converted, energy } = usePlayground.getState();
  const order = ++asked;
  const snn = results.snn?.result.operations;
  const steps = snn ? Array.from({ length: snn.steps }, (_, step) => upTo(snn, step + 1)) : [];
  const points = converted.points.map(({ operations }) => operations);
  const shown = results.converted?.result.operations;
  const whole = [...(snn ? [snn] : []), ...(shown ? [shown] : [])];
  try {
    const [paper, chosen] = await Promise.all([
      engine.request('estimateEnergy', { runs: whole, convention: paperConvention }),
      engine.request('estimateEnergy', { runs: [...whole, ...steps, ...points], convention: energy.convention }),
    ]);
    if (order !== asked) return;
    const compared = (index: number) => {
      const [byPaper, byChoice] = [paper[index], chosen[index]];
      return byPaper && byChoice ? { paper: byPaper, chosen: byChoice } : undefined;
    };
    const spent = chosen.slice(whole.length).map(({ snnPj }) => snnPj);
    usePlayground.setState((state) => ({
      energy: {
        ...state.energy,
        estimates: { snn: snn ? compared(0) : undefined, converted: shown ? compared(snn ? 1 : 0) : undefined },
        spentPj: { snn: spent.slice(0, steps.length), converted: spent.slice(steps.length) },
      },
    }));
  } catch (thrown) {
    tellError(thrown);
  }
}

/** The same run, had it stopped after fewer steps. */
function upTo(counts: OperationCounts, steps: number): OperationCounts {
  return { ...counts, steps, layers: counts.layers.map((layer) => ({ ...layer, inputRates: layer.inputRates?.slice(0, steps) ?? null })) };
}
