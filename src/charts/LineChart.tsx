import { useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { axisBottom, axisLeft, line, max, min, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { nearestPlace, smoothed, thinned, type CurveValues } from './curves';
import { formatCount, formatShort } from './format';
import { classColour, classDash, type Theme } from './palette';
import { moveInList } from './placement';
import { SeriesKey } from './SeriesKey';
import { TableDetails } from './TableDetails';
import { pointIn, useSize } from './useCanvas';
import './charts.css';

export interface CurveSeries {
  name: string;
  /** One for each place. */
  values: CurveValues;
}

export interface LineChartProps {
  title: string;
  /** What the places are: "step". */
  placeName: string;
  /** They rise. */
  places: readonly number[];
  /** Where the run ends, if that is known: the axis goes so far. */
  lastPlace?: number | undefined;
  series: readonly CurveSeries[];
  /** Values that the axis shows at least. */
  atLeast?: number;
  /** Draws the mean of so many values over the values themselves, which are pale then. */
  smoothing?: number;
  theme: Theme;
}

const height = 190;
const margin = { top: 10, right: 12, bottom: 34, left: 52 };
/** A table of more rows is not read. */
const tableRows = 100;

/** A few curves over one axis. Arrow keys walk along it. */
export function LineChart({ title, placeName, places, lastPlace, series, atLeast = 0, smoothing = 1, theme }: LineChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [cursor, setCursor] = useState<number>();
  const end = Math.max(lastPlace ?? 0, places.at(-1) ?? 0, (places[0] ?? 0) + 1);
  const across = useMemo(() => scaleLinear([Math.min(places[0] ?? 0, end - 1), end], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [places, end, width]);
  const lines = useMemo(() => {
    const most = Math.max(10, Math.floor((width - margin.left - margin.right) / 2));
    return series.map(({ values }) => ({
      values: thinned(places, values, most),
      smooth: smoothing > 1 ? thinned(places, smoothed(values, smoothing), most) : undefined,
    }));
  }, [series, places, smoothing, width]);
  const up = useMemo(() => {
    const shown = lines.flatMap(({ values }) => values.map(({ value }) => value));
    return scaleLinear([Math.min(0, min(shown) ?? 0), Math.max(atLeast, max(shown) ?? 0, 1e-9)], [height - margin.bottom, margin.top]).nice(4);
  }, [lines, atLeast]);
  const acrossAxis = useMemo(() => axisBottom(across).ticks(Math.max(2, width / 90), ',').tickSize(4), [across, width]);
  const upAxis = useMemo(() => axisLeft(up).ticks(4, '~g').tickSize(4), [up]);
  const path = line<{ place: number; value: number }>(({ place }) => across(place), ({ value }) => up(value));

  const pointed = cursor === undefined ? places.length - 1 : Math.min(cursor, places.length - 1);
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, cursor, places.length);
    if (next === undefined) return;
    setCursor(next);
    event.preventDefault();
  };
  const onPointerMove = (event: PointerEvent<SVGSVGElement>): void => setCursor(nearestPlace(places, across.invert(pointIn(event.currentTarget, event).x)));
  const valueText = (values: CurveValues, index: number): string => {
    const value = values[index] ?? null;
    return value === null ? '–' : formatShort(value);
  };
  const said = places.length === 0 ? 'nothing yet' : series.map(({ name, values }) => `${name} ${valueText(values, pointed)}`).join(', ');
  return (
    <figure className="chart chart-curves" aria-label={title}>
      <figcaption>{title}</figcaption>
      <div ref={frame} className="chart-curves-frame">
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            tabIndex={0}
            aria-label={`${title} by ${placeName}: ${said}.`}
            onKeyDown={onKeyDown}
            onPointerMove={onPointerMove}
            onPointerLeave={() => setCursor(undefined)}
            onBlur={() => setCursor(undefined)}
          >
            {lines.map(({ values, smooth }, index) => (
              <g key={series[index]?.name} className="chart-run-curve" stroke={classColour(theme, index)} strokeDasharray={classDash(index).join(' ')}>
                <path d={path(values) ?? ''} className={smooth ? 'chart-run-curve-raw' : undefined} />
                {smooth && <path d={path(smooth) ?? ''} />}
                {values.length === 1 && <circle cx={across(values[0]?.place ?? 0)} cy={up(values[0]?.value ?? 0)} r={2.5} fill={classColour(theme, index)} />}
              </g>
            ))}
            {cursor !== undefined && places[pointed] !== undefined && (
              <line x1={across(places[pointed])} x2={across(places[pointed])} y1={margin.top} y2={height - margin.bottom} className="chart-run-cursor" />
            )}
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={(margin.left + width - margin.right) / 2} y={height - 2} textAnchor="middle" className="chart-label">
              {placeName}
            </text>
          </svg>
        )}
      </div>
      <SeriesKey series={series} theme={theme} />
      <output className="chart-readout">{places[pointed] === undefined ? 'Nothing yet' : `${placeName} ${formatCount(places[pointed])}: ${said}`}</output>
      <TableDetails summary={`Table: ${title}`} columns={[placeName, ...series.map(({ name }) => name)]} rows={() => tableOf(places, series, valueText)} />
    </figure>
  );
}

/** Evenly spaced rows, the last one always among them. */
function tableOf(places: readonly number[], series: readonly CurveSeries[], text: (values: CurveValues, index: number) => string): string[][] {
  const every = Math.max(1, Math.ceil(places.length / tableRows));
  return places
    .map((_, index) => index)
    .filter((index) => (places.length - 1 - index) % every === 0)
    .map((index) => [formatCount(places[index] ?? 0), ...series.map(({ values }) => text(values, index))]);
}
