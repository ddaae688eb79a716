import { useCallback, type KeyboardEvent, type MouseEvent, type PointerEvent } from 'react';
import type { Box, Size } from '../base/geometry';
import { drawDetections, drawPicture } from './boxDrawing';
import { describeBoxes, type KindNames, type OverlayBox } from './boxText';
import type { Cell } from './layerViews';
import { readInk, type Ink, type Theme } from './palette';
import { cellAt, fitInto, moveInList, placeBox, smallestAt, type Placement, type Rectangle } from './placement';
import { pointIn, useCanvas } from './useCanvas';
import './charts.css';

export interface BoxOverlayProps {
  /** What the boxes lie on; they are shown on a blank ground until there is one. */
  image: ImageBitmap | OffscreenCanvas | undefined;
  /** Shows the image's pixels sharp at every magnification, for pictures whose pixels are data. */
  pixelated?: boolean;
  /** Sides of the original picture, in whose pixels boxes are. */
  width: number;
  height: number;
  detections: readonly OverlayBox[];
  /** What kinds of boxes are called where their own names do not say it. */
  kindNames?: KindNames | undefined;
  /** Which network found them: "SNN, step 2". */
  title: string;
  theme: Theme;
  hovered?: number | undefined;
  selected?: number | undefined;
  /** A place to outline, in the picture's pixels: that of a cell under the pointer elsewhere. */
  marker?: Box | undefined;
  /** What that place may have seen, by strides and kernels: outlined thinly. */
  field?: Box | undefined;
  /** Drawn over the picture, where it says. */
  veil?: Veil | undefined;
  /** Pixels to ring. */
  ringed?: readonly Cell[] | undefined;
  onHover?: (index: number | undefined) => void;
  onSelect?: (index: number | undefined) => void;
  onHoverPixel?: (pixel: Cell | undefined) => void;
}

/** Colours over a part of the picture (or beyond it: what is outside is not drawn). */
export interface Veil {
  image: OffscreenCanvas;
  /** Where it lies, in the picture's pixels. */
  box: Box;
}

const pointerSlackPx = 3;

/** The picture, whole, with its boxes. Arrow keys walk the boxes in their order, Enter selects, Escape lets go. */
export function BoxOverlay(props: BoxOverlayProps) {
  const { image, pixelated = false, width, height, detections, kindNames, title, theme, hovered, selected, marker, field, veil, ringed } = props;
  const { onHover, onSelect, onHoverPixel } = props;
  const draw = useCallback(
    (context: CanvasRenderingContext2D, pane: Size) => {
      const placement = fitInto({ width, height }, pane);
      const ink = readInk(context.canvas);
      if (image) drawPicture(context, image, { width, height }, placement, pixelated);
      if (veil) drawVeil(context, veil, { width, height }, placement);
      if (ringed) drawRings(context, ringed, placement, ink);
      drawDetections(context, detections, placement, { theme, hovered, selected, pane, ink });
      if (field) drawField(context, field, { width, height }, placement, ink);
      if (marker) drawMarker(context, placeBox(marker, placement), ink);
    },
    [image, pixelated, width, height, detections, theme, hovered, selected, marker, field, veil, ringed],
  );
  const { canvas, size } = useCanvas(draw);

  const boxUnder = (event: MouseEvent<HTMLCanvasElement>): number | undefined => {
    if (!size) return undefined;
    const placement = fitInto({ width, height }, size);
    const rectangles = detections.map(({ box }) => placeBox(box, placement));
    return smallestAt(pointIn(event.currentTarget, event), rectangles, pointerSlackPx);
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (!size) return;
    const box = boxUnder(event);
    if (box !== hovered) onHover?.(box);
    onHoverPixel?.(cellAt(pointIn(event.currentTarget, event), { width, height }, fitInto({ width, height }, size)));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moveInList(event.key, hovered ?? selected, detections.length);
    if (next !== undefined) onHover?.(next);
    else if (event.key === 'Enter' && hovered !== undefined) onSelect?.(hovered);
    else if (event.key === 'Escape' && (hovered !== undefined || selected !== undefined)) {
      onHover?.(undefined);
      onSelect?.(undefined);
    } else return;
    event.preventDefault();
  };
  return (
    <div className="chart-picture">
      <canvas
        ref={canvas}
        role="img"
        aria-label={describeBoxes(title, detections, kindNames)}
        tabIndex={onHover || onSelect ? 0 : undefined}
        onPointerMove={onPointerMove}
        onPointerLeave={() => {
          onHover?.(undefined);
          onHoverPixel?.(undefined);
        }}
        onClick={(event) => onSelect?.(boxUnder(event))}
        onKeyDown={onKeyDown}
        onBlur={() => onHover?.(undefined)}
      />
    </div>
  );
}

function clipToPicture(context: CanvasRenderingContext2D, { width, height }: Size, { x, y, scale }: Placement): void {
  context.beginPath();
  context.rect(x, y, width * scale, height * scale);
  context.clip();
}

function drawVeil(context: CanvasRenderingContext2D, { image, box }: Veil, picture: Size, placement: Placement): void {
  const { x, y, width, height } = placeBox(box, placement);
  context.save();
  clipToPicture(context, picture, placement);
  context.imageSmoothingEnabled = false;
  context.drawImage(image, x, y, width, height);
  context.restore();
}

function drawField(context: CanvasRenderingContext2D, field: Box, picture: Size, placement: Placement, ink: Ink): void {
  const { x, y, width, height } = placeBox(field, placement);
  context.save();
  clipToPicture(context, picture, placement);
  context.setLineDash([3, 3]);
  context.lineWidth = 1;
  context.strokeStyle = ink.accent;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  context.restore();
}

function drawMarker(context: CanvasRenderingContext2D, { x, y, width, height }: Rectangle, ink: Ink): void {
  // A receptive place may be smaller than a pixel of the pane; crop marks around it stay visible.
  const reach = 4;
  context.lineWidth = 3;
  context.strokeStyle = ink.surface;
  context.strokeRect(x - reach, y - reach, width + 2 * reach, height + 2 * reach);
  context.lineWidth = 1.5;
  context.strokeStyle = ink.accent;
  context.strokeRect(x - reach, y - reach, width + 2 * reach, height + 2 * reach);
}

function drawRings(context: CanvasRenderingContext2D, pixels: readonly Cell[], { x, y, scale }: Placement, ink: Ink): void {
  const radius = Math.max(5, scale);
  for (const [width, colour] of [
    [3, ink.surface],
    [1.5, ink.text],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const pixel of pixels) {
      const centre = { x: x + (pixel.x + 0.5) * scale, y: y + (pixel.y + 0.5) * scale };
      context.moveTo(centre.x + radius, centre.y);
      context.arc(centre.x, centre.y, radius, 0, 2 * Math.PI);
    }
    context.stroke();
  }
}
