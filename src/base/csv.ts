export type CsvCell = string | number | undefined;

/** Rows as RFC 4180 has them: CRLF, quotes where a cell needs them; undefined is an empty cell. */
export function csvFile(header: readonly string[], rows: readonly (readonly CsvCell[])[]): Blob {
  const text = [header, ...rows].map((row) => `${row.map(cellText).join(',')}\r\n`).join('');
  return new Blob([text], { type: 'text/csv' });
}

function cellText(cell: CsvCell): string {
  const text = cell === undefined ? '' : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
