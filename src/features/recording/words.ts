import type { WritableFormatId } from '../../base/eventOptions';

/** "250 ms", "1.2 s", "40 µs". */
export function formatUs(us: number): string {
  const size = Math.abs(us);
  if (size >= 1e6) return `${trimmed(us / 1e6)} s`;
  return size >= 1e3 ? `${trimmed(us / 1e3)} ms` : `${Math.round(us)} µs`;
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(3)));
}

export const savedFormats: readonly { id: WritableFormatId; label: string; ending: string }[] = [
  { id: 'dat', label: 'Prophesee DAT 2', ending: '_td.dat' },
  { id: 'evt2', label: 'Prophesee EVT 2.0', ending: '.evt2.raw' },
  { id: 'evt3', label: 'Prophesee EVT 3.0', ending: '.raw' },
  { id: 'npy', label: 'NumPy', ending: '.npy' },
  { id: 'csv', label: 'CSV', ending: '.csv' },
];
