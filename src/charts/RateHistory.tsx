import { useCallback, useMemo, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { max } from 'd3';
import type { Size } from '../base/geometry';
import { rateColumns } from './curves';
import { formatCount, formatRate, shorten } from './format';
import { LegendScale } from './LegendScale';
import { rampColour, readInk, type Theme } from './palette';
import { moveInGrid } from './placement';
import { TableDetails } from './TableDetails';
import { pointIn, useCanvas } from './useCanvas';
import { fromZero, rampPosition } from './valueScale';
import './charts.css';

export interface RateHistoryProps {
  layers: readonly string[];
  /** By step of the run, by layer: spikes per neuron and time step; null where a layer's neurons emit values. */
  rates: readonly (readonly (number | null)[])[];
  /** The number of the first step. */
  firstStep: number;
  theme: Theme;
}

const rowHeight = 16;
const charPx = 6.2;
const gap = 6;
const numbersPx = 46;
const mostColumns = 160;

/** How every layer's firing rate goes over a run: a row for each layer, time to the right. Arrow keys walk the cells. */
export function RateHistory({ layers, rates, firstStep, theme }: RateHistoryProps) {
  const columns = useMemo(() => rateColumns(rates, mostColumns), [rates]);
  const [cursor, setCursor] = useState<{ x: number; y: number }>();
  const domain = useMemo(() => fromZero(Math.max(max(columns.flat(), (rate) => rate ?? 0) ?? 0, 1e-6)), [columns]);
  const longest = Math.min(max(layers, ({ length }) => length) ?? 0, 26);
  const labelsPx = longest * charPx + gap;
  const grid: Size = { width: columns.length, height: layers.length };

  const draw = useCallback(
    (context: CanvasRenderingContext2D, { width }: Size) => {
      const ink = readInk(context.canvas);
      const area = width - labelsPx - numbersPx;
      context.font = `11px ${ink.fontFamily}`;
      context.textBaseline = 'middle';
      layers.forEach((label, row) => {
        const y = row * rowHeight;
        context.fillStyle = ink.text;
        context.textAlign = 'left';
        context.fillText(shorten(label, longest), 0, y + rowHeight / 2);
        columns.forEach((column, x) => {
          const rate = column[row] ?? null;
          if (rate === null) return;
          const left = labelsPx + Math.floor((x * area) / columns.length);
          const right = labelsPx + Math.floor(((x + 1) * area) / columns.length);
          context.fillStyle = rampColour('sequential', theme, rampPosition(domain, rate));
          context.fillRect(left, y + 1, Math.max(right - left, 1), rowHeight - 2);
        });
        const last = columns.at(-1)?.[row] ?? null;
        context.fillStyle = last === null ? ink.muted : ink.text;
        context.textAlign = 'right';
        context.fillText(last === null ? 'values' : formatRate(last), width, y + rowHeight / 2);
      });
      if (!cursor || columns.length === 0) return;
      context.strokeStyle = ink.accent;
      context.lineWidth = 2;
      context.strokeRect(labelsPx + (cursor.x * area) / columns.length, cursor.y * rowHeight, Math.max(area / columns.length, 3), rowHeight);
    },
    [layers, columns, domain, theme, cursor, labelsPx, longest],
  );
  const { canvas, size } = useCanvas(draw);
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (!size) return;
    const { x, y } = pointIn(event.currentTarget, event);
    const column = Math.floor(((x - labelsPx) / (size.width - labelsPx - numbersPx)) * grid.width);
    const row = Math.floor(y / rowHeight);
    setCursor(column >= 0 && column < grid.width && row >= 0 && row < grid.height ? { x: column, y: row } : undefined);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = grid.width > 0 ? moveInGrid(event.key, cursor, grid) : undefined;
    if (!next) return;
    setCursor(next);
    event.preventDefault();
  };
  const stepsIn = (column: number): string => {
    const each = rates.length / Math.max(columns.length, 1);
    return `step ${formatCount(firstStep + Math.floor(column * each))}`;
  };
  const pointed = cursor ? (columns[cursor.x]?.[cursor.y] ?? null) : null;
  const latest = columns.at(-1) ?? [];
  const spiking = latest.filter((rate) => rate !== null);
  const said = spiking.length === 0 ? 'no layer has fired yet' : `now from ${formatRate(Math.min(...spiking))} to ${formatRate(Math.max(...spiking))}`;
  return (
    <div className="chart">
      <div className="chart-rate-history" style={{ height: layers.length * rowHeight }}>
        <canvas
          ref={canvas}
          role="img"
          tabIndex={0}
          aria-label={`Firing rates of ${layers.length} layers over ${formatCount(rates.length)} steps of the run: ${said}.`}
          onPointerMove={onPointerMove}
          onPointerLeave={() => setCursor(undefined)}
          onKeyDown={onKeyDown}
          onBlur={() => setCursor(undefined)}
        />
      </div>
      <LegendScale domain={domain} theme={theme} title="Firing rate (spikes per neuron and time step)" format={formatRate} marked={pointed ?? undefined} />
      <output className="chart-readout">
        {cursor ? `${layers[cursor.y]}, ${stepsIn(cursor.x)}: ${pointed === null ? 'emits values' : formatRate(pointed)}` : 'The numbers on the right are the latest ones'}
      </output>
      <TableDetails
        summary="Table: firing rates"
        columns={['Layer', 'At first', 'Half way', 'Now']}
        rows={() => layers.map((label, row) => [label, ...[0, Math.floor(columns.length / 2), columns.length - 1].map((column) => textOf(columns[column]?.[row] ?? null))])}
      />
    </div>
  );
}

function textOf(rate: number | null): string {
  return rate === null ? 'values' : formatRate(rate);
}
