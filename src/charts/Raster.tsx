import { useCallback, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { axisLeft, axisTop, scaleLinear } from 'd3';
import type { CellRange } from '../base/reach';
import { spikeMasks } from '../base/spikeMasks';
import type { LayerTrace } from '../base/trace';
import { AxisGroup } from './AxisGroup';
import { formatCount, formatRate } from './format';
import { clampIndex, neuronPlace } from './layerViews';
import { rampColour, rampEntry, rampTable, readInk, type Theme } from './palette';
import { usePieces, type Pieces } from './pieces';
import { moveInList, type Point } from './placement';
import {
  bandRates,
  clampRange,
  firedIn,
  orderNeurons,
  rasterOf,
  representativeRow,
  zoomRange,
  type RasterOrder,
  type RasterSource,
  type RasterWindow,
  type RowRange,
} from './rasterIndex';
import { TableDetails } from './TableDetails';
import { pointIn, useCanvas, useSize, type PixelSize } from './useCanvas';
import './charts.css';

export interface RasterProps {
  trace: LayerTrace;
  /** The same layer in windows that came one after the other, with a name for each; the trace is of the last one. Without them, only the trace. */
  windows?: readonly (RasterWindow & { label: string })[] | undefined;
  order: RasterOrder;
  /** Only neurons that fired. */
  hideSilent: boolean;
  /** 0-based. */
  step: number;
  /** Numbers of neurons in the layer, `(y * width + x) * channels + channel`. */
  hovered?: number | undefined;
  selected?: number | undefined;
  /** Cells whose neurons lead to what is pointed at; the others are dimmed. */
  lit?: CellRange | undefined;
  onHoverNeuron?: (index: number | undefined) => void;
  onSelectNeuron?: (index: number) => void;
  theme: Theme;
}

const margin = { top: 22, right: 6, bottom: 4, left: 56 };
/** A drag shorter than this is a click. */
const dragFromPx = 5;
const columnGapPx = 2;

/** A drag that is narrower than this share of the plot is about rows only. */
const columnDragShare = 0.15;
/** Columns are labelled where they have this much room. */
const labelledColumnPx = 14;
/** How faint what does not lead to the pointed at is drawn. */
const dimmed = 0.22;

/**
 * Spikes of a layer: a row for each neuron, a column for each step of each window. Rows that share a pixel are shaded by how many of
 * them spiked. Dragging zooms to the rows (and columns) dragged over; arrow keys walk the rows, + and - zoom, 0 shows all, Enter selects.
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

function SpikeRaster({ windows, hideSilent, ...rest }: RasterProps) {
  const { trace, order } = rest;
  const { channels } = trace;
  const index = usePieces(
    useCallback(
      function* (): Pieces<RasterIndex> {
        const spikes = yield* rasterOf(windows && windows.length > 0 ? windows : [spikeMasks(trace)]);
        return { source: spikes, windows, rows: yield* orderNeurons(spikes, channels, order, hideSilent) };
      },
      [trace, windows, channels, order, hideSilent],
    ),
  );
  return index ? (
    <IndexedRaster index={index} {...rest} />
  ) : (
    <div className="chart">
      <p className="chart-caption">Counting spikes…</p>
    </div>
  );
}

/** What a raster shows, in the order in which it shows it. */
interface RasterIndex {
  source: RasterSource;
  windows: RasterProps['windows'];
  rows: Uint32Array;
}

type IndexedProps = Omit<RasterProps, 'windows' | 'hideSilent'> & { index: RasterIndex };

function IndexedRaster({ index: { source, windows, rows }, trace, order, step: wantedStep, hovered, selected, lit, onHoverNeuron, onSelectNeuron, theme }: IndexedProps) {
  const lastWindow = source.windows.at(-1);
  const step = (lastWindow?.firstColumn ?? 0) + clampIndex(wantedStep, trace.steps);
  // A zoom belongs to the rows that it was made on.
  const [zoom, setZoom] = useState<{ rows: Uint32Array; range: RowRange; columns: RowRange | undefined }>();
  const kept = zoom?.rows === rows ? zoom : undefined;
  const range = useMemo(() => clampRange(kept?.range, rows.length), [kept, rows]);
  const columns = useMemo(() => clampRange(kept?.columns, source.columns), [kept, source]);
  const setRange = (next: RowRange, nextColumns = kept?.columns): void => setZoom({ rows, range: next, columns: nextColumns });
  const showAll = (): void => setZoom(undefined);
  const [cursorRow, setCursorRow] = useState<number>();
  const [drag, setDrag] = useState<{ from: Point; to: Point }>();

  const frame = useRef<HTMLDivElement>(null);
  const frameSize = useSize(frame);
  const plotHeight = Math.max((frameSize?.height ?? 0) - margin.top - margin.bottom, 0);
  const plotWidth = Math.max((frameSize?.width ?? 0) - margin.left - margin.right, 0);
  const shown = range.last - range.first;
  const bands = Math.min(shown, Math.max(1, Math.floor(plotHeight * (frameSize?.pixelRatio ?? 1))));
  const shading = usePieces(
    useCallback(
      function* (): Pieces<Shading> {
        return { rates: yield* bandRates(source, rows, range, bands, columns), bands, columns };
      },
      [source, rows, range, bands, columns],
    ),
  );
  const litShading = usePieces(
    useCallback(
      function* (): Pieces<Shading | undefined> {
        return lit && { rates: yield* bandRates(source, rows, range, bands, columns, isWithin(trace, lit)), bands, columns };
      },
      [source, rows, range, bands, columns, trace, lit],
    ),
  );

  const rowOf = useCallback((neuron: number | undefined) => (neuron === undefined ? -1 : rows.indexOf(neuron)), [rows]);
  const hoveredRow = useMemo(() => rowOf(hovered), [rowOf, hovered]);
  const selectedRow = useMemo(() => rowOf(selected), [rowOf, selected]);

  const draw = useCallback(
    (context: CanvasRenderingContext2D, size: PixelSize) => {
      const ink = readInk(context.canvas);
      const shownColumns = columns.last - columns.first;
      context.globalAlpha = litShading ? dimmed : 1;
      if (shading) drawBands(context, size, shading, theme, ink.line);
      context.globalAlpha = 1;
      if (litShading) drawBands(context, size, litShading, theme, ink.line, true);
      const columnWidth = size.width / shownColumns;
      context.fillStyle = ink.muted;
      for (const { firstColumn } of source.windows) {
        if (firstColumn > columns.first && firstColumn < columns.last) context.fillRect(Math.round((firstColumn - columns.first) * columnWidth), 0, 1, size.height);
      }
      context.strokeStyle = ink.muted;
      context.lineWidth = 1;
      if (step >= columns.first && step < columns.last) {
        context.strokeRect((step - columns.first) * columnWidth + 0.5, 0.5, Math.max(columnWidth - 1, 1), size.height - 1);
      }
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
        const [left, right] = isColumnDrag(drag, size.width) ? [drag.from.x, drag.to.x].sort((a, b) => a - b) : [0, size.width];
        context.fillRect(left ?? 0, Math.min(drag.from.y, drag.to.y), (right ?? 0) - (left ?? 0), Math.abs(drag.to.y - drag.from.y));
        context.globalAlpha = 1;
      }
    },
    [shading, litShading, source, columns, theme, step, range, shown, selectedRow, hoveredRow, drag],
  );
  const { canvas } = useCanvas(draw);

  const stepAxis = useMemo(() => {
    const labels = columnLabels(source, columns, windows, plotWidth);
    return axisTop(scaleLinear([columns.first - 0.5, columns.last - 0.5], [margin.left, margin.left + plotWidth]))
      .tickValues([...labels.keys()])
      .tickFormat((column) => labels.get(Number(column)) ?? '')
      .tickSize(4);
  }, [source, columns, windows, plotWidth]);
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
  const columnAt = (x: number): number =>
    columns.first + clampIndex(Math.floor((x / Math.max(plotWidth, 1)) * (columns.last - columns.first)), columns.last - columns.first);
  const neuronUnder = (event: PointerEvent<HTMLCanvasElement>): { row: number; neuron: number } | undefined => {
    if (shown === 0) return undefined;
    const point = pointIn(event.currentTarget, event);
    const column = columnAt(point.x);
    const perBand = Math.max(1, Math.floor(shown / bands));
    const row = Math.min(representativeRow(source, rows, rowAt(point.y), perBand, column), range.last - 1);
    const neuron = rows[row];
    return neuron === undefined ? undefined : { row, neuron };
  };
  const hover = (row: number | undefined): void => {
    setCursorRow(row);
    onHoverNeuron?.(row === undefined ? undefined : rows[row]);
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (drag) {
      const { x, y } = pointIn(event.currentTarget, event);
      setDrag({ from: drag.from, to: { x: clampTo(x, plotWidth), y: clampTo(y, plotHeight) } });
    }
    const under = neuronUnder(event);
    if (under?.neuron !== hovered || hovered === undefined) hover(under?.row);
  };
  const onPointerUp = (event: PointerEvent<HTMLCanvasElement>): void => {
    const isRowDrag = drag && Math.abs(drag.to.y - drag.from.y) >= dragFromPx;
    const overColumns = drag && isColumnDrag(drag, plotWidth);
    if (drag && (isRowDrag || overColumns)) {
      const [first, last] = isRowDrag
        ? [rowAt(Math.min(drag.from.y, drag.to.y)), rowAt(Math.max(drag.from.y, drag.to.y)) + 1]
        : [range.first, range.last];
      const brushed = { first: columnAt(Math.min(drag.from.x, drag.to.x)), last: columnAt(Math.max(drag.from.x, drag.to.x)) + 1 };
      setRange(zoomRange({ first, last }, 1, (first + last) / 2, rows.length), overColumns ? brushed : kept?.columns);
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
    else if (event.key === '0') showAll();
    else return;
    event.preventDefault();
  };

  const over = source.windows.length > 1 ? ` in ${source.windows.length} windows` : '';
  const caption = `${formatCount(source.firedNeurons)} of ${formatCount(source.neurons)} neurons fired; ${formatCount(source.spikes)} spikes${over}`;
  const pointed = hovered ?? (cursorRow === undefined ? undefined : rows[cursorRow]) ?? selected;
  const zoomed = shown < rows.length || columns.last - columns.first < source.columns;
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
          <button type="button" onClick={() => zoomBy(2)} disabled={shown >= rows.length} aria-label="More neurons">
            −
          </button>
          <button type="button" onClick={showAll} disabled={!zoomed}>
            All
          </button>
        </span>
      </div>
      <div ref={frame} className="chart-raster">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Raster of ${source.columns} steps: ${caption}. Rows ${formatCount(Math.min(range.first + 1, range.last))} to ${formatCount(range.last)} of ${formatCount(rows.length)} are shown.`}
          tabIndex={0}
          onPointerDown={(event) => {
            // A finger's drag scrolls the page.
            if (event.button !== 0 || event.pointerType === 'touch') return;
            event.currentTarget.setPointerCapture(event.pointerId);
            const at = pointIn(event.currentTarget, event);
            setDrag({ from: at, to: at });
          }}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerUp}
          onPointerCancel={() => setDrag(undefined)}
          onPointerLeave={() => hover(undefined)}
          onDoubleClick={showAll}
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
      <RasterKey theme={theme} isShared={shown > bands} order={order} />
      <output className="chart-readout">
        {pointed === undefined ? 'Drag over rows or steps to zoom' : describeNeuron(trace, source, pointed)}
      </output>
      <TableDetails
        summary="Spikes of every step"
        columns={['Step', 'Spikes', 'Firing rate']}
        rows={() =>
          Array.from(source.spikesPerColumn, (spikes, column) => [columnName(source, windows, column), formatCount(spikes), formatRate(spikes / source.neurons)])
        }
      />
    </div>
  );
}

const orderNames: Record<RasterOrder, string> = {
  rate: 'rows: neurons, most spikes first',
  place: 'rows: neurons, by row, column and channel',
  channel: 'rows: neurons, channel after channel',
};

/** What the colours and the rows mean. */
function RasterKey({ theme, isShared, order }: { theme: Theme; isShared: boolean; order: RasterOrder }) {
  const swatches: readonly [rates: readonly number[], text: string][] = [
    [[0], 'no spike'],
    isShared ? [[0.001, 0.1, 0.4, 1], 'few to all of a line’s neurons spike'] : [[1], 'spike'],
  ];
  return (
    <div className="chart-key">
      {swatches.map(([rates, text]) => (
        <span key={text}>
          <svg width={12 * rates.length} height="12" aria-hidden="true">
            {rates.map((rate, at) => (
              <rect key={rate} x={12 * at + 0.5} y="0.5" width={at < rates.length - 1 ? 12 : 11} height="11" fill={rampColour('sequential', theme, rampPositionOf(rate))} className="chart-swatch" />
            ))}
          </svg>
          {text}
        </span>
      ))}
      <span>{orderNames[order]}</span>
    </div>
  );
}

/** One spike among a thousand rows of a pixel must still be seen, hence the root and the offset. */
function rampPositionOf(rate: number): number {
  return rate === 0 ? 0 : 0.25 + 0.5 * Math.sqrt(rate);
}

function clampTo(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit);
}

function isColumnDrag({ from, to }: { from: Point; to: Point }, width: number): boolean {
  return Math.abs(to.x - from.x) >= width * columnDragShare;
}

function isWithin({ width, channels }: LayerTrace, { left, top, right, bottom }: CellRange): (neuron: number) => boolean {
  return (neuron) => {
    const cell = Math.floor(neuron / channels);
    const x = cell % width;
    const y = Math.floor(cell / width);
    return x >= left && x <= right && y >= top && y <= bottom;
  };
}

/** "step 3", or "0.250 s, step 3" where there are several windows. */
function columnName(source: RasterSource, windows: RasterProps['windows'], column: number): string {
  const index = source.windows.findIndex(({ firstColumn, steps }) => column >= firstColumn && column < firstColumn + steps);
  const step = String(column - (source.windows[index]?.firstColumn ?? 0) + 1);
  return source.windows.length > 1 ? `${windows?.[index]?.label ?? ''}, step ${step}` : step;
}

/** Numbers of steps; of several windows their names, as many as there is room for. */
function columnLabels(source: RasterSource, columns: RowRange, windows: RasterProps['windows'], plotWidth: number): Map<number, string> {
  const shown = columns.last - columns.first;
  const columnWidth = plotWidth / Math.max(shown, 1);
  const labels = new Map<number, string>();
  if (source.windows.length === 1) {
    const every = Math.max(1, Math.ceil(labelledColumnPx / Math.max(columnWidth, 1)));
    for (let column = columns.first; column < columns.last; column += every) labels.set(column, String(column + 1));
    return labels;
  }
  const labelPx = 56;
  let free = -Infinity;
  source.windows.forEach(({ firstColumn, steps }, index) => {
    const middle = firstColumn + (steps - 1) / 2;
    const at = (middle - columns.first) * columnWidth;
    if (middle < columns.first || middle >= columns.last || at - free < labelPx) return;
    free = at;
    labels.set(middle, windows?.[index]?.label ?? '');
  });
  return labels;
}

function describeNeuron(trace: LayerTrace, source: RasterSource, neuron: number): string {
  const { x, y, channel } = neuronPlace(trace, neuron);
  const place = `x ${x}, y ${y}, channel ${channel}`;
  if (source.windows.length > 1) return `${place}: ${formatCount(source.counts[neuron] ?? 0)} spikes in ${source.columns} steps`;
  const spikes = Array.from({ length: source.columns }, (_, column) => column).flatMap((column) => (firedIn(source, neuron, column) ? [column + 1] : []));
  return `${place}: ${spikes.length === 0 ? 'silent' : `spikes at step ${spikes.join(', ')}`}`;
}

/** The share of a band's neurons that spiked, `[bands, columns]`, and what it was counted for. */
interface Shading {
  rates: Float32Array;
  bands: number;
  columns: RowRange;
}

/** Bands as one picture, a pixel for each band and step, stretched over the plot; thin gaps part the steps. */
function drawBands(
  context: CanvasRenderingContext2D,
  size: PixelSize,
  { rates, bands, columns }: Shading,
  theme: Theme,
  line: string,
  onlySpikes = false,
): void {
  if (bands === 0) return;
  const steps = columns.last - columns.first;
  const table = rampTable('sequential', theme);
  const pixels = new Uint8ClampedArray(rates.length * 4);
  rates.forEach((rate, at) => {
    const entry = rampEntry(rampPositionOf(rate)) * 3;
    pixels.set([table[entry] ?? 0, table[entry + 1] ?? 0, table[entry + 2] ?? 0, onlySpikes && rate === 0 ? 0 : 255], at * 4);
  });
  const picture = new OffscreenCanvas(steps, bands);
  picture.getContext('2d')?.putImageData(new ImageData(pixels, steps, bands), 0, 0);
  context.imageSmoothingEnabled = false;
  const columnWidth = size.width / steps;
  const gap = columnWidth > 3 * columnGapPx ? columnGapPx : 0;
  for (let step = 0; step < steps; step++) {
    context.drawImage(picture, step, 0, 1, bands, step * columnWidth + gap / 2, 0, columnWidth - gap, size.height);
  }
  const rowHeight = size.height / bands;
  if (rowHeight >= 6) {
    context.fillStyle = line;
    for (let band = 1; band < bands; band++) context.fillRect(0, Math.round(band * rowHeight), size.width, 1 / size.pixelRatio);
  }
}
