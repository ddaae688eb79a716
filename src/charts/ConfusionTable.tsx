import { inkOnRamp, rampColour, type Theme } from './palette';
import './charts.css';

export interface ConfusionTableProps {
  /** Counts `[label][detection]`; the last row and column are background. */
  matrix: readonly (readonly number[])[];
  classNames: readonly string[];
  theme: Theme;
}

/** More classes than this are not shown: nobody reads such a table. The rest is in the saved file. */
const mostClasses = 24;

/** What labels were taken for: a table whose cells are coloured by their share of the row. */
export function ConfusionTable({ matrix, classNames, theme }: ConfusionTableProps) {
  const background = classNames.length;
  const total = (index: number): number => sum(matrix[index] ?? []) + sum(matrix.map((row) => row[index] ?? 0));
  const present = classNames.map((_, index) => index).filter((index) => total(index) > 0);
  const shown = present.length <= mostClasses ? present : present.toSorted((a, b) => total(b) - total(a)).slice(0, mostClasses).sort((a, b) => a - b);
  const places = [...shown, background];
  const nameOf = (index: number, nothing: string): string => (index === background ? nothing : (classNames[index] ?? `class ${index}`));
  return (
    <div className="chart">
      <div className="chart-table-scroll chart-confusion" tabIndex={0} role="region" aria-label="Confusion matrix">
        <table>
          <thead>
            <tr>
              <td>label ↓ found as →</td>
              {places.map((index) => (
                <th key={index} scope="col">
                  {nameOf(index, 'not found')}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {places.map((row) => {
              const all = sum(matrix[row] ?? []);
              return (
                <tr key={row}>
                  <th scope="row">{nameOf(row, 'nothing there')}</th>
                  {places.map((column) => {
                    const count = matrix[row]?.[column] ?? 0;
                    const share = all === 0 ? 0 : count / all;
                    const isNone = row === background && column === background;
                    return (
                      <td
                        key={column}
                        style={count > 0 ? { background: rampColour('sequential', theme, share), color: inkOnRamp('sequential', theme, share) } : undefined}
                        title={isNone ? undefined : `${Math.round(share * 100)}% of the row`}
                      >
                        {isNone ? '' : count}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {shown.length < present.length && (
        <p className="chart-readout">
          The {shown.length} most frequent of {present.length} classes.
        </p>
      )}
    </div>
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
