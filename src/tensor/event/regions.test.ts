import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeBackend } from '../../../e2e/kernels';
import { shaped } from '../../../e2e/operationCases';
import { openBackend } from '../backend';
import { elementCount } from '../operations';

it('copies a region out of a signal and into another, and counts the spikes of every pixel', async () => {
  const { operations, memory } = await openBackend(nodeBackend('event'));
  const { regions } = operations;
  if (!regions) throw new Error('The engine knows no regions.');
  await fc.assert(
    fc.asyncProperty(shaped, fc.nat(), async ({ shape, values }, seed) => {
      const { steps, height, width, channels } = shape;
      const top = seed % height;
      const left = (seed >> 3) % width;
      const region = { top, left, bottom: top + 1 + ((seed >> 6) % (height - top)), right: left + 1 + ((seed >> 9) % (width - left)) };
      const inside = (index: number): boolean => {
        const pixel = Math.floor(index / channels) % (height * width);
        const [y, x] = [Math.floor(pixel / width), pixel % width];
        return y >= region.top && y < region.bottom && x >= region.left && x < region.right;
      };
      const source = operations.input(values, shape);
      const cropped = regions.crop(source, region);
      const target = operations.input(new Float32Array(values.length), shape);
      const shared = regions.share(target);
      const whole = { top: 0, left: 0, bottom: cropped.shape.height, right: cropped.shape.width };
      regions.paste(cropped, whole, shared, top, left);
      const { spikes } = operations.leakyIntegrateAndFire(source, steps, { decay: 0.25, threshold: 0.5 }, false);
      const [croppedValues, pasted, fired] = await operations.read([cropped, target, spikes]);
      expect([...(croppedValues ?? [])]).toEqual([...values].filter((_, index) => inside(index)));
      expect([...(pasted ?? [])]).toEqual([...values].map((value, index) => (inside(index) ? value : 0)));
      const expected = new Uint16Array(elementCount({ ...shape, channels: 1 }));
      fired?.forEach((count, index) => {
        const step = Math.floor(index / (height * width * channels));
        const at = (Math.floor(index / channels) % (height * width)) * steps + step;
        expected[at] = (expected[at] ?? 0) + count;
      });
      expect(regions.spikesPerPixel(spikes)).toEqual(expected);
      for (const value of [source, cropped, target, shared, spikes]) operations.release(value);
      expect(memory().tensors).toBe(0);
    }),
    { numRuns: 80 },
  );
});
