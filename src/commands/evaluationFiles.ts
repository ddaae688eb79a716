import { csvFile, type CsvCell } from '../base/csv';
import { engine } from '../state/engine';
import type { Evaluation } from '../state/evaluate';
import { usePlayground } from '../state/store';
import { saveFile } from './saveFile';
import { underWay } from './work';

/** Files of an evaluation: what it comes to so far. */

function shown(): (Evaluation & { state: NonNullable<Evaluation['state']> }) | undefined {
  const { evaluation } = usePlayground.getState().evaluate;
  return evaluation?.state && { ...evaluation, state: evaluation.state };
}

function stem(title: string): string {
  return title.replace(/\.zip$/i, '').replaceAll(/[^\p{L}\p{N}._-]+/gu, '-');
}

/** Everything on the page, with the conventions of its numbers. */
export function saveEvaluationJson(): void {
  const evaluation = shown();
  if (!evaluation) return;
  const { title, request, state } = evaluation;
  const { id: _, ...told } = state;
  const file = {
    dataset: { title, ...told.dataset, part: request.part ?? 'all' },
    rules: {
      released: 'AP of the released code of EMS-YOLO: one matching for all IoU thresholds, 101 recalls interpolated linearly, trapezoids',
      coco: 'COCO: matching per IoU threshold, at most 100 detections of a class a picture, 101 recalls without interpolation',
      detections: 'confidence 0.001, NMS IoU 0.6, every class of a box counts; errors, confusion and worst pictures: confidence 0.25, NMS IoU 0.45',
    },
    samples: { done: told.done, total: told.total },
    energyConvention: told.energyConvention,
    cases: told.cases,
  };
  saveFile(new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' }), `${stem(title)}-evaluation.json`);
}

/** A row for each network and number of steps, and for each of their classes. */
export function saveEvaluationCsv(): void {
  const evaluation = shown();
  if (!evaluation) return;
  const header = ['network', 'mode', 'steps', 'input', 'class', 'samples', 'labels', 'released AP50', 'released AP', 'COCO AP50', 'COCO AP', 'COCO AP75', 'inference ms', 'firing rate', 'SNN pJ', 'ANN pJ'];
  const rows = evaluation.state.cases.flatMap((each): CsvCell[][] => {
    const { network, mode, steps, inputSize, samples, released, coco, timing, firingRate, snnPj, annPj } = each;
    const about = [network, mode, steps, inputSize];
    const labels = released.perClass.reduce((sum, one) => sum + one.labels, 0);
    return [
      [...about, 'all', samples, labels, released.map50, released.map, coco.map50, coco.map, coco.map75, timing?.inferenceMs, firingRate, snnPj, annPj],
      ...released.perClass.map((one): CsvCell[] => {
        const other = coco.perClass.find(({ class: label }) => label === one.class);
        return [...about, one.name, samples, one.labels, one.ap50, one.ap, other?.ap50, other?.ap, undefined, undefined, undefined, undefined, undefined];
      }),
    ];
  });
  saveFile(csvFile(header, rows), `${stem(evaluation.title)}-evaluation.csv`);
}

/** All detections of one case as COCO's evaluation reads them. */
export async function saveEvaluationResults(index: number): Promise<void> {
  const evaluation = shown();
  const wanted = evaluation?.state.cases[index];
  if (!evaluation || !wanted) return;
  const blob = await underWay('results', 'Writing the detections', (task) => engine.request('evaluationDetections', { id: evaluation.request.id, case: index }, task));
  if (blob) saveFile(blob, `${stem(evaluation.title)}-${wanted.network.replace(/\.[a-z]+$/i, '')}-${wanted.mode}-T${wanted.steps}-results.json`);
}
