import { columnNames, type ColumnName, type TimeUnit } from './source';

/** What the columns of a table without names hold, and in which unit its times are; a person may say otherwise. */

type Numbers = ArrayLike<number>;

/** Orders that data sets use, the most common first; what fits the values decides. */
const orders: readonly (readonly ColumnName[])[] = [
  ['t', 'x', 'y', 'p'],
  ['x', 'y', 't', 'p'],
  ['x', 'y', 'p', 't'],
  ['t', 'p', 'x', 'y'],
];

/** @param columns values of a sample of rows, one list for each column */
export function guessColumns(columns: readonly Numbers[]): (ColumnName | 'other')[] {
  const four = columns.slice(0, 4);
  const fits = orders.find((order) => order.every((name, index) => canHold(name, four[index] ?? [])));
  const order = fits ?? columnNames;
  return columns.map((_, index) => order[index] ?? 'other');
}

function canHold(name: ColumnName, values: Numbers): boolean {
  switch (name) {
    case 't':
      return isRising(values) && !isPolarity(values);
    case 'p':
      return isPolarity(values);
    case 'x':
    case 'y':
      return every(values, (value) => value >= 0 && value < 65536 && Number.isInteger(value));
  }
}

function isPolarity(values: Numbers): boolean {
  return every(values, (value) => value === 0 || value === 1 || value === -1);
}

/** Times hardly ever fall; coordinates do at every other event. */
function isRising(values: Numbers): boolean {
  let falls = 0;
  for (let index = 1; index < values.length; index++) if ((values[index] ?? 0) < (values[index - 1] ?? 0)) falls++;
  return falls <= values.length / 50;
}

function every(values: Numbers, test: (value: number) => boolean): boolean {
  for (let index = 0; index < values.length; index++) if (!test(values[index] ?? NaN)) return false;
  return true;
}

/** Larger whole numbers cannot be microseconds of any clock in use: they are nanoseconds since 1970. */
const smallestNanoseconds = 1e17;

/** Fractions are seconds, whole numbers microseconds. */
export function guessTimeUnit(times: Numbers): TimeUnit {
  let largest = 0;
  let hasFraction = false;
  for (let index = 0; index < times.length; index++) {
    const time = times[index] ?? 0;
    largest = Math.max(largest, Math.abs(time));
    if (!Number.isInteger(time)) hasFraction = true;
  }
  if (largest >= smallestNanoseconds) return 'ns';
  return hasFraction ? 's' : 'us';
}
