import { commandsNow, type CommandKey } from './registry';

/** What `?` lists: a row for each key, or for keys that belong together. */
export function keyRows(): { shown: string; does: string }[] {
  const rows = new Map<string, string>();
  for (const { key, title } of commandsNow()) {
    if (key && !rows.has(key.shown)) rows.set(key.shown, key.does ?? title);
  }
  return [...rows].map(([shown, does]) => ({ shown, does }));
}

/** Keys that work wherever the focus is not on a control that needs them itself. */
export function startKeys(): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || usesKeys(event.target, event.key)) return;
    const pressed = ({ value }: CommandKey): boolean => value === event.key;
    const command = commandsNow().find(({ key }) => key && pressed(key));
    if (!command) return;
    event.preventDefault();
    command.run();
  };
  window.addEventListener('keydown', listener);
  return () => window.removeEventListener('keydown', listener);
}

/** Controls that have their own use for these keys. */
const typing = 'input, select, textarea, [contenteditable]';
const moving = '[role="slider"], [role="listbox"], [role="option"], [role="menu"], [role="dialog"], canvas[tabindex]';
const choosing = 'input[type="checkbox"], input[type="radio"], input[type="range"]';
const pressing = 'button, a, summary';

function usesKeys(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  // Neither a chart nor a slider nor a switch has a use for these two.
  if (target.closest(`${moving}, ${choosing}`) && !target.closest('[role="dialog"]') && (key === '/' || key === '?')) return false;
  if (target.closest(`${typing}, ${moving}`)) return true;
  return key === ' ' && target.closest(pressing) !== null;
}
