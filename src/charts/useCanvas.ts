import { useEffect, useRef, useState, type RefObject } from 'react';
import type { Size } from '../base/geometry';
import { scheduler } from './scheduler';

/** The size of an element, and how many device pixels a CSS pixel has. */
export interface PixelSize extends Size {
  pixelRatio: number;
}

/** Follows an element's size; undefined until it was measured, and while the element is not shown. */
export function useSize(element: RefObject<Element | null>): PixelSize | undefined {
  const [size, setSize] = useState<PixelSize>();
  useEffect(() => {
    const { current } = element;
    if (!current) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const box = entry?.contentBoxSize[0];
      const width = box?.inlineSize ?? 0;
      const height = box?.blockSize ?? 0;
      const next = width > 0 ? { width, height, pixelRatio: window.devicePixelRatio } : undefined;
      setSize((known) => (known?.width === next?.width && known?.height === next?.height && known?.pixelRatio === next?.pixelRatio ? known : next));
    });
    observe(observer, current);
    return () => observer.disconnect();
  }, [element]);
  return size;
}

/** The device-pixel box also changes when the page is zoomed or moved to another screen. Safari has none. */
function observe(observer: ResizeObserver, element: Element): void {
  try {
    observer.observe(element, { box: 'device-pixel-content-box' });
  } catch {
    observer.observe(element);
  }
}

export interface CanvasDrawing {
  canvas: RefObject<HTMLCanvasElement | null>;
  size: PixelSize | undefined;
}

/**
 * A canvas that is drawn again, in the shared animation frame, whenever its size or `draw` changes.
 * @param draw draws in CSS pixels on a cleared canvas; keep its identity while nothing it shows changes.
 */
export function useCanvas(draw: (context: CanvasRenderingContext2D, size: PixelSize) => void): CanvasDrawing {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(canvas);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !size || size.height === 0) return undefined;
    return scheduler.schedule(element, () => {
      const context = element.getContext('2d');
      if (!context) return;
      const { width, height, pixelRatio } = size;
      const pixelWidth = Math.max(1, Math.round(width * pixelRatio));
      const pixelHeight = Math.max(1, Math.round(height * pixelRatio));
      // Setting a canvas's size throws its memory away, so only when it changed.
      if (element.width !== pixelWidth) element.width = pixelWidth;
      if (element.height !== pixelHeight) element.height = pixelHeight;
      context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
      context.clearRect(0, 0, width, height);
      draw(context, size);
    });
  }, [draw, size]);
  return { canvas, size };
}

/** Where a pointer is within an element, in CSS pixels. */
export function pointIn(element: Element, event: { clientX: number; clientY: number }): { x: number; y: number } {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}
