/** Where choices stay between visits. A storage that fails loses nothing but time. */
export interface ChoiceStorage {
  read(key: string): Promise<string | undefined>;
  write(key: string, choice: string): Promise<void>;
}

/** One of several kernels that compute the same. */
export interface Candidate {
  name: string;
  /** Runs it once and waits for its end. May be repeated: it reads and writes the same every time. */
  run(): Promise<void>;
}

/** Untimed run, then timed ones, of which the shortest counts: what disturbs a measurement only ever makes it longer. */
const timedRuns = 3;
/** A candidate that takes so many times the best one's time is not measured again. */
const hopeless = 2;

/**
 * Chooses between kernels by measuring them where they will run, once for each shape of a layer, and remembers the choice: which one is
 * fastest differs between devices, and cannot be known for those that nobody here has seen.
 */
export class KernelChooser {
  private readonly known = new Map<string, string>();
  private spentMs = 0;

  /**
   * @param device names the device and the generation of the kernels: choices are remembered for these
   * @param clock milliseconds
   * @param budgetMs no more measurements are begun when they have taken so long; the first candidate is used then, for this session
   */
  constructor(
    private readonly device: string,
    private readonly storage: ChoiceStorage,
    private readonly clock: () => number,
    private readonly budgetMs: number,
  ) {}

  /** The choice for a shape, if it has been made; `names` are the candidates that there are. */
  async remembered(shape: string, names: readonly string[]): Promise<string | undefined> {
    const known = this.known.get(shape) ?? (await this.storage.read(this.key(shape)).catch(() => undefined));
    if (known === undefined || !names.includes(known)) return undefined;
    this.known.set(shape, known);
    return known;
  }

  /** Measures the candidates, of which there is at least one. */
  async choose(shape: string, candidates: readonly Candidate[]): Promise<string> {
    const fallback = candidates[0]?.name ?? '';
    if (this.spentMs >= this.budgetMs) {
      this.known.set(shape, fallback);
      return fallback;
    }
    const started = this.clock();
    const best = new Map<string, number>();
    for (const { name, run } of candidates) {
      await run();
      best.set(name, Infinity);
    }
    let shortest = Infinity;
    for (let round = 0; round < timedRuns; round++) {
      for (const { name, run } of candidates) {
        const before = best.get(name) ?? Infinity;
        if (round > 0 && before > shortest * hopeless) continue;
        const from = this.clock();
        await run();
        const duration = Math.min(before, this.clock() - from);
        best.set(name, duration);
        shortest = Math.min(shortest, duration);
      }
    }
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
