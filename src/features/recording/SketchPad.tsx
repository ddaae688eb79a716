import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { openSketch } from '../../commands/simulate';
import { Button } from '../../ui/controls';

/** The simulated sensor that the sketch is moved over. */
const side = 128;
const inkWidth = 3.5;

interface Point {
  x: number;
  y: number;
}

/** A pad to draw on, in light on dark; what is drawn is then moved over a simulated event camera. */
export function SketchPad() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Point>(undefined);
  const [isEmpty, setEmpty] = useState(true);
  const [pen, setPen] = useState<Point>({ x: side / 2, y: side / 2 });
  useEffect(() => clear(canvas.current), []);

  const stroke = (from: Point, to: Point): void => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.strokeStyle = 'white';
    context.lineWidth = inkWidth;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    setEmpty(false);
  };
  const pointOf = (event: PointerEvent<HTMLCanvasElement>): Point => {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    return { x: ((event.clientX - left) / width) * side, y: ((event.clientY - top) / height) * side };
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: [-3, 0], ArrowRight: [3, 0], ArrowUp: [0, -3], ArrowDown: [0, 3] }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = { x: clamp(pen.x + (step[0] ?? 0)), y: clamp(pen.y + (step[1] ?? 0)) };
    if (!event.shiftKey) stroke(pen, next);
    setPen(next);
  };
  return (
    <div className="sketch">
      <canvas
        ref={canvas}
        width={side}
        height={side}
        className="sketch-pad"
        tabIndex={0}
        role="application"
        aria-label="Sketch pad: draw with the pointer, or with the arrow keys (with Shift the pen moves without drawing)"
        onKeyDown={onKey}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          last.current = pointOf(event);
          stroke(last.current, last.current);
        }}
        onPointerMove={(event) => {
          if (!last.current) return;
          const next = pointOf(event);
          stroke(last.current, next);
          last.current = next;
        }}
        onPointerUp={() => {
          last.current = undefined;
        }}
        onPointerCancel={() => {
          last.current = undefined;
        }}
      />
      <div className="source-actions">
        <Button
          isDisabled={isEmpty}
          onPress={() => {
            const pixels = canvas.current?.getContext('2d')?.getImageData(0, 0, side, side).data;
            if (!pixels) return;
            // White on black: red is the luminance.
            void openSketch(Uint8Array.from({ length: side * side }, (_, pixel) => pixels[pixel * 4] ?? 0), side, side);
          }}
        >
          Move it
        </Button>
        <Button
          look="quiet"
          isDisabled={isEmpty}
          onPress={() => {
            clear(canvas.current);
            setEmpty(true);
          }}
        >
          Clear
        </Button>
      </div>
    </div>
  );
}

function clear(canvas: HTMLCanvasElement | null): void {
  const context = canvas?.getContext('2d', { willReadFrequently: true });
  if (!context) return;
  context.fillStyle = 'black';
  context.fillRect(0, 0, side, side);
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), side - 1);
}
