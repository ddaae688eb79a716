import { agreement } from '../base/agreement';
import type { TruthLike } from '../base/matchBoxes';
import type { DetectionResult, PlaygroundState } from '../state/store';

/** How far a network's boxes have come after so many steps, and what that took. */
export interface StepPoint {
  steps: number;
  /** With the boxes that it is compared with, 0 to 1; null where there are none. */
  agreement: number | null;
  /** Of all steps so far. */
  spikes: number;
  energyPj: number | null;
}

type Shown = Pick<PlaygroundState, 'source' | 'results' | 'converted' | 'energy'>;

/** A trained network tells of each of its steps at once; nothing where it has not run on what is shown. */
export function trainedPoints({ source, results, energy }: Shown, reference: readonly TruthLike[] | undefined): StepPoint[] {
  const pane = results.snn;
  if (!pane || pane.sourceId !== source?.id) return [];
  let spikes = 0;
  return pane.result.detectionsPerStep.map((detections, step) => {
    spikes += pane.result.spikesPerStep[step] ?? 0;
    return { steps: step + 1, agreement: reference ? agreement(detections, reference) : null, spikes, energyPj: energy.spentPj.snn[step] ?? null };
  });
}

/** A converted network is run further and further. */
export function convertedPoints({ source, converted, energy }: Shown, reference: readonly TruthLike[] | undefined): StepPoint[] {
  if (!converted.isOn || converted.sourceId !== source?.id) return [];
  return converted.points.map(({ steps, detectionsPerStep: [detections = []], spikesPerStep }: DetectionResult, index) => ({
    steps,
    agreement: reference ? agreement(detections, reference) : null,
    spikes: spikesPerStep.reduce((sum, spikes) => sum + spikes, 0),
    energyPj: energy.spentPj.converted[index] ?? null,
  }));
}

/** The ANN's boxes on what is shown. */
export function annBoxes({ source, results }: Pick<PlaygroundState, 'source' | 'results'>): readonly TruthLike[] | undefined {
  return results.ann && results.ann.sourceId === source?.id ? results.ann.result.detectionsPerStep[0] : undefined;
}
