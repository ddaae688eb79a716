import type { EvaluatedCase } from '../../state/store';

export function caseTitle({ network, mode, steps }: Pick<EvaluatedCase, 'network' | 'mode' | 'steps'>): string {
  if (mode === 'ann') return `${network}, ANN`;
  return `${network}, ${mode === 'snn' ? 'SNN' : 'converted SNN'}, T = ${steps}`;
}

/** "0.738", or a dash where nothing can be told. */
export function share(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(3);
}

export function microjoules(pj: number | undefined): string {
  return pj === undefined ? '–' : `${(pj / 1e6).toPrecision(3)} µJ`;
}
