import { describe, expect, it } from 'vitest';
import { beginStroke, clearedSketch, emptySketch, extendStroke, inkOnPaper, paintSketch, sketchSide, undoneSketch, withDigit, type Sketch, type SketchContext } from './sketch';

const at = (x: number, y: number, width = 10) => ({ x, y, width });

describe('a sketch', () => {
  it('takes back whole strokes, and clearing too', () => {
    const one = extendStroke(extendStroke(beginStroke(emptySketch, at(10, 10)), [at(20, 10)]), [at(30, 10)]);
    const two = beginStroke(one, at(50, 50));
    expect(one.strokes).toEqual([[at(10, 10), at(20, 10), at(30, 10)]]);
    expect(undoneSketch(two).strokes).toEqual(one.strokes);
    expect(undoneSketch(undoneSketch(two)).strokes).toEqual([]);
    const cleared = clearedSketch(two);
    expect(cleared.strokes).toEqual([]);
    expect(undoneSketch(cleared).strokes).toEqual(two.strokes);
    expect(undoneSketch(emptySketch)).toBe(emptySketch);
    expect(clearedSketch(emptySketch)).toBe(emptySketch);
  });

  it('leaves out points that add nothing, and extends nothing where nothing was begun', () => {
    const sketch = extendStroke(beginStroke(emptySketch, at(10, 10)), [at(10.1, 10), at(10.2, 10), at(12, 10)]);
    expect(sketch.strokes).toEqual([[at(10, 10), at(12, 10)]]);
    expect(extendStroke(emptySketch, [])).toBe(emptySketch);
  });
});

describe('written digits', () => {
  it('lie on the pad, none over another, and fill it', () => {
    let sketch: Sketch = emptySketch;
    for (let digit = 0; digit < 9; digit++) {
      const next = withDigit(sketch, digit);
      expect(next).toBeDefined();
      sketch = next ?? sketch;
    }
    for (const { x, y, width } of sketch.strokes.flat()) {
      for (const place of [x, y]) {
        expect(place - width / 2).toBeGreaterThanOrEqual(0);
        expect(place + width / 2).toBeLessThanOrEqual(sketchSide);
      }
    }
    expect(withDigit(sketch, 3)).toBeUndefined();
    expect(undoneSketch(sketch).strokes.length).toBeLessThan(sketch.strokes.length);
  });

  it('go round what is drawn already', () => {
    const drawn = extendStroke(beginStroke(emptySketch, at(20, 20)), [at(180, 80)]);
    const written = withDigit(drawn, 5)?.strokes.slice(1).flat() ?? [];
    expect(written.length).toBeGreaterThan(0);
    expect(written.every(({ x, y }) => x > 200 || y > 90)).toBe(true);
  });
});

it('is painted at the size asked for: a dot, then lines as wide as the pen was pressed', () => {
  const done: unknown[][] = [];
  const note = (name: string) => (...values: unknown[]) => void done.push([name, ...values]);
  const context: SketchContext = {
    fillStyle: '',
    strokeStyle: '',
    lineCap: 'butt',
    lineWidth: 0,
    beginPath: () => undefined,
    fill: () => undefined,
    stroke: () => void done.push(['width', context.lineWidth]),
    fillRect: note('rect'),
    moveTo: note('from'),
    lineTo: note('to'),
    arc: note('dot'),
  };
  paintSketch(context, [[at(32, 64, 10), at(64, 64, 20)]], 160, inkOnPaper);
  expect(done).toEqual([
    ['rect', 0, 0, 160, 160],
    ['dot', 16, 32, 2.5, 0, 2 * Math.PI],
    ['from', 16, 32],
    ['to', 32, 32],
    ['width', 7.5],
  ]);
  expect(context).toMatchObject({ strokeStyle: '#16181d', lineCap: 'round' });
});
