import { Fragment, type ReactNode } from 'react';
import { max } from 'd3';
import { formatRate, formatShort } from './format';
import { LegendScale } from './LegendScale';
import { inkOnRamp, rampColour, type Theme } from './palette';
import { rampPosition, type ValueDomain } from './valueScale';
import './charts.css';

export interface AttributionRow {
  /** The layer's number in the network. */
  layer: number;
  label: string;
  /** Gradient x spike, per step. */
  signed: readonly number[];
  magnitude: readonly number[];
  /** What its spikes add with no neuron in between, over all steps. */
  direct: number;
}

export interface AttributionBlock {
  label: string;
  rows: readonly AttributionRow[];
  /** Of what all blocks add, and what silencing it would take from the score to first order; undefined for what cannot be silenced. */
  share: number | undefined;
  lost: number | undefined;
  /** Controls that belong to the block. */
  controls: ReactNode;
}

export interface AttributionTableProps {
  blocks: readonly AttributionBlock[];
  steps: number;
  /** 0-based. */
  step: number;
  selected: number;
  onSelectLayer: (layer: number) => void;
  theme: Theme;
}

/** Every layer's part in a score at every step, as coloured numbers; the share is of the magnitudes of the whole network. */
export function AttributionTable({ blocks, steps, step, selected, onSelectLayer, theme }: AttributionTableProps) {
  const rows = blocks.flatMap((block) => block.rows);
  const reach = Math.max(max(rows.flatMap(({ signed }) => signed.map(Math.abs))) ?? 0, 1e-12);
  const domain: ValueDomain = { low: -reach, high: reach, centre: 0, minimum: -reach, maximum: reach };
  const total = Math.max(
    rows.reduce((sum, { magnitude }) => sum + sumOf(magnitude), 0),
    1e-300,
  );
  return (
    <div className="chart">
      <div className="chart-attribution" tabIndex={0} role="region" aria-label="Parts of all layers in the score">
        <table data-testid="attribution-table">
          <thead>
            <tr>
              <th scope="col">Layer</th>
              {Array.from({ length: steps }, (_, each) => (
                <th key={each} scope="col" aria-current={each === step ? 'step' : undefined}>
                  Step {each + 1}
                </th>
              ))}
              <th scope="col">Share</th>
              <th scope="col">Direct</th>
            </tr>
          </thead>
          <tbody>
            {blocks.map((block) => (
              <Fragment key={block.label}>
                <tr className="chart-attribution-block">
                  <th scope="rowgroup" colSpan={steps + 1}>
                    <span>
                      {block.label} {block.controls}
                      {block.lost !== undefined && <span className="chart-aside">{mutingText(block.lost)}</span>}
                    </span>
                  </th>
                  <td>{block.share === undefined ? '' : formatRate(block.share)}</td>
                  <td>{formatShort(block.rows.reduce((sum, { direct }) => sum + direct, 0))}</td>
                </tr>
                {block.rows.map(({ layer, label, signed, magnitude, direct }) => (
                  <tr key={layer}>
                    <th scope="row">
                      <button type="button" aria-pressed={layer === selected} onClick={() => onSelectLayer(layer)}>
                        {label}
                      </button>
                    </th>
                    {signed.map((value, each) => {
                      const position = rampPosition(domain, value);
                      return (
                        <td key={each} style={{ background: rampColour('diverging', theme, position), color: inkOnRamp('diverging', theme, position) }}>
                          {formatShort(value)}
                        </td>
                      );
                    })}
                    <td>{formatRate(sumOf(magnitude) / total)}</td>
                    <td>{formatShort(direct)}</td>
                  </tr>
                ))}
              </Fragment>
            ))}
          </tbody>
        </table>
      </div>
      <LegendScale domain={domain} theme={theme} title="Gradient × spike, summed over a layer: lowers or raises the score" centreName="no part" />
    </div>
  );
}

/** To first order; what really happens is seen by muting it. */
function mutingText(lost: number): string {
  if (lost === 0) return 'muting leaves the score as it is';
  return `muting ${lost > 0 ? 'takes' : 'adds'} about ${formatShort(Math.abs(lost))}`;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
