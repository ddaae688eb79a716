import { z } from '../base/schema';
import { setView, usePlayground, type PlaygroundState } from '../state/store';

type Theme = PlaygroundState['view']['theme'];

const storageKey = 'theme';
const themeSchema = z.enum(['system', 'light', 'dark']);
const systemIsDark = (): MediaQueryList => window.matchMedia('(prefers-color-scheme: dark)');

/** What the page looks like now, whoever decided it. */
function themeFor(theme: Theme): 'light' | 'dark' {
  if (theme !== 'system') return theme;
  return systemIsDark().matches ? 'dark' : 'light';
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(storageKey, theme);
  setView({ theme });
  applyTheme();
}

/** Follows the stored choice, and the system while that is the choice. */
export function startTheme(): void {
  setView({ theme: themeSchema.catch('system').parse(localStorage.getItem(storageKey)) });
  systemIsDark().addEventListener('change', applyTheme);
  applyTheme();
}

function applyTheme(): void {
  const shown = themeFor(usePlayground.getState().view.theme);
  document.documentElement.dataset['theme'] = shown;
  setView({ shownTheme: shown });
}
