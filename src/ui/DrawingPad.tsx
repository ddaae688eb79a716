import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import {
  beginStroke,
  clearedSketch,
  extendStroke,
  paintSketch,
  penWidths,
  sketchSide,
  undoneSketch,
  withDigit,
  type PenPoint,
  type Sketch,
  type SketchColours,
} from '../base/sketch';
import { Button, SliderField } from './controls';

export interface DrawingPadProps {
  /** What it is read out as: "Sketch pad". */
  name: string;
  sketch: Sketch;
  colours: SketchColours;
  onChange: (sketch: Sketch) => void;
}

/** Pixels of the canvas: sharp on screens of two device pixels a CSS pixel. */
const canvasSide = 640;
const keyStep = 8;
const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * A square to draw on with mouse, touch or pen (which writes wider where it is pressed harder) or with the arrow keys; digits can also be
 * written by a button. It holds nothing itself but where the keyboard's pen is.
 */
export function DrawingPad({ name, sketch, colours, onChange }: DrawingPadProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  /** Several moves may come before the owner has given back the sketch of the first. */
  const latest = useRef(sketch);
  const pointerIsDown = useRef(false);
  /** The keyboard's pen goes on with its stroke until it is lifted. */
  const keyStroke = useRef(false);
  const [pen, setPen] = useState({ x: sketchSide / 2, y: sketchSide / 2 });
  const [isFull, setFull] = useState(false);
  useEffect(() => {
    latest.current = sketch;
    const context = canvas.current?.getContext('2d');
    if (context) paintSketch(context, sketch.strokes, canvasSide, colours);
  }, [sketch, colours]);

  const change = (next: Sketch): void => {
    latest.current = next;
    setFull(false);
    onChange(next);
  };
  const act = (next: Sketch): void => {
    keyStroke.current = false;
    change(next);
  };
  const pointOf = (element: Element, event: globalThis.PointerEvent): PenPoint => {
    const { left, top, width, height } = element.getBoundingClientRect();
    // A mouse has no pressure, and a finger's says little.
    const pressed = event.pointerType === 'pen' && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
    return {
      x: clamp(((event.clientX - left) / width) * sketchSide),
      y: clamp(((event.clientY - top) / height) * sketchSide),
      width: latest.current.penWidth * pressed,
    };
  };
  const onPointerDown = (event: PointerEvent<HTMLCanvasElement>): void => {
    // A second finger draws no second line from the first one's end.
    if (pointerIsDown.current || event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    pointerIsDown.current = true;
    act(beginStroke(latest.current, pointOf(event.currentTarget, event.nativeEvent)));
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>): void => {
    const { currentTarget, nativeEvent } = event;
    if (!pointerIsDown.current || !currentTarget.hasPointerCapture(event.pointerId)) return;
    const moves = nativeEvent.getCoalescedEvents();
    change(extendStroke(latest.current, (moves.length > 0 ? moves : [nativeEvent]).map((move) => pointOf(currentTarget, move))));
  };
  const lift = (): void => {
    pointerIsDown.current = false;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey) return;
    if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey)) {
      act(undoneSketch(latest.current));
      event.preventDefault();
      return;
    }
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = { x: clamp(pen.x + (step[0] ?? 0) * keyStep), y: clamp(pen.y + (step[1] ?? 0) * keyStep) };
    setPen(next);
    if (event.shiftKey) {
      keyStroke.current = false;
      return;
    }
    const width = latest.current.penWidth;
    const begun = keyStroke.current ? latest.current : beginStroke(latest.current, { ...pen, width });
    keyStroke.current = true;
    change(extendStroke(begun, [{ ...next, width }]));
  };
  return (
    <div className="drawing-pad">
      <div className="drawing-pad-sheet">
        <canvas
          ref={canvas}
          width={canvasSide}
          height={canvasSide}
          tabIndex={0}
          role="application"
          aria-label={`${name}: draw with the pointer, or with the arrow keys (with Shift the pen moves without drawing); Control Z takes back`}
          onKeyDown={onKeyDown}
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
          onPointerUp={lift}
          onPointerCancel={lift}
        />
        <span className="drawing-pad-pen" style={{ left: `${(pen.x / sketchSide) * 100}%`, top: `${(pen.y / sketchSide) * 100}%` }} aria-hidden="true" />
      </div>
      <div className="drawing-pad-digits" role="group" aria-label={`${name}: write a digit`}>
        <span aria-hidden="true">Write</span>
        {digits.map((digit) => (
          <button
            key={digit}
            type="button"
            aria-label={`Write a ${digit}`}
            onClick={() => {
              const written = withDigit(sketch, digit);
              if (written) act(written);
              else setFull(true);
            }}
          >
            {digit}
          </button>
        ))}
      </div>
      {isFull && <p role="status">There is no free place left for it: clear the pad, or take something back.</p>}
      <SliderField
        label="Pen width"
        value={sketch.penWidth}
        minimum={penWidths.smallest}
        maximum={penWidths.largest}
        step={1}
        onChange={(penWidth) => onChange({ ...sketch, penWidth })}
      />
      <div className="drawing-pad-actions">
        <Button look="quiet" isDisabled={sketch.past.length === 0} onPress={() => act(undoneSketch(sketch))}>
          Undo
        </Button>
        <Button look="quiet" isDisabled={sketch.strokes.length === 0} onPress={() => act(clearedSketch(sketch))}>
          Clear
        </Button>
      </div>
    </div>
  );
}

function clamp(place: number): number {
  return Math.min(Math.max(place, 0), sketchSide);
}
