/** What the scheduler needs of the browser. */
export interface FrameSource {
  request: (callback: () => void) => number;
  cancel: (handle: number) => void;
}

export interface Scheduler {
  /**
   * Draws in the next animation frame. A later job with the same key replaces an earlier one that has not run.
   * @returns takes the job back; harmless once it has run or was replaced.
   */
  schedule: (key: object, job: () => void) => () => void;
}

/** All canvases draw in one animation frame, each at most once; without a job no frame is asked for. */
export function createScheduler(frames: FrameSource): Scheduler {
  const jobs = new Map<object, () => void>();
  let frame: number | undefined;

  const draw = (): void => {
    frame = undefined;
    const due = [...jobs.values()];
    jobs.clear();
    const failures: unknown[] = [];
    for (const job of due) {
      // One canvas that cannot draw must not keep the others from drawing.
      try {
        job();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length === 1) throw failures[0] as Error;
    if (failures.length > 1) throw new AggregateError(failures, 'Several charts could not be drawn.');
  };

  return {
    schedule(key, job) {
      jobs.set(key, job);
      frame ??= frames.request(draw);
      return () => {
        if (jobs.get(key) !== job) return;
        jobs.delete(key);
        if (jobs.size > 0 || frame === undefined) return;
        frames.cancel(frame);
        frame = undefined;
      };
    },
  };
}

/** The one that all charts share. */
export const scheduler: Scheduler = createScheduler({
  request: (callback) => requestAnimationFrame(callback),
  cancel: (handle) => cancelAnimationFrame(handle),
});
