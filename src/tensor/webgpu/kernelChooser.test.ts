import { describe, expect, it } from 'vitest';
import { KernelChooser, type Candidate, type ChoiceStorage } from './kernelChooser';

/** A device on which every kernel takes as long as it is told to, on a clock that only they move, and so does the way there and back. */
class FakeDevice {
  now = 0;
  readonly runs: string[] = [];

  constructor(private readonly wayMs = 0) {}

  readonly clock = (): number => this.now;

  candidate(name: string, ...durations: number[]): Candidate {
    let run = 0;
    return {
      name,
      run: (times) => {
        this.runs.push(name);
        this.now += this.wayMs + times * (durations[Math.min(run++, durations.length - 1)] ?? 0);
        return Promise.resolve();
      },
    };
  }
}

class FakeStorage implements ChoiceStorage {
  readonly values = new Map<string, string>();
  read = (key: string): Promise<string | undefined> => Promise.resolve(this.values.get(key));
  write = (key: string, choice: string): Promise<void> => {
    this.values.set(key, choice);
    return Promise.resolve();
  };
}

const budgetMs = 1000;

describe('the choice of a kernel', () => {
  it('falls on the one that was fastest at its best, whatever its first run took', async () => {
    const device = new FakeDevice();
    const chooser = new KernelChooser('gpu', new FakeStorage(), device.clock, budgetMs);
    // The first run compiles; one of the later ones is disturbed.
    const quick = device.candidate('quick', 90, 30, 4, 5);
    const steady = device.candidate('steady', 6, 6, 6, 6);
    expect(await chooser.choose('layer', [steady, quick])).toBe('quick');
  });

  it('does not measure again what is far behind', async () => {
    const device = new FakeDevice();
    const chooser = new KernelChooser('gpu', new FakeStorage(), device.clock, budgetMs);
    await chooser.choose('layer', [device.candidate('slow', 50), device.candidate('fast', 10)]);
    expect(device.runs.filter((name) => name === 'slow')).toHaveLength(3);
    expect(device.runs.filter((name) => name === 'fast')).toHaveLength(4);
  });

  it('is not decided by the way to the device and back', async () => {
    // The quicker one has bad luck with its single run, and 64 runs in one go show which is which.
    const device = new FakeDevice(0.5);
    const chooser = new KernelChooser('gpu', new FakeStorage(), device.clock, budgetMs);
    const quick = device.candidate('quick', 1, 0.2, 0.01);
    const slow = device.candidate('slow', 1, 0.05, 0.05);
    expect(await chooser.choose('layer', [slow, quick])).toBe('quick');
  });

  it('is remembered for this device and shape, and for no other', async () => {
    const storage = new FakeStorage();
    const device = new FakeDevice();
    const candidates = [device.candidate('a', 5), device.candidate('b', 3)];
    await new KernelChooser('gpu', storage, device.clock, budgetMs).choose('layer', candidates);
    const names = ['a', 'b'];
    expect(await new KernelChooser('gpu', storage, device.clock, budgetMs).remembered('layer', names)).toBe('b');
    expect(await new KernelChooser('gpu', storage, device.clock, budgetMs).remembered('other', names)).toBeUndefined();
    expect(await new KernelChooser('another gpu', storage, device.clock, budgetMs).remembered('layer', names)).toBeUndefined();
  });

  it('is forgotten when there is no such kernel any more', async () => {
    const storage = new FakeStorage();
    storage.values.set('gpu: layer', 'retired');
    expect(await new KernelChooser('gpu', storage, () => 0, budgetMs).remembered('layer', ['a'])).toBeUndefined();
  });

  it('is the first one once measuring has taken long enough, and that is not remembered', async () => {
    const storage = new FakeStorage();
    const device = new FakeDevice();
    const chooser = new KernelChooser('gpu', storage, device.clock, 100);
    expect(await chooser.choose('first', [device.candidate('a', 40), device.candidate('b', 30)])).toBe('b');
    const before = device.runs.length;
    expect(await chooser.choose('second', [device.candidate('a', 40), device.candidate('b', 30)])).toBe('a');
    expect(device.runs.length).toBe(before);
    expect(await chooser.remembered('second', ['a', 'b'])).toBe('a');
    expect([...storage.values.keys()]).toEqual(['gpu: first']);
  });

  it('is made although nothing can be stored', async () => {
    const device = new FakeDevice();
    const broken: ChoiceStorage = { read: () => Promise.reject(new Error('no storage')), write: () => Promise.reject(new Error('no storage')) };
    const chooser = new KernelChooser('gpu', broken, device.clock, budgetMs);
    expect(await chooser.remembered('layer', ['a', 'b'])).toBeUndefined();
    expect(await chooser.choose('layer', [device.candidate('a', 5), device.candidate('b', 3)])).toBe('b');
    expect(await chooser.remembered('layer', ['a', 'b'])).toBe('b');
  });
});
