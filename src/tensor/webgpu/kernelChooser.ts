/** Where choices stay between visits. A storage that fails loses nothing but time. */
export interface ChoiceStorage {
  read(key: string): Promise<string | undefined>;
  write(key: string, choice: string): Promise<void>;
}

/** One of several kernels that compute the same. */
export interface Candidate {
  name: string;
  /** Runs it so many times in one go and waits for the end. May be repeated: it reads and writes the same every time. */
  run(times: number): Promise<void>;
}

/** One choice for each shape of a layer. */
export interface KernelChoice {
  /** The choice for a shape, if it has been made; `names` are the candidates that there are, at least one. */
  remembered(shape: string, names: readonly string[]): Promise<string | undefined>;
  /** Makes it. */
  choose(shape: string, candidates: readonly Candidate[]): Promise<string>;
}

/** Untimed run, then timed ones, of which the shortest counts: what disturbs a measurement only ever makes it longer. */
const timedRuns = 3;
/** A candidate that takes so many times the best one's time is not measured again, once it has had a second try. */
const hopeless = 2;
/** A short kernel is run so often that one measurement takes so long: else the way to the device and back is what is measured. */
const measurementMs = 2;
const mostTimes = 64;

/**
 * Chooses between kernels by measuring them where they will run, once for each shape of a layer, and remembers the choice: which one is
 * fastest differs between devices, and cannot be known for those that nobody here has seen.
 */
export class KernelChooser implements KernelChoice {
  private readonly known = new Map<string, string>();
  private spentMs = 0;

  /**
   * @param device names the device and the generation of the kernels: choices are remembered for these
   * @param clock milliseconds
   * @param budgetMs no more measurements are begun when they have taken so long; the first candidate is used then, until the next visit
   */
  constructor(
    private readonly device: string,
    private readonly storage: ChoiceStorage,
    private readonly clock: () => number,
    private readonly budgetMs: number,
  ) {}

  async remembered(shape: string, names: readonly string[]): Promise<string | undefined> {
    const known = this.known.get(shape) ?? (await this.storage.read(this.key(shape)).catch(() => undefined));
    if (known === undefined || !names.includes(known)) return undefined;
    this.known.set(shape, known);
    return known;
  }

  async choose(shape: string, candidates: readonly Candidate[]): Promise<string> {
    const fallback = candidates[0]?.name ?? '';
    if (this.spentMs >= this.budgetMs) {
      this.known.set(shape, fallback);
      return fallback;
    }
    const started = this.clock();
    const time = async ({ run }: Candidate, times: number): Promise<number> => {
      const from = this.clock();
      await run(times);
      return (this.clock() - from) / times;
    };
    for (const { run } of candidates) await run(1);
    const best = new Map<string, number>();
    for (const candidate of candidates) best.set(candidate.name, await time(candidate, 1));
    const shortestSingle = Math.min(...best.values());
    const times = Math.min(mostTimes, Math.max(1, Math.ceil(measurementMs / Math.max(shortestSingle, Number.EPSILON))));
    // What a single run took tells nothing of a kernel that is shorter than the way to the device.
    if (times > 1) best.clear();
    for (let round = times > 1 ? 0 : 1; round < timedRuns; round++) {
      const shortest = Math.min(...best.values());
      for (const candidate of candidates) {
        const before = best.get(candidate.name) ?? Infinity;
        if (round > 1 && before > shortest * hopeless) continue;
        best.set(candidate.name, Math.min(before, await time(candidate, times)));
      }
    }
    const shortest = Math.min(...best.values());
    this.spentMs += this.clock() - started;
    const [choice = fallback] = candidates.map(({ name }) => name).filter((name) => best.get(name) === shortest);
    this.known.set(shape, choice);
    await this.storage.write(this.key(shape), choice).catch(() => undefined);
    return choice;
  }

  private key(shape: string): string {
    return `${this.device}: ${shape}`;
  }
}
