import type { Box } from '../base/geometry';
import { throwIfCancelled, type Task } from '../base/progress';
import { decode } from '../detect/decode';
import { letterbox, placeInto } from '../detect/letterbox';
import { suppress, type SuppressionSettings } from '../detect/nonMaximumSuppression';
import { evaluationSuppression, PrecisionTally, type MeanAveragePrecision } from '../evaluate/rules/meanAveragePrecision';
import type { ScoredBox } from '../evaluate/rules/rules';
import type { NetworkGraph } from '../network/graph';
import type { TrainingOperations } from '../tensor/training';
import type { LabelledPicture } from './augment';
import { Pass, type Parameters, type PassSettings } from './pass';
import { validationRandom, type TrainingSource } from './source';

/** Pictures that are run at once. */
const atOnce = 4;

export interface BatchDetections {
  /** Pixels of the network's square input. */
  detections: ScoredBox[][];
  labels: { box: Box; class: number }[][];
  /** What the network saw: `[steps, size, size, 3]` in [0, 1]. */
  inputs: Float32Array[];
}

/** Boxes that the network finds; norms use their running statistics. */
export async function detectBatch(
  graph: NetworkGraph,
  parameters: Parameters,
  operations: TrainingOperations,
  settings: Omit<PassSettings, 'statistics'>,
  pictures: readonly LabelledPicture[],
  size: number,
  suppression: SuppressionSettings,
): Promise<BatchDetections> {
  const inputs = pictures.map((picture) => letterboxed(picture, size));
  const steps = inputs[0]?.steps ?? 1;
  const plane = size * size * 3;
  const data = new Float32Array(steps * pictures.length * plane);
  inputs.forEach(({ values }, image) => {
    for (let step = 0; step < steps; step++) data.set(values.subarray(step * plane, (step + 1) * plane), (step * pictures.length + image) * plane);
  });
  const pass = new Pass(graph, parameters, operations, { ...settings, statistics: 'running' });
  try {
    const { logits } = await pass.forward(data, { steps, images: pictures.length, height: size, width: size, channels: 3 });
    const classes = graph.description.classNames.length;
    const detections = pictures.map((_, image) => {
      const heads = logits.map(({ data: values, shape }, scale) => {
        const length = shape.height * shape.width * shape.channels;
        return {
          height: shape.height,
          width: shape.width,
          stride: graph.scales[scale]?.stride ?? 1,
          anchors: graph.description.anchors[scale] ?? [],
          logits: values.subarray(image * length, (image + 1) * length),
        };
      });
      return suppress(decode(heads, classes), suppression);
    });
    return { detections, labels: inputs.map(({ labels }) => labels), inputs: inputs.map(({ values }) => values) };
  } finally {
    pass.release();
  }
}

/** mAP by both rules on what was kept aside. @throws AppError `cancelled` */
export async function measure(
  graph: NetworkGraph,
  parameters: Parameters,
  operations: TrainingOperations,
  settings: Omit<PassSettings, 'statistics'>,
  source: TrainingSource,
  size: number,
  task: Task,
): Promise<MeanAveragePrecision> {
  const tally = new PrecisionTally();
  for (let first = 0; first < source.length; first += atOnce) {
    throwIfCancelled(task.signal);
    const count = Math.min(atOnce, source.length - first);
    const pictures = Array.from({ length: count }, (_, index) => source.read(first + index, validationRandom(first + index)));
    const { detections, labels } = await detectBatch(graph, parameters, operations, settings, pictures, size, evaluationSuppression);
    detections.forEach((found, index) => {
      tally.add({
        detections: found,
        labels: (labels[index] ?? []).map((label) => ({ ...label, isCrowd: false, areaPx: undefined })),
      });
    });
    task.report({ label: 'Evaluating', done: first + count, total: source.length, unit: 'items' });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return tally.result(graph.description.classNames);
}

/** As detection does it, with the boxes on the network's input. */
function letterboxed({ width, height, data, steps, boxes }: LabelledPicture, size: number) {
  const placement = placeInto({ width, height }, { width: size, height: size });
  const plane = width * height * 3;
  const values = new Float32Array(steps * size * size * 3);
  for (let step = 0; step < steps; step++) {
    values.set(letterbox({ width, height, data: data.subarray(step * plane, (step + 1) * plane) }, placement), step * size * size * 3);
  }
  const scaleX = placement.scaled.width / width;
  const scaleY = placement.scaled.height / height;
  const labels = boxes.map(({ box: [x1, y1, x2, y2], class: label }) => ({
    box: [x1 * scaleX + placement.left, y1 * scaleY + placement.top, x2 * scaleX + placement.left, y2 * scaleY + placement.top] as const,
    class: label,
  }));
  return { values, steps, labels };
}
