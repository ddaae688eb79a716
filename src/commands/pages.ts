import { setView, type PageName } from '../state/store';

export function choosePage(page: PageName): void {
  setView({ page, playing: false });
}
