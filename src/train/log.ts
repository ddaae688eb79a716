import { z } from '../base/schema';

/** A run's log: one JSON object a line. */

/** By layer of the graph; null where none spike. */
const firingRates = z.array(z.number().nullable());

const stepReportSchema = z.object({
  /** Counts from 1. */
  step: z.int().positive(),
  steps: z.int().positive(),
  /** Counts from 0. */
  epoch: z.int().nonnegative(),
  learningRate: z.number(),
  /** Each with its gain, the mean over the accumulated batches. */
  box: z.number(),
  objectness: z.number(),
  class: z.number(),
  /** Of all gradients, before clipping. */
  gradientNorm: z.number(),
  firingRates,
  picturesPerSecond: z.number(),
});
export type StepReport = z.infer<typeof stepReportSchema>;

const epochReportSchema = z.object({
  /** Epochs that are behind. */
  epoch: z.int().nonnegative(),
  /** By the released code's rule, and by COCO's; null where what was kept aside has no labels. */
  map50: z.number().nullable(),
  map: z.number().nullable(),
  cocoMap50: z.number().nullable(),
  cocoMap: z.number().nullable(),
  /** Norm of the gradient of each convolution in the epoch's last step, by the name of its weights. */
  gradientNorms: z.record(z.string(), z.number()),
  /** Of the epoch's last step. */
  firingRates,
});
export type EpochReport = z.infer<typeof epochReportSchema>;

const logLineSchema = z.discriminatedUnion('kind', [
  stepReportSchema.extend({ kind: z.literal('step') }),
  /** `step`: so many were behind. */
  epochReportSchema.extend({ kind: z.literal('epoch'), step: z.int().nonnegative() }),
]);
type LogLine = z.infer<typeof logLineSchema>;

/** Numbers with six digits, which is more than anybody reads. */
export function logLine(line: LogLine): string {
  return `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value))}\n`;
}

/** What this program did not write, or was writing when the run was killed, is left out. */
function linesOf(log: string): { text: string; line: LogLine }[] {
  return log.split('\n').flatMap((text) => {
    try {
      return { text, line: logLineSchema.parse(JSON.parse(text)) };
    } catch {
      return [];
    }
  });
}

export function readLog(log: string): { steps: StepReport[]; epochs: (EpochReport & { step: number })[] } {
  const lines = linesOf(log).map(({ line }) => line);
  return { steps: lines.filter((line) => line.kind === 'step'), epochs: lines.filter((line) => line.kind === 'epoch') };
}

/** The log without what happened after the state was written: that will happen again. */
export function logUpTo(log: string, step: number): string {
  return linesOf(log)
    .filter(({ line }) => line.step <= step)
    .map(({ text }) => `${text}\n`)
    .join('');
}
