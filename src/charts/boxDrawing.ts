import type { Size } from '../base/geometry';
import { boxText, type OverlayBox } from './boxText';
import { classColour, classDash, inkOnColour, kindLook, type Ink, type Theme } from './palette';
import { placeBox, placeLabels, type Placement, type Rectangle } from './placement';

/** A picture with boxes on a canvas, on the page or off it. */

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Labels may cover at most this share of the picture. */
const labelledShare = 0.08;
/** A picture's own pixels are shown sharp from this magnification on. */
const sharpFrom = 4;

export interface DetectionLook {
  theme: Theme;
  hovered?: number | undefined;
  selected?: number | undefined;
  /** Sides of the canvas in its own units. */
  pane: Size;
  ink: Ink;
}

/** @param pixelated sharp at every magnification, for pictures whose pixels are data */
export function drawPicture(context: Context, image: ImageBitmap | OffscreenCanvas, { width, height }: Size, placement: Placement, pixelated: boolean): void {
  context.imageSmoothingEnabled = placement.scale < (pixelated ? 1 : sharpFrom);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, placement.x, placement.y, width * placement.scale, height * placement.scale);
}

/** Boxes, given in pixels of the picture, and their labels. */
export function drawDetections(context: Context, detections: readonly OverlayBox[], placement: Placement, look: DetectionLook): void {
  const rectangles = detections.map(({ box }) => placeBox(box, placement));
  drawBoxes(context, rectangles, detections, look);
  const { pane } = look;
  const pictureArea = (pane.width - 2 * placement.x) * (pane.height - 2 * placement.y);
  drawLabels(context, rectangles, detections, look, pictureArea * labelledShare);
}

function lookOf(box: OverlayBox, theme: Theme): { colour: string; dash: readonly number[] } {
  return box.kind ? kindLook(theme, box.kind) : { colour: classColour(theme, box.class), dash: classDash(box.class) };
}

/** Boxes that something else than `hovered` draws the eye to are drawn faintly. */
const faint = 0.35;

function drawBoxes(
  context: Context,
  rectangles: readonly Rectangle[],
  detections: readonly OverlayBox[],
  { theme, hovered, selected }: DetectionLook,
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

const labelHeight = 15;
const labelPadding = 4;

function drawLabels(
  context: Context,
  rectangles: readonly Rectangle[],
  detections: readonly OverlayBox[],
  { theme, hovered, selected, pane, ink }: DetectionLook,
  budget: number,
): void {
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
