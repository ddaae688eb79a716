import { useCallback, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import type { Box, Size } from '../base/geometry';
import { boxAfterKey, draggedBox, drawnBox, gripAt, gripPlace, grips, wholeBox, type Grip } from './boxEditing';
import { describeBoxes } from './boxText';
import { classColour, classDash, inkOnColour, readInk, type Theme } from './palette';
import { fitInto, placeBox, smallestAt, type Point } from './placement';
import { pointIn, useCanvas } from './useCanvas';
import './charts.css';

export interface BoxEditorProps {
  image: ImageBitmap;
  /** Sides of the picture, in whose pixels boxes are. */
  width: number;
  height: number;
  boxes: readonly { box: Box; class: number }[];
  classNames: readonly string[];
  /** The class of a box that is drawn. */
  newClass: number;
  selected: number | undefined;
  title: string;
  theme: Theme;
  onSelect: (index: number | undefined) => void;
  /** @param box undefined: somewhere in the middle */
  onAdd: (box?: Box) => void;
  onChange: (index: number, box: Box) => void;
  onRemove: (index: number) => void;
}

/** What the pointer is doing, in pixels of the picture. */
type Gesture = { kind: 'draw'; from: Point; to: Point } | { kind: 'drag'; index: number; grip: Grip; from: Point; before: Box; box: Box };

const gripPx = 8;
const reachPx = 12;
const slackPx = 3;

/**
 * A picture to draw boxes on: press and pull for a new one, on a box to move it, on its grips to resize it. With the keyboard: Enter adds a
 * box, Page Up and Page Down choose one, arrows move it (Shift: by ten pixels), Alt and arrows resize it, Delete removes it.
 */
export function BoxEditor(props: BoxEditorProps) {
  const { image, width, height, boxes, classNames, newClass, selected, title, theme, onSelect, onAdd, onChange, onRemove } = props;
  const [gesture, setGesture] = useState<Gesture>();
  const held = useRef<Gesture>(undefined);
  const hold = (next: Gesture | undefined): void => {
    held.current = next;
    setGesture(next);
  };
  const shown = boxes.map((known, index) => (gesture?.kind === 'drag' && gesture.index === index ? { ...known, box: gesture.box } : known));
  const drawn = gesture?.kind === 'draw' ? drawnBox(gesture.from, gesture.to, { width, height }) : undefined;

  const draw = useCallback(
    (context: CanvasRenderingContext2D, pane: Size) => {
      const placement = fitInto({ width, height }, pane);
      const ink = readInk(context.canvas);
      context.imageSmoothingQuality = 'high';
      context.drawImage(image, placement.x, placement.y, width * placement.scale, height * placement.scale);
      context.font = `600 12px ${ink.fontFamily}`;
      context.textBaseline = 'middle';
      const all = drawn ? [...shown, { box: drawn, class: newClass }] : shown;
      all.forEach(({ box, class: label }, index) => {
        const colour = classColour(theme, label);
        const { x, y, width: across, height: down } = placeBox(box, placement);
        const isSelected = index === selected;
        context.setLineDash([]);
        // A line around the line keeps it visible on any picture.
        context.strokeStyle = inkOnColour(colour);
        context.lineWidth = isSelected ? 5 : 4;
        context.strokeRect(x, y, across, down);
        context.setLineDash([...classDash(label)]);
        context.strokeStyle = colour;
        context.lineWidth = isSelected ? 3 : 2;
        context.strokeRect(x, y, across, down);
        context.setLineDash([]);
        const text = classNames[label] ?? `class ${label}`;
        const textWidth = context.measureText(text).width + 8;
        const textTop = y >= 18 ? y - 18 : y;
        context.fillStyle = colour;
        context.fillRect(x, textTop, textWidth, 18);
        context.fillStyle = inkOnColour(colour);
        context.fillText(text, x + 4, textTop + 9);
        if (!isSelected) return;
        for (const grip of grips) {
          const place = gripPlace({ x, y, width: across, height: down }, grip);
          context.fillStyle = ink.surface;
          context.strokeStyle = ink.accent;
          context.lineWidth = 2;
          context.fillRect(place.x - gripPx / 2, place.y - gripPx / 2, gripPx, gripPx);
          context.strokeRect(place.x - gripPx / 2, place.y - gripPx / 2, gripPx, gripPx);
        }
      });
    },
    [image, width, height, shown, drawn, newClass, selected, classNames, theme],
  );
  const { canvas, size } = useCanvas(draw);

  const inPicture = (event: PointerEvent<HTMLCanvasElement>): Point => {
    const { x, y } = pointIn(event.currentTarget, event);
    const placement = fitInto({ width, height }, size ?? { width: 1, height: 1 });
    return { x: (x - placement.x) / placement.scale, y: (y - placement.y) / placement.scale };
  };
  const onPointerDown = (event: PointerEvent<HTMLCanvasElement>): void => {
    if (event.button !== 0 || !size) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const placement = fitInto({ width, height }, size);
    const at = pointIn(event.currentTarget, event);
    const from = inPicture(event);
    const chosen = selected === undefined ? undefined : boxes[selected];
    const grip = chosen && gripAt(at, placeBox(chosen.box, placement), reachPx);
    if (chosen && grip && selected !== undefined) {
      hold({ kind: 'drag', index: selected, grip, from, before: chosen.box, box: chosen.box });
      return;
    }
    const index = smallestAt(at, boxes.map(({ box }) => placeBox(box, placement)), slackPx);
    const under = index === undefined ? undefined : boxes[index];
    onSelect(index);
    hold(under && index !== undefined ? { kind: 'drag', index, grip: wholeBox, from, before: under.box, box: under.box } : { kind: 'draw', from, to: from });
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    const now = held.current;
    if (!now) return;
    const to = inPicture(event);
    if (now.kind === 'draw') hold({ ...now, to });
    else hold({ ...now, box: draggedBox(now.before, now.grip, to.x - now.from.x, to.y - now.from.y, { width, height }) });
  };
  const onPointerUp = (): void => {
    const now = held.current;
    hold(undefined);
    if (now?.kind === 'draw') {
      const box = drawnBox(now.from, now.to, { width, height });
      if (box) onAdd(box);
    } else if (now && now.box !== now.before) onChange(now.index, now.box);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const chosen = selected === undefined ? undefined : boxes[selected];
    const moved = chosen && boxAfterKey(chosen.box, event, { width, height });
    if (moved && selected !== undefined) onChange(selected, moved);
    else if (event.key === 'Enter') onAdd();
    else if (event.key === 'PageDown' && boxes.length > 0) onSelect(selected === undefined ? 0 : (selected + 1) % boxes.length);
    else if (event.key === 'PageUp' && boxes.length > 0) onSelect(selected === undefined ? boxes.length - 1 : (selected + boxes.length - 1) % boxes.length);
    else if ((event.key === 'Delete' || event.key === 'Backspace') && selected !== undefined) onRemove(selected);
    else if (event.key === 'Escape' && selected !== undefined) onSelect(undefined);
    else return;
    event.preventDefault();
  };
  return (
    <div className="chart-picture chart-box-editor" style={{ aspectRatio: `${width} / ${height}` }}>
      <canvas
        ref={canvas}
        role="application"
        aria-roledescription="box editor"
        aria-label={describeBoxes(title, boxes.map(({ box, class: label }) => ({ box, class: label, name: classNames[label] ?? '' })))}
        tabIndex={0}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={() => hold(undefined)}
        onKeyDown={onKeyDown}
      />
    </div>
  );
}
