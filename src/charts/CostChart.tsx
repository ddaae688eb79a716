import { useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { axisBottom, axisLeft, line, max, min, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { nearestPlace } from './curves';
import { formatShort } from './format';
import { classColour, classDash, type Theme } from './palette';
import { moveInList } from './placement';
import { SeriesKey } from './SeriesKey';
import { TableDetails } from './TableDetails';
import { pointIn, useSize } from './useCanvas';
import './charts.css';

/** What something cost at one place: the middle of several measurements, and their ends. */
export interface CostPoint {
  x: number;
  median: number;
  least: number;
  most: number;
}

export interface CostSeries {
  name: string;
  points: readonly CostPoint[];
  /** The straight line through the points, where one was fitted. */
  fit?: { intercept: number; slope: number } | undefined;
}

export interface CostChartProps {
  title: string;
  /** What x is: "steps T". */
  xName: string;
  formatX: (x: number) => string;
  series: readonly CostSeries[];
  /** A place to point out. */
  marked?: number | undefined;
  theme: Theme;
}

const height = 210;
const margin = { top: 10, right: 14, bottom: 34, left: 52 };
const shownAboveMedian = 1.6;

/** Milliseconds against something, as points with their spread. Arrow keys walk along the points. */
export function CostChart({ title, xName, formatX, series, marked, theme }: CostChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [cursor, setCursor] = useState<number>();
  const places = useMemo(() => [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b), [series]);
  const across = useMemo(() => scaleLinear([0, max(places) ?? 1], [margin.left, Math.max(width - margin.right, margin.left + 1)]).nice(), [places, width]);
  const up = useMemo(() => {
    const [median = 1, most = 1] = [max(series, ({ points }) => max(points, (point) => point.median)), max(series, ({ points }) => max(points, (point) => point.most))];
    // One run that was disturbed would press all the others flat: what is far above goes out of the picture.
    return scaleLinear([0, Math.min(most, median * shownAboveMedian)], [height - margin.bottom, margin.top]).nice(4).clamp(true);
  }, [series]);
  const acrossAxis = useMemo(() => axisBottom(across).ticks(Math.max(2, width / 90)).tickSize(4), [across, width]);
  const upAxis = useMemo(() => axisLeft(up).ticks(4, '.3~g').tickSize(4), [up]);
  const path = line<CostPoint>(({ x }) => across(x), ({ median }) => up(median));

  const pointed = cursor ?? (marked === undefined ? undefined : nearestPlace(places, marked));
  const place = places[pointed ?? places.length - 1];
  const pointOf = ({ points }: CostSeries, x: number | undefined): CostPoint | undefined => points.find((point) => point.x === x);
  const said = series
    .flatMap((each) => {
      const point = pointOf(each, place);
      return point ? [`${each.name} ${spreadText(point)}`] : [];
    })
    .join('; ');
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, cursor, places.length);
    if (next === undefined) return;
    setCursor(next);
    event.preventDefault();
  };
  const onPointerMove = (event: PointerEvent<SVGSVGElement>): void => setCursor(nearestPlace(places, across.invert(pointIn(event.currentTarget, event).x)));
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
            aria-label={`${title}: at ${place === undefined ? 'no place' : formatX(place)} ${xName}, ${said}.`}
            onKeyDown={onKeyDown}
            onPointerMove={onPointerMove}
            onPointerLeave={() => setCursor(undefined)}
            onBlur={() => setCursor(undefined)}
          >
            {series.map(({ name, points, fit }, index) => (
              <g key={name} className="chart-run-curve" stroke={classColour(theme, index)}>
                {fit ? (
                  <line {...fitLine(points, fit, across, up)} strokeDasharray={classDash(index).join(' ')} />
                ) : (
                  <path d={path(points) ?? ''} strokeDasharray={classDash(index).join(' ')} />
                )}
                {points.map(({ x, median, least, most }) => (
                  <g key={x}>
                    <line x1={across(x)} x2={across(x)} y1={up(least)} y2={up(most)} strokeWidth={1} />
                    <circle cx={across(x)} cy={up(median)} r={3} fill={classColour(theme, index)} />
                  </g>
                ))}
              </g>
            ))}
            {pointed !== undefined && place !== undefined && (
              <line x1={across(place)} x2={across(place)} y1={margin.top} y2={height - margin.bottom} className="chart-run-cursor" />
            )}
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={(margin.left + width - margin.right) / 2} y={height - 2} textAnchor="middle" className="chart-label">
              {xName}
            </text>
          </svg>
        )}
      </div>
      <SeriesKey series={series} theme={theme} />
      <output className="chart-readout chart-readout-long">{place === undefined ? 'Nothing yet' : `${formatX(place)} ${xName}: ${said}`}</output>
      <TableDetails
        summary={`Table: ${title}`}
        columns={[xName, ...series.map(({ name }) => `${name}, ms (least to most)`)]}
        rows={() =>
          places.map((x) => [
            formatX(x),
            ...series.map((each) => {
              const point = pointOf(each, x);
              return point ? spreadText(point) : '–';
            }),
          ])
        }
      />
    </figure>
  );
}

function spreadText({ median, least, most }: CostPoint): string {
  return `${formatShort(median)} ms (${formatShort(least)} to ${formatShort(most)})`;
}

/** The fitted line from the first point to the last. */
function fitLine(points: readonly CostPoint[], { intercept, slope }: { intercept: number; slope: number }, across: (x: number) => number, up: (y: number) => number) {
  const [from = 0, to = 0] = [min(points, ({ x }) => x), max(points, ({ x }) => x)];
  return { x1: across(from), x2: across(to), y1: up(intercept + slope * from), y2: up(intercept + slope * to) };
}
