import { useId, useMemo, useRef } from 'react';
import { axisBottom, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatShort } from './format';
import { rampColour, type Theme } from './palette';
import { useSize } from './useCanvas';
import { rampOf, rampPosition, type ValueDomain } from './valueScale';
import './charts.css';

export interface LegendScaleProps {
  /** Diverging where it has a centre, else sequential. */
  domain: ValueDomain;
  theme: Theme;
  /** What the numbers are, with their unit: "membrane potential". */
  title: string;
  /** What the centre is: "threshold". */
  centreName?: string;
  /** A value to point at: that of the cell under the cursor. */
  marked?: number | undefined;
  format?: (value: number) => string;
}

const barHeight = 10;
const barTop = 7;
const margin = 28;
const gradientStops = 24;

/**
 * The colour scale with its numbers: both ends of the shown range and the centre. An arrow at an end says that values beyond it exist
 * and take the colour of that end.
 */
export function LegendScale({ domain, theme, title, centreName, marked, format = formatShort }: LegendScaleProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const gradient = useId();
  const { low, high, centre, minimum, maximum } = domain;
  const scale = useMemo(() => scaleLinear([low, high], [margin, Math.max(width - margin, margin)]), [low, high, width]);
  const axis = useMemo(() => {
    // Two numbers closer than this would run into each other; the centre is the one that matters.
    const apart = 46;
    const ends = [low, high].filter((end) => centre === undefined || end === centre || Math.abs(scale(end) - scale(centre)) > apart);
    const ticks = centre === undefined ? [low, high] : [...new Set([...ends, centre])];
    return axisBottom(scale)
      .tickValues(ticks)
      .tickFormat((value) => format(Number(value)))
      .tickSize(4)
      .tickPadding(3);
  }, [scale, low, high, centre, format]);

  const clampedLow = minimum < low;
  const clampedHigh = maximum > high;
  const facts = [
    `${title}: colours from ${format(low)} to ${format(high)}`,
    ...(centre === undefined ? [] : [`centred on ${centreName ?? 'centre'} ${format(centre)}`]),
    ...(clampedLow || clampedHigh ? [`all values lie between ${format(minimum)} and ${format(maximum)}`] : []),
  ];
  const barWidth = Math.max(width - 2 * margin, 0);
  const middle = barTop + barHeight / 2;
  return (
    <div className="chart-legend">
      <div className="chart-legend-title">
        <span>{title}</span>
        {centre !== undefined && centreName !== undefined && (
          <span>
            {centreName} {format(centre)}
          </span>
        )}
      </div>
      <div ref={frame} className="chart-legend-frame">
        {width > 2 * margin && (
          <svg width={width} height={38} role="img" aria-label={`${facts.join('; ')}.`}>
            <linearGradient id={gradient}>
              {Array.from({ length: gradientStops + 1 }, (_, stop) => {
                const share = stop / gradientStops;
                return <stop key={stop} offset={share} stopColor={colourOf(domain, theme, low + share * (high - low))} />;
              })}
            </linearGradient>
            <rect x={margin} y={barTop} width={barWidth} height={barHeight} fill={`url(#${gradient})`} className="chart-legend-bar" />
            {clampedLow && (
              <path d={`M${margin - 3},${barTop} v${barHeight} L${margin - 11},${middle} Z`} fill={colourOf(domain, theme, low)} className="chart-legend-bar">
                <title>{`Lowest value ${format(minimum)}`}</title>
              </path>
            )}
            {clampedHigh && (
              <path
                d={`M${margin + barWidth + 3},${barTop} v${barHeight} L${margin + barWidth + 11},${middle} Z`}
                fill={colourOf(domain, theme, high)}
                className="chart-legend-bar"
              >
                <title>{`Highest value ${format(maximum)}`}</title>
              </path>
            )}
            {centre !== undefined && <line x1={scale(centre)} x2={scale(centre)} y1={barTop - 2} y2={barTop + barHeight + 4} className="chart-legend-centre" />}
            {marked !== undefined && (
              <path d={`M${scale(Math.min(Math.max(marked, low), high))},${barTop} l-4,-6 h8 Z`} className="chart-legend-mark" />
            )}
            <AxisGroup axis={axis} x={0} y={barTop + barHeight} />
          </svg>
        )}
      </div>
    </div>
  );
}

function colourOf(domain: ValueDomain, theme: Theme, value: number): string {
  return rampColour(rampOf(domain), theme, rampPosition(domain, value));
}
