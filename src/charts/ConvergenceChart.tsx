import { useMemo, useRef, type KeyboardEvent } from 'react';
import { axisBottom, axisLeft, scaleLog } from 'd3';
import { AxisGroup } from './AxisGroup';
import { measureScale, seriesPath, stepTicks, type ConvergencePoint, type ConvergenceSeries, type Measure } from './convergence';
import { formatEnergy, formatLarge, formatRate } from './format';
import { networkColour, type Theme } from './palette';
import { moveInList } from './placement';
import { TableDetails } from './TableDetails';
import { pointIn, useSize } from './useCanvas';
import './charts.css';

export interface ConvergenceChartProps {
  series: readonly ConvergenceSeries[];
  /** "the ANN’s boxes", "the labels". */
  comparedWith: string;
  /** What the ANN takes, for the same picture and convention. */
  annPj: number | undefined;
  /** Right end of the axis. */
  maximumSteps: number;
  /** Of the converted network, which the chart marks. */
  steps: number | undefined;
  onSelectSteps?: (steps: number) => void;
  theme: Theme;
}

const rowHeight = 76;
const rowGap = 22;
const top = 16;
const left = 52;
const right = 12;
const bottom = 34;

const rows: readonly { measure: Measure; title: string; format: (value: number) => string }[] = [
  { measure: 'agreement', title: 'agreement', format: formatRate },
  { measure: 'spikes', title: 'spikes so far', format: formatLarge },
  { measure: 'energyPj', title: 'energy so far', format: formatEnergy },
];

/**
 * Agreement, spikes and energy against time steps, for networks that need few and networks that need many; the steps are on a
 * logarithmic axis that all three share. Arrow keys walk the points of the last series.
 */
export function ConvergenceChart({ series, comparedWith, annPj, maximumSteps, steps, onSelectSteps, theme }: ConvergenceChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const x = useMemo(() => scaleLog([1, maximumSteps], [left, Math.max(width - right, left + 1)]), [maximumSteps, width]);
  const axis = useMemo(
    () =>
      axisBottom(x)
        .tickValues(stepTicks(maximumSteps))
        .tickFormat(String)
        .tickSize(4),
    [x, maximumSteps],
  );
  const last = series.at(-1);
  const walked = last?.points ?? [];
  const select = (index: number): void => {
    const point = walked[index];
    if (point) onSelectSteps?.(point.steps);
  };
  const at = walked.findLastIndex((point) => point.steps <= (steps ?? 0));
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, at < 0 ? undefined : at, walked.length);
    if (next === undefined) return;
    select(next);
    event.preventDefault();
  };
  const height = top + rows.length * (rowHeight + rowGap) - rowGap;
  return (
    <div className="chart">
      <div className="chart-key">
        {series.map(({ network, name }) => (
          <span key={network}>
            <svg width="26" height="10" aria-hidden="true">
              <line x1="1" x2="25" y1="5" y2="5" stroke={networkColour(theme, network)} strokeWidth="2" strokeDasharray={dashes[network]} />
              <Mark network={network} x={13} y={5} theme={theme} />
            </svg>
            {name}
          </span>
        ))}
        {annPj !== undefined && (
          <span>
            <svg width="26" height="10" aria-hidden="true">
              <line x1="1" x2="25" y1="5" y2="5" stroke={networkColour(theme, 'ann')} strokeWidth="1.5" strokeDasharray="2 3" />
            </svg>
            ANN, one pass
          </span>
        )}
      </div>
      <div ref={frame}>
        {width > left + right && (
          <svg
            width={width}
            height={height + bottom}
            role="img"
            aria-label={describe(series, comparedWith)}
            tabIndex={onSelectSteps ? 0 : undefined}
            onKeyDown={onKeyDown}
            onClick={(event) => {
              const pointed = x.invert(pointIn(event.currentTarget, event).x);
              const distances = walked.map((point) => Math.abs(Math.log(point.steps / pointed)));
              select(distances.indexOf(Math.min(...distances)));
            }}
          >
            {rows.map(({ measure, title }, row) => (
              <MeasureRow
                key={measure}
                measure={measure}
                title={measure === 'agreement' ? `agreement with ${comparedWith}` : title}
                y={top + row * (rowHeight + rowGap)}
                width={width}
                x={x}
                series={series}
                annPj={measure === 'energyPj' ? annPj : undefined}
                theme={theme}
              />
            ))}
            {steps !== undefined && (
              <line x1={x(steps)} x2={x(steps)} y1={top - 4} y2={height} className="chart-steps-now" />
            )}
            <AxisGroup axis={axis} x={0} y={height} />
            <text x={width - right} y={height + bottom - 4} textAnchor="end" className="chart-label">
              time steps T
            </text>
          </svg>
        )}
      </div>
      <output className="chart-readout">{readout(series, steps)}</output>
      <TableDetails
        summary="Agreement, spikes and energy by T"
        columns={['Network, T', 'Agreement', 'Spikes so far', 'Energy so far']}
        rows={() =>
          series.flatMap(({ name, points }) =>
            points.map((point) => [`${name}, ${point.steps}`, ...rows.map(({ measure, format }) => textOf(point, measure, format))]),
          )
        }
      />
    </div>
  );
}

const dashes = { snn: undefined, converted: '6 3' } as const;

interface MeasureRowProps {
  measure: Measure;
  title: string;
  y: number;
  width: number;
  x: (steps: number) => number;
  series: readonly ConvergenceSeries[];
  annPj: number | undefined;
  theme: Theme;
}

function MeasureRow({ measure, title, y, width, x, series, annPj, theme }: MeasureRowProps) {
  const scale = useMemo(() => measureScale(measure, series, annPj === undefined ? [] : [annPj], rowHeight), [measure, series, annPj]);
  const axis = useMemo(() => {
    const [low = 0, high = 1] = scale.domain();
    const format = { agreement: (value: number) => `${Math.round(value * 100)}%`, spikes: formatLarge, energyPj: formatEnergy }[measure];
    const ticks = measure === 'agreement' ? [0, 0.5, 1] : [low, high];
    return axisLeft(scale).tickValues(ticks).tickFormat((value) => format(Number(value))).tickSize(3);
  }, [scale, measure]);
  return (
    <g transform={`translate(0,${y})`}>
      <text x={left + 4} y={-5} className="chart-label">
        {title}
      </text>
      <rect x={left} y={0} width={Math.max(width - left - right, 0)} height={rowHeight} className="chart-measure-ground" />
      <AxisGroup axis={axis} x={left} y={0} />
      {annPj !== undefined && (
        <line x1={left} x2={width - right} y1={scale(annPj)} y2={scale(annPj)} stroke={networkColour(theme, 'ann')} strokeWidth="1.5" strokeDasharray="2 3" />
      )}
      {series.map(({ network, points }) => (
        <g key={network}>
          <path d={seriesPath(points, measure, x, scale)} fill="none" stroke={networkColour(theme, network)} strokeWidth="2" strokeDasharray={dashes[network]} />
          {points.map((point) => {
            const value = point[measure];
            return value === null || (measure !== 'agreement' && value <= 0) ? null : (
              <Mark key={point.steps} network={network} x={x(point.steps)} y={scale(value)} theme={theme} />
            );
          })}
        </g>
      ))}
    </g>
  );
}

/** A shape for each network, so that colour is not the only difference. */
function Mark({ network, x, y, theme }: { network: ConvergenceSeries['network']; x: number; y: number; theme: Theme }) {
  const fill = networkColour(theme, network);
  return network === 'snn' ? <circle cx={x} cy={y} r={3.5} fill={fill} /> : <rect x={x - 2.5} y={y - 2.5} width={5} height={5} fill={fill} />;
}

function textOf(point: ConvergencePoint, measure: Measure, format: (value: number) => string): string {
  const value = point[measure];
  return value === null ? 'not known' : format(value);
}

function describe(series: readonly ConvergenceSeries[], comparedWith: string): string {
  const parts = series.flatMap(({ name, points }) => {
    const end = points.at(-1);
    return end ? [`${name}: after ${end.steps} steps ${textOf(end, 'agreement', formatRate)} agreement, ${textOf(end, 'energyPj', formatEnergy)}`] : [];
  });
  return parts.length > 0 ? `Agreement with ${comparedWith} by time steps. ${parts.join('; ')}.` : 'Nothing has run yet.';
}

function readout(series: readonly ConvergenceSeries[], steps: number | undefined): string {
  return series
    .flatMap(({ name, network, points }) => {
      const point = network === 'snn' || steps === undefined ? points.at(-1) : points.findLast((each) => each.steps <= steps);
      return point ? [`${name}, T = ${point.steps}: ${rows.map(({ measure, format }) => textOf(point, measure, format)).join(', ')}`] : [];
    })
    .join(' · ');
}
