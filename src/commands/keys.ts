import { setRun } from './run';
import { moveStep, togglePlay } from './timeline';

export interface KeyCommand {
  keys: string;
  does: string;
}

/** What `?` lists; {@link startKeys} does it. */
export const keyCommands: readonly KeyCommand[] = [
  { keys: 'Space', does: 'Play or pause the time steps' },
  { keys: '← →', does: 'One step back or forward' },
  { keys: '1 … 9', does: 'Run with that many time steps' },
  { keys: '?', does: 'This list' },
];

/** Keys that work wherever the focus is not on a control that needs them itself. */
export function startKeys(showHelp: () => void): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || usesKeys(event.target, event.key)) return;
    if (event.key === ' ') togglePlay();
    else if (event.key === 'ArrowLeft') moveStep(-1);
    else if (event.key === 'ArrowRight') moveStep(1);
    else if (/^[1-9]$/.test(event.key)) setRun({ steps: Number(event.key) });
    else if (event.key === '?') showHelp();
    else return;
    event.preventDefault();
  };
  window.addEventListener('keydown', listener);
  return () => window.removeEventListener('keydown', listener);
}

/** Controls that have their own use for these keys. */
const typing = 'input, select, textarea, [contenteditable]';
const moving = '[role="slider"], [role="listbox"], [role="option"], [role="dialog"], canvas[tabindex]';
const pressing = 'button, a, summary';

function usesKeys(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest(`${typing}, ${moving}`)) return true;
  return key === ' ' && target.closest(pressing) !== null;
}
