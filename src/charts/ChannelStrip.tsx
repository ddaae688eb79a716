import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { LayerTrace } from '../base/trace';
import { formatCount, formatExact, formatRate, formatShort } from './format';
import { channelMeans, channelThumbs, clampIndex, type TraceArray } from './layerViews';
import { LegendScale } from './LegendScale';
import { rampTable, readInk, type Theme } from './palette';
import { cellsPerRow, moveInGrid } from './placement';
import { TableDetails } from './TableDetails';
import { pointIn, useCanvas, useSize, type PixelSize } from './useCanvas';
import { centred, colourise, exactRange, fromZero, layerDomain, rampOf } from './valueScale';
import './charts.css';

export interface ChannelStripProps {
  trace: LayerTrace;
  /** Which of the two is shown: membranes, or spikes as firing rates (values where neurons emit those). */
  shows: TraceArray;
  /** 0-based; undefined for the mean over all steps. */
  step: number | undefined;
  selected: number | undefined;
  onSelectChannel?: (channel: number) => void;
  theme: Theme;
}

const thumbPx = 30;
const gapPx = 6;
/** Room for the bar under a thumb. */
const barPx = 3;
const rowPitchPx = thumbPx + barPx + 2 + gapPx;

/**
 * All channels of a layer as small maps, each over a bar of its mean, for choosing one. Arrow keys move the cursor, Enter selects.
 */
export function ChannelStrip({ trace, shows, step: wantedStep, selected, onSelectChannel, theme }: ChannelStripProps) {
  const { channels } = trace;
  const step = wantedStep === undefined ? undefined : clampIndex(wantedStep, trace.steps);
  const scroller = useRef<HTMLDivElement>(null);
  const width = useSize(scroller)?.width;
  const perRow = Math.min(cellsPerRow((width ?? 0) - gapPx, thumbPx, gapPx), channels);
  const rows = Math.ceil(channels / perRow);
  // Columns share what is left over of the width.
  const pitchPx = perRow < channels ? ((width ?? 0) - gapPx) / perRow : thumbPx + gapPx;
  const [cursor, setCursor] = useState<number>();

  const thumbs = useMemo(() => channelThumbs(trace, shows, step, thumbPx), [trace, shows, step]);
  const means = channelMeans(trace)[shows];
  const isRate = shows === 'emitted' && trace.emits === 'spikes';
  const domain = useMemo(() => {
    if (isRate) return fromZero(Math.max(exactRange(thumbs.values)[1], 1e-6));
    if (shows === 'membrane') return layerDomain(trace, 'membrane', 0);
    const [minimum, maximum] = exactRange(thumbs.values);
    return minimum >= 0 ? fromZero(maximum) : centred({ minimum, maximum }, 0);
  }, [isRate, shows, trace, thumbs]);

  const draw = useCallback(
    (context: CanvasRenderingContext2D, { pixelRatio }: PixelSize) => {
      const ink = readInk(context.canvas);
      const table = rampTable(rampOf(domain), theme);
      const cells = thumbs.rows * thumbs.columns;
      const scale = thumbPx / Math.max(thumbs.rows, thumbs.columns);
      const highest = Math.max(...means.map(Math.abs), 1e-6);
      const picture = new OffscreenCanvas(thumbs.columns, thumbs.rows);
      const pixels = picture.getContext('2d');
      context.imageSmoothingEnabled = false;
      for (let channel = 0; channel < channels; channel++) {
        const left = gapPx + (channel % perRow) * pitchPx;
        const top = gapPx + Math.floor(channel / perRow) * rowPitchPx;
        const values = thumbs.values.subarray(channel * cells, (channel + 1) * cells);
        pixels?.putImageData(new ImageData(colourise(values, domain, table), thumbs.columns, thumbs.rows), 0, 0);
        const thumbWidth = thumbs.columns * scale;
        const thumbHeight = thumbs.rows * scale;
        context.drawImage(picture, left + (thumbPx - thumbWidth) / 2, top + (thumbPx - thumbHeight) / 2, thumbWidth, thumbHeight);
        const barTop = top + thumbPx + 2;
        context.fillStyle = ink.line;
        context.fillRect(left, barTop + barPx - 1 / pixelRatio, thumbPx, 1 / pixelRatio);
        context.fillStyle = ink.muted;
        context.fillRect(left, barTop, (Math.abs(means[channel] ?? 0) / highest) * thumbPx, barPx);
        if (channel === selected || channel === cursor) {
          context.strokeStyle = channel === cursor ? ink.accent : ink.text;
          context.lineWidth = 2;
          context.strokeRect(left - 2, top - 2, thumbPx + 4, thumbPx + barPx + 6);
        }
      }
    },
    [thumbs, domain, theme, means, channels, perRow, pitchPx, selected, cursor],
  );
  const { canvas } = useCanvas(draw);

  // A channel chosen elsewhere (in the raster, by the address) must not be hidden below the fold.
  useEffect(() => {
    if (selected !== undefined && width !== undefined) keepInView(scroller.current, Math.floor(selected / perRow));
  }, [selected, perRow, width]);

  const channelUnder = (event: { currentTarget: Element; clientX: number; clientY: number }): number | undefined => {
    const { x, y } = pointIn(event.currentTarget, event);
    const column = Math.floor((x - gapPx / 2) / pitchPx);
    const channel = Math.floor((y - gapPx / 2) / rowPitchPx) * perRow + column;
    return column >= 0 && column < perRow && channel >= 0 && channel < channels ? channel : undefined;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const from = cursor ?? selected;
    const cell = from === undefined ? { x: 0, y: 0 } : { x: from % perRow, y: Math.floor(from / perRow) };
    const next = moveInGrid(event.key, cell, { width: perRow, height: rows });
    if (next) {
      const channel = Math.min(next.y * perRow + next.x, channels - 1);
      setCursor(channel);
      keepInView(scroller.current, Math.floor(channel / perRow));
    } else if (event.key === 'Enter' && cursor !== undefined) onSelectChannel?.(cursor);
    else return;
    event.preventDefault();
  };
  const shown = cursor ?? selected;
  const formatMean = isRate ? formatRate : formatExact;
  const quantity = shows === 'membrane' ? 'membrane potential' : isRate ? 'firing rate' : 'emitted value';
  const [lowest, highest] = exactRange(means);
  const when = step === undefined ? `mean of ${trace.steps} steps` : `step ${step + 1}`;
  return (
    <div className="chart">
      <div ref={scroller} className="chart-channels">
        <canvas
          ref={canvas}
          style={{ height: gapPx + rows * rowPitchPx }}
          role="img"
          aria-label={`${formatCount(channels)} channels, ${quantity}, ${when}; means over all steps from ${formatMean(lowest)} to ${formatMean(highest)}${selected === undefined ? '' : `; channel ${selected} selected`}.`}
          tabIndex={0}
          onPointerMove={(event) => setCursor(channelUnder(event))}
          onPointerLeave={() => setCursor(undefined)}
          onClick={(event) => {
            const channel = channelUnder(event);
            if (channel !== undefined) onSelectChannel?.(channel);
          }}
          onKeyDown={onKeyDown}
          onBlur={() => setCursor(undefined)}
        />
      </div>
      <LegendScale
        domain={domain}
        theme={theme}
        title={`${quantity.charAt(0).toUpperCase()}${quantity.slice(1)}, ${when}`}
        {...(domain.centre === undefined ? {} : { centreName: shows === 'membrane' && trace.emits === 'spikes' ? 'threshold' : 'zero' })}
        format={isRate ? formatRate : formatShort}
      />
      <output className="chart-readout">
        {shown !== undefined && means[shown] !== undefined
          ? `Channel ${shown}: mean ${quantity} ${formatMean(means[shown])}`
          : `Bars: mean ${quantity} over all steps, up to ${formatMean(highest)}`}
      </output>
      <TableDetails
        summary="Means of every channel"
        columns={['Channel', 'Membrane', trace.emits === 'spikes' ? 'Firing rate' : 'Emitted']}
        rows={() => {
          const { membrane, emitted } = channelMeans(trace);
          return Array.from(membrane, (potential, channel) => [
            String(channel),
            formatExact(potential),
            (trace.emits === 'spikes' ? formatRate : formatExact)(emitted[channel] ?? 0),
          ]);
        }}
      />
    </div>
  );
}

function keepInView(scroller: HTMLElement | null, row: number): void {
  if (!scroller) return;
  const top = row * rowPitchPx;
  const bottom = top + rowPitchPx + gapPx;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
}
