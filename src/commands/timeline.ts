import { setView, usePlayground } from '../state/store';

/** The clock of the page: which time step every view shows. */

function stepCount(): number {
  return usePlayground.getState().results.snn?.result.steps ?? usePlayground.getState().run.steps;
}

export function showStep(step: number): void {
  setView({ step: Math.min(Math.max(step, 0), stepCount() - 1) });
}

export function moveStep(change: 1 | -1): void {
  pause();
  showStep(usePlayground.getState().view.step + change);
}

let timer: ReturnType<typeof setTimeout> | undefined;

export function togglePlay(): void {
  if (usePlayground.getState().view.playing) pause();
  else play();
}

export function pause(): void {
  clearTimeout(timer);
  if (usePlayground.getState().view.playing) setView({ playing: false });
}

function play(): void {
  setView({ playing: true });
  const tick = (): void => {
    const { view } = usePlayground.getState();
    showStep((view.step + 1) % stepCount());
    timer = setTimeout(tick, 1000 / usePlayground.getState().view.speed);
  };
  tick();
}

export function setSpeed(speed: number): void {
  setView({ speed });
}
