import { useState } from 'react';

export interface TableDetailsProps {
  summary: string;
  columns: readonly string[];
  /** Rows of cell texts, the first of each row its heading; asked for only while the table is open. */
  rows: () => readonly (readonly string[])[];
}

/** The same facts as the chart above it, as a table that opens on demand. */
export function TableDetails({ summary, columns, rows }: TableDetailsProps) {
  const [open, setOpen] = useState(false);
  return (
    <details className="chart-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      {open && (
        <div className="chart-table-scroll" tabIndex={0} role="region" aria-label={summary}>
          <table>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows().map(([heading, ...cells], row) => (
                <tr key={row}>
                  <th scope="row">{heading}</th>
                  {cells.map((cell, column) => (
                    <td key={column}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
