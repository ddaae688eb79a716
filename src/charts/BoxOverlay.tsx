import { useCallback, type KeyboardEvent, type MouseEvent, type PointerEvent } from 'react';
import type { Box, Size } from '../base/geometry';
import { boxText, describeBoxes, type OverlayBox } from './boxText';
import type { Cell } from './layerViews';
import { classColour, classDash, inkOnColour, kindLook, readInk, type Ink, type Theme } from './palette';
import { cellAt, fitInto, moveInList, placeBox, placeLabels, smallestAt, type Placement, type Rectangle } from './placement';
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
  /** Which network found them: "SNN, step 2". */
  title: string;
  theme: Theme;
  hovered?: number | undefined;
  selected?: number | undefined;
  /** A place to outline, in the picture's pixels: that of a cell under the pointer elsewhere. */
  marker?: Box | undefined;
  /** Pixels to ring. */
  ringed?: readonly Cell[] | undefined;
  onHover?: (index: number | undefined) => void;
  onSelect?: (index: number | undefined) => void;
  onHoverPixel?: (pixel: Cell | undefined) => void;
}

const pointerSlackPx = 3;
/** Labels may cover at most this share of the picture. */
const labelledShare = 0.08;
/** A picture's own pixels are shown sharp from this magnification on. */
const sharpFrom = 4;

/** The picture, whole, with its boxes. Arrow keys walk the boxes in their order, Enter selects, Escape lets go. */
export function BoxOverlay(props: BoxOverlayProps) {
  const { image, pixelated = false, width, height, detections, title, theme, hovered, selected, marker, ringed } = props;
  const { onHover, onSelect, onHoverPixel } = props;
  const draw = useCallback(
    (context: CanvasRenderingContext2D, pane: Size) => {
      const placement = fitInto({ width, height }, pane);
      const ink = readInk(context.canvas);
      if (image) {
        context.imageSmoothingEnabled = placement.scale < (pixelated ? 1 : sharpFrom);
        context.imageSmoothingQuality = 'high';
        context.drawImage(image, placement.x, placement.y, width * placement.scale, height * placement.scale);
      }
      if (ringed) drawRings(context, ringed, placement, ink);
      const rectangles = detections.map(({ box }) => placeBox(box, placement));
      drawBoxes(context, rectangles, detections, theme, hovered, selected);
      if (marker) drawMarker(context, placeBox(marker, placement), ink);
      drawLabels(context, rectangles, detections, { theme, hovered, selected, pane, ink, budget: width * height * placement.scale ** 2 * labelledShare });
    },
    [image, pixelated, width, height, detections, theme, hovered, selected, marker, ringed],
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
        aria-label={describeBoxes(title, detections)}
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

function lookOf(box: OverlayBox, theme: Theme): { colour: string; dash: readonly number[] } {
  return box.kind ? kindLook(theme, box.kind) : { colour: classColour(theme, box.class), dash: classDash(box.class) };
}

/** Boxes that something else than `hovered` draws the eye to are drawn faintly. */
const faint = 0.35;

function drawBoxes(
  context: CanvasRenderingContext2D,
  rectangles: readonly Rectangle[],
  detections: readonly OverlayBox[],
  theme: Theme,
  hovered: number | undefined,
  selected: number | undefined,
): void {
  const halo = theme === 'light' ? 'rgb(255 255 255 / 80%)' : 'rgb(0 0 0 / 70%)';
  const someHovered = hovered !== undefined && hovered < rectangles.length;
  const isTruth = (index: number): boolean => detections[index]?.kind === 'truth';
  // The best boxes come first and are drawn last, over the others; then the truth, between whose dashes the box that matches it is
  // seen; what is pointed at comes last of all.
  const rankOf = (index: number): number => (index === hovered ? 3 : index === selected ? 2 : Number(isTruth(index)));
  const inOrder = [...rectangles.keys()].reverse().sort((a, b) => rankOf(a) - rankOf(b));
  for (const index of inOrder) {
    const rectangle = rectangles[index];
    const detection = detections[index];
    if (!rectangle || !detection) continue;
    const { x, y, width, height } = rectangle;
    const chosen = index === hovered || index === selected;
    const { colour, dash } = lookOf(detection, theme);
    context.globalAlpha = someHovered && !chosen ? faint : 1;
    if (chosen) {
      context.save();
      context.globalAlpha = 0.14;
      context.fillStyle = colour;
      context.fillRect(x, y, width, height);
      context.restore();
    }
    context.lineJoin = 'round';
    if (chosen || !isTruth(index)) {
      context.setLineDash([]);
      context.strokeStyle = halo;
      context.lineWidth = chosen ? 6 : 4;
      context.strokeRect(x, y, width, height);
    }
    context.setLineDash([...dash]);
    context.strokeStyle = colour;
    context.lineWidth = chosen ? 3 : 2;
    context.strokeRect(x, y, width, height);
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
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

const labelHeight = 15;
const labelPadding = 4;

function drawLabels(
  context: CanvasRenderingContext2D,
  rectangles: readonly Rectangle[],
  detections: readonly OverlayBox[],
  view: { theme: Theme; hovered: number | undefined; selected: number | undefined; pane: Size; ink: Ink; budget: number },
): void {
  const { theme, hovered, selected, pane, ink, budget } = view;
  context.font = `600 11px ${ink.fontFamily}`;
  context.textBaseline = 'middle';
  const byScore = [...detections.keys()].sort((a, b) => (detections[b]?.score ?? 0) - (detections[a]?.score ?? 0));
  const labels = byScore.flatMap((index) => {
    const detection = detections[index];
    const target = rectangles[index];
    return detection && target ? [{ index, detection, target, text: boxText(detection) }] : [];
  });
  const someHovered = hovered !== undefined && hovered < detections.length;
  const places = placeLabels(
    labels.map(({ index, target, text }) => ({
      target: { ...target, x: target.x - 1 },
      width: Math.ceil(context.measureText(text).width) + 2 * labelPadding,
      height: labelHeight,
      forced: index === hovered || index === selected,
    })),
    pane,
    budget,
  );
  labels.forEach(({ index, detection, text }, label) => {
    const place = places[label];
    if (!place) return;
    const { colour } = lookOf(detection, theme);
    context.globalAlpha = someHovered && index !== hovered && index !== selected ? faint : 1;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(place.x, place.y, place.width, place.height, 3);
    context.fill();
    context.fillStyle = inkOnColour(colour);
    context.fillText(text, place.x + labelPadding, place.y + labelHeight / 2 + 0.5);
  });
  context.globalAlpha = 1;
}
