import { formatCount } from './format';
import { rampColour, type Theme } from './palette';
import './charts.css';

export interface CountBarsProps {
  title: string;
  /** One column of bars each. */
  columns: readonly string[];
  rows: readonly {
    name: string;
    /** What it means, in a sentence. */
    meaning: string;
    /** One for each column. */
    counts: readonly number[];
  }[];
  theme: Theme;
}

/** Counts side by side: a table with a bar in each cell, all on one scale. */
export function CountBars({ title, columns, rows, theme }: CountBarsProps) {
  const largest = Math.max(1, ...rows.flatMap(({ counts }) => counts));
  return (
    <div className="chart">
      <div className="chart-table-scroll chart-count-bars" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead>
            <tr>
              <td />
              {columns.map((column, index) => (
                <th key={index} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, meaning, counts }) => (
              <tr key={name}>
                <th scope="row">
                  {name} <span className="chart-count-meaning">{meaning}</span>
                </th>
                {counts.map((count, column) => (
                  <td key={column}>
                    <span className="chart-count-bar" aria-hidden="true" style={{ width: `${(count / largest) * 100}%`, background: rampColour('sequential', theme, 0.6) }} />
                    {formatCount(count)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
