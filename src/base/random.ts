/** Numbers in [0, 1), equal for equal seeds. */
export type Random = () => number;

/** The generator called mulberry32: 32 bits of state. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number in [low, high), evenly. */
export function between(random: Random, low: number, high: number): number {
  return low + random() * (high - low);
}

/** One of the choices, which must not be empty. */
export function oneOf<Choice>(random: Random, choices: readonly [Choice, ...Choice[]]): Choice {
  return choices[Math.floor(random() * choices.length)] ?? choices[0];
}

/** Numbers of the standard normal distribution (Box and Muller 1958). */
export function normal(random: Random): number {
  // 1 − u lies in (0, 1], whose logarithm is finite.
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** The numbers from 0 to count - 1 in a random order (Fisher and Yates). */
export function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}

/**
 * Parts the indices of a set into two that share none, by the seed alone.
 * @param validationShare in (0, 1); at least one index is on each side
 */
export function splitIndices(count: number, validationShare: number, seed: number): { train: number[]; validation: number[] } {
  const order = shuffled(count, seededRandom(seed));
  const validation = Math.min(Math.max(Math.round(count * validationShare), 1), count - 1);
  return { train: order.slice(validation), validation: order.slice(0, validation) };
}
