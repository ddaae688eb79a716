import { useMemo, useRef } from 'react';
import { axisBottom, axisLeft, line, scaleLinear, scaleLog, symbol, symbolCircle, symbolDiamond, symbolSquare, symbolTriangle } from 'd3';
import { AxisGroup } from './AxisGroup';
import { decadesAround, profileStatistics, smallestShare } from './learnGeometry';
import { formatShare } from './format';
import { classColour, classDash, type Theme } from './palette';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import './charts.css';

/** How the gradient of one kind of stack goes with depth: mean square before each block, as a share of the one after the last. */
export interface DepthCurve {
  name: string;
  predicted: readonly number[] | undefined;
  /** One profile for each drawn stack. */
  measured: readonly (readonly number[])[];
}

export interface GradientDepthProps {
  curves: readonly DepthCurve[];
  theme: Theme;
}

const height = 320;
const margin = { top: 20, right: 16, bottom: 36, left: 56 };
const shapes = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond];
/** More marks than this on one curve run into each other. */
const mostMarks = 17;

/** The norm of the gradient by depth on a logarithmic scale: lines are predictions, marks with bars the measured mean and extremes. */
export function GradientDepth({ curves, theme }: GradientDepthProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const statistics = useMemo(() => curves.map(({ measured }) => profileStatistics(measured)), [curves]);
  const places = Math.max(2, ...curves.map(({ predicted, measured }) => (predicted ?? measured[0] ?? []).length));
  const across = useMemo(() => scaleLinear([0, places - 1], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [places, width]);
  const up = useMemo(() => {
    const { low, high } = decadesAround([...curves.flatMap(({ predicted }) => predicted ?? []), ...statistics.flat().flatMap((each) => [each.low, each.high])]);
    return scaleLog([low, high], [height - margin.bottom, margin.top]);
  }, [curves, statistics]);
  const acrossAxis = useMemo(
    () =>
      axisBottom(across)
        .ticks(Math.min(places - 1, Math.max(2, width / 60)))
        .tickFormat((place) => (Number.isInteger(Number(place)) ? String(place) : ''))
        .tickSize(4),
    [across, places, width],
  );
  const upAxis = useMemo(() => axisLeft(up).ticks(6, '.0e').tickSize(4), [up]);
  const every = Math.ceil((places - 1) / (mostMarks - 1));
  const path = (profile: readonly number[]): string => line<number>((_, place) => across(place), (share) => up(Math.max(share, smallestShare)))(profile) ?? '';
  const summary = curves
    .map(({ name, predicted }, index) => `${name} ${formatShare(statistics[index]?.[0]?.mean ?? predicted?.[0])}`)
    .join(', ');
  return (
    <div className="chart">
      <div ref={frame} className="chart-depth">
        {width > 0 && (
          <svg width={width} height={height} role="img" aria-label={`Mean square of the gradient at the first block as a share of the one after the last: ${summary}.`}>
            <line x1={margin.left} x2={width - margin.right} y1={up(1)} y2={up(1)} className="chart-unity" />
            {curves.map(({ name, predicted }, index) => (
              <g key={name}>
                {predicted && (
                  <path d={path(predicted)} stroke={classColour(theme, index)} strokeDasharray={classDash(index).join(' ')} className="chart-depth-line" />
                )}
                {statistics[index]?.map(({ mean, low, high }, place) =>
                  place % every === 0 ? (
                    <g key={place} transform={`translate(${across(place)},0)`}>
                      <line y1={up(low)} y2={up(high)} stroke={classColour(theme, index)} className="chart-depth-range" />
                      <path transform={`translate(0,${up(mean)})`} d={symbol(shapes[index % shapes.length], 42)() ?? ''} fill={classColour(theme, index)} className="chart-depth-mark" />
                    </g>
                  ) : null,
                )}
              </g>
            ))}
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={4} y={11} className="chart-label">
              gradient, mean square (1 after the last block)
            </text>
            <text x={(margin.left + width - margin.right) / 2} y={height - 3} textAnchor="middle" className="chart-label">
              blocks before; the gradient comes from the right
            </text>
          </svg>
        )}
      </div>
      <div className="chart-key">
        {curves.map(({ name }, index) => (
          <span key={name}>
            <svg width="34" height="12" aria-hidden="true">
              <line x1="0" x2="34" y1="6" y2="6" stroke={classColour(theme, index)} strokeDasharray={classDash(index).join(' ')} className="chart-depth-line" />
              <path transform="translate(17,6)" d={symbol(shapes[index % shapes.length], 42)() ?? ''} fill={classColour(theme, index)} />
            </svg>
            {name}
          </span>
        ))}
        <span>lines: theory; marks: measured, with the extremes over the seeds</span>
      </div>
      <TableDetails
        summary="Table of gradients by depth"
        columns={['Blocks before', ...curves.flatMap(({ name }) => [`${name}: theory`, `${name}: measured`, `${name}: least to most`])]}
        rows={() =>
          Array.from({ length: places }, (_, place) => [
            String(place),
            ...curves.flatMap(({ predicted }, index) => {
              const measured = statistics[index]?.[place];
              return [formatShare(predicted?.[place]), formatShare(measured?.mean), measured ? `${formatShare(measured.low)} to ${formatShare(measured.high)}` : '–'];
            }),
          ])
        }
      />
    </div>
  );
}
