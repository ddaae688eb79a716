import { useMemo } from 'react';
import { RaceChart } from '../../charts/RaceChart';
import { formatRate, formatShort } from '../../charts/format';
import { forgetCompared, openBench, saveBench, shareBench } from '../../commands/bench';
import { usePlayground } from '../../state/store';
import type { BenchRow } from '../../state/bench';
import { Button, Panel } from '../../ui/controls';
import { FileButton } from '../../ui/fields';
import { caseTitle, contestantTitle, engineTitle, machineTitle } from './words';

const networkTitles = { snn: 'SNN', ann: 'ANN twin' } as const;

/** The engines side by side, and a saved result beside them. */
export function RacePanel() {
  const { result, compared, leftOut } = usePlayground((state) => state.bench);
  const theme = usePlayground((state) => state.view.shownTheme);
  const rows = useMemo(() => result?.rows ?? [], [result]);
  const chartRows = useMemo(
    () =>
      rows
        .filter(({ runs }) => runs > 0)
        .map((row) => ({ name: `${networkTitles[row.network]}: ${engineTitle(row)}`, network: row.network, median: row.medianMs, least: row.minMs, most: row.maxMs })),
    [rows],
  );
  return (
    <Panel title="Side by side" aside={<Files />}>
      {rows.length === 0 && !compared && <p className="bench-note">Nothing has been measured yet.</p>}
      {rows.length > 0 && (
        <>
          <Table rows={rows} others={compared?.file.rows} caption={`Measured here: ${result ? machineTitle(result.machine) : ''}`} testId="bench-rows" />
          {chartRows.length > 0 && <RaceChart rows={chartRows} theme={theme} />}
        </>
      )}
      {leftOut.length > 0 && (
        <ul className="bench-notes" data-testid="bench-left-out">
          {leftOut.map(({ contestant, reason }) => (
            <li key={contestant}>
              {contestantTitle(contestant)} was left out. {reason}
            </li>
          ))}
        </ul>
      )}
      {compared && (
        <div className="bench-compared">
          <Table rows={compared.file.rows} others={undefined} caption={`${compared.title}: ${machineTitle(compared.file.machine)}`} testId="bench-compared" />
          <Button look="quiet" onPress={forgetCompared}>
            Put {compared.title} away
          </Button>
        </div>
      )}
    </Panel>
  );
}

function Files() {
  const hasResult = usePlayground((state) => state.bench.result !== undefined);
  return (
    <span className="bench-row">
      <Button look="quiet" isDisabled={!hasResult} onPress={saveBench}>
        Save as JSON
      </Button>
      <Button look="quiet" isDisabled={!hasResult} onPress={() => void shareBench()}>
        Share the result
      </Button>
      <FileButton
        label="Compare with a saved result…"
        look="quiet"
        accept=".json,application/json"
        onFiles={(files) => {
          const [file] = files;
          if (file) void openBench(file);
        }}
      />
    </span>
  );
}

/** @param others rows of another result, to compare with what is equal in everything but where it was measured */
function Table({ rows, others, caption, testId }: { rows: readonly BenchRow[]; others: readonly BenchRow[] | undefined; caption: string; testId: string }) {
  const columns = ['Median, ms', 'Least to most', 'Runs', 'Times the first', ...(others ? ['Times the saved one'] : []), 'Largest difference', 'Firing rate'];
  return (
    <div className="bench-table" tabIndex={0} role="region" aria-label={caption}>
      <table data-testid={testId}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Network and engine</th>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        {groups(rows).map(([title, ofGroup]) => (
          <tbody key={title}>
            <tr>
              <th colSpan={columns.length + 1} scope="rowgroup">
                {title}
              </th>
            </tr>
            {ofGroup.map((row, index) => (
              <tr key={index}>
                <th scope="row">{engineTitle(row)}</th>
                <td>{number(row.medianMs)}</td>
                <td>{row.runs === 0 ? '–' : `${number(row.minMs)} to ${number(row.maxMs)}`}</td>
                <td>{row.runs}</td>
                <td>{number(row.medianMs / (ofGroup[0]?.medianMs ?? NaN))}</td>
                {others && <td>{number(row.medianMs / (others.find((other) => isSame(row, other))?.medianMs ?? NaN))}</td>}
                <td>{Number.isNaN(row.maxOutputDifference) ? 'other outputs' : row.maxOutputDifference === 0 ? '0' : row.maxOutputDifference.toExponential(1)}</td>
                <td>{row.firingRate === null ? '–' : formatRate(row.firingRate)}</td>
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function number(value: number): string {
  return Number.isNaN(value) ? '–' : formatShort(value);
}

function isSame(a: BenchRow, b: BenchRow): boolean {
  return a.network === b.network && a.engine === b.engine && a.backend === b.backend && a.threads === b.threads && caseTitle(a) === caseTitle(b);
}

/** Rows of one network on one input, in the order in which they come. */
function groups(rows: readonly BenchRow[]): [string, BenchRow[]][] {
  const found = new Map<string, BenchRow[]>();
  for (const row of rows) {
    const title = `${networkTitles[row.network]} ${caseTitle(row)}`;
    found.set(title, [...(found.get(title) ?? []), row]);
  }
  return [...found];
}
