import { describe, expect, it, vi } from 'vitest';
import { createScheduler } from './scheduler';

function setUp() {
  const requested: (() => void)[] = [];
  const cancel = vi.fn();
  const scheduler = createScheduler({ request: (callback) => requested.push(callback), cancel });
  return { scheduler, requested, cancel, nextFrame: () => requested.shift()?.() };
}

describe('scheduler', () => {
  it('draws several canvases in one frame, each with its latest job only', () => {
    const { scheduler, requested, nextFrame } = setUp();
    const drawn: string[] = [];
    const [one, other] = [{}, {}];
    scheduler.schedule(one, () => drawn.push('stale'));
    scheduler.schedule(other, () => drawn.push('other'));
    scheduler.schedule(one, () => drawn.push('one'));
    expect(requested).toHaveLength(1);
    expect(drawn).toEqual([]);
    nextFrame();
    expect(drawn.sort()).toEqual(['one', 'other']);
  });

  it('asks for no frame while there is nothing to draw', () => {
    const { scheduler, requested, nextFrame } = setUp();
    scheduler.schedule({}, () => undefined);
    nextFrame();
    expect(requested).toHaveLength(0);
  });

  it('gives the frame back when its only job is taken back', () => {
    const { scheduler, cancel } = setUp();
    const job = vi.fn();
    scheduler.schedule({}, job)();
    expect(cancel).toHaveBeenCalledOnce();
    expect(job).not.toHaveBeenCalled();
  });

  it('does not take back the job that replaced an earlier one', () => {
    const { scheduler, nextFrame } = setUp();
    const canvas = {};
    const later = vi.fn();
    const takeBack = scheduler.schedule(canvas, () => undefined);
    scheduler.schedule(canvas, later);
    takeBack();
    nextFrame();
    expect(later).toHaveBeenCalledOnce();
  });

  it('draws in the next frame what a job schedules', () => {
    const { scheduler, requested, nextFrame } = setUp();
    const second = vi.fn();
    scheduler.schedule({}, () => void scheduler.schedule({}, second));
    nextFrame();
    expect(second).not.toHaveBeenCalled();
    expect(requested).toHaveLength(1);
    nextFrame();
    expect(second).toHaveBeenCalledOnce();
  });

  it('draws the others when one fails, and still reports the failure', () => {
    const { scheduler, nextFrame } = setUp();
    const other = vi.fn();
    scheduler.schedule({}, () => {
      throw new Error('no memory');
    });
    scheduler.schedule({}, other);
    expect(nextFrame).toThrow('no memory');
    expect(other).toHaveBeenCalledOnce();
  });
});
