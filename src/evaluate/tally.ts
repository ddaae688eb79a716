import type { Box, Size } from '../base/geometry';
import { countConfusion, emptyConfusion, type ConfusionMatrix } from './analysis/confusion';
import { countErrors, explainPicture, noErrors, pictureF1, type DetectionVerdict, type ErrorCounts, type LabelVerdict } from './analysis/errors';
import type { LabelBox } from './datasets/dataset';
import { PrecisionTally, type MeanAveragePrecision } from './rules/meanAveragePrecision';
import { meanOf, type ScoredBox } from './rules/rules';

/** What a network found on one sample, and what it took. Classes of both sides are the network's. */
export interface SampleOutcome {
  /** Index into the data set's samples. */
  sample: number;
  /** Of the picture or sensor. */
  size: Size;
  /** Made as the rules of mAP want them (`evaluationSuppression`). */
  detections: readonly ScoredBox[];
  /** Made as a person sees them (`shownSuppression`): errors are told of these. */
  shown: readonly ScoredBox[];
  labels: readonly LabelBox[];
  preprocessMs: number;
  inferenceMs: number;
  postprocessMs: number;
  /** Of the neurons that convolutions read, weighted by their operations; undefined for an ANN. */
  firingRate: number | undefined;
  /** Undefined where nothing spiked. */
  snnPj: number | undefined;
  annPj: number;
}

export interface WorstSample {
  sample: number;
  size: Size;
  f1: number;
  detections: { box: Box; score: number; class: number; verdict: DetectionVerdict }[];
  labels: { box: Box; class: number; verdict: LabelVerdict }[];
}

/** Everything that is told about one network over the samples so far. */
export interface TallyResult extends MeanAveragePrecision {
  samples: number;
  confusion: ConfusionMatrix;
  errors: ErrorCounts;
  /** Those with the lowest F1, worst first. */
  worst: WorstSample[];
  /** Medians over the samples, in milliseconds. Undefined before there is a sample. */
  timing: { preprocessMs: number; inferenceMs: number; postprocessMs: number } | undefined;
  /** Means over the samples. */
  firingRate: number | undefined;
  snnPj: number | undefined;
  annPj: number | undefined;
}

const worstShown = 12;
/** Corners, score, class. */
const numbersPerDetection = 6;

interface KeptSample {
  sample: number;
  size: Size;
  f1: number;
  mistakes: number;
  /** Six numbers a detection: a set's detections are many. */
  detections: Float32Array;
  shown: Float32Array;
  labels: readonly LabelBox[];
}

/** Takes a network's outcomes one by one, and tells what they come to so far. */
export class Tally {
  private readonly precision = new PrecisionTally();
  private readonly confusion: ConfusionMatrix;
  private readonly errors = noErrors();
  private readonly kept: KeptSample[] = [];
  private readonly measured: Omit<SampleOutcome, 'sample' | 'size' | 'detections' | 'shown' | 'labels'>[] = [];

  constructor(private readonly classNames: readonly string[]) {
    this.confusion = emptyConfusion(classNames.length);
  }

  add({ sample, size, detections, shown, labels, ...measured }: SampleOutcome): void {
    this.precision.add({ detections, labels });
    const seen = { detections: shown, labels };
    const explained = explainPicture(seen);
    countErrors(this.errors, explained);
    countConfusion(this.confusion, seen);
    const f1 = pictureF1(explained);
    const mistakes = shown.length + labels.length - 2 * explained.detections.filter((verdict) => verdict === 'correct').length;
    this.kept.push({ sample, size, f1, mistakes, detections: packed(detections), shown: packed(shown), labels });
    this.measured.push(measured);
  }

  result(): TallyResult {
    const worst = this.kept
      .filter(({ f1 }) => f1 < 1)
      .sort((a, b) => a.f1 - b.f1 || b.mistakes - a.mistakes || a.sample - b.sample)
      .slice(0, worstShown);
    const medianOf = (value: (measured: (typeof this.measured)[number]) => number): number => median(this.measured.map(value));
    return {
      ...this.precision.result(this.classNames),
      samples: this.kept.length,
      confusion: this.confusion.map((row) => [...row]),
      errors: { ...this.errors },
      worst: worst.map(explainedSample),
      timing:
        this.measured.length === 0
          ? undefined
          : {
              preprocessMs: medianOf(({ preprocessMs }) => preprocessMs),
              inferenceMs: medianOf(({ inferenceMs }) => inferenceMs),
              postprocessMs: medianOf(({ postprocessMs }) => postprocessMs),
            },
      firingRate: meanOf(this.measured.flatMap(({ firingRate }) => firingRate ?? [])),
      snnPj: meanOf(this.measured.flatMap(({ snnPj }) => snnPj ?? [])),
      annPj: meanOf(this.measured.map(({ annPj }) => annPj)),
    };
  }

  /** All detections of the samples so far. */
  *detections(): Iterable<{ sample: number; detections: ScoredBox[] }> {
    for (const { sample, detections } of this.kept) yield { sample, detections: unpacked(detections) };
  }
}

function explainedSample({ sample, size, f1, shown, labels }: KeptSample): WorstSample {
  const detections = unpacked(shown);
  const explained = explainPicture({ detections, labels });
  return {
    sample,
    size,
    f1,
    detections: detections.map((detection, index) => ({ ...detection, verdict: explained.detections[index] ?? 'background' })),
    labels: labels.map(({ box, class: label }, index) => ({ box, class: label, verdict: explained.labels[index] ?? 'missed' })),
  };
}

function packed(detections: readonly ScoredBox[]): Float32Array {
  return Float32Array.from(detections.flatMap(({ box, score, class: label }) => [...box, score, label]));
}

function unpacked(numbers: Float32Array): ScoredBox[] {
  return Array.from({ length: numbers.length / numbersPerDetection }, (_, index) => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0, label = 0] = numbers.subarray(index * numbersPerDetection, (index + 1) * numbersPerDetection);
    return { box: [x1, y1, x2, y2], score, class: label };
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
