import { useEffect, useEffectEvent, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { area, axisBottom, axisLeft, brushX, curveStepAfter, max, pointer, scaleLinear, select, type BrushBehavior, type D3BrushEvent } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatCount, formatRate, formatShort } from './format';
import { rampColour, type Theme } from './palette';
import { TableDetails } from './TableDetails';
import {
  brushedWindow,
  centreWindow,
  clampWindow,
  eventsWithin,
  extentOf,
  formatDuration,
  formatEventRate,
  formatWindow,
  moveWindow,
  rateColumns,
  resizeWindow,
  thinOut,
  unitFor,
  widen,
  windowOnKey,
  type RateBins,
  type RateColumn,
  type TimeWindow,
} from './timeWindow';
import { useSize } from './useCanvas';
import './charts.css';

export interface RateTimelineProps {
  /** Events of the whole recording, as far as it has been read. All times are on the recording's clock. */
  bins: RateBins;
  windowUs: TimeWindow;
  /** Where the window is cut into slices for the network's steps. */
  stepsUs?: readonly number[] | undefined;
  currentUs?: number | undefined;
  /** When labels were given. */
  marks?: readonly number[] | undefined;
  /** Share of the recording that has been read, 0 to 1. */
  progress: number;
  theme: Theme;
  /** Also called while the window is dragged. Whole microseconds within the bins. */
  onWindow: (fromUs: number, toUs: number) => void;
}

const margin = { top: 16, right: 18, bottom: 22, left: 46 };
const heightPx = 132;
const plotHeight = heightPx - margin.top - margin.bottom;
/** A window narrower than this cannot be taken by its edges and gets a pointer above it. */
const narrowPx = 14;
/** Lines closer than this run into each other. */
const apartPx = 3;
const tableRows = 40;
const noTimes: readonly number[] = [];

/**
 * The rate of events over a recording, OFF and ON on top of each other, and the window that is looked at: drag it, its edges, or a new
 * one; a click moves it there. It is also a slider: see {@link windowOnKey} for its keys. Times count from the recording's start.
 */
export function RateTimeline({ bins, windowUs, stepsUs = noTimes, currentUs, marks = noTimes, progress, theme, onWindow }: RateTimelineProps) {
  const frame = useRef<HTMLDivElement>(null);
  const slider = useRef<HTMLDivElement>(null);
  const brushGroup = useRef<SVGGElement>(null);
  const brush = useRef<BrushBehavior<unknown>>(null);
  const dragging = useRef(false);
  const [drags, setDrags] = useState(0);

  const frameWidth = useSize(frame)?.width ?? 0;
  const plotWidth = Math.max(frameWidth - margin.left - margin.right, 0);
  const [startUs, endUs] = extentOf(bins);
  const extent = useMemo((): TimeWindow => [startUs, endUs], [startUs, endUs]);
  const [fromUs, toUs] = windowUs;

  const columns = useMemo(() => rateColumns(bins, Math.max(plotWidth, 1)), [bins, plotWidth]);
  const highest = useMemo(() => max(columns, ({ on, off }) => on + off) ?? 0, [columns]);
  const timeScale = useMemo(() => scaleLinear([startUs, endUs], [0, plotWidth]), [startUs, endUs, plotWidth]);
  const rateScale = useMemo(() => scaleLinear([0, Math.max(highest, 1e-9)], [plotHeight, 0]).nice(3), [highest]);
  const paths = useMemo(() => areaPaths(columns, timeScale, rateScale), [columns, timeScale, rateScale]);

  const lengthUs = endUs - startUs;
  const unit = unitFor(lengthUs);
  const timeAxis = useMemo(
    () =>
      axisBottom(scaleLinear([0, lengthUs / unit.us], [0, plotWidth]))
        .ticks(Math.max(2, plotWidth / 90))
        .tickFormat((time) => `${formatShort(Number(time))}\u202f${unit.name}`)
        .tickSize(4)
        .tickSizeOuter(0),
    [lengthUs, unit.us, unit.name, plotWidth],
  );
  const rateAxis = useMemo(
    () =>
      axisLeft(rateScale)
        .ticks(3)
        .tickFormat((rate) => formatEventRate(Number(rate)))
        .tickSize(4)
        .tickSizeOuter(0),
    [rateScale],
  );

  const change = (next: TimeWindow): void => {
    if (next[0] !== fromUs || next[1] !== toUs) onWindow(next[0], next[1]);
  };
  const onBrush = useEffectEvent((event: D3BrushEvent<unknown>) => {
    // Moved by this chart itself, to show the window that it was given.
    if (!event.sourceEvent) return;
    dragging.current = event.type !== 'end';
    if (event.type === 'start') return;
    const brushed = event.selection as [number, number] | null;
    if (brushed && event.type === 'brush') {
      change(brushedWindow([timeScale.invert(brushed[0]), timeScale.invert(brushed[1])], event.mode === 'drag', windowUs, extent));
    }
    if (event.type !== 'end') return;
    if (!brushed) change(centreWindow(windowUs, timeScale.invert(pointer(event.sourceEvent, brushGroup.current)[0]), extent));
    slider.current?.focus({ preventScroll: true });
    // The brush then shows the window that came of it.
    setDrags((count) => count + 1);
  });
  useEffect(() => {
    const group = brushGroup.current;
    if (!group || plotWidth === 0) return undefined;
    const behavior = brushX<unknown>()
      .extent([
        [0, 0],
        [plotWidth, plotHeight],
      ])
      .on('start brush end', (event: D3BrushEvent<unknown>) => onBrush(event));
    select<SVGGElement, unknown>(group).call(behavior);
    brush.current = behavior;
    return () => {
      dragging.current = false;
      select(group).on('.brush', null).selectAll('*').remove();
    };
  }, [plotWidth]);
  useEffect(() => {
    const group = brushGroup.current;
    if (!group || !brush.current || plotWidth === 0 || dragging.current) return;
    brush.current.move(select<SVGGElement, unknown>(group), [timeScale(fromUs), timeScale(toUs)]);
  }, [timeScale, plotWidth, fromUs, toUs, drags]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const next = windowOnKey(event.key, event.shiftKey, windowUs, extent);
    if (!next) return;
    change(next);
    event.preventDefault();
  };

  const sinceStart = ([from, to]: TimeWindow): TimeWindow => [from - startUs, to - startUs];
  const windowWidth = toUs - fromUs;
  const events = eventsWithin(bins, windowUs);
  const windowText = `${formatWindow(sinceStart(windowUs), unit)} (${formatDuration(windowWidth)})`;
  const eventText = `about ${formatCount(events)} events, ${formatEventRate(events / (Math.max(windowWidth, 1) / 1e6))}`;
  const total = useMemo(() => eventsWithin(bins, extent), [bins, extent]);
  const facts = `${formatCount(total)} events in ${formatDuration(lengthUs)}, at most ${formatEventRate(highest)}`;

  const left = timeScale(fromUs);
  const windowPx = timeScale(toUs) - left;
  const isNarrow = windowPx < narrowPx;
  const sliderPx = Math.max(windowPx, 8);
  const inPlot = (times: readonly number[]): number[] => thinOut(times.filter((time) => time >= startUs && time <= endUs).map((time) => timeScale(time)), 1);
  const borders = stepsUs.map((time) => timeScale(time)).filter((x) => x > left && x < left + windowPx);
  const bordersFit = windowPx / (borders.length + 1) >= apartPx;
  return (
    <div className="chart">
      <div className="chart-toolbar">
        <span className="chart-key">
          <Swatch colour={rampColour('events', theme, 1)} text="ON" />
          <Swatch colour={rampColour('events', theme, 0)} text="OFF" />
          {marks.length > 0 && (
            <span>
              <svg width="8" height="10" aria-hidden="true">
                <line x1="4" x2="4" y1="1" y2="9" className="chart-time-marks" />
              </svg>
              {formatCount(marks.length)} {marks.length === 1 ? 'label' : 'labels'}
            </span>
          )}
          {progress < 1 && (
            <span>
              <progress value={progress} aria-label="Recording read" /> {formatRate(progress)} read
            </span>
          )}
        </span>
        <span className="chart-buttons" role="group" aria-label="Time window">
          <button type="button" onClick={() => change(moveWindow(windowUs, -windowWidth, extent))} disabled={fromUs <= startUs} aria-label="Window before">
            ‹
          </button>
          <button type="button" onClick={() => change(moveWindow(windowUs, windowWidth, extent))} disabled={toUs >= endUs} aria-label="Window after">
            ›
          </button>
          <button type="button" onClick={() => change(resizeWindow(windowUs, 1 / widen, extent))} aria-label="Shorter window">
            −
          </button>
          <button type="button" onClick={() => change(resizeWindow(windowUs, widen, extent))} aria-label="Longer window">
            +
          </button>
        </span>
      </div>
      <div ref={frame} className="chart-timeline" style={{ height: heightPx }}>
        {plotWidth > 0 && (
          <svg width={frameWidth} height={heightPx} role="img" aria-label={`Event rate: ${facts}.`}>
            <g transform={`translate(${margin.left},${margin.top})`}>
              <path d={paths.off} fill={rampColour('events', theme, 0)} />
              <path d={paths.on} fill={rampColour('events', theme, 1)} />
              <path d={inPlot(marks).map((x) => `M${x},-9v7`).join('')} className="chart-time-marks" />
              {bordersFit && <path d={borders.map((x) => `M${x},0v${plotHeight}`).join('')} className="chart-time-borders" />}
              {currentUs !== undefined && currentUs >= startUs && currentUs <= endUs && (
                <path d={`M${timeScale(currentUs)},0v${plotHeight}`} className="chart-time-now" />
              )}
              <g ref={brushGroup} className={isNarrow ? 'chart-brush chart-brush-narrow' : 'chart-brush'} />
              {isNarrow && <path d={`M${left + windowPx / 2},0l-5,-8h10ZV${plotHeight}`} className="chart-time-pointer" />}
            </g>
            <AxisGroup axis={timeAxis} x={margin.left} y={margin.top + plotHeight} />
            <AxisGroup axis={rateAxis} x={margin.left} y={margin.top} />
          </svg>
        )}
        <div
          ref={slider}
          className="chart-time-slider"
          role="slider"
          tabIndex={0}
          aria-label="Time window"
          aria-valuemin={0}
          aria-valuemax={Math.round(lengthUs)}
          aria-valuenow={Math.round(clampWindow(windowUs, extent)[0] - startUs)}
          aria-valuetext={`${windowText}: ${eventText}`}
          onKeyDown={onKeyDown}
          style={{ left: margin.left + left - (sliderPx - windowPx) / 2, width: sliderPx, top: margin.top, height: plotHeight }}
        />
      </div>
      <p className="chart-caption">
        <strong>{windowText}</strong>: {eventText}
      </p>
      <TableDetails
        summary="Event rate over the recording"
        columns={['Time', 'ON', 'OFF', 'Together']}
        rows={() =>
          rateColumns(bins, tableRows).map(({ fromUs: from, toUs: to, on, off }) => [
            formatWindow(sinceStart([from, to]), unit),
            formatEventRate(on),
            formatEventRate(off),
            formatEventRate(on + off),
          ])
        }
      />
    </div>
  );
}

function Swatch({ colour, text }: { colour: string; text: string }) {
  return (
    <span>
      <svg width="12" height="12" aria-hidden="true">
        <rect width="12" height="12" fill={colour} />
      </svg>
      {text}
    </span>
  );
}

/** OFF from the axis up, ON on top of it, as steps. */
function areaPaths(columns: readonly RateColumn[], x: (us: number) => number, y: (rate: number) => number): { on: string; off: string } {
  const last = columns.at(-1);
  if (!last) return { on: '', off: '' };
  const corners = [...columns, { ...last, fromUs: last.toUs }];
  const stacked = area<RateColumn>()
    .x(({ fromUs }) => x(fromUs))
    .curve(curveStepAfter);
  return {
    off: stacked.y0(y(0)).y1(({ off }) => y(off))(corners) ?? '',
    on: stacked.y0(({ off }) => y(off)).y1(({ on, off }) => y(on + off))(corners) ?? '',
  };
}
