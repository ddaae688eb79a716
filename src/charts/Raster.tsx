import { useCallback, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { axisLeft, axisTop, scaleLinear } from 'd3';
import type { LayerTrace } from '../base/trace';
import { AxisGroup } from './AxisGroup';
import { formatCount, formatRate } from './format';
import { clampIndex, neuronPlace } from './layerViews';
import { rampEntry, rampTable, readInk, type Theme } from './palette';
import { moveInList } from './placement';
import {
  bandRates,
  clampRange,
  orderNeurons,
  representativeRow,
  spikeMasks,
  zoomRange,
  type RasterOrder,
  type RowRange,
} from './rasterIndex';
import { TableDetails } from './TableDetails';
import { pointIn, useCanvas, useSize, type PixelSize } from './useCanvas';
import './charts.css';

export interface RasterProps {
  trace: LayerTrace;
  order: RasterOrder;
  /** Only neurons that fired. */
  hideSilent: boolean;
  /** 0-based. */
  step: number;
  /** Numbers of neurons in the layer, `(y * width + x) * channels + channel`. */
  hovered?: number | undefined;
  selected?: number | undefined;
  onHoverNeuron?: (index: number | undefined) => void;
  onSelectNeuron?: (index: number) => void;
  theme: Theme;
}

const margin = { top: 22, right: 6, bottom: 4, left: 56 };
/** A drag shorter than this is a click. */
const dragFromPx = 5;
const columnGapPx = 2;

/**
 * Spikes of a layer: a row for each neuron, a column for each step. Rows that share a pixel are shaded by how many of them spiked.
 * Dragging zooms to the rows dragged over; arrow keys walk the rows, + and - zoom, 0 shows all, Enter selects.
 */
export function Raster(props: RasterProps) {
  if (props.trace.emits === 'values') {
    return (
      <div className="chart">
        <p className="chart-caption">The neurons of this layer emit values, not spikes: it has no raster.</p>
      </div>
    );
  }
  return <SpikeRaster {...props} />;
}

function SpikeRaster({ trace, order, hideSilent, step: wantedStep, hovered, selected, onHoverNeuron, onSelectNeuron, theme }: RasterProps) {
  const { steps, channels } = trace;
  const step = clampIndex(wantedStep, steps);
  const masks = useMemo(() => spikeMasks(trace), [trace]);
  const rows = useMemo(() => orderNeurons(masks, channels, order, hideSilent), [masks, channels, order, hideSilent]);
  // A zoom belongs to the rows that it was made on.
  const [zoom, setZoom] = useState<{ rows: Uint32Array; range: RowRange }>();
  const kept = zoom?.rows === rows ? zoom.range : undefined;
  const range = useMemo(() => clampRange(kept, rows.length), [kept, rows]);
  const setRange = (next: RowRange): void => setZoom({ rows, range: next });
  const [cursorRow, setCursorRow] = useState<number>();
  const [drag, setDrag] = useState<{ from: number; to: number }>();

  const frame = useRef<HTMLDivElement>(null);
  const frameSize = useSize(frame);
  const plotHeight = Math.max((frameSize?.height ?? 0) - margin.top - margin.bottom, 0);
  const plotWidth = Math.max((frameSize?.width ?? 0) - margin.left - margin.right, 0);
  const shown = range.last - range.first;
  const bands = Math.min(shown, Math.max(1, Math.floor(plotHeight * (frameSize?.pixelRatio ?? 1))));
  const rates = useMemo(() => bandRates(masks, rows, range, bands), [masks, rows, range, bands]);

  const rowOf = useCallback((neuron: number | undefined) => (neuron === undefined ? -1 : rows.indexOf(neuron)), [rows]);
  const hoveredRow = useMemo(() => rowOf(hovered), [rowOf, hovered]);
  const selectedRow = useMemo(() => rowOf(selected), [rowOf, selected]);

  const draw = useCallback(
    (context: CanvasRenderingContext2D, size: PixelSize) => {
      const ink = readInk(context.canvas);
      drawBands(context, size, rates, bands, steps, theme, ink.line);
      const columnWidth = size.width / steps;
      context.strokeStyle = ink.muted;
      context.lineWidth = 1;
      context.strokeRect(step * columnWidth + 0.5, 0.5, columnWidth - 1, size.height - 1);
      const markRow = (row: number, colour: string): void => {
        if (row < range.first || row >= range.last) return;
        const rowHeight = size.height / shown;
        const height = Math.max(rowHeight, 3);
        const top = (row - range.first + 0.5) * rowHeight - height / 2;
        context.fillStyle = colour;
        context.fillRect(0, top - 1, size.width, 1);
        context.fillRect(0, top + height, size.width, 1);
        context.beginPath();
        context.moveTo(0, top + height / 2 - 5);
        context.lineTo(7, top + height / 2);
        context.lineTo(0, top + height / 2 + 5);
        context.fill();
      };
      markRow(selectedRow, ink.text);
      markRow(hoveredRow, ink.accent);
      if (drag) {
        context.fillStyle = ink.accent;
        context.globalAlpha = 0.2;
        context.fillRect(0, Math.min(drag.from, drag.to), size.width, Math.abs(drag.to - drag.from));
        context.globalAlpha = 1;
      }
    },
    [rates, bands, steps, theme, step, range, shown, selectedRow, hoveredRow, drag],
  );
  const { canvas } = useCanvas(draw);

  const stepAxis = useMemo(
    () =>
      axisTop(scaleLinear([-0.5, steps - 0.5], [margin.left, margin.left + plotWidth]))
        .tickValues(Array.from({ length: steps }, (_, each) => each))
        .tickFormat((each) => String(Number(each) + 1))
        .tickSize(4),
    [steps, plotWidth],
  );
  const rowAxis = useMemo(
    () =>
      axisLeft(scaleLinear([range.first, range.last], [margin.top, margin.top + plotHeight]))
        .ticks(6)
        .tickFormat((row) => formatCount(Number(row)))
        .tickSize(4),
    [range, plotHeight],
  );

  const rowAt = (y: number): number =>
    Math.min(range.last - 1, Math.max(range.first, range.first + Math.floor((y / Math.max(plotHeight, 1)) * shown)));
  const neuronUnder = (event: PointerEvent<HTMLCanvasElement>): { row: number; neuron: number } | undefined => {
    if (shown === 0) return undefined;
    const point = pointIn(event.currentTarget, event);
    const column = clampIndex(Math.floor((point.x / Math.max(plotWidth, 1)) * steps), steps);
    const perBand = Math.max(1, Math.floor(shown / bands));
    const row = Math.min(representativeRow(masks, rows, rowAt(point.y), perBand, column), range.last - 1);
    const neuron = rows[row];
    return neuron === undefined ? undefined : { row, neuron };
  };
  const hover = (row: number | undefined): void => {
    setCursorRow(row);
    onHoverNeuron?.(row === undefined ? undefined : rows[row]);
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (drag) setDrag({ from: drag.from, to: clampTo(pointIn(event.currentTarget, event).y, plotHeight) });
    const under = neuronUnder(event);
    if (under?.neuron !== hovered || hovered === undefined) hover(under?.row);
  };
  const onPointerUp = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (drag && Math.abs(drag.to - drag.from) >= dragFromPx) {
      const [first, last] = [rowAt(Math.min(drag.from, drag.to)), rowAt(Math.max(drag.from, drag.to)) + 1];
      setRange(zoomRange({ first, last }, 1, (first + last) / 2, rows.length));
    } else {
      const under = neuronUnder(event);
      if (under) onSelectNeuron?.(under.neuron);
    }
    setDrag(undefined);
  };
  const zoomBy = (factor: number): void => {
    const inView = (row: number): boolean => row >= range.first && row < range.last;
    const centre = [hoveredRow, selectedRow].find(inView) ?? (range.first + range.last) / 2;
    setRange(zoomRange(range, factor, centre, rows.length));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // Where rows share pixels, an arrow moves by a pixel's worth of them.
    const stride = Math.max(1, Math.round(shown / Math.max(bands, 1)));
    const from = cursorRow ?? (selectedRow >= 0 ? selectedRow : undefined);
    const next = event.key === 'ArrowLeft' || event.key === 'ArrowRight' ? undefined : moveInList(event.key, from, rows.length);
    if (next !== undefined) {
      const moved = from === undefined ? range.first : from + (next - from) * (Math.abs(next - from) === 1 ? stride : 1);
      const row = Math.min(Math.max(moved, 0), rows.length - 1);
      hover(row);
      if (row < range.first || row >= range.last) setRange(zoomRange({ first: row - shown / 2, last: row + shown / 2 }, 1, row, rows.length));
    } else if (event.key === 'Enter' && cursorRow !== undefined) {
      const neuron = rows[cursorRow];
      if (neuron !== undefined) onSelectNeuron?.(neuron);
    } else if (event.key === '+' || event.key === '=') zoomBy(0.5);
    else if (event.key === '-') zoomBy(2);
    else if (event.key === '0') setRange({ first: 0, last: rows.length });
    else return;
    event.preventDefault();
  };

  const caption = `${formatCount(masks.firedNeurons)} of ${formatCount(masks.masks.length)} neurons fired; ${formatCount(masks.spikes)} spikes`;
  const pointed = hovered ?? (cursorRow === undefined ? undefined : rows[cursorRow]) ?? selected;
  const zoomed = shown < rows.length;
  return (
    <div className="chart">
      <div className="chart-toolbar">
        <span className="chart-caption">
          {caption}
          {shown > bands && <span className="chart-aside">; a line stands for about {formatCount(Math.round(shown / bands))} neurons</span>}
        </span>
        <span className="chart-buttons" role="group" aria-label="Zoom of the raster">
          <button type="button" onClick={() => zoomBy(0.5)} disabled={shown <= 8} aria-label="Fewer neurons">
            +
          </button>
          <button type="button" onClick={() => zoomBy(2)} disabled={!zoomed} aria-label="More neurons">
            −
          </button>
          <button type="button" onClick={() => setRange({ first: 0, last: rows.length })} disabled={!zoomed}>
            All
          </button>
        </span>
      </div>
      <div ref={frame} className="chart-raster">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Raster of ${steps} steps: ${caption}. Rows ${formatCount(Math.min(range.first + 1, range.last))} to ${formatCount(range.last)} of ${formatCount(rows.length)} are shown.`}
          tabIndex={0}
          onPointerDown={(event) => {
            // A finger's drag scrolls the page.
            if (event.button !== 0 || event.pointerType === 'touch') return;
            event.currentTarget.setPointerCapture(event.pointerId);
            const { y } = pointIn(event.currentTarget, event);
            setDrag({ from: y, to: y });
          }}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerUp}
          onPointerCancel={() => setDrag(undefined)}
          onPointerLeave={() => hover(undefined)}
          onDoubleClick={() => setRange({ first: 0, last: rows.length })}
          onKeyDown={onKeyDown}
          onBlur={() => hover(undefined)}
        />
        {frameSize && (
          <svg width={frameSize.width} height={frameSize.height} aria-hidden="true">
            <AxisGroup axis={stepAxis} x={0} y={margin.top} />
            <AxisGroup axis={rowAxis} x={margin.left} y={0} />
            <text x={2} y={11} className="chart-label">
              step
            </text>
          </svg>
        )}
        {rows.length === 0 && <p className="chart-empty">No neuron of this layer fired.</p>}
      </div>
      <output className="chart-readout">
        {pointed === undefined ? 'Drag over rows to zoom' : describeNeuron(trace, masks.masks[pointed] ?? 0, pointed)}
      </output>
      <TableDetails
        summary="Spikes of every step"
        columns={['Step', 'Spikes', 'Firing rate']}
        rows={() =>
          Array.from(masks.spikesPerStep, (spikes, each) => [String(each + 1), formatCount(spikes), formatRate(spikes / masks.masks.length)])
        }
      />
    </div>
  );
}

function clampTo(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit);
}

function describeNeuron(trace: LayerTrace, mask: number, neuron: number): string {
  const { x, y, channel } = neuronPlace(trace, neuron);
  const spikes = Array.from({ length: trace.steps }, (_, step) => step).flatMap((step) => ((mask >>> step) & 1 ? [step + 1] : []));
  return `x ${x}, y ${y}, channel ${channel}: ${spikes.length === 0 ? 'silent' : `spikes at step ${spikes.join(', ')}`}`;
}

/** Bands as one picture, a pixel for each band and step, stretched over the plot; thin gaps part the steps. */
function drawBands(
  context: CanvasRenderingContext2D,
  size: PixelSize,
  rates: Float32Array,
  bands: number,
  steps: number,
  theme: Theme,
  line: string,
): void {
  if (bands === 0) return;
  const table = rampTable('sequential', theme);
  const pixels = new Uint8ClampedArray(rates.length * 4);
  rates.forEach((rate, at) => {
    // One spike among a thousand rows of a pixel must still be seen, hence the root and the offset.
    const entry = rate === 0 ? 0 : rampEntry(0.25 + 0.5 * Math.sqrt(rate)) * 3;
    pixels.set([table[entry] ?? 0, table[entry + 1] ?? 0, table[entry + 2] ?? 0, 255], at * 4);
  });
  const picture = new OffscreenCanvas(steps, bands);
  picture.getContext('2d')?.putImageData(new ImageData(pixels, steps, bands), 0, 0);
  context.imageSmoothingEnabled = false;
  const columnWidth = size.width / steps;
  for (let step = 0; step < steps; step++) {
    context.drawImage(picture, step, 0, 1, bands, step * columnWidth + columnGapPx / 2, 0, columnWidth - columnGapPx, size.height);
  }
  const rowHeight = size.height / bands;
  if (rowHeight >= 6) {
    context.fillStyle = line;
    for (let band = 1; band < bands; band++) context.fillRect(0, Math.round(band * rowHeight), size.width, 1 / size.pixelRatio);
  }
}
