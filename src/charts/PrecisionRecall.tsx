import { useMemo, useRef, useState, type PointerEvent } from 'react';
import { axisBottom, axisLeft, line, scaleLinear } from 'd3';
import { AxisGroup } from './AxisGroup';
import { formatRate } from './format';
import { classColour, classDash, type Theme } from './palette';
import { pointIn, useSize } from './useCanvas';
import { TableDetails } from './TableDetails';
import './charts.css';

export interface PrecisionCurve {
  name: string;
  /** Index into the network's class names: it decides the colour. */
  class: number;
  /** The area under the curve. */
  ap: number;
  /** At the recalls 0, 0.01 ... 1. */
  precision: readonly number[];
}

export interface PrecisionRecallProps {
  curves: readonly PrecisionCurve[];
  /** "released code, IoU 0.5". */
  rule: string;
  theme: Theme;
}

const height = 300;
const margin = { top: 20, right: 14, bottom: 36, left: 40 };

/** Precision against recall, one curve for each class. The pointer reads off all of them at one recall. */
export function PrecisionRecall({ curves, rule, theme }: PrecisionRecallProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useSize(frame)?.width ?? 0;
  const [pointed, setPointed] = useState<number>();
  const across = useMemo(() => scaleLinear([0, 1], [margin.left, Math.max(width - margin.right, margin.left + 1)]), [width]);
  const up = useMemo(() => scaleLinear([0, 1], [height - margin.bottom, margin.top]), []);
  const acrossAxis = useMemo(() => axisBottom(across).ticks(5, '.1f').tickSize(4), [across]);
  const upAxis = useMemo(() => axisLeft(up).ticks(5, '.1f').tickSize(4), [up]);
  const path = (precision: readonly number[]): string => line<number>((_, index) => across(index / 100), (value) => up(value))(precision) ?? '';
  const point = (event: PointerEvent<SVGSVGElement>): void => {
    const recall = Math.round(across.invert(pointIn(event.currentTarget, event).x) * 100);
    setPointed(recall >= 0 && recall <= 100 ? recall : undefined);
  };
  const at = (recall: number): string => curves.map(({ name, precision }) => `${name} ${formatRate(precision[recall] ?? 0)}`).join(', ');
  return (
    <div className="chart">
      <div ref={frame}>
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={`Precision against recall, ${rule}: ${curves.map(({ name, ap }) => `${name} AP ${ap.toFixed(3)}`).join(', ')}.`}
            onPointerMove={point}
            onPointerLeave={() => setPointed(undefined)}
          >
            {pointed !== undefined && <line x1={across(pointed / 100)} x2={across(pointed / 100)} y1={margin.top} y2={height - margin.bottom} className="chart-unity" />}
            {curves.map((curve) => (
              <path key={curve.class} d={path(curve.precision)} stroke={classColour(theme, curve.class)} strokeDasharray={classDash(curve.class).join(' ')} className="chart-depth-line" />
            ))}
            <AxisGroup axis={acrossAxis} x={0} y={height - margin.bottom} />
            <AxisGroup axis={upAxis} x={margin.left} y={0} />
            <text x={4} y={11} className="chart-label">
              precision
            </text>
            <text x={(margin.left + width - margin.right) / 2} y={height - 3} textAnchor="middle" className="chart-label">
              recall
            </text>
          </svg>
        )}
      </div>
      <div className="chart-key">
        {curves.map(({ name, class: label, ap }) => (
          <span key={label}>
            <svg width="34" height="12" aria-hidden="true">
              <line x1="0" x2="34" y1="6" y2="6" stroke={classColour(theme, label)} strokeDasharray={classDash(label).join(' ')} className="chart-depth-line" />
            </svg>
            {name} {ap.toFixed(3)}
          </span>
        ))}
      </div>
      <output className="chart-readout">{pointed === undefined ? rule : `Recall ${(pointed / 100).toFixed(2)}: ${at(pointed)}`}</output>
      <TableDetails
        summary="Table of precision by recall"
        columns={['Recall', ...curves.map(({ name }) => name)]}
        rows={() => Array.from({ length: 21 }, (_, step) => [(step / 20).toFixed(2), ...curves.map(({ precision }) => (precision[step * 5] ?? 0).toFixed(3))])}
      />
    </div>
  );
}
