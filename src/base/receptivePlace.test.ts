import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellOfPixel, placeOfCell } from './receptivePlace';

const size = fc.record({ width: fc.integer({ min: 32, max: 800 }), height: fc.integer({ min: 32, max: 800 }) });

describe('place and cell', () => {
  it('lead back to each other wherever a cell lies on the picture', () => {
    fc.assert(
      fc.property(size, fc.constantFrom(4, 8, 16), fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 }), (picture, stride, x, y) => {
        const input = { width: 256, height: 256 };
        const map = { width: input.width / stride, height: input.height / stride };
        const [x1, y1, x2, y2] = placeOfCell({ x, y }, map, input, picture);
        expect(cellOfPixel({ x: (x1 + x2) / 2, y: (y1 + y2) / 2 }, map, input, picture)).toEqual({ x, y });
      }),
    );
  });

  it('know the stretched input', () => {
    const [picture, input, map] = [{ width: 304, height: 240 }, { width: 320, height: 320 }, { width: 20, height: 20 }];
    expect(cellOfPixel({ x: 303, y: 239 }, map, input, picture, 'stretch')).toEqual({ x: 19, y: 19 });
    expect(placeOfCell({ x: 19, y: 0 }, map, input, picture, 'stretch')).toEqual([288.8, 0, 304, 12].map((side) => expect.closeTo(side, 6) as number));
  });

  it('know the letterbox', () => {
    const picture = { width: 640, height: 480 };
    const input = { width: 256, height: 256 };
    // 640 x 480 fills 256 x 192, 32 pixels below the top.
    expect(cellOfPixel({ x: 0, y: 0 }, { width: 16, height: 16 }, input, picture)).toEqual({ x: 0, y: 2 });
    expect(placeOfCell({ x: 0, y: 2 }, { width: 16, height: 16 }, input, picture)).toEqual([0, 0, 40, 40]);
  });
});
