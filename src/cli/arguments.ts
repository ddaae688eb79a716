import { z } from '../base/schema';
import { maximumConvertedSteps } from '../base/conversionOptions';
import { AppError } from '../base/errors';
import { maximumSteps } from '../network/network';

/** Parses an option's text with a schema. @throws AppError `usage` */
export function parseOption<T>(name: string, text: string | undefined, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues[0]?.message ?? 'not understood';
  throw new AppError('usage', `The option --${name} is ${text ?? 'missing'}: ${reason}.`, 'See the usage below.');
}

export const number = z.string().trim().min(1).pipe(z.coerce.number());
export const share = number.pipe(z.number().min(0).max(1));
export const wholeNumber = number.pipe(z.int());
export const mode = z.enum(['snn', 'ann']);
export const seed = wholeNumber.pipe(z.int().nonnegative());

export const stepCount = wholeNumber.pipe(z.int().min(1).max(maximumSteps));
export const convertedStepCount = wholeNumber.pipe(z.int().min(1).max(maximumConvertedSteps));

/** Side of the network's square input, in pixels. */
export const inputSide = wholeNumber.pipe(
  z.int().min(32).max(2048).refine((size) => size % 32 === 0, { error: 'it must be a multiple of 32' }),
);
